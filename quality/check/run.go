package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"mulu"
	"mulu/quality"
	"mulu/quality/codes"
)

// Options of a run.
type Options struct {
	Tables *codes.Tables
	Now    time.Time // what "today" is
}

// Result is how a whole file came out, rules in the order of their file.
type Result struct {
	Rows     int
	Outcomes []Outcome
	// Unfit has the cells that are not of their declared type, per declared column.
	Unfit []Unfit
}

// Unfit are the cells of one column that are not of its declared type.
type Unfit struct {
	Column string
	Type   mulu.Type
	Rows   Bits
}

// Run judges every rule over the source in one scan.
func Run(ctx context.Context, src Source, rules []Rule, o Options) (*Result, error) {
	var r *run
	for again := 0; ; again++ {
		r = newRun(src, rules, o)
		columns := len(src.Columns())
		err := src.Scan(ctx, r.needs, r.batch)
		if err == nil {
			if len(src.Columns()) > columns && r.wanting() { // a column came late in the file
				continue
			}
			break
		}
		if !errors.Is(err, ErrAgain) || again > len(src.Columns()) {
			return nil, err
		}
	}
	return r.finish(ctx)
}

// hidden copies the rules and adds, for every condition of a set rule, a row rule that all
// rows for which it is true break: so conditions are read by the code that reads those of
// row rules.
func hidden(rules []Rule) []Rule {
	out := slices.Clone(rules)
	for i := range rules {
		if rules[i].cel == "" || rules[i].native != nil {
			continue
		}
		out[i].where = len(out)
		native := &mulu.Rule{ID: mulu.RuleID(fmt.Sprintf("%s.when", rules[i].ID)), Kind: "expression", Params: map[string]string{"expr": "1 == 2"}, When: rules[i].cel, Blocking: true}
		out = append(out, Rule{ID: rules[i].ID, native: native, declared: rules[i].declared, condition: true, line: rules[i].line})
	}
	return out
}

// wanting says whether a rule did not run, perhaps for a column that was not known yet.
func (r *run) wanting() bool {
	return slices.ContainsFunc(r.broken, func(err error) bool { return err != nil })
}

// run is one run. Everything but the batches is fixed before the scan.
type run struct {
	src    Source
	rules  []Rule // a copy: how a rule reads its columns is decided here
	o      Options
	needs  []Need
	at     [][]int // per rule, its columns among needs
	groups []*group
	broken []error // per rule, why it can not run

	mu    sync.Mutex
	parts []part
}

// part is what one batch left.
type part struct {
	seq, rows int
	found     []found // per rule
	unfit     []Bits  // per need
}

type found struct {
	evaluated int64
	total     int64
	fail      Bits
	any       any
	err       error
}

// group is up to 64 of mulu's own rules, compiled together.
type group struct {
	rules []int // of the run
	needs []int
	ds    mulu.Dataset
	set   *quality.Ruleset
	plan  mulu.Plan
}

func newRun(src Source, rules []Rule, o Options) *run {
	rules = hidden(rules)
	r := &run{src: src, rules: rules, o: o, at: make([][]int, len(rules)), broken: make([]error, len(rules))}
	names := map[string]int{}
	for i, n := range src.Columns() {
		if _, twice := names[n]; !twice {
			names[n] = i
		}
	}
	index := map[Need]int{}
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.schema != nil {
			continue
		}
		if rule.native != nil {
			if r.broken[i] = r.fit(rule); r.broken[i] != nil {
				continue
			}
		}
		need := func(name string, f Form) {
			col, ok := names[name]
			if !ok {
				r.broken[i] = fmt.Errorf("文件没有列 %q，现有：%s；请核对规则或文件的表头 / no such column", name, listed(src.Columns()))
				return
			}
			n := Need{col, f}
			at, ok := index[n]
			if !ok {
				at = len(r.needs)
				index[n], r.needs = at, append(r.needs, n)
			}
			r.at[i] = append(r.at[i], at)
		}
		for k, name := range rule.Columns {
			f := Form{}
			if rule.Forms != nil {
				f = rule.Forms[k]
			}
			need(name, f)
		}
		if rule.When != nil {
			for _, name := range rule.When.Columns {
				need(name, Form{})
			}
		}
	}
	r.compile()
	return r
}

// listed names a few columns of a file.
func listed(names []string) string {
	const most = 12
	s := strings.Join(names[:min(len(names), most)], "、")
	if len(names) > most {
		s += fmt.Sprintf(" 等 %d 列", len(names))
	}
	return s
}

