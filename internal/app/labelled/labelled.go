// Package labelled measures how much of the known dirt of the sample district the
// profile's suggestions find, and how much the declared rules do: the generator says of
// every row what it spoilt. The suggestions are made from the raw records alone, without
// declaration: names of fields and values, no types, titles, levels or rules.
package labelled

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
	declared "mulu/deploy/sample"
	"mulu/internal/declare"
	"mulu/internal/sample"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/profile"
	"mulu/quality/suggest"
)

// Options of a measurement.
type Options struct {
	Seed  uint64
	Scale float64
	AsOf  time.Time
	// Progress is told what is being done; nil for nobody.
	Progress func(stage string, done, total int64)
}

// Report is a measurement.
type Report struct {
	Seed     uint64    `json:"seed"`
	Scale    float64   `json:"scale"`
	AsOf     string    `json:"as_of"`
	Datasets []Dataset `json:"datasets"`
}

// Dataset is the measurement of one dataset.
type Dataset struct {
	Dataset     string               `json:"dataset"`
	Rows        int64                `json:"rows"`
	Dirty       int64                `json:"dirty"` // rows with a label
	Suggested   Side                 `json:"suggested"`
	Declared    Side                 `json:"declared"`
	Kinds       []Kind               `json:"kinds"`
	Suggestions []suggest.Suggestion `json:"-"`
}

// Side is how a set of rules does over all kinds of dirt: of the rows it points at, the
// share with a label that shows where the rule looks; of the rows with a label, the
// share it points at for that.
type Side struct {
	Rules     int        `json:"rules"`
	Flagged   int64      `json:"flagged"`
	Right     int64      `json:"right"`
	Found     int64      `json:"found"` // labels
	Labels    int64      `json:"labels"`
	Precision float64    `json:"precision"`
	Recall    float64    `json:"recall"`
	Each      []RuleSide `json:"each"`
}

// RuleSide is one rule's part.
type RuleSide struct {
	Rule    string `json:"rule"`
	Flagged int64  `json:"flagged"`
	Right   int64  `json:"right"`
}

// Kind is how one kind of dirt is found.
type Kind struct {
	Kind      string `json:"kind"`
	Labels    int64  `json:"labels"`
	Suggested Found  `json:"suggested"`
	Declared  Found  `json:"declared"`
}

// Found is how much of one kind of dirt rules find. Precision is that of the rules that find it: of the
// rows they point at, the share with any label that shows where they look.
type Found struct {
	Rows      int64    `json:"rows"`
	Recall    float64  `json:"recall"`
	Precision *float64 `json:"precision"` // null if nothing finds it
	By        []string `json:"by"`        // the rules that do, most first
}

// shows are the fields in which each kind of dirt can be seen; "*" is all of them, where
// the row itself is at fault.
var shows = map[string][]string{
	"id_checksum": {"id_no"}, "id_lower_x": {"id_no"}, "div12_unknown": {"div12"}, "birth_impossible": {"birth"}, "broken": {"*"},
	"birth_mismatch": {"birth", "id_no"}, "sex_text": {"sex"}, "addr_unmatched": {"addr_code", "live_addr"}, "phone_blank": {"phone"},
	"name_placeholder": {"name"}, "death_late": {"death_date", "upd", "status"}, "div12_wrong": {"div12", "addr_code"}, "duplicate": {"*"},
	"code_missing": {"addr_code"}, "area_text": {"area"}, "room_form": {"room"}, "lon_lat_swapped": {"lon", "lat"}, "out_of_district": {"lon"},
	"alias": {"*"}, "grid_missing": {"grid15"},
	"death_unpropagated": {"status"}, "reported_before": {"reported", "death_date"}, "reported_late": {"reported", "death_date"}, "cert_blank": {"cert_no"},
	"acct_check": {"acct_no"}, "band_wrong": {"age_band", "amount"}, "month_twice": {"*"}, "paid_after_death": {"pay_status", "month"},
	"uscc_missing": {"uscc"}, "uscc_check": {"uscc"}, "industry_old": {"industry"}, "name_width": {"name"}, "capital_unit": {"reg_cap"}, "rep_masked": {"rep_id"},
	"lic_length": {"lic_no"}, "category_items": {"items", "lic_no"}, "addr_differs": {"addr"}, "firm_cancelled": {"status"},
	"visit_future": {"visit"}, "children_text": {"children_n"}, "text_only": {"live_alone", "children_n", "health_lv", "risk_lv"}, "stale": {"visit"}, "risk_blank": {"risk_lv"},
}

// district is one generated district.
type district struct {
	rows   map[string][][]byte
	labels map[string]map[int64][]string // by dataset and row
}

