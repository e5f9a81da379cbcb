package ingest

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
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

// spare lends the memory that held records lie in: a partition that is behind fills and
// leaves tens of megabytes of it with every batch.
type spare struct{ p sync.Pool }

// lentRecords is from how many records on memory is lent: a partition that trickles
// needs little, and must not sit on what another has grown.
const lentRecords = 4096

func (s *spare) get(n int) []mulu.Record {
	if n >= lentRecords {
		if b, ok := s.p.Get().(*[]mulu.Record); ok && cap(*b) >= n {
			return (*b)[:0]
		}
	}
	return make([]mulu.Record, 0, n)
}

func (s *spare) put(b []mulu.Record) {
	if cap(b) >= lentRecords {
		clear(b) // fetches must not live on in it
		s.p.Put(&b)
	}
}