// compile groups mulu's own rules; one that does not compile is broken, the rest go on.
func (r *run) compile() {
	for i := range r.rules {
		rule := &r.rules[i]
		if rule.native == nil || r.broken[i] != nil {
			continue
		}
		alone := &group{}
		alone.add(r, i)
		if _, err := alone.compile(r.o.Tables); err != nil {
			r.broken[i] = err
			continue
		}
		at := slices.IndexFunc(r.groups, func(g *group) bool { return g.takes(r, i) })
		if at < 0 {
			at, r.groups = len(r.groups), append(r.groups, &group{})
		}
		r.groups[at].add(r, i)
	}
	for _, g := range r.groups {
		set, err := g.compile(r.o.Tables)
		if err != nil { // each alone did compile
			for _, i := range g.rules {
				r.broken[i] = err
			}
		}
		g.set = set
	}
}

// takes says whether a rule fits in: there is room, and no column of it is read there
// in another form.
func (g *group) takes(r *run, i int) bool {
	for k, at := range r.at[i] {
		for j, c := range g.ds.Columns {
			if c.Name == r.rules[i].Columns[k] && g.needs[j] != at {
				return false
			}
		}
	}
	return len(g.rules) < 64
}

func (g *group) add(r *run, i int) {
	rule := &r.rules[i]
	for k, at := range r.at[i] {
		if slices.Contains(g.needs, at) {
			continue
		}
		f := rule.Forms[k]
		g.needs = append(g.needs, at)
		g.ds.Columns = append(g.ds.Columns, mulu.Column{Name: rule.Columns[k], Title: rule.Columns[k], Type: f.Type, Scale: f.Scale})
	}
	g.rules, g.ds.Rules = append(g.rules, i), append(g.ds.Rules, *rule.native)
}

func (g *group) compile(tables *codes.Tables) (*quality.Ruleset, error) {
	g.ds.Code, g.ds.Version = "check", 1
	return quality.Compile(&g.ds, tables)
}

// fit decides in which forms a rule of mulu reads its columns: as they are declared, or
// else in the first way its kind takes, beginning with what the file looks like.
func (r *run) fit(rule *Rule) error {
	if rule.unknown != "" {
		return fmt.Errorf("第 %d 行：声明里没有数据项 %q，有：%s / no such column declared", rule.line, rule.unknown, listed(declaredNames(rule.declared)))
	}
	if len(rule.native.Columns) == 0 { // an expression: the first column it names
		for _, n := range r.src.Columns() {
			if strings.Contains(rule.native.When+"\x00"+rule.native.Params["expr"], n) {
				native := *rule.native
				native.Columns = []string{n}
				rule.native = &native
				break
			}
		}
	}
	ds := &mulu.Dataset{Code: "check", Version: 1, Rules: []mulu.Rule{*rule.native}}
	if rule.declared != nil && len(rule.declared.Columns) > 0 {
		ds.Columns = slices.Clone(rule.declared.Columns)
		return r.compiles(rule, ds)
	}
	types, columns := r.src.Types(), r.src.Columns()
	for i, n := range columns {
		ds.Columns = append(ds.Columns, column(n, types[i]))
	}
	first := r.compiles(rule, ds)
	if first == nil {
		return nil
	}
	for _, f := range []Form{{Type: mulu.String}, {Type: mulu.Decimal, Scale: 6}, {Type: mulu.Int}, {Type: mulu.Date}, {Type: mulu.DateTime}} {
		for _, n := range rule.native.Columns {
			if i := slices.Index(columns, n); i >= 0 {
				ds.Columns[i] = column(n, f)
			}
		}
		if r.compiles(rule, ds) == nil {
			return nil
		}
	}
	return first
}

func column(name string, f Form) mulu.Column {
	if f.Type == "" {
		f.Type = mulu.String
	}
	return mulu.Column{Name: name, Title: name, Type: f.Type, Scale: f.Scale}
}

func declaredNames(ds *mulu.Dataset) (names []string) {
	for _, c := range ds.Columns {
		names = append(names, c.Name)
	}
	return names
}

