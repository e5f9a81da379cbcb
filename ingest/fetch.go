package ingest

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// recordPool lends the client the memory it puts fetched records into. push copies
// what it needs out of them, so that they are free again at once; keys and values lie
// in the fetch itself.
type recordPool struct{ p sync.Pool }

// GetRecords is kgo.PoolRecords.
func (r *recordPool) GetRecords(n int) []kgo.Record {
	if s, ok := r.p.Get().(*[]kgo.Record); ok && cap(*s) >= n {
		return (*s)[:0]
	}
	return make([]kgo.Record, 0, max(n, 1024))
}

// PutRecords is kgo.PoolRecords.
func (r *recordPool) PutRecords(s []kgo.Record) { r.p.Put(&s) }

// recycle gives records back that nobody looks at any more.
func recycle(records []*kgo.Record) {
	for _, r := range records {
		r.Recycle()
	}
}
