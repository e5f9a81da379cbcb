package filecheck

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mulu"
	"mulu/internal/sample"
	"mulu/quality"
	"mulu/quality/check"
	"mulu/quality/codes"
)

// Request is one check of a file.
type Request struct {
	Rules, Data string // paths
	Dataset     string // which table of a file of rules; "" is named like the data
	Now         time.Time
	Options     Options
}

// Report is what came of it, in the stable form of mulu quality check --json.
type Report struct {
	Rules    []RuleReport     `json:"rules"`
	Unmapped []check.Unmapped `json:"unmapped"`
	Score    *Score           `json:"score"`
	OK       bool             `json:"ok"` // every rule held, all were mapped and nothing was unfit
	Format   string           `json:"format"`
	Rows     int              `json:"rows"`
	Columns  []ColumnReport   `json:"columns"`
	Unfit    []UnfitReport    `json:"unfit"`
	Faults   []Fault          `json:"faults"`
	// FaultCount counts faults beyond those that are listed as well.
	FaultCount int `json:"fault_count"`
}

// RuleReport is one rule. Failed rows count from 0, headings and blank lines left out.
type RuleReport struct {
	ID         string         `json:"id"`
	Kind       string         `json:"kind"`
	Status     quality.Status `json:"status"`
	Success    bool           `json:"success"`
	Evaluated  int64          `json:"evaluated"`
	Failed     int64          `json:"failed"`
	FailedRows *Rows          `json:"failed_rows"`
	Observed   any            `json:"observed"`
	Origin     string         `json:"origin"`
	Title      string         `json:"title,omitempty"`
	Columns    []string       `json:"columns"`
	Expected   string         `json:"expected,omitempty"`
	Indicator  string         `json:"indicator,omitempty"`
	Message    string         `json:"message,omitempty"`
}

// Rows is a set of rows, written as a list of their numbers.
type Rows struct{ Bits check.Bits }

// MarshalJSON writes the numbers.
func (r *Rows) MarshalJSON() ([]byte, error) { return r.append(nil), nil }

func (r *Rows) append(out []byte) []byte {
	out = slices.Grow(out, int(8*r.Bits.Count())+2)
	out = append(out, '[')
	first := true
	r.Bits.Each(func(i int) {
		if !first {
			out = append(out, ',')
		}
		first = false
		out = strconv.AppendInt(out, int64(i), 10)
	})
	return append(out, ']')
}

// WriteJSON writes the report. encoding/json reads all that a type writes by itself once
// more, which for a million rows takes longer than to find them: the lists of failed rows
// are put in between what it writes of the rest.
func (r *Report) WriteJSON(w io.Writer) error {
	rest := *r
	rest.Rules = nil
	tail, err := plainJSON(rest)
	if err != nil {
		return err
	}
	out := []byte(`{"rules":[`)
	for i, x := range r.Rules {
		rows := x.FailedRows
		x.FailedRows = nil
		one, err := plainJSON(x)
		if err != nil {
			return err
		}
		if i > 0 {
			out = append(out, ',')
		}
		before, after, _ := bytes.Cut(one, []byte(noRows))
		if rows == nil {
			out = append(out, one...)
			continue
		}
		out = append(append(out, before...), `"failed_rows":`...)
		out = append(rows.append(out), after...)
	}
	out = append(append(out, ']', ','), tail[len(`{"rules":null,`):]...)
	_, err = w.Write(append(out, '\n'))
	return err
}

// noRows is how an absent list of rows is written. Texts have their quotes escaped, so that
// it stands where it is meant and nowhere else.
const noRows = `"failed_rows":null`

func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("write report: %w", err)
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// List gives the numbers.
func (r *Rows) List() []int {
	out := []int{}
	r.Bits.Each(func(i int) { out = append(out, i) })
	return out
}

// ColumnReport is a column as it was found.
type ColumnReport struct {
	Name string    `json:"name"`
	Type mulu.Type `json:"type,omitempty"`
}

// UnfitReport are the cells of a column that are not of its declared type.
type UnfitReport struct {
	Column string    `json:"column"`
	Type   mulu.Type `json:"type"`
	Count  int64     `json:"count"`
	Rows   *Rows     `json:"rows"`
}

// Score is the score by DB31/T 1523-2024 over the rules that have an indicator.
type Score struct {
	Total      float64          `json:"total"` // of 1
	Grade      string           `json:"grade"`
	Weights    string           `json:"weights"`
	Dimensions []ScoreDimension `json:"dimensions"`
	Digest     string           `json:"digest"`
}

// ScoreDimension is one of the six; X is null where nothing applies.
type ScoreDimension struct {
	Code       string           `json:"code"`
	Title      string           `json:"title"`
	Weight     float64          `json:"weight"`
	X          *float64         `json:"x"`
	Indicators []ScoreIndicator `json:"indicators"`
}

// ScoreIndicator is X = A / B of one indicator that applies.
type ScoreIndicator struct {
	Code  string  `json:"code"`
	Title string  `json:"title"`
	A     int64   `json:"a"`
	B     int64   `json:"b"`
	X     float64 `json:"x"`
}

