package filecheck

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"mulu/quality/check"
)

// Records hands over all rows of a text file as they are written, a column of texts for
// each name, in the order of the file.
func (t *textFile) Records(ctx context.Context, begin func(names []string), put func(arrow.RecordBatch) error) error {
	for {
		names := t.Columns()
		begin(names)
		t.faults, t.sizes, t.fresh = nil, map[int]size{}, map[int][]string{}
		o := inOrder{put: put, early: map[int]arrow.RecordBatch{}}
		err := t.each(ctx, 0, func(p *parsed) error {
			t.note(p)
			return o.add(p.seq, p.texts(names))
		})
		o.drop()
		if err = t.relook(ctx, err); errors.Is(err, check.ErrAgain) {
			continue
		}
		if t.late(); err != nil || len(t.Columns()) == len(names) {
			return err
		}
	}
}

// texts are a piece's rows as they are written, without those of which nothing was read.
func (p *parsed) texts(names []string) arrow.RecordBatch {
	fields := make([]arrow.Field, len(names))
	for i, n := range names {
		fields[i] = arrow.Field{Name: n, Type: arrow.BinaryTypes.String, Nullable: true}
	}
	lost := map[int]bool{}
	for _, o := range p.odd() {
		lost[o.row] = o.lost
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for i := range names {
		from, to := p.column(i), b.Field(i).(*array.StringBuilder)
		for row := range from.rows() {
			if lost[row] {
				continue
			}
			if v, kind := from.at(row); kind == check.Null {
				to.AppendNull()
			} else {
				to.BinaryBuilder.Append(v)
			}
		}
	}
	return b.NewRecordBatch()
}

// inOrder puts batches that come from several goroutines in the order of their numbers;
// those that are early are kept, at most one a goroutine and what came while it was slow.
type inOrder struct {
	mu    sync.Mutex
	next  int
	early map[int]arrow.RecordBatch
	put   func(arrow.RecordBatch) error
}

func (o *inOrder) add(seq int, rec arrow.RecordBatch) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.early[seq] = rec
	for {
		rec := o.early[o.next]
		if rec == nil {
			return nil
		}
		delete(o.early, o.next)
		o.next++
		err := o.put(rec)
		rec.Release()
		if err != nil {
			return err
		}
	}
}

// drop lets go what never had its turn.
func (o *inOrder) drop() {
	for _, rec := range o.early {
		rec.Release()
	}
}

// Records hands over all rows of a Parquet file with its own types.
func (p *parquetFile) Records(ctx context.Context, begin func(names []string), put func(arrow.RecordBatch) error) error {
	begin(p.Columns())
	in, err := pqarrow.NewFileReader(p.file, pqarrow.ArrowReadProperties{BatchSize: batchRows}, memory.DefaultAllocator)
	if err != nil {
		return err
	}
	recs, err := in.GetRecordReader(ctx, nil, nil)
	if err != nil {
		return err
	}
	defer recs.Release()
	for recs.Next() {
		if err := put(recs.RecordBatch()); err != nil {
			return err
		}
	}
	if err := recs.Err(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}
