package library

import "context"

// EngineFull is a table's engine with its settings, as the engine tells it.
func EngineFull(ctx context.Context, l *Library, database, table string) (full string, err error) {
	err = l.db.QueryRow(ctx, "SELECT engine_full FROM system.tables WHERE database={d:String} AND name={t:String}", named("d", database), named("t", table)).Scan(&full)
	return full, err
}

// Exec runs one statement.
func Exec(ctx context.Context, l *Library, sql string) error { return l.db.Exec(ctx, sql) }
