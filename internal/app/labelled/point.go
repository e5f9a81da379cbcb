package labelled

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
	"mulu/ingest"
	"mulu/quality"
	"mulu/quality/codes"
)

// reading is what became of records under a declaration: rows, and what was refused.
type reading struct {
	rec     arrow.RecordBatch
	at      []int64 // record of each row
	rejects []mulu.Reject
}

// decode reads the records as ingest would.
func decode(ds *mulu.Dataset, rows [][]byte) (*reading, error) {
	dec, err := ingest.NewDecoder(ds)
	if err != nil {
		return nil, err
	}
	batch := &ingest.Batch{Plan: mulu.Plan{BatchID: mulu.BatchID{Last: int64(len(rows)) - 1}, Dataset: ds.Code}}
	for i, v := range rows {
		batch.Records = append(batch.Records, mulu.Record{Offset: int64(i), Value: v})
		batch.Bytes += int64(len(v))
	}
	d, err := dec.Decode(batch)
	if err != nil {
		return nil, err
	}
	return &reading{rec: d.Record, at: slices.Clone(d.Offsets), rejects: d.Rejects}, nil
}

// pointing is what one rule points at: rows, and for a rule over the whole dataset, the
// rows that stand together.
type pointing struct {
	rule    string
	columns []string // nil is the whole record
	groups  [][]int64
}

// point runs a dataset's rules over the records.
func point(ds *mulu.Dataset, rows [][]byte, tables *codes.Tables, asOf time.Time, find others) ([]pointing, error) {
	read, err := decode(ds, rows)
	if err != nil {
		return nil, err
	}
	defer read.rec.Release()
	refused := map[string]*pointing{}
	for _, r := range read.rejects {
		p := refused[r.Class+r.Field]
		if p == nil {
			p = &pointing{rule: strings.Trim("("+r.Class+") "+r.Field, " ")}
			if r.Field != "" {
				p.columns = []string{r.Field}
			}
			refused[r.Class+r.Field] = p
		}
		p.groups = append(p.groups, []int64{r.Offset})
	}
	var out []pointing
	for _, k := range slices.Sorted(maps.Keys(refused)) {
		out = append(out, *refused[k])
	}
	rules, err := quality.Compile(ds, tables)
	if err != nil {
		return nil, err
	}
	flags := rules.Check(read.rec, read.at, asOf).Flags
	for i, r := range ds.Rules {
		p := pointing{rule: string(r.ID), columns: r.Columns}
		for row, f := range flags {
			if f>>i&1 == 1 {
				p.groups = append(p.groups, []int64{read.at[row]})
			}
		}
		out = append(out, p)
	}
	for _, r := range ds.SetRules {
		columns := r.Columns
		if r.Kind == "duplicate_rows" && len(columns) == 0 {
			for _, c := range ds.Columns {
				if !slices.Contains(ds.Key, c.Name) {
					columns = append(columns, c.Name)
				}
			}
		}
		if r.Kind == "unique" || r.Kind == "duplicate_rows" {
			out = append(out, pointing{rule: string(r.ID), columns: columns, groups: read.repeated(ds, columns)})
		}
	}
	if find == nil {
		return out, nil
	}
	more, err := across(ds, read, tables, asOf, find)
	return append(out, more...), err
}

// repeated gives the rows that share their values of the columns, by group.
func (r *reading) repeated(ds *mulu.Dataset, columns []string) [][]int64 {
	by := map[string][]int64{}
	var order []string
	for row := range int(r.rec.NumRows()) {
		var b strings.Builder
		for _, c := range columns {
			a := r.rec.Column(ds.Column(c))
			if a.IsNull(row) {
				b.WriteString("\x01")
			} else {
				b.WriteString(a.ValueStr(row))
			}
			b.WriteByte(0)
		}
		k := b.String()
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], r.at[row])
	}
	var out [][]int64
	for _, k := range order {
		if len(by[k]) > 1 {
			out = append(out, by[k])
		}
	}
	return out
}

// visible says whether a kind of dirt shows in what a rule looks at.
func visible(kind string, columns []string) bool {
	where := shows[kind]
	return columns == nil || slices.Contains(where, "*") || slices.ContainsFunc(columns, func(c string) bool { return slices.Contains(where, c) })
}

// compare holds what rules point at against the labels.
func compare(points []pointing, labels map[int64][]string) (Side, map[string]Found) {
	side := Side{Rules: len(points)}
	flagged, right := map[int64]bool{}, map[int64]bool{}
	found := map[string]map[int64]bool{}
	type tally struct {
		rule           string
		flagged, right int64
		kinds          map[string]int64
	}
	var tallies []tally
	for _, p := range points {
		t := tally{rule: p.rule, kinds: map[string]int64{}}
		for _, group := range p.groups {
			hit := false
			for _, row := range group {
				for _, k := range labels[row] {
					if visible(k, p.columns) {
						hit = true
						if found[k] == nil {
							found[k] = map[int64]bool{}
						}
						found[k][row] = true
						t.kinds[k]++
					}
				}
			}
			// Of rows that stand together, one may be in order: the group is right or wrong.
			t.flagged++
			flagged[group[0]] = true
			if hit {
				t.right++
				right[group[0]] = true
			}
		}
		tallies = append(tallies, t)
		side.Each = append(side.Each, RuleSide{t.rule, t.flagged, t.right})
	}
	out := map[string]Found{}
	counts := map[string]int64{}
	for _, kinds := range labels {
		for _, k := range kinds {
			counts[k]++
		}
	}
	for k, n := range counts {
		m := Found{Rows: int64(len(found[k])), Recall: share(int64(len(found[k])), n), By: []string{}}
		var all, good int64
		slices.SortStableFunc(tallies, func(a, b tally) int { return cmp.Compare(b.kinds[k], a.kinds[k]) })
		for _, t := range tallies {
			if t.kinds[k]*20 >= n && t.kinds[k] > 0 { // not one that meets a row of it by chance
				m.By, all, good = append(m.By, t.rule), all+t.flagged, good+t.right
			}
		}
		if all > 0 {
			p := share(good, all)
			m.Precision = &p
		}
		out[k] = m
		side.Found, side.Labels = side.Found+m.Rows, side.Labels+n
	}
	side.Flagged, side.Right = int64(len(flagged)), int64(len(right))
	side.Precision, side.Recall = share(side.Right, side.Flagged), share(side.Found, side.Labels)
	return side, out
}

func share(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}