// compiles tries a rule on columns and, if it can be, notes which it reads and how:
// those it names and those its condition does.
func (r *run) compiles(rule *Rule, ds *mulu.Dataset) error {
	if _, err := quality.Compile(ds, r.o.Tables); err != nil {
		return err
	}
	rule.Columns, rule.Forms = nil, nil
	if rule.condition { // it is about whatever its condition is about
		if rule.native.Columns == nil {
			return fmt.Errorf("第 %d 行：条件 %q 里没有文件的列 / no column of the file in the condition", rule.line, rule.native.When)
		}
	}
	add := func(c *mulu.Column) {
		if !slices.Contains(rule.Columns, c.Name) {
			rule.Columns, rule.Forms = append(rule.Columns, c.Name), append(rule.Forms, Form{c.Type, c.Scale})
		}
	}
	for _, n := range rule.native.Columns {
		add(&ds.Columns[ds.Column(n)])
	}
	text := rule.native.When
	for _, v := range rule.native.Params { // an expression, or a column that says when
		text += "\x00" + v
	}
	for i := range ds.Columns {
		if strings.Contains(text, ds.Columns[i].Name) && slices.Contains(r.src.Columns(), ds.Columns[i].Name) {
			add(&ds.Columns[i])
		}
	}
	return nil
}

// batch judges one batch; it runs on several goroutines.
func (r *run) batch(b Batch) error {
	p := part{seq: b.Seq, rows: b.Rows, found: make([]found, len(r.rules)), unfit: b.Unfit}
	cols := make([]*Column, len(b.Cols))
	for i, a := range b.Cols {
		switch {
		case b.Loose != nil && b.Loose[i] != nil:
			cols[i] = b.Loose[i]
		case r.needs[i].Form.Type == "":
			cols[i] = NewColumn(a)
		}
	}
	whens := map[*Cond]Bits{}
	for _, g := range r.groups {
		r.native(g, b, p.found)
	}
	for i := range r.rules {
		rule := &r.rules[i]
		if r.broken[i] != nil || rule.native != nil || rule.schema != nil {
			continue
		}
		if rule.where > 0 {
			if r.broken[rule.where] != nil {
				p.found[i].err = r.broken[rule.where]
				continue
			}
			c := &Cond{}
			whens[c] = p.found[rule.where].fail
			with := *rule
			with.When = c
			rule = &with
		}
		p.found[i] = r.one(rule, r.at[i], cols, b.Rows, whens)
	}
	r.mu.Lock()
	r.parts = append(r.parts, p)
	r.mu.Unlock()
	return nil
}

// one judges one rule over a batch. A panic is the rule's error, never the file's.
func (r *run) one(rule *Rule, at []int, cols []*Column, n int, whens map[*Cond]Bits) (f found) {
	defer func() {
		if p := recover(); p != nil {
			f = found{err: fmt.Errorf("规则无法执行：%v / the rule broke down", p)}
		}
	}()
	rows := &Rows{N: n, Now: r.o.Now}
	for _, k := range at {
		rows.Cols = append(rows.Cols, cols[k])
	}
	var where Bits
	if rule.When != nil {
		own := len(rule.Columns)
		where = whens[rule.When]
		if where == nil {
			var err error
			if where, err = rule.When.rows(rows.Cols[own:], n); err != nil {
				return found{err: err}
			}
			whens[rule.When] = where
		}
		rows.Cols = rows.Cols[:own]
	}
	rows.Sel = where
	total := rows.count()
	rows.Sel = selected(rule.Nulls, rows.Cols, where, n)
	if rule.set != nil {
		v, err := rule.set.part(rows)
		return found{evaluated: rows.count(), total: total, any: v, err: err}
	}
	fail := NewBits(n)
	if err := rule.row(rows, fail); err != nil {
		return found{err: err}
	}
	if rows.Sel != nil {
		fail.and(rows.Sel)
	}
	return found{evaluated: rows.count(), total: total, fail: fail}
}

// selected are the rows that are not left out; nil is all.
func selected(p Nulls, cols []*Column, where Bits, n int) Bits {
	var sel Bits
	if where != nil {
		sel = slices.Clone(where)
	}
	keep := func(b Bits) {
		if sel == nil {
			sel = slices.Clone(b)
			return
		}
		sel.and(b)
	}
	switch p {
	case SkipAny:
		for _, c := range cols {
			if c.valid != nil {
				keep(c.valid)
			}
		}
	case SkipAll:
		some := NewBits(n)
		for _, c := range cols {
			if c.valid == nil {
				return sel
			}
			some.or(c.valid)
		}
		if len(cols) > 0 {
			keep(some)
		}
	case KeepAll:
	}
	return sel
}

