package profile

import (
	"cmp"
	"container/heap"
	"slices"
)

// cell is one value of a sampled row. A number is what the column can be read as.
type cell struct {
	text   string
	number float64
	state  cellState
	typed  bool // number is there
}

type cellState uint8

const (
	filled cellState = iota
	null
	placeholder
)

// sampled is one row of the sample. Its priority follows from the seed and where the
// row stands, so that equal runs keep equal rows and samples of parts merge.
type sampled struct {
	priority uint64
	at       int64
	cells    []cell
}

// rowSample keeps the rows of lowest priority, at most bound: all of them if there are
// no more.
type rowSample struct {
	bound int
	rows  sampleHeap
}

type sampleHeap []sampled

func (h sampleHeap) Len() int           { return len(h) }
func (h sampleHeap) Less(i, j int) bool { return h[i].priority > h[j].priority }
func (h sampleHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sampleHeap) Push(x any)        { *h = append(*h, x.(sampled)) }
func (h *sampleHeap) Pop() any {
	old := *h
	x := old[len(old)-1]
	*h = old[:len(old)-1]
	return x
}

// wants says whether a row of that priority would be kept.
func (s *rowSample) wants(priority uint64) bool {
	return len(s.rows) < s.bound || priority < s.rows[0].priority
}

func (s *rowSample) put(r sampled) {
	if !s.wants(r.priority) {
		return
	}
	heap.Push(&s.rows, r)
	if len(s.rows) > s.bound {
		heap.Pop(&s.rows)
	}
}

// ordered gives the rows as they stood.
func (s *rowSample) ordered() []sampled {
	out := slices.Clone(s.rows)
	slices.SortFunc(out, func(a, b sampled) int { return cmp.Compare(a.at, b.at) })
	return out
}

// mix spreads the bits of a number (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
