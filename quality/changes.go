package quality

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// CheckChanges is Check for a batch of which the rows in the bitmap deleted (bit i of
// word i/64; nil is none) delete their key. They hold the key alone: no rule judges
// them, no finding counts them, and none of them is dropped.
func (rs *Ruleset) CheckChanges(rec arrow.RecordBatch, offsets []int64, deleted []uint64, asOf time.Time) (*Checked, error) {
	n := int(rec.NumRows())
	if bitmap(deleted).count() == 0 {
		return rs.Check(rec, offsets, asOf), nil
	}
	var live []int
	var runs [][2]int64 // of rows that stay, from and to
	for i := range n {
		if deleted[i>>6]>>(i&63)&1 == 1 {
			continue
		}
		if len(runs) == 0 || runs[len(runs)-1][1] != int64(i) {
			runs = append(runs, [2]int64{int64(i), int64(i)})
		}
		runs[len(runs)-1][1]++
		live = append(live, i)
	}
	sub, err := rs.rowsOf(rec, runs)
	if err != nil {
		return nil, err
	}
	defer sub.Release()
	left := make([]int64, len(live))
	for i, row := range live {
		left[i] = offsets[row]
	}
	return rs.Check(sub, left, asOf).spread(live, n), nil
}

// rowsOf copies the runs of the business columns into a record of their own.
func (rs *Ruleset) rowsOf(rec arrow.RecordBatch, runs [][2]int64) (arrow.RecordBatch, error) {
	cols := make([]arrow.Array, 0, len(rs.dataset.Columns))
	defer func() {
		for _, c := range cols {
			c.Release()
		}
	}()
	rows := int64(0)
	for i := range rs.dataset.Columns {
		slices := make([]arrow.Array, 0, len(runs)+1)
		rows = 0
		for _, r := range runs {
			slices = append(slices, array.NewSlice(rec.Column(i), r[0], r[1]))
			rows += r[1] - r[0]
		}
		if len(slices) == 0 {
			slices = append(slices, array.NewSlice(rec.Column(i), 0, 0))
		}
		col, err := array.Concatenate(slices, memory.DefaultAllocator)
		for _, s := range slices {
			s.Release()
		}
		if err != nil {
			return nil, err
		}
		cols = append(cols, col)
	}
	schema := arrow.NewSchema(rec.Schema().Fields()[:len(cols)], nil)
	return array.NewRecordBatch(schema, cols, rows), nil
}

// spread puts what was found of some rows where they stand among all n.
func (c *Checked) spread(live []int, n int) *Checked {
	flags, drop := make([]uint64, n), make(bitmap, (n+63)/64)
	for i, row := range live {
		flags[row] = c.Flags[i]
	}
	for i := range c.Rejected {
		c.Rejected[i].Row = live[c.Rejected[i].Row]
		drop.set(c.Rejected[i].Row)
	}
	for _, whys := range c.whys {
		for i := range whys {
			whys[i].row = live[whys[i].row]
		}
	}
	c.Flags, c.Drop = flags, drop
	return c
}
