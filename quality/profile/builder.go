package profile

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"mulu"
	"mulu/quality/codes"
	"mulu/quality/ident"
)

// Bounds of what a builder keeps.
const (
	distinctBound = 1 << 16 // hashes a column
	frequentBound = 4096    // values a column
	shapeBound    = 512
	memoBound     = 4096    // values whose facts are remembered
	memoText      = 64      // longest of them, in bytes
	topText       = 200     // longest value that is counted by itself
	sampleRows    = 1 << 15 // at most …
	sampleCells   = 1 << 20 // … and so many values of them
)

// Options of a profile.
type Options struct {
	Seed   uint64
	AsOf   time.Time // the day that "today" means
	Tables *codes.Tables
	// First is where the builder's first row stands in the whole; builders that are to
	// be merged must not overlap.
	First int64
}

// Builder makes a profile of the batches it is given. It is not safe for concurrent
// use; builders of parts merge.
type Builder struct {
	fields  []Field
	opt     Options
	known   recogniser
	columns []*column
	rows    int64
	sample  rowSample
	// rest[i] counts rows without column i, the last one whole rows.
	rest []*distinct
	hash []uint64
}

// column is what is known so far of one column.
type column struct {
	field                       Field
	rows, nulls, blanks, values int64
	zeros                       int64 // among values
	different                   *distinct
	often, shapes               *frequent
	parses                      [5]int64
	layouts                     []int64
	scale                       uint8
	chars                       [6]int64
	is                          []int64
	shortest, longest, length   int64
	numbers, days               moments
	future, before              int64
	memo                        map[string]*facts
}

// NewBuilder makes a builder for rows of those fields.
func NewBuilder(fields []Field, opt Options) *Builder {
	b := &Builder{fields: fields, opt: opt, known: recogniser{tables: opt.Tables, asOf: opt.AsOf, kinds: knownKinds(opt.Tables, opt.AsOf)}}
	b.sample.bound = min(sampleRows, max(1000, sampleCells/max(1, len(fields))))
	for _, f := range fields {
		b.columns = append(b.columns, &column{
			field: f, different: newDistinct(distinctBound), often: newFrequent(frequentBound), shapes: newFrequent(shapeBound),
			layouts: make([]int64, len(layouts)), is: make([]int64, len(b.known.kinds)), memo: map[string]*facts{},
		})
		b.rest = append(b.rest, newDistinct(distinctBound/4))
	}
	b.rest = append(b.rest, newDistinct(distinctBound/4))
	b.hash = make([]uint64, len(fields))
	return b
}

// Add takes in one batch, whose first columns are the builder's fields in order; more
// columns are passed over.
func (b *Builder) Add(rec arrow.RecordBatch) error {
	if int(rec.NumCols()) < len(b.fields) {
		return fmt.Errorf("profile: a batch has %d columns, want %d: %w", rec.NumCols(), len(b.fields), mulu.ErrInvalid)
	}
	readers := make([]func(int) value, len(b.fields))
	for i := range b.fields {
		r, err := reader(rec.Column(i))
		if err != nil {
			return fmt.Errorf("profile column %s: %w", b.fields[i].Name, err)
		}
		readers[i] = r
	}
	cells := make([]cell, len(b.fields))
	for row := range int(rec.NumRows()) {
		at := b.opt.First + b.rows
		b.rows++
		priority := mix(b.opt.Seed ^ mix(uint64(at)))
		keep := b.sample.wants(priority)
		var whole uint64
		for i, c := range b.columns {
			v := readers[i](row)
			b.hash[i] = mix(c.take(v, &b.known, &cells[i]) + uint64(i))
			whole += b.hash[i]
		}
		for i := range b.columns {
			b.rest[i].add(mix(whole - b.hash[i]))
		}
		b.rest[len(b.columns)].add(mix(whole))
		if keep {
			b.sample.put(sampled{priority: priority, at: at, cells: slices.Clone(cells)})
		}
	}
	return nil
}

