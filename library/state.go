package library

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
)

// DataVersions names the state of the rows of every dataset that has any: a short digest
// over how far each partition was stored, what was replayed and withdrawn, what was
// truncated, and how history was judged. It says nothing of parts and merges: equal names, equal rows.
func (l *Library) DataVersions(ctx context.Context) (map[mulu.DatasetCode]string, error) {
	facts := map[mulu.DatasetCode][]string{}
	note := func(code mulu.DatasetCode, format string, args ...any) {
		facts[code] = append(facts[code], fmt.Sprintf(format, args...))
	}
	totals, err := l.RunningTotals(ctx)
	if err != nil {
		return nil, err
	}
	for i := range totals {
		t := &totals[i]
		note(t.Dataset, "through %s %d %d", t.TopicID, t.Partition, t.Through)
	}
	corrections, err := l.Corrections(ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range corrections {
		note(c.Dataset, "corrected %s %d %s", c.TopicID, c.Partition, c.Mark)
	}
	err = l.each(ctx, "floors", "SELECT dataset, max(floor) FROM mulu.floors WHERE "+standing("first")+" GROUP BY dataset", nil, func(rows driver.Rows) error {
		var code string
		var floor uint64
		err := rows.Scan(&code, &floor)
		note(mulu.DatasetCode(code), "floor %d", floor)
		return err
	})
	if err != nil {
		return nil, err
	}
	// What history was judged by is part of what its rows say.
	err = l.each(ctx, "judgements", "SELECT dataset, rules, toUnixTimestamp64Micro(at) FROM mulu.judgements FINAL WHERE walk != 0", nil, func(rows driver.Rows) error {
		var code, rules string
		var at int64
		err := rows.Scan(&code, &rules, &at)
		note(mulu.DatasetCode(code), "judged %s %d", rules, at)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make(map[mulu.DatasetCode]string, len(facts))
	for code, lines := range facts {
		slices.Sort(lines)
		sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
		out[code] = hex.EncodeToString(sum[:8])
	}
	return out, nil
}

// DataVersion is one of DataVersions, "" for a dataset that has no rows.
func (l *Library) DataVersion(ctx context.Context, code mulu.DatasetCode) (string, error) {
	all, err := l.DataVersions(ctx)
	return all[code], err
}

// Arrived are the rows that came on one day of Shanghai.
type Arrived struct {
	Day  string // YYYY-MM-DD
	Rows int64
}

// ArrivalsByDay gives the rows that batches brought per day since a time, oldest day first.
// Days without a batch are not among them, nor are batches that were withdrawn.
func (l *Library) ArrivalsByDay(ctx context.Context, code mulu.DatasetCode, since time.Time) ([]Arrived, error) {
	var out []Arrived
	err := l.each(ctx, "arrivals", `SELECT toString(toDate32(toTimeZone(at, 'Asia/Shanghai'))) AS day, sum(rows) FROM mulu.manifest FINAL
		WHERE dataset = {ds:String} AND at >= fromUnixTimestamp64Micro({at:Int64}) AND `+standing("first")+` GROUP BY day ORDER BY day`,
		[]any{named("ds", string(code)), named("at", since.UnixMicro())}, func(rows driver.Rows) error {
			var a Arrived
			err := rows.Scan(&a.Day, &a.Rows)
			out = append(out, a)
			return err
		})
	return out, err
}
