package library

import (
	"bytes"
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"mulu"
)

func TestCounters(t *testing.T) {
	// A counter must not care where a write ends.
	counts := func(c func() rowCounter, doc string, want int64) {
		t.Helper()
		for _, size := range []int{1, 3, 1 << 20} {
			counter := c()
			for rest := []byte(doc); len(rest) > 0; {
				n := min(size, len(rest))
				if _, err := counter.Write(rest[:n]); err != nil {
					t.Fatal(err)
				}
				rest = rest[n:]
			}
			if got := counter.rows(); got != want {
				t.Errorf("%q in pieces of %d: %d rows, want %d", doc[:min(40, len(doc))], size, got, want)
			}
		}
	}
	csv := func() rowCounter { return &csvCounter{} }
	counts(csv, "\"a\",\"b\"\n", 0)
	counts(csv, "\"a\"\n\"x\n\"\"\ny\"\n1\n", 2)
	counts(csv, "", 0)
	array := func() rowCounter { return &lineCounter{array: true} }
	counts(array, "[\n\n]\n", 0)
	counts(array, "[\n{}\n]\n", 1)
	counts(array, "[\n{},\n{}\n]\n", 2)
	counts(func() rowCounter { return &lineCounter{} }, "{}\n{}\n", 2)
	arrows := func() rowCounter { return &arrowCounter{} }
	counts(arrows, arrowDocument(t), 0)
	counts(arrows, arrowDocument(t, 1), 1)
	counts(arrows, arrowDocument(t, 100, 0, 7), 107)
	if _, err := (&arrowCounter{}).Write([]byte("not an arrow stream at all")); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("a stranger is counted: %v", err)
	}
}

func arrowDocument(t *testing.T, lengths ...int) string {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	var buf bytes.Buffer
	w := ipc.NewWriter(&buf, ipc.WithSchema(schema))
	for _, n := range lengths {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range n {
			b.Field(0).(*array.StringBuilder).Append("text")
		}
		rec := b.NewRecordBatch()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
		b.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.String()
}