// Merge takes in what another builder of the same fields, seed and day has seen.
func (b *Builder) Merge(o *Builder) error {
	if !slices.Equal(b.fields, o.fields) || b.opt.Seed != o.opt.Seed {
		return fmt.Errorf("merge profiles: they are of other fields or another seed: %w", mulu.ErrInvalid)
	}
	b.rows += o.rows
	for i, c := range b.columns {
		c.merge(o.columns[i])
	}
	for i, d := range b.rest {
		d.merge(o.rest[i])
	}
	for _, r := range o.sample.rows {
		b.sample.put(r)
	}
	return nil
}

// value is one cell as it comes out of Arrow.
type value struct {
	null   bool
	text   string
	number float64 // of a typed column: the number, or days since 1970-01-01
	typed  bool
}

// take notes one value and gives its hash.
func (c *column) take(v value, known *recogniser, out *cell) uint64 {
	c.rows++
	*out = cell{}
	if v.null {
		c.nulls++
		out.state = null
		return 0
	}
	text := c.field.Type == mulu.String || c.field.Type == ""
	if text && !v.typed && ident.Placeholder([]byte(v.text)) && !c.zero(v.text) {
		c.blanks++
		out.state, out.text = placeholder, v.text
		if v.text == "" {
			return 0
		}
		return xxh3.HashString(v.text)
	}
	c.values++
	h := xxh3.HashString(v.text)
	c.different.add(mix(h))
	if len(v.text) <= topText {
		c.often.add(v.text, 1)
	}
	f := c.factsOf(v, known)
	c.note(f, known)
	out.text, out.number = v.text, f.number
	out.typed = v.typed || f.reads&^readsBool != 0
	return h
}

// zero says whether a "0" may be a value: it is one of a code where 0 means unknown
// (GB/T 2261.1), and of numbers. Where no type is declared, the whole column decides.
func (c *column) zero(v string) bool {
	if v != "0" || c.field.Type == mulu.String && !sexWords.speaks(c.field) {
		return false
	}
	c.zeros++
	return true
}

func (c *column) factsOf(v value, known *recogniser) *facts {
	if f := c.memo[v.text]; f != nil {
		return f
	}
	var f facts
	switch {
	case !v.typed:
		f = known.look(v.text)
	case c.field.Type == mulu.Int || c.field.Type == "":
		f = known.look(v.text) // a number can be an identifier
		f.number = v.number
	default:
		f = facts{length: len(v.text), number: v.number}
	}
	p := &f
	if len(c.memo) < memoBound && len(v.text) <= memoText {
		c.memo[v.text] = p
	}
	return p
}

// note counts what a value says.
func (c *column) note(f *facts, known *recogniser) {
	for i := range c.parses {
		if f.reads>>i&1 == 1 {
			c.parses[i]++
		}
	}
	for i := range c.chars {
		if f.chars>>i&1 == 1 {
			c.chars[i]++
		}
	}
	if f.is != 0 {
		for i := range c.is {
			if f.is>>i&1 == 1 {
				c.is[i]++
			}
		}
	}
	if f.shape != "" {
		c.shapes.add(f.shape, 1)
	}
	n := int64(f.length)
	if c.values == 1 || n < c.shortest {
		c.shortest = n
	}
	c.longest, c.length, c.scale = max(c.longest, n), c.length+n, max(c.scale, f.scale)
	switch {
	case c.field.Type == mulu.Date || c.field.Type == mulu.DateTime || f.reads&(readsDate|readsDateTime) != 0:
		c.days.add(f.number)
		c.layouts[f.layout]++
		if f.number >= float64(dayOf(known.asOf)+1) {
			c.future++
		}
		if f.number < day1900 {
			c.before++
		}
		if f.reads&readsInt != 0 { // 20240101 is a number as well
			c.numbers.add(f.number)
		}
	case f.reads&readsDecimal != 0 || c.field.Type == mulu.Int || c.field.Type == mulu.Decimal:
		c.numbers.add(f.number)
	}
}

const day1900 = -25567