// Measure generates the district and measures every dataset of it that has dirt.
func Measure(ctx context.Context, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		return nil, err
	}
	set, err := declare.Load(declared.FS, declare.Known{CodeTables: tables.Names(), RuleKinds: quality.RuleKinds(), CheckRules: quality.CheckRules(tables)})
	if err != nil {
		return nil, err
	}
	d, err := generate(o)
	if err != nil {
		return nil, err
	}
	out := &Report{Seed: o.Seed, Scale: o.Scale, AsOf: o.AsOf.Format(time.DateOnly)}
	var todo []*declare.Dataset
	for _, ds := range set.Datasets {
		if len(d.labels[string(ds.Code)]) > 0 {
			todo = append(todo, ds)
		}
	}
	slices.SortFunc(todo, func(a, b *declare.Dataset) int { return cmp.Compare(a.Code, b.Code) })
	for i, ds := range todo {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		o.Progress("衡量 / measuring "+string(ds.Code), int64(i), int64(len(todo)))
		m, err := measure(ds.Dataset, d, tables, o, d.declared(set, tables, o.AsOf))
		if err != nil {
			return nil, fmt.Errorf("measure %s: %w", ds.Code, err)
		}
		out.Datasets = append(out.Datasets, *m)
	}
	return out, nil
}

func generate(o Options) (*district, error) {
	d := &district{rows: map[string][][]byte{}, labels: map[string]map[int64][]string{}}
	opt := sample.Options{Seed: o.Seed, Scale: o.Scale, AsOf: o.AsOf, Label: func(l sample.Label) error {
		if d.labels[l.Dataset] == nil {
			d.labels[l.Dataset] = map[int64][]string{}
		}
		d.labels[l.Dataset][l.Row] = append(d.labels[l.Dataset][l.Row], l.Kind)
		return nil
	}}
	_, err := sample.Generate(opt, func(dataset string, _, value []byte) error {
		if dataset != "division" { // published as it is, without dirt
			d.rows[dataset] = append(d.rows[dataset], slices.Clone(value))
		}
		return nil
	})
	return d, err
}

// declared gives the rows of a dataset that its declaration lets in, each read once.
func (d *district) declared(set *declare.Set, tables *codes.Tables, asOf time.Time) others {
	return func(code mulu.DatasetCode) (*mulu.Dataset, arrow.RecordBatch, error) {
		for _, ds := range set.Datasets {
			if ds.Code != code {
				continue
			}
			read, err := decode(ds.Dataset, d.rows[string(code)])
			if err != nil {
				return nil, nil, err
			}
			return ds.Dataset, read.rec, nil
		}
		return nil, nil, fmt.Errorf("dataset %s: %w", code, mulu.ErrNotFound)
	}
}

func measure(ds *mulu.Dataset, d *district, tables *codes.Tables, o Options, find others) (*Dataset, error) {
	rows, labels := d.rows[string(ds.Code)], d.labels[string(ds.Code)]
	proposed, list, err := propose(ds, rows, tables, o)
	if err != nil {
		return nil, err
	}
	theirs, err := point(proposed, rows, tables, o.AsOf, nil)
	if err != nil {
		return nil, fmt.Errorf("suggested rules: %w", err)
	}
	ours, err := point(ds, rows, tables, o.AsOf, find)
	if err != nil {
		return nil, fmt.Errorf("declared rules: %w", err)
	}
	out := &Dataset{Dataset: string(ds.Code), Rows: int64(len(rows)), Dirty: int64(len(labels)), Suggestions: list}
	var bySuggested, byDeclared map[string]Found
	out.Suggested, bySuggested = compare(theirs, labels)
	out.Declared, byDeclared = compare(ours, labels)
	counts := map[string]int64{}
	for _, kinds := range labels {
		for _, k := range kinds {
			counts[k]++
		}
	}
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		out.Kinds = append(out.Kinds, Kind{Kind: k, Labels: counts[k], Suggested: bySuggested[k], Declared: byDeclared[k]})
	}
	return out, nil
}

// propose makes a declaration out of nothing but the records: types and a key from a
// first look at them as texts, rules from a second look at what could be read so.
func propose(ds *mulu.Dataset, rows [][]byte, tables *codes.Tables, o Options) (*mulu.Dataset, []suggest.Suggestion, error) {
	raw := texts(rows)
	defer raw.Release()
	opt := profile.Options{Seed: o.Seed, AsOf: o.AsOf, Tables: tables}
	var fields []profile.Field
	for _, f := range raw.Schema().Fields() {
		fields = append(fields, profile.Field{Name: f.Name})
	}
	first := profile.NewBuilder(fields, opt)
	if err := first.Add(raw); err != nil {
		return nil, nil, err
	}
	proposed := suggest.Dataset(ds.Code, first.Profile())
	read, err := decode(proposed, rows)
	if err != nil {
		return nil, nil, err
	}
	defer read.rec.Release()
	second := profile.NewBuilder(profile.FieldsOf(proposed), opt)
	if err := second.Add(read.rec); err != nil {
		return nil, nil, err
	}
	list := suggest.Rules(second.Profile(), suggest.Options{RowKinds: quality.RuleKinds(), SetKinds: quality.SetKinds(), Values: true})
	return suggest.Declare(proposed, list), list, nil
}