// Check judges a file. The error is of what makes the whole check impossible: a file
// that can not be read, rules of no known format.
func Check(ctx context.Context, q Request) (*Report, error) {
	b, err := os.ReadFile(q.Rules)
	if err != nil {
		return nil, fmt.Errorf("打不开规则文件 %s：%w / can not open the rules", q.Rules, err)
	}
	name := q.Dataset
	if name == "" {
		name = filepath.Base(q.Data)
		name = strings.TrimSuffix(name, filepath.Ext(name))
	}
	rules, err := check.Parse(b, name, q.Now)
	if err != nil {
		return nil, fmt.Errorf("%s：%w", q.Rules, err)
	}
	q.Options.Nulls = rules.NullText
	src, err := Open(q.Data, q.Options)
	if err != nil {
		return nil, err
	}
	defer src.Close() //nolint:errcheck // only read from
	o := check.Options{Now: q.Now}
	if rules.Format == check.FormatMulu {
		var with []codes.Option
		if rules.Dataset.Sample { // whose divisions no real person has
			with = append(with, codes.WithSynthetic(sample.NoDivision))
		}
		if o.Tables, err = codes.Load(with...); err != nil {
			return nil, fmt.Errorf("load code tables: %w", err)
		}
	}
	res, err := check.Run(ctx, src, rules.Rules, o)
	if err != nil {
		return nil, fmt.Errorf("%s：%w", q.Data, err)
	}
	return report(rules, src, res)
}

func report(rules *check.Rules, src File, res *check.Result) (*Report, error) {
	r := &Report{Rules: []RuleReport{}, Unmapped: []check.Unmapped{}, Columns: []ColumnReport{}, Unfit: []UnfitReport{}, Faults: []Fault{}, Format: rules.Format, Rows: res.Rows}
	r.Unmapped = append(r.Unmapped, rules.Unmapped...)
	r.OK = len(rules.Unmapped) == 0 && len(res.Unfit) == 0
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		x := RuleReport{ID: o.Rule.ID, Kind: o.Rule.Kind, Status: o.Status, Success: o.Success, Evaluated: o.Evaluated, Failed: o.Failed, Observed: o.Observed, Origin: o.Rule.Origin,
			Title: o.Rule.Title, Columns: append([]string{}, o.Rule.Columns...), Expected: o.Rule.Expected, Indicator: o.Rule.Indicator, Message: strings.TrimSuffix(o.Message, ": "+mulu.ErrInvalid.Error())}
		if o.Rows != nil {
			x.FailedRows = &Rows{o.Rows}
		}
		if _, err := json.Marshal(x.Observed); err != nil {
			x.Observed = fmt.Sprint(x.Observed)
		}
		r.OK = r.OK && o.Success
		r.Rules = append(r.Rules, x)
	}
	types := src.Types()
	for i, n := range src.Columns() {
		r.Columns = append(r.Columns, ColumnReport{n, types[i].Type})
	}
	for _, u := range res.Unfit {
		r.Unfit = append(r.Unfit, UnfitReport{u.Column, u.Type, u.Rows.Count(), &Rows{u.Rows}})
	}
	list, total := src.Faults()
	r.Faults, r.FaultCount = append(r.Faults, list...), total
	r.OK = r.OK && total == 0
	r.Score = score(rules, res)
	return r, nil
}

// score is nil if no rule that was judged has an indicator.
func score(rules *check.Rules, res *check.Result) *Score {
	in := quality.Input{Dataset: &mulu.Dataset{Code: "file", Version: 1}, Weights: quality.DefaultWeights(), Rows: int64(res.Rows), Tallies: map[string]quality.Tally{}}
	if rules.Dataset != nil && rules.Dataset.Code != "" {
		in.Dataset = rules.Dataset
	}
	add := func(code string, a, b int64) {
		if code != "" && b > 0 {
			t := in.Tallies[code]
			in.Tallies[code] = quality.Tally{A: t.A + a, B: t.B + b}
		}
	}
	blocked := check.NewBits(res.Rows)
	for i := range res.Outcomes {
		o := &res.Outcomes[i]
		if o.Status == quality.Errored {
			continue
		}
		add(o.Rule.Indicator, o.Evaluated-o.Failed, o.Evaluated)
		if o.Rows != nil && !o.Rule.Soft && rules.Format == check.FormatMulu {
			for w, bits := range o.Rows {
				blocked[w] |= bits
			}
		}
	}
	for _, u := range res.Unfit {
		n := u.Rows.Count()
		add("010101", int64(res.Rows)-n, int64(res.Rows))
	}
	if res.Rows > 0 {
		in.Blocked = float64(blocked.Count()) / float64(res.Rows)
	}
	s, err := quality.Score(in)
	if err != nil {
		return nil
	}
	out := &Score{Total: s.Total, Grade: s.Grade, Weights: s.Weights, Digest: s.Digest, Dimensions: []ScoreDimension{}}
	for _, d := range s.Dimensions {
		x := ScoreDimension{Code: d.Code, Title: d.Title, Weight: d.Weight, Indicators: []ScoreIndicator{}}
		if d.Applicable {
			x.X = &d.X
		}
		for _, i := range d.Indicators {
			if i.B > 0 {
				x.Indicators = append(x.Indicators, ScoreIndicator{i.Code, i.Title, i.A, i.B, i.X})
			}
		}
		out.Dimensions = append(out.Dimensions, x)
	}
	return out
}
