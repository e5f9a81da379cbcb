// Command cdc looks on while deploy/test/cdc.sh runs a real change feed.
//
//	cdc arrived BROKER WORD…         waits until every feed has a message with one of the words
//	cdc read BROKER                  waits until mulu has read all there is
//	cdc compare DATA POSTGRES DIR    compares the library of a stopped mulu with PostgreSQL, row by row
//
// It exits with 1 and says what differs if they are not the same.
package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/internal/app"
	"mulu/library"
	"mulu/library/embedded"
	"mulu/plan"
	"mulu/quality/codes"
)

var topics = []string{"cdc.public.person", "cdc.public.person.schema", "cdc.public.place", "cdc.public.place.schema"}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	err := errors.New("usage: cdc arrived|read|compare …")
	switch args := os.Args[1:]; {
	case len(args) > 2 && args[0] == "arrived":
		err = arrived(ctx, args[1], args[2:])
	case len(args) == 2 && args[0] == "read":
		err = read(ctx, args[1])
	case len(args) == 4 && args[0] == "compare":
		err = compare(ctx, args[1], args[2], args[3])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "cdc:", err)
		os.Exit(1)
	}
}

func arrived(ctx context.Context, broker string, words []string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker), kgo.ConsumeTopics(topics...), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return err
	}
	defer cl.Close()
	for seen := map[string]bool{}; len(seen) < len(topics); {
		fetches := cl.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("%q not in all feeds, only in %v: %w", words, seen, err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			for _, w := range words {
				if bytes.Contains(r.Value, []byte(w)) {
					seen[r.Topic] = true
				}
			}
		})
	}
	return nil
}

// read waits until the group of mulu has committed the end of every partition.
func read(ctx context.Context, broker string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(broker))
	if err != nil {
		return err
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	for {
		lag, err := lagOf(ctx, adm)
		if err == nil && lag == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("lag is %d, %v: %w", lag, err, ctx.Err())
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func lagOf(ctx context.Context, adm *kadm.Client) (lag int64, err error) {
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return -1, err
	}
	groups, err := adm.ListGroups(ctx)
	if err != nil {
		return -1, err
	}
	for _, g := range groups.Groups() {
		if !strings.HasPrefix(g, "mulu") {
			continue
		}
		at, err := adm.FetchOffsets(ctx, g)
		if err != nil {
			return -1, err
		}
		ends.Each(func(end kadm.ListedOffset) {
			o, _ := at.Lookup(end.Topic, end.Partition)
			lag += end.Offset - max(o.At, 0)
		})
		return lag, nil
	}
	return -1, errors.New("no group of mulu")
}

func compare(ctx context.Context, data, postgres, dir string) error {
	pg, err := pgx.Connect(ctx, postgres)
	if err != nil {
		return err
	}
	defer pg.Close(ctx)
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
	passed, failed := 0, 0
	verdict := func(what string, fault string) {
		if fault == "" {
			passed++
			fmt.Println("  ✓", what)
		} else {
			failed++
			fmt.Println("  ✗", what+":", fault)
		}
	}
	for _, d := range set.Datasets {
		if err := lib.Apply(ctx, d.Dataset); err != nil {
			return err
		}
		want, err := source(ctx, pg, d.Dataset)
		if err != nil {
			return err
		}
		got, err := current(ctx, lib, d.Dataset)
		if err != nil {
			return err
		}
		verdict(fmt.Sprintf("%s: %d rows as in PostgreSQL", d.Code, len(want)), difference(got, want))
		a, err := lib.Audit(ctx, d.Code)
		if err != nil {
			return err
		}
		verdict(fmt.Sprintf("%s: %d changes kept, no record rejected", d.Code, a.History), counts(a))
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		return errors.New("the library is not what PostgreSQL is")
	}
	return nil
}

func counts(a library.Audit) string {
	if a.Rejects > 0 || a.History != a.HistoryPositions || a.Visible != a.VisibleKeys {
		return fmt.Sprintf("%+v", a)
	}
	return ""
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

// source reads a table of PostgreSQL, every value as the text that current gives.
func source(ctx context.Context, pg *pgx.Conn, d *mulu.Dataset) ([]string, error) {
	var cols []string
	for _, c := range d.Columns {
		x := pgx.Identifier{c.Name}.Sanitize()
		switch {
		case c.Type == mulu.DateTime:
			x = "to_char(date_trunc('milliseconds', " + x + "::timestamptz) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS')"
		case c.Type == mulu.Decimal:
			x = "trim_scale(" + x + ")::text"
		default:
			x += "::text"
		}
		cols = append(cols, "coalesce("+x+", '∅')")
	}
	table := strings.TrimSuffix(string(d.Code), "_schema")
	rows, err := pg.Query(ctx, "SELECT concat_ws('|', "+strings.Join(cols, ", ")+") FROM "+pgx.Identifier{table}.Sanitize())
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
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

func text(v any, t mulu.Type) string {
	s := fmt.Sprint(v)
	switch {
	case v == nil:
		return "∅"
	case t == mulu.Decimal && strings.Contains(s, "."):
		return strings.TrimRight(strings.TrimRight(s, "0"), ".")
	case t == mulu.DateTime:
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			return s
		}
		return at.UTC().Format("2006-01-02 15:04:05.000")
	}
	return s
}
