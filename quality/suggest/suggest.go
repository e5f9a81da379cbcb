// Package suggest reads a profile as an engineer would and proposes rules (规则建议):
// each with what speaks for it, how sure that is, what it would find now, whether it
// should be strong, and the indicator it counts for. It proposes only kinds of rule that
// exist, and nothing that is declared already. A person decides.
package suggest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"mulu"
	"mulu/quality/profile"
)

// Suggestion is one proposed rule.
type Suggestion struct {
	N          int               `json:"n"` // its place in the list, from 1
	ID         string            `json:"id"`
	Set        bool              `json:"set"` // a rule over the whole dataset
	Title      string            `json:"title"`
	Kind       string            `json:"kind"`
	Columns    []string          `json:"columns"`
	Params     map[string]string `json:"params,omitempty"`
	When       string            `json:"when,omitempty"`
	Blocking   bool              `json:"blocking"`
	Indicator  string            `json:"indicator"`
	Source     Source            `json:"source"`
	Why        string            `json:"why"`        // Chinese, without any value of a row
	Confidence float64           `json:"confidence"` // 0 to 1
	Judged     int64             `json:"judged"`
	Failing    int64             `json:"failing"` // rows that it would find now
	Exact      bool              `json:"exact"`   // else scaled up from the sample
}

// Source is what a suggestion rests on.
type Source string

// The sources, from the surest to the least sure.
const (
	FromChecksum   Source = "checksum"   // 校验码
	FromCodes      Source = "codes"      // 代码表
	FromRelation   Source = "relation"   // 数据项之间
	FromReference  Source = "reference"  // 数据集之间
	FromKey        Source = "key"        // 唯一
	FromDates      Source = "dates"      // 日期
	FromFilled     Source = "filled"     // 填写率
	FromShape      Source = "shape"      // 格式
	FromValues     Source = "values"     // 取值
	FromStatistics Source = "statistics" // 统计
)

// strength is how far each source is to be trusted, before what the rows say.
var strength = map[Source]float64{FromChecksum: 1, FromCodes: 0.97, FromRelation: 0.95, FromReference: 0.95, FromKey: 0.95,
	FromDates: 0.9, FromFilled: 0.85, FromShape: 0.85, FromValues: 0.8, FromStatistics: 0.7}

// Options of Rules.
type Options struct {
	Dataset *mulu.Dataset // declared; nil for a file
	// RowKinds and SetKinds are the kinds that exist. Nothing of another kind is proposed.
	RowKinds, SetKinds []string
	// Values lets values of items without a level stand in a proposal: a list of codes, a
	// condition. For a file in its owner's hands.
	Values bool
	Others []Other // profiles of other datasets, for references
	Self   *profile.Sketch
}

// Other is another dataset that this one may refer to.
type Other struct {
	Dataset string
	Title   string
	Key     []string
	Sketch  *profile.Sketch
}

// Rules proposes rules, the most useful first.
func Rules(p *profile.Profile, o Options) []Suggestion {
	s := &scout{p: p, o: o, fields: map[string]*profile.Column{}}
	for i := range p.Columns {
		s.fields[p.Columns[i].Name] = &p.Columns[i]
	}
	for i := range p.Columns {
		c := &p.Columns[i]
		if c.Values == 0 {
			continue
		}
		for _, f := range ofColumn {
			f(s, c)
		}
	}
	s.relations()
	s.keys()
	s.duplicates()
	s.references()
	return s.ranked()
}

// scout collects suggestions.
type scout struct {
	p      *profile.Profile
	o      Options
	fields map[string]*profile.Column
	out    []Suggestion
}

// ofColumn are the questions put to each column.
var ofColumn = []func(*scout, *profile.Column){(*scout).filled, (*scout).identifier, (*scout).codes, (*scout).dates, (*scout).shape, (*scout).list, (*scout).numbers, (*scout).names, (*scout).characters}

