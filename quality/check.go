package quality

import (
	"math/bits"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
)

// Checked is what the row rules found in one batch.
type Checked struct {
	// Flags has one word per row: bit i is set if row rule i failed.
	Flags []uint64
	// Drop is a bitmap over rows: those that broke a blocking rule.
	Drop []uint64
	// Rejected has one fault per dropped row, the first blocking rule it broke, in
	// row order.
	Rejected []Fault

	rules   []rule
	counts  []count
	offsets []int64
	whys    [][]why // by rule, in row order
}

// why is which of its rule's reasons a failing row has; a row without one has the
// rule's only reason.
type why struct {
	row  int
	code uint8
}

// Fault says why a row was dropped.
type Fault struct {
	Row    int
	Rule   mulu.RuleID
	Field  string
	Reason string // Chinese, without the value itself
}

type count struct {
	evaluated, failed int64
	sample            []int64
}

// bitmap holds one bit per row.
type bitmap []uint64

func (b bitmap) set(i int) { b[i>>6] |= 1 << (i & 63) }

// meet leaves the bits that both have.
func (b bitmap) meet(o bitmap) {
	for w := range b {
		b[w] &= o[w]
	}
}

func (b bitmap) count() (n int64) {
	for _, w := range b {
		n += int64(bits.OnesCount64(w))
	}
	return n
}

// each calls f with the position of every set bit, in order.
func (b bitmap) each(f func(i int)) {
	for w, word := range b {
		for ; word != 0; word &= word - 1 {
			f(w<<6 + bits.TrailingZeros64(word))
		}
	}
}

// batch is what a rule judges.
type batch struct {
	rec  arrow.RecordBatch
	n    int
	asOf time.Time
	only bitmap // rows that the rule at hand judges, nil for all: its condition is true
	whys []why  // of the rule at hand
}

// judged says whether the rule at hand looks at a row.
func (b *batch) judged(i int) bool { return b.only == nil || b.only[i>>6]>>(i&63)&1 == 1 }

// because gives the reason, from 1, for the row just marked; rows come in order.
func (b *batch) because(row int, code uint8) { b.whys = append(b.whys, why{row, code}) }

// all is how many rows the rule at hand judges.
func (b *batch) all() int64 {
	if b.only == nil {
		return int64(b.n)
	}
	return b.only.count()
}

// maxSample bounds how many failing offsets a finding names.
const maxSample = 20

// Check runs every row rule over a record (business columns in dataset order). asOf
// is the day that "today" and validity mean; it must come from the batch, so that a
// replay judges alike.
func (rs *Ruleset) Check(rec arrow.RecordBatch, offsets []int64, asOf time.Time) *Checked {
	n := int(rec.NumRows())
	words := (n + 63) / 64
	c := &Checked{Flags: make([]uint64, n), Drop: make([]uint64, words), rules: rs.rules, counts: make([]count, len(rs.rules)), offsets: offsets, whys: make([][]why, len(rs.rules))}
	b := &batch{rec: rec, n: n, asOf: asOf.In(beijing)}
	fail, whens := make(bitmap, words), make([]bitmap, len(rs.whens))
	for i := range rs.rules {
		clear(fail)
		r := &rs.rules[i]
		b.only, b.whys = rs.only(b, r.when, whens), nil
		c.counts[i].evaluated = r.judge(b, fail)
		c.counts[i].failed, c.whys[i] = fail.count(), b.whys
		if c.counts[i].failed > 0 {
			c.record(i, fail)
		}
	}
	c.reject()
	return c
}

// only has the rows for which a rule's condition is true, worked out once per batch.
func (rs *Ruleset) only(b *batch, when int, whens []bitmap) bitmap {
	if when < 0 {
		return nil
	}
	if whens[when] == nil {
		whens[when] = rs.whens[when](b).yes
	}
	return whens[when]
}

// record notes the rows that broke rule i.
func (c *Checked) record(i int, fail bitmap) {
	k, bit := &c.counts[i], uint64(1)<<i
	fail.each(func(row int) {
		c.Flags[row] |= bit
		if len(k.sample) < maxSample {
			k.sample = append(k.sample, c.offsets[row])
		}
	})
	if c.rules[i].Blocking {
		for w, word := range fail {
			c.Drop[w] |= word
		}
	}
}

// reject names the first blocking rule of each dropped row.
func (c *Checked) reject() {
	var blocking uint64
	for i := range c.rules {
		if c.rules[i].Blocking {
			blocking |= 1 << i
		}
	}
	bitmap(c.Drop).each(func(row int) {
		c.Rejected = append(c.Rejected, c.fault(bits.TrailingZeros64(c.Flags[row]&blocking), row))
	})
}

// fault says why a row breaks rule i.
func (c *Checked) fault(i, row int) Fault {
	r := &c.rules[i]
	f := Fault{Row: row, Rule: r.ID, Field: r.Columns[0], Reason: r.reason}
	at, found := slices.BinarySearchFunc(c.whys[i], row, func(w why, row int) int { return w.row - row })
	if found {
		f.Reason = r.reasons[c.whys[i][at].code-1]
	}
	return f
}

// Broken gives every rule that a row broke, the blocking ones or the soft ones: what a
// person who mends a file wants to know at once.
func (c *Checked) Broken(row int, blocking bool) []Fault {
	var out []Fault
	for i := range c.rules {
		if c.rules[i].Blocking == blocking && c.Flags[row]>>i&1 == 1 {
			out = append(out, c.fault(i, row))
		}
	}
	return out
}

// Findings are the counts of this batch, one per rule, dropped rows included.
func (c *Checked) Findings(p mulu.Plan) []mulu.Finding {
	out := make([]mulu.Finding, len(c.rules))
	for i := range c.rules {
		out[i] = mulu.Finding{
			Batch: p.BatchID, Dataset: p.Dataset, Ruleset: p.Version,
			Rule: c.rules[i].ID, Indicator: c.rules[i].Indicator,
			Evaluated: c.counts[i].evaluated, Failed: c.counts[i].failed, Sample: c.counts[i].sample,
		}
	}
	return out
}