// native judges a group of mulu's own rules.
func (r *run) native(g *group, b Batch, out []found) {
	if g.set == nil {
		return
	}
	fields := make([]arrow.Field, len(g.needs))
	cols := make([]arrow.Array, len(g.needs))
	for k, at := range g.needs {
		cols[k] = b.Cols[at]
		fields[k] = arrow.Field{Name: fmt.Sprint(k), Type: cols[k].DataType(), Nullable: true}
	}
	rec := array.NewRecordBatch(arrow.NewSchema(fields, nil), cols, int64(b.Rows))
	defer rec.Release()
	checked := g.set.Check(rec, make([]int64, b.Rows), r.o.Now)
	fails := make([]Bits, len(g.rules))
	for k := range fails {
		fails[k] = NewBits(b.Rows)
	}
	for i, flags := range checked.Flags {
		for ; flags != 0; flags &= flags - 1 {
			fails[bits.TrailingZeros64(flags)].Set(i)
		}
	}
	for k, f := range checked.Findings(g.plan) {
		out[g.rules[k]] = found{evaluated: f.Evaluated, total: int64(b.Rows), fail: fails[k]}
	}
}

// finish puts the batches together and lets the set rules conclude.
func (r *run) finish(ctx context.Context) (*Result, error) {
	slices.SortFunc(r.parts, func(a, b part) int { return a.seq - b.seq })
	first, rows := make([]int, len(r.parts)), 0
	for i := range r.parts {
		first[i], rows = rows, rows+r.parts[i].rows
	}
	shown := slices.IndexFunc(r.rules, func(rule Rule) bool { return rule.condition })
	if shown < 0 {
		shown = len(r.rules)
	}
	res := &Result{Rows: rows, Outcomes: make([]Outcome, shown), Unfit: r.unfit(first, rows)}
	g, _ := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range shown {
		g.Go(func() error { res.Outcomes[i] = r.outcome(i, first, rows); return nil })
	}
	return res, g.Wait()
}

// outcome sums one rule up.
func (r *run) outcome(i int, first []int, rows int) (o Outcome) {
	rule := &r.rules[i]
	o.Rule = rule
	defer func() {
		if p := recover(); p != nil {
			o.err(fmt.Errorf("规则无法执行：%v / the rule broke down", p))
		}
	}()
	if r.broken[i] != nil {
		o.err(r.broken[i])
		return o
	}
	if rule.schema != nil {
		if err := rule.schema(&o, r.src); err != nil {
			o.err(err)
		}
		return o
	}
	s := Set{First: first, Rows: rows, Now: r.o.Now}
	if rule.set == nil {
		o.Rows = NewBits(rows)
	}
	for k := range r.parts {
		f := &r.parts[k].found[i]
		if f.err != nil {
			o.err(f.err)
			return o
		}
		o.Evaluated, o.Total = o.Evaluated+f.evaluated, o.Total+f.total
		s.Parts, s.Sizes = append(s.Parts, f.any), append(s.Sizes, r.parts[k].rows)
		if f.fail != nil {
			o.Failed += f.fail.Count()
			f.fail.Each(func(row int) { o.Rows.Set(first[k] + row) })
		}
	}
	if rule.set != nil {
		if err := rule.set.done(&s, &o); err != nil {
			o.err(err)
			return o
		}
	}
	if o.Status == "" {
		r.verdict(rule, &o)
	}
	if rule.hide {
		o.Rows = nil
	}
	return o
}

func (r *run) verdict(rule *Rule, o *Outcome) {
	switch {
	case rule.judge != nil:
		rule.judge(o)
	case rule.native != nil:
		q := quality.Result{Evaluated: o.Evaluated, Failed: o.Failed, Blocking: rule.native.Blocking}
		q.Judge(rule.Mostly)
		o.Status, o.Success = q.Status, q.Holds()
	default:
		mostly(o)
	}
}

// unfit gathers the cells that are not of their declared type.
func (r *run) unfit(first []int, rows int) (out []Unfit) {
	byColumn := map[int]*Unfit{}
	for k := range r.parts {
		for n, b := range r.parts[k].unfit {
			if b == nil {
				continue
			}
			need := r.needs[n]
			u := byColumn[n]
			if u == nil {
				u = &Unfit{Column: r.src.Columns()[need.Column], Type: need.Form.Type, Rows: NewBits(rows)}
				byColumn[n] = u
			}
			b.Each(func(row int) { u.Rows.Set(first[k] + row) })
		}
	}
	for _, n := range slices.Sorted(maps.Keys(byColumn)) {
		out = append(out, *byColumn[n])
	}
	return out
}
