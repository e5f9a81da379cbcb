package submit

import (
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
)

// BenchmarkPosts is what one small post of 5 rows costs, with so many clients at once:
// as plain produce with acks=all, which keeps no promise of once; with a producer of
// its own for each; and over the line. docs/adr/0022 has the ratios.
func BenchmarkPosts(b *testing.B) {
	for _, clients := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("plain/%d", clients), func(b *testing.B) { benchPlain(b, clients) })
		b.Run(fmt.Sprintf("sender/%d", clients), func(b *testing.B) { benchPosts(b, clients, sendAlone) })
		b.Run(fmt.Sprintf("line/%d", clients), func(b *testing.B) { benchPosts(b, clients, sendByLine) })
	}
}

const benchRows = 5

func benchPlain(b *testing.B, clients int) {
	r := newRig(b, 3)
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.DefaultProduceTopic("people"), kgo.ProducerLinger(0))
	if err != nil {
		b.Fatal(err)
	}
	defer cl.Close()
	parallel(b, clients, func(i int64) error {
		var records []*kgo.Record
		for _, row := range rowsOf(fmt.Sprint(i), benchRows) {
			records = append(records, &kgo.Record{Key: row.Key, Value: row.Value})
		}
		return cl.ProduceSync(b.Context(), records...).FirstErr()
	})
}

func benchPosts(b *testing.B, clients int, send func(*rig, testing.TB, string) error) {
	r := newRig(b, 3)
	defer r.Close()
	parallel(b, clients, func(i int64) error { return send(r, b, fmt.Sprint(i)) })
}

func parallel(b *testing.B, clients int, f func(i int64) error) {
	var n atomic.Int64
	b.SetParallelism(clients) // times GOMAXPROCS
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			if err := f(n.Add(1)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func sendAlone(r *rig, b testing.TB, key string) error {
	s, _, err := r.Open(b.Context(), Submission{Dataset: "people", Way: mulu.WayHTTP, Key: key, Digest: key})
	if err != nil {
		return err
	}
	out, err := r.Send(b.Context(), s.ID, "people")
	if err != nil {
		return err
	}
	defer out.Close()
	for i, row := range rowsOf(key, benchRows) {
		if err := out.Add(b.Context(), row, fmt.Sprint(i+1)); err != nil {
			return err
		}
	}
	return out.End(b.Context(), nil)
}

func sendByLine(r *rig, b testing.TB, key string) error {
	_, err := r.Line("people", "people").Put(b.Context(), Submission{Dataset: "people", Way: mulu.WayHTTP, Key: key, Digest: key}, rowsOf(key, benchRows))
	return err
}
