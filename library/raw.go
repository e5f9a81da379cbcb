package library

import (
	"context"
	"fmt"
)

// RawRows counts the rows of a table as stored, replaced ones included: checkers
// of crashes compare it with what is visible.
func RawRows(ctx context.Context, l *Library, database, table string) (int64, error) {
	var n uint64
	if err := l.db.QueryRow(ctx, "SELECT count() FROM "+ident(database)+"."+ident(table)).Scan(&n); err != nil {
		return 0, fmt.Errorf("count %s.%s: %w", database, table, err)
	}
	return int64(n), nil
}
