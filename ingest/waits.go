package ingest

import (
	"math/bits"
	"time"
)

// waits counts records by how long each waited, in whole milliseconds. The cells
// grow with the wait: below 16 ms one for each millisecond, then sixteen to every
// doubling, up to 24 days; what waited longer is in the last. So a quantile read
// from it is off by at most a sixteenth of itself, in 3.7 kB, however many records.
type waits [waitCells]int64

const (
	waitSteps = 16 // cells to every doubling
	waitBits  = 4  // 2^waitBits is waitSteps
	waitTop   = 31 // 2^waitTop ms is past the last cell
	waitCells = waitSteps + (waitTop-waitBits)*waitSteps
)

// waitCell is the cell of a wait of ms >= 0.
func waitCell(ms int64) int {
	if ms < waitSteps {
		return int(ms)
	}
	if ms >= 1<<waitTop {
		return waitCells - 1
	}
	octave := bits.Len64(uint64(ms)) - 1 // 2^octave <= ms
	return waitSteps + (octave-waitBits)*waitSteps + int(ms>>(octave-waitBits)) - waitSteps
}

// waitFloor is the least wait in milliseconds that is in cell i, and that of the
// cell after the last for i = waitCells.
func waitFloor(i int) int64 {
	if i < waitSteps {
		return int64(i)
	}
	octave := (i-waitSteps)/waitSteps + waitBits
	return int64(waitSteps+i%waitSteps) << (octave - waitBits)
}

// add counts n records that waited ms.
func (w *waits) add(ms, n int64) { w[waitCell(max(ms, 0))] += n }

// spread counts n records as if they had waited evenly from least to most.
func (w *waits) spread(least, most, n int64) {
	parts := min(n, 64)
	for i := range parts {
		ms := least + (most-least)*(2*i+1)/(2*parts)
		w.add(ms, n*(i+1)/parts-n*i/parts)
	}
}

func (w *waits) merge(o *waits) {
	for i, n := range o {
		w[i] += n
	}
}

func (w *waits) total() (n int64) {
	for _, c := range w {
		n += c
	}
	return n
}

// quantile is the wait that a share q in (0,1] of the records did not pass; ok is
// false if there are none.
func (w *waits) quantile(q float64) (wait time.Duration, ok bool) {
	total := w.total()
	if total == 0 {
		return 0, false
	}
	rank := q * float64(total)
	var before int64
	for i, n := range w {
		if n == 0 || float64(before+n) < rank {
			before += n
			continue
		}
		low, high := float64(waitFloor(i)), float64(waitFloor(i+1))
		within := (rank - float64(before)) / float64(n)
		return time.Duration((low + within*(high-low)) * float64(time.Millisecond)), true
	}
	return time.Duration(waitFloor(waitCells)) * time.Millisecond, true // rounding of rank
}

// below counts the records that waited less than 2^power milliseconds, exactly:
// every power of two begins a cell.
func (w *waits) below(power int) (n int64) {
	for _, c := range w[:waitCell(1<<power)] {
		n += c
	}
	return n
}