// add takes a suggestion in unless its kind does not exist or it is declared already.
func (s *scout) add(x Suggestion) {
	kinds := s.o.RowKinds
	if x.Set {
		kinds = s.o.SetKinds
	}
	if !slices.Contains(kinds, x.Kind) || s.o.Dataset != nil && declared(s.o.Dataset, &x) {
		return
	}
	if x.ID == "" {
		x.ID = strings.Join(x.Columns, "_") + "." + x.Kind
		if len(x.ID) > 80 {
			x.ID = x.Columns[0] + "_more." + x.Kind
		}
	}
	for i := range s.out {
		if s.out[i].ID == x.ID {
			x.ID += "_" + strconv.Itoa(len(s.out))
		}
	}
	share := 1.0
	if x.Judged > 0 {
		share = wilson(x.Judged-x.Failing, x.Judged)
	}
	if x.Confidence == 0 {
		x.Confidence = 1
	}
	x.Confidence = math.Round(x.Confidence*strength[x.Source]*share*1000) / 1000
	s.out = append(s.out, x)
}

// Undeclared leaves out what a dataset has declared by now. Numbers stay as they were.
func Undeclared(list []Suggestion, ds *mulu.Dataset) []Suggestion {
	return slices.DeleteFunc(slices.Clone(list), func(x Suggestion) bool { return declared(ds, &x) })
}

// declared says whether the dataset has such a rule, or one that says as much.
func declared(ds *mulu.Dataset, x *Suggestion) bool {
	same := func(cols []string) bool { return slices.Equal(cols, x.Columns) }
	for _, r := range ds.Rules {
		if same(r.Columns) && (r.Kind == x.Kind || covers(r.Kind, x.Kind)) && (x.Params["expr"] == "" || r.Params["expr"] == x.Params["expr"]) {
			return true
		}
	}
	for _, r := range ds.SetRules {
		sorted := func(in []string) []string { return slices.Sorted(slices.Values(in)) }
		if r.Kind == x.Kind && (same(r.Columns) || x.Kind == "unique" && slices.Equal(sorted(r.Columns), sorted(x.Columns))) && r.Params["dataset"] == x.Params["dataset"] {
			return true
		}
	}
	return x.Kind == "not_null" && !x.Set && slices.Contains(ds.Key, x.Columns[0])
}

// forms are kinds that judge how one text is written: with one of them declared for an
// item, another of them adds nothing.
var forms = []string{"gb11643", "gb32100", "gbt17710", "mobile", "bank_card", "luhn", "division", "code", "enum", "pattern", "fixed_length"}

func covers(declared, proposed string) bool {
	if declared == "code" && proposed == "division" {
		return true // a table of divisions
	}
	at, of := slices.Index(forms, declared), slices.Index(forms, proposed)
	return at >= 0 && of >= at
}

// ranked sorts by what a rule finds and how sure it is.
func (s *scout) ranked() []Suggestion {
	worth := func(x *Suggestion) float64 {
		w := x.Confidence
		if x.Failing > 0 {
			w += 0.5
		}
		return w
	}
	slices.SortStableFunc(s.out, func(a, b Suggestion) int {
		return cmp.Or(cmp.Compare(worth(&b), worth(&a)), cmp.Compare(a.ID, b.ID))
	})
	for i := range s.out {
		s.out[i].N = i + 1
	}
	return s.out
}

// scaled brings a count of the sample up to all rows.
func (s *scout) scaled(n int64) (int64, bool) {
	if s.p.Sampled == 0 || s.p.Sampled == s.p.Rows {
		return n, true
	}
	return int64(math.Round(float64(n) * float64(s.p.Rows) / float64(s.p.Sampled))), false
}

// wilson is the lower end of the 95 % interval of a share: few rows prove little.
func wilson(good, of int64) float64 {
	if of == 0 {
		return 0
	}
	const z = 1.96
	n, x := float64(of), float64(good)/float64(of)
	return max(0, (x+z*z/(2*n)-z*math.Sqrt(x*(1-x)/n+z*z/(4*n*n)))/(1+z*z/n))
}

// label is an item as people call it.
func label(c *profile.Column) string {
	if c.Title != "" {
		return c.Title
	}
	return c.Name
}

// points writes a share as a percentage.
func points(good, of int64) string {
	if of == 0 {
		return "0"
	}
	x := 100 * float64(good) / float64(of)
	if x < 100 && x > 99.99 {
		return "99.99+"
	}
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", x), "0"), ".")
}

// strong says whether so few rows are at fault that a rule may refuse them.
func strong(failing, judged int64) bool { return judged >= 100 && failing*100 <= judged }
