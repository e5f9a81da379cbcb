// Command table looks on while deploy/test/table.sh pulls exchange databases.
//
//	table settled URL ACCOUNT            waits until nothing is on its way; the password is in MULU_PASSWORD
//	table once BROKER                    every version of a row is on its topic once
//	table compare DATA DIR POSTGRES MY   the library of a stopped mulu is what the databases hold, row by row
//
// It says what differs behind a ✗.
package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/internal/app"
	"mulu/library"
	"mulu/library/embedded"
	"mulu/plan"
	"mulu/quality/codes"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	err := errors.New("usage: table settled|once|compare …")
	switch args := os.Args[1:]; {
	case len(args) == 3 && args[0] == "settled":
		err = settled(ctx, args[1], args[2])
	case len(args) == 2 && args[0] == "once":
		err = once(ctx, args[1])
	case len(args) == 5 && args[0] == "compare":
		err = compare(ctx, args[1], args[2], args[3], args[4])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "table:", err)
		os.Exit(1)
	}
}

// say prints what was found; the script counts.
func say(what, fault string) {
	if fault == "" {
		fmt.Println("  ✓", what)
	} else {
		fmt.Println("  ✗", what+":", fault)
	}
}

// settled waits until every submission has landed.
func settled(ctx context.Context, url, account string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	cl := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	call := func(method, path string, in, out any) error {
		body, err := json.Marshal(in)
		if err != nil {
			return err
		}
		req, err := http.NewRequestWithContext(ctx, method, url+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("X-Mulu", "test")
		req.Header.Set("Content-Type", "application/json")
		resp, err := cl.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if resp.StatusCode >= 300 {
			return fmt.Errorf("%s: %s", path, resp.Status)
		}
		if out == nil {
			return nil
		}
		return json.NewDecoder(resp.Body).Decode(out)
	}
	if err := call("POST", "/v1/session", map[string]string{"account": account, "password": os.Getenv("MULU_PASSWORD")}, nil); err != nil {
		return err
	}
	for {
		left := 0
		for _, state := range []string{"open", "sent"} {
			var list []struct{}
			if err := call("GET", "/v1/submissions?state="+state, nil, &list); err != nil {
				return err
			}
			left += len(list)
		}
		if left == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%d submissions are on their way: %w", left, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// once reads every topic. Rows of a range are sent again by each run, once by each.
func once(ctx context.Context, broker string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeRegex(), kgo.ConsumeTopics(`^ex\.`), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return err
	}
	ends, err := adm.ListCommittedOffsets(ctx, slices.DeleteFunc(topics.Names(), func(s string) bool { return !strings.HasPrefix(s, "ex.") })...)
	if err != nil {
		return err
	}
	left := map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[fmt.Sprint(o.Topic, o.Partition)] = o.Offset
		}
	})
	times := map[string]map[string]int{}
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[fmt.Sprint(r.Topic, r.Partition)] {
				delete(left, fmt.Sprint(r.Topic, r.Partition))
			}
			if r.Attrs.IsControl() {
				return
			}
			row := string(r.Value)
			for _, h := range r.Headers {
				switch {
				case h.Key == mulu.HeaderNote:
					row += " ← " + string(h.Value)
				case r.Topic == "ex.my_code":
					run, _, _ := strings.Cut(string(h.Value), "/")
					row += " of " + run
				}
			}
			if times[r.Topic] == nil {
				times[r.Topic] = map[string]int{}
			}
			times[r.Topic][row]++
		})
	}
	for _, topic := range slices.Sorted(maps.Keys(times)) {
		var twice []string
		for row, n := range times[topic] {
			if n > 1 {
				twice = append(twice, row)
			}
		}
		slices.Sort(twice)
		fault := ""
		if len(twice) > 0 {
			fault = fmt.Sprintf("%d more than once, as %s", len(twice), twice[0])
		}
		say(fmt.Sprintf("%s: %d versions of rows, each once", topic, len(times[topic])), fault)
	}
	return nil
}

// expected is what the library holds at the end: SQL that gives the columns as text.
type expected struct {
	dataset mulu.DatasetCode
	my      bool
	query   string
	rejects string // a query, "" for none
}

const (
	pgPerson = `SELECT id, xm, amount, born, at, seen, ok, note, big FROM ex.person`
	myPerson = `SELECT id, xm, amount, born, at, seen, ok + 0, note, big FROM person`
)

var all = []expected{
	{"pg_person", false, pgPerson, ""},
	{"pg_place", false, `SELECT area, no, rtrim(name), size FROM ex.place`, ""},
	{"pg_event", false, `SELECT id, kind, at FROM ex.event WHERE batch_no IN (SELECT batch_no FROM ex.mulu_batch)`, ""},
	{"my_person", true, myPerson, ""},
	{"my_place", true, `SELECT area, no, name, size FROM place`, ""},
	{"my_code", true, `SELECT area, no, name, size FROM code`, ""},
	{"my_event", true, `SELECT id, kind, at FROM event WHERE batch_no IN (SELECT batch_no FROM mulu_batch)`, ""},
	{"my_bad", true, `SELECT id, name, amount, IF(born = '20010203', '2001-02-03', born), at, NULL, ok, note, NULL FROM bad WHERE fate = 'good'`, `SELECT COUNT(*) FROM bad WHERE fate = 'reject'`},
}

