package library

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// sortedBy is the sorting key that an engine clause names.
func sortedBy(engine string) string {
	_, key, _ := strings.Cut(engine, "ORDER BY (")
	key, _, _ = strings.Cut(key, ")")
	return key
}

// fit brings a table that exists to what this build needs: it adds the columns that are
// missing. What can not be added is mulu.ErrConflict: a table that keeps a fact twice
// when it is stored again, or keeps one fact of several, since another build made it
// with another engine or key. key "" is any.
func (l *Library) fit(ctx context.Context, database, table string, columns []column, key string) error {
	var engine, have string
	if err := l.db.QueryRow(ctx, "SELECT engine, sorting_key FROM system.tables WHERE database={d:String} AND name={t:String}", named("d", database), named("t", table)).Scan(&engine, &have); err != nil {
		return fmt.Errorf("read key of %s.%s: %w", database, table, err)
	}
	if !strings.Contains(engine, "ReplacingMergeTree") || key != "" && plain.Replace(have) != plain.Replace(key) {
		return fmt.Errorf("表 %s.%s 由正式发布前的旧版本建立(引擎 %s，排序键 %s)，本版本不能沿用，也不会改动它：请以新的 --data 目录启动后重新归集，或先移走旧目录 (made by an earlier unreleased build; start with a fresh --data directory): %w", database, table, engine, have, mulu.ErrConflict)
	}
	var names []string
	err := l.each(ctx, "columns of "+table, "SELECT name FROM system.columns WHERE database={d:String} AND table={t:String}", []any{named("d", database), named("t", table)}, func(r driver.Rows) error {
		var name string
		err := r.Scan(&name)
		names = append(names, name)
		return err
	})
	if err != nil {
		return err
	}
	for _, c := range columns {
		if slices.Contains(names, c.name) {
			continue
		}
		if err := l.addColumn(ctx, database, table, c); err != nil {
			return err
		}
	}
	return nil
}

func (l *Library) addColumn(ctx context.Context, database, table string, c column) error {
	if err := l.db.Exec(ctx, "ALTER TABLE "+ident(database)+"."+ident(table)+" ADD COLUMN IF NOT EXISTS "+ident(c.name)+" "+c.typ); err != nil {
		return fmt.Errorf("add column %s to %s.%s: %w", c.name, database, table, err)
	}
	return nil
}
