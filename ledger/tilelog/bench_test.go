package tilelog_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"mulu/ledger/contract"
	"mulu/ledger/ledgertest"
)

// BenchmarkTilelogSubmit reports accepted commands per second with 256 closed-loop
// submitters, and how long after submission the offline proof of every 64th
// command could be had.
func BenchmarkTilelogSubmit(b *testing.B) {
	l := open(b, b.TempDir())
	if _, err := l.SubmitAll(b.Context(), ledgertest.NewHouse(b).Found()); err != nil {
		b.Fatal(err)
	}
	var cs []contract.Command
	for n := 0; len(cs) < b.N; n++ {
		if n%7 != 6 {
			cs = append(cs, numbered(n))
		}
	}
	var mu sync.Mutex
	var waits []time.Duration
	var wg, proofs sync.WaitGroup
	numbers := make(chan int)
	b.ResetTimer()
	start := time.Now()
	for range 256 {
		wg.Go(func() {
			for n := range numbers {
				at := time.Now()
				if _, err := l.Submit(b.Context(), cs[n]); err != nil {
					b.Error(err)
				}
				if n%64 == 0 {
					proofs.Go(func() {
						if _, err := l.Proof(b.Context(), cs[n].ID); err != nil {
							b.Error(err)
						}
						mu.Lock()
						waits = append(waits, time.Since(at))
						mu.Unlock()
					})
				}
			}
		})
	}
	for n := range cs {
		numbers <- n
	}
	close(numbers)
	wg.Wait()
	b.ReportMetric(float64(len(cs))/time.Since(start).Seconds(), "events/s")
	proofs.Wait()
	b.StopTimer()
	slices.Sort(waits)
	b.ReportMetric(float64(waits[(len(waits)-1)*99/100].Microseconds())/1e3, "proof-p99-ms")
}