func compare(ctx context.Context, data, dir, pgDSN, myDSN string) error {
	pg, err := sql.Open("pgx", pgDSN)
	if err != nil {
		return err
	}
	defer pg.Close()
	my, err := sql.Open("mysql", myDSN)
	if err != nil {
		return err
	}
	defer my.Close()
	tables, err := codes.Load()
	if err != nil {
		return err
	}
	set, err := app.Check(os.DirFS(dir), tables, nil)
	if err != nil {
		return err
	}
	engine, err := embedded.Start(ctx, embedded.Options{Dir: filepath.Join(data, "engine"), Lib: os.Getenv(embedded.EnvLib)})
	if err != nil {
		return err
	}
	defer engine.Stop(ctx) //nolint:errcheck // the process ends
	lib, err := library.Open(ctx, library.Options{Transport: engine.Transport()})
	if err != nil {
		return err
	}
	defer lib.Close()
	for _, e := range all {
		d := set.Dataset(e.dataset)
		if err := lib.Apply(ctx, d.Dataset); err != nil {
			return err
		}
		db, name := pg, "PostgreSQL"
		if e.my {
			db, name = my, "MariaDB"
		}
		want, err := source(ctx, db, d.Dataset, e.query)
		if err != nil {
			return fmt.Errorf("%s: %w", e.dataset, err)
		}
		got, err := current(ctx, lib, d.Dataset)
		if err != nil {
			return err
		}
		say(fmt.Sprintf("%s: %d rows as in %s", e.dataset, len(want), name), difference(got, want))
		a, err := lib.Audit(ctx, e.dataset)
		if err != nil {
			return err
		}
		var rejects int64
		if e.rejects != "" {
			if err := db.QueryRowContext(ctx, e.rejects).Scan(&rejects); err != nil {
				return err
			}
		}
		fault := ""
		if a.Rejects != rejects || a.History != a.HistoryPositions || a.Visible != a.VisibleKeys || a.Both != 0 {
			fault = fmt.Sprintf("%+v", a)
		}
		say(fmt.Sprintf("%s: %d changes kept, %d records rejected", e.dataset, a.History, rejects), fault)
	}
	return nil
}

// source reads a table, every value as the text that current gives.
func source(ctx context.Context, db *sql.DB, d *mulu.Dataset, query string) ([]string, error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	raw, ptrs := make([]any, len(d.Columns)), make([]any, len(d.Columns))
	for i := range raw {
		ptrs[i] = &raw[i]
	}
	for rows.Next() {
		if err := rows.Scan(ptrs...); err != nil {
			return nil, err
		}
		cells := make([]string, len(raw))
		for i, v := range raw {
			switch x := v.(type) {
			case []byte:
				v = string(x)
			case time.Time:
				if v = x.Format("2006-01-02 15:04:05.999999999"); x.Location() != time.UTC { // timestamptz, in whatever zone
					v = x.Format(time.RFC3339Nano)
				}
				if d.Columns[i].Type == mulu.Date {
					v = x.Format(time.DateOnly)
				}
			}
			cells[i] = text(v, d.Columns[i].Type)
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, rows.Err()
}

// current reads what a share of the dataset would see.
func current(ctx context.Context, lib *library.Library, d *mulu.Dataset) ([]string, error) {
	p := plan.Plan{View: plan.View{Base: d.Code}, Limit: 1 << 20}
	for _, c := range d.Columns {
		p.Items = append(p.Items, plan.Item{Name: c.Name, Mask: plan.Clear})
	}
	rows, err := lib.Read(ctx, p, library.ReadOptions{})
	if err != nil {
		return nil, err
	}
	var out []string
	for _, r := range rows.Values {
		cells := make([]string, len(r))
		for i, v := range r {
			cells[i] = text(v, d.Columns[i].Type)
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, nil
}

// text is a value in the one form that both sides are compared in.
func text(v any, t mulu.Type) string {
	s := fmt.Sprint(v)
	switch {
	case v == nil:
		return "∅"
	case t == mulu.Decimal && strings.Contains(s, "."):
		return strings.TrimRight(strings.TrimRight(s, "0"), ".")
	case t == mulu.Bool:
		return map[string]string{"1": "true", "0": "false"}[strings.NewReplacer("true", "1", "false", "0").Replace(s)]
	case t == mulu.DateTime:
		at, err := time.Parse(time.RFC3339Nano, s)
		if err != nil { // a wall clock in Shanghai
			at, err = time.ParseInLocation("2006-01-02 15:04:05.999999999", s, time.FixedZone("", 8*3600))
		}
		if err != nil {
			return s
		}
		return at.UTC().Truncate(time.Millisecond).Format("2006-01-02 15:04:05.000")
	}
	return s
}

// difference names the first rows that are in one of the two alone.
func difference(got, want []string) string {
	count := map[string]int{}
	for _, r := range want {
		count[r]++
	}
	var extra, missing []string
	for _, r := range got {
		if count[r]--; count[r] < 0 {
			extra = append(extra, r)
		}
	}
	for _, r := range want {
		if count[r] > 0 {
			count[r]--
			missing = append(missing, r)
		}
	}
	if len(extra)+len(missing) == 0 {
		return ""
	}
	return fmt.Sprintf("%d missing %q, %d too many %q", len(missing), missing[:min(3, len(missing))], len(extra), extra[:min(3, len(extra))])
}
