//go:build linux && amd64

package library

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"mulu"
)

// framing gives a dataset and two batches that differ in rows, drops and deletions.
func framing() (*mulu.Dataset, Batch, Batch) {
	ds := &mulu.Dataset{Code: "bench", Version: 1, Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Type: mulu.Int, Required: true}, {Name: "citizen", Type: mulu.String, Required: true}, {Name: "name", Type: mulu.String}, {Name: "dept", Type: mulu.String},
		{Name: "phone", Type: mulu.String}, {Name: "address", Type: mulu.String}, {Name: "amount", Type: mulu.Decimal, Scale: 2}, {Name: "day", Type: mulu.Date},
		{Name: "at", Type: mulu.DateTime}, {Name: "alone", Type: mulu.Bool}, {Name: "count", Type: mulu.Int}, {Name: "note", Type: mulu.String}}}
	a, b := benchBatch(ds, 30_000), benchBatch(ds, 9_000)
	b.Deleted, b.Origin = make([]uint64, len(b.Drop)), mulu.OriginReplay
	for i := range b.Deleted {
		b.Deleted[i] = 0xffff
	}
	for i := range b.Flags {
		b.Flags[i] = uint64(i)
	}
	return ds, a, b
}

func framedBytes(t *testing.T, ds *mulu.Dataset, b Batch) []byte {
	t.Helper()
	f, err := frame(ds, b, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer f.release()
	read, err := io.ReadAll(f.reader())
	if err != nil {
		t.Fatal(err)
	}
	var written bytes.Buffer
	if _, err := f.reader().WriteTo(&written); err != nil || !bytes.Equal(read, written.Bytes()) || len(read) != f.size {
		t.Fatalf("read %d bytes, written %d, size %d: %v", len(read), written.Len(), f.size, err)
	}
	return read
}

// TestScratchLeavesNoTrace frames the same batch before and after others: memory that
// is used again must not show.
func TestScratchLeavesNoTrace(t *testing.T) {
	ds, a, b := framing()
	wantA, wantB := framedBytes(t, ds, a), framedBytes(t, ds, b)
	if bytes.Equal(wantA, wantB) {
		t.Fatal("the batches do not differ")
	}
	for range 3 {
		if !bytes.Equal(framedBytes(t, ds, a), wantA) || !bytes.Equal(framedBytes(t, ds, b), wantB) {
			t.Fatal("a frame differs from the first of the same batch")
		}
	}
	for i, v := range zeros(1 << 20) {
		if v != 0 {
			t.Fatalf("shared zero byte %d is %d", i, v)
		}
	}
}

func TestStreamEnds(t *testing.T) {
	ds, a, _ := framing()
	f, err := frame(ds, a, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.release()
	s := f.reader()
	if n, err := s.Read(make([]byte, 100)); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	s.end()
	if n, err := s.Read(make([]byte, 100)); n != 0 || !errors.Is(err, errEnded) {
		t.Errorf("read after the end: %d, %v", n, err)
	}
	if n, err := s.WriteTo(io.Discard); n != 0 || !errors.Is(err, errEnded) {
		t.Errorf("written after the end: %d, %v", n, err)
	}
}
