package library

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu/plan"
)

// listedTable keeps the row tokens of a list that was handed out, so that one can ask
// later what became of its rows. A token tells nothing without the house's key. It is
// kept as long as history is, see retune.
var listedTable = houseTable{"listed", []column{{"list", "String"}, {"refused", "UInt8"}, {"token", "String"}, {colIngested, "DateTime"}},
	"ReplacingMergeTree ORDER BY (list, refused, token) TTL " + colIngested + " + INTERVAL 3 YEAR"}

// Listed is one row of a list.
type Listed struct {
	Refused bool
	Token   string
}

// KeepListed keeps rows of a list; keeping them again changes nothing.
func (l *Library) KeepListed(ctx context.Context, list string, rows []Listed) error {
	if len(rows) == 0 {
		return nil
	}
	at := l.now().UTC()
	return l.insert(ctx, listedTable, len(rows), func(i int) []any {
		refused := uint8(0)
		if rows[i].Refused {
			refused = 1
		}
		return []any{list, refused, rows[i].Token, at}
	})
}

// Became is what became of the rows of a list.
type Became struct {
	Rows    int64 // in the list, those it refused included
	Failing int64 // still breaks the rule, or still waits as a problem row
	Mended  int64 // is in the library and keeps the rule
	Gone    int64 // is not there any more: deleted, withdrawn, or with another key
	At      time.Time
}

// BecameOf asks what became of the rows of a list under a plan's rule as it is now. The
// plan's own narrowing does not matter.
func (l *Library) BecameOf(ctx context.Context, list string, f plan.Failing, key []byte) (b Became, err error) {
	f.Where, f.Unit.Only = plan.Predicate{}, ""
	b.At = l.now().UTC()
	c, ds, err := l.failing(ctx, &f, key)
	if err != nil {
		return b, err
	}
	fault := c.atFault(&f, ds)
	token := c.rowToken(ds)
	in := "(SELECT token FROM mulu.listed FINAL WHERE list = " + c.param("String", list) + " AND refused = %d)"
	sql := "SELECT toInt64(count()), toInt64(countIf(coalesce(" + fault + ", 0))) FROM " + c.from(ds) + " WHERE " + token + " IN " + fmt.Sprintf(in, 0)
	if c.err != nil {
		return b, fmt.Errorf("what became of list %s: %w", list, c.err)
	}
	var there, failing, waiting, closed int64
	if err := l.ask(ctx, &f, sql, c.params, nil, func(rows driver.Rows) error { return rows.Scan(&there, &failing) }); err != nil {
		return b, fmt.Errorf("what became of list %s: %w", list, err)
	}
	if waiting, closed, err = l.refusedOf(ctx, list, &f, key); err != nil {
		return b, fmt.Errorf("what became of list %s: %w", list, err)
	}
	err = l.each(ctx, "a list", "SELECT toInt64(count()) FROM mulu.listed FINAL WHERE list = {l:String}", []any{named("l", list)}, func(rows driver.Rows) error { return rows.Scan(&b.Rows) })
	b.Failing, b.Mended = failing+waiting, there-failing+closed
	b.Gone = b.Rows - b.Failing - b.Mended
	return b, err
}

// refusedOf counts the refused rows of a list that still wait, and those that were
// replayed or that their source has corrected.
func (l *Library) refusedOf(ctx context.Context, list string, f *plan.Failing, key []byte) (waiting, closed int64, err error) {
	r, err := l.refusedBy(ctx, f, key, RejectClosed)
	if err != nil {
		return 0, 0, err
	}
	sql := "SELECT toInt64(countIf(r.state != '" + RejectClosed + "' AND " + r.where(f) + ")), toInt64(count()) FROM " + r.from +
		" WHERE " + r.token() + " IN (SELECT token FROM mulu.listed FINAL WHERE list = " + r.param("String", list) + " AND refused = 1)"
	if r.err != nil {
		return 0, 0, r.err
	}
	var all int64
	err = l.ask(ctx, f, sql, r.params, nil, func(rows driver.Rows) error { return rows.Scan(&waiting, &all) })
	return waiting, all - waiting, err
}
