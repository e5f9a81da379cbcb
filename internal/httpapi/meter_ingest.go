package httpapi

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mulu"
	"mulu/ingest"
	"mulu/library"
)

// wayIn tells what is seen of the way in when it is asked; docs/metrics.md says what
// to watch. Labels are bounded: datasets, their partitions, classes of rejects,
// stages, states and tables are all declared somewhere. Stages are not told apart by
// dataset: a hundred datasets would make ten thousand series of them.
type wayIn struct{ *house }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mulu_"+name, help, labels, nil)
}

var (
	positionDesc  = desc("ingest_position_offset", "First offset of a partition that is not stored yet.", "dataset", "topic", "partition")
	endOffsetDesc = desc("ingest_end_offset", "End offset of a partition as the broker last said.", "dataset", "topic", "partition")
	lagDesc       = desc("ingest_lag_records", "Records of a partition that wait to be read by this process.", "dataset", "topic", "partition")
	stateDesc     = desc("ingest_partition_state", "1 for the state a partition is in, 0 for the others.", "dataset", "topic", "partition", "state")
	failingDesc   = desc("ingest_partition_failing", "1 while the last step of a partition failed and is tried again.", "dataset", "topic", "partition")
	heldBytesDesc = desc("ingest_held_bytes", "Bytes read and not stored yet, over all partitions.")
	budgetDesc    = desc("ingest_held_budget_bytes", "Held bytes at which reading waits.")
	brokerUpDesc  = desc("ingest_broker_up", "1 if the broker answered just now.")

	recordsDesc   = desc("ingest_records_total", "Offsets of batches that are done, by what became of them: good and rejected records, control offsets without a record.", "dataset", "outcome")
	rejectsDesc   = desc("ingest_rejects_total", "Rows that could not enter, by class.", "dataset", "class")
	batchesDesc   = desc("ingest_batches_total", "Batches that are done.", "dataset")
	batchRowsDesc = desc("ingest_batch_rows", "Rows stored of a batch.", "dataset")
	batchSizeDesc = desc("ingest_batch_bytes", "Source bytes of a batch.", "dataset")
	stageDesc     = desc("ingest_stage_seconds", "Time a stage of the walk in took for a batch, over all datasets.", "stage")
	latencyDesc   = desc("ingest_latency_seconds", "Time from the producer's timestamp of a record until it could be queried. A producer's clock that is ahead of ours counts as 0.", "dataset")
	aheadDesc     = desc("ingest_clock_ahead_records_total", "Records whose producer's clock was ahead of ours.", "dataset")
	undatedDesc   = desc("ingest_undated_records_total", "Records without a timestamp: their latency is not known.", "dataset")

	lastBatchDesc = desc("ingest_last_batch_timestamp_seconds", "When the newest batch of a dataset was stored, since 1970.", "dataset")
	cycleDesc     = desc("ingest_cycle_seconds", "How often new data of a dataset is due, with its grace. Absent if it is irregular.", "dataset")
	holdsDesc     = desc("ingest_equation_holds", "1 if offsets = good + rejected + control holds for all of a dataset and no batch between is missing.", "dataset")
	partsDesc     = desc("engine_parts", "Active parts of a table of the engine.", "database", "table")
)

func (wayIn) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{positionDesc, endOffsetDesc, lagDesc, stateDesc, failingDesc, heldBytesDesc, budgetDesc, brokerUpDesc, recordsDesc, rejectsDesc, batchesDesc,
		batchRowsDesc, batchSizeDesc, stageDesc, latencyDesc, aheadDesc, undatedDesc, lastBatchDesc, cycleDesc, holdsDesc, partsDesc} {
		ch <- d
	}
}

// scrapeTime bounds what a scrape asks of other parts. What does not answer in time
// is missing from it, and says so in the log.
const scrapeTime = 5 * time.Second

func (w wayIn) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTime)
	defer cancel()
	g := gather{ch}
	if w.Source != nil {
		w.partitions(g)
	}
	if w.Broker != nil {
		g.set(brokerUpDesc, prometheus.GaugeValue, truth(w.Broker(ctx) == nil))
	}
	if w.Seen != nil {
		w.seen(g)
	}
	for what, collect := range map[string]func(context.Context, gather) error{"datasets": w.stored, "parts": w.engine} {
		if err := collect(ctx, g); err != nil {
			w.Log.Warn("metrics are incomplete", "missing", what, "error", err)
		}
	}
}