// dayOf counts days since 1970-01-01 of t's date in Shanghai.
func dayOf(t time.Time) int64 {
	y, m, d := t.In(shanghai).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86_400
}

var shanghai = time.FixedZone("Asia/Shanghai", 8*3600)

func (c *column) merge(o *column) {
	if o.values > 0 && (c.values == 0 || o.shortest < c.shortest) {
		c.shortest = o.shortest
	}
	c.rows, c.nulls, c.blanks, c.values = c.rows+o.rows, c.nulls+o.nulls, c.blanks+o.blanks, c.values+o.values
	c.zeros += o.zeros
	c.different.merge(o.different)
	c.often.merge(o.often)
	c.shapes.merge(o.shapes)
	for i := range c.parses {
		c.parses[i] += o.parses[i]
	}
	for i := range c.layouts {
		c.layouts[i] += o.layouts[i]
	}
	for i := range c.chars {
		c.chars[i] += o.chars[i]
	}
	for i := range c.is {
		c.is[i] += o.is[i]
	}
	c.longest, c.length, c.scale = max(c.longest, o.longest), c.length+o.length, max(c.scale, o.scale)
	c.numbers.merge(o.numbers)
	c.days.merge(o.days)
	c.future, c.before = c.future+o.future, c.before+o.before
}

// reader gives the values of an Arrow column one by one.
func reader(a arrow.Array) (func(int) value, error) {
	number := func(x float64, text string) value { return value{text: text, number: x, typed: true} }
	nullable := func(f func(int) value) func(int) value {
		return func(i int) value {
			if a.IsNull(i) {
				return value{null: true}
			}
			return f(i)
		}
	}
	switch a := a.(type) {
	case *array.String:
		return nullable(func(i int) value { return value{text: a.Value(i)} }), nil
	case *array.LargeString:
		return nullable(func(i int) value { return value{text: a.Value(i)} }), nil
	case *array.Int64:
		return nullable(func(i int) value { return number(float64(a.Value(i)), strconv.FormatInt(a.Value(i), 10)) }), nil
	case *array.Float64:
		return nullable(func(i int) value { return number(a.Value(i), strconv.FormatFloat(a.Value(i), 'f', -1, 64)) }), nil
	case *array.Decimal128:
		scale := a.DataType().(*arrow.Decimal128Type).Scale
		return nullable(func(i int) value { return number(a.Value(i).ToFloat64(scale), a.ValueStr(i)) }), nil
	case *array.Date32:
		return nullable(func(i int) value { return number(float64(a.Value(i)), a.ValueStr(i)) }), nil
	case *array.Timestamp:
		unit := a.DataType().(*arrow.TimestampType).Unit
		return nullable(func(i int) value {
			t := a.Value(i).ToTime(unit)
			return number(float64(t.UnixMilli()+8*3600_000)/86_400_000, t.In(shanghai).Format("2006-01-02 15:04:05.000"))
		}), nil
	case *array.Date64:
		return nullable(func(i int) value { return number(float64(a.Value(i))/86_400_000, a.ValueStr(i)) }), nil
	case *array.Boolean:
		return nullable(func(i int) value { return value{text: strconv.FormatBool(a.Value(i)), typed: true} }), nil
	case *array.Dictionary:
		inner, err := reader(a.Dictionary())
		if err != nil {
			return nil, err
		}
		return nullable(func(i int) value { return inner(a.GetValueIndex(i)) }), nil
	case *array.Int8, *array.Int16, *array.Int32, *array.Uint8, *array.Uint16, *array.Uint32, *array.Uint64, *array.Float32, *array.Decimal256:
		return nullable(func(i int) value {
			s := a.ValueStr(i)
			x, _ := strconv.ParseFloat(s, 64) // Arrow writes numbers as Go reads them
			return number(x, s)
		}), nil
	case *array.Null:
		return func(int) value { return value{null: true} }, nil
	}
	return nil, fmt.Errorf("Arrow type %s is not read: %w", a.DataType(), mulu.ErrInvalid)
}
