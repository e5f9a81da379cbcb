package library

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// PartCount is how many pieces a table lies in on disk. Every insert makes one and the
// engine merges them; many say that merging does not keep up.
type PartCount struct {
	Database, Table string
	Active          int64
	Bytes           int64 // on disk
}

// PartCounts counts the active parts of every table of the house and its libraries, by
// database and table.
func (l *Library) PartCounts(ctx context.Context) ([]PartCount, error) {
	var out []PartCount
	err := l.each(ctx, "parts", `SELECT database, table, toInt64(count()), toInt64(sum(bytes_on_disk)) FROM system.parts
		WHERE active AND database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') GROUP BY database, table ORDER BY database, table`, nil, func(rows driver.Rows) error {
		var p PartCount
		err := rows.Scan(&p.Database, &p.Table, &p.Active, &p.Bytes)
		out = append(out, p)
		return err
	})
	return out, err
}