// gather makes metrics; labels are in the order of the description.
type gather struct{ ch chan<- prometheus.Metric }

func (g gather) set(d *prometheus.Desc, kind prometheus.ValueType, v float64, labels ...string) {
	g.ch <- prometheus.MustNewConstMetric(d, kind, v, labels...)
}

func (g gather) spread(d *prometheus.Desc, s *ingest.Spread, labels ...string) {
	upTo, n := make(map[float64]uint64, len(s.Bounds)), uint64(0)
	for i, bound := range s.Bounds {
		n += uint64(s.Counts[i])
		upTo[bound] = n
	}
	g.ch <- prometheus.MustNewConstHistogram(d, uint64(s.Total), s.Sum, upTo, labels...)
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (w wayIn) partitions(g gather) {
	for _, s := range w.Source.Status() {
		at := []string{string(s.Dataset), s.Topic, strconv.Itoa(int(s.Partition))}
		if s.Position >= 0 {
			g.set(positionDesc, prometheus.GaugeValue, float64(s.Position), at...)
		}
		g.set(endOffsetDesc, prometheus.GaugeValue, float64(s.End), at...)
		g.set(lagDesc, prometheus.GaugeValue, float64(max(s.Lag, 0)), at...)
		g.set(failingDesc, prometheus.GaugeValue, truth(s.Error != "" && !s.Stopped), at...)
		is := s.State()
		for _, one := range ingest.States() {
			g.set(stateDesc, prometheus.GaugeValue, truth(one == is), append(slices.Clone(at), string(one))...)
		}
	}
	held, most := w.Source.Memory()
	g.set(heldBytesDesc, prometheus.GaugeValue, float64(held))
	g.set(budgetDesc, prometheus.GaugeValue, float64(most))
}

func (w wayIn) seen(g gather) {
	for _, a := range w.Seen.Accounts(1) {
		code := string(a.Dataset)
		g.set(recordsDesc, prometheus.CounterValue, float64(a.Good), code, "good")
		g.set(recordsDesc, prometheus.CounterValue, float64(a.Rejected), code, "rejected")
		g.set(recordsDesc, prometheus.CounterValue, float64(a.Control), code, "control")
		g.set(batchesDesc, prometheus.CounterValue, float64(a.Batches), code)
		g.set(aheadDesc, prometheus.CounterValue, float64(a.Ahead), code)
		g.set(undatedDesc, prometheus.CounterValue, float64(a.Undated), code)
		for class, n := range a.Rejects {
			g.set(rejectsDesc, prometheus.CounterValue, float64(n), code, class)
		}
		g.spread(batchRowsDesc, &a.BatchRows, code)
		g.spread(batchSizeDesc, &a.BatchSize, code)
		g.spread(latencyDesc, &a.Wait, code)
	}
	for name, s := range w.Seen.Stages() {
		g.spread(stageDesc, &s, name)
	}
}

// stored tells what the manifests say, over all time.
func (w wayIn) stored(ctx context.Context, g gather) error {
	totals, err := w.totals.get(ctx)
	if err != nil {
		return err
	}
	datasets, err := w.datasets.get(ctx)
	if err != nil {
		return err
	}
	for _, ds := range datasets {
		if ds.Cycle > 0 {
			g.set(cycleDesc, prometheus.GaugeValue, (ds.Cycle + ds.Grace).Seconds(), string(ds.Code))
		}
		last, balanced, some := newestOf(ds.Code, totals)
		if some {
			g.set(lastBatchDesc, prometheus.GaugeValue, float64(last.UnixMilli())/1000, string(ds.Code))
			g.set(holdsDesc, prometheus.GaugeValue, truth(balanced), string(ds.Code))
		}
	}
	return nil
}

// newestOf finds a dataset's newest batch and whether its equation holds; some is false if
// it has no batch.
func newestOf(code mulu.DatasetCode, totals []library.Total) (last time.Time, balanced, some bool) {
	balanced = true
	for i := range totals {
		if t := &totals[i]; t.Dataset == code {
			some = true
			balanced = balanced && t.Balanced()
			if t.Last.After(last) {
				last = t.Last
			}
		}
	}
	return last, balanced, some
}

func (w wayIn) engine(ctx context.Context, g gather) error {
	list, err := w.parts.get(ctx)
	for _, p := range list {
		g.set(partsDesc, prometheus.GaugeValue, float64(p.Active), p.Database, p.Table)
	}
	return err
}
