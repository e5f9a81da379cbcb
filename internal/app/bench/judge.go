package bench

import (
	"context"
	"errors"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"mulu"
	"mulu/library"
	"mulu/pipeline"
)

const barJudge = 1_000_000

// judgeFigures judges a stored history again: reading its rows alone, judging them alone,
// and the whole walk under other rules, of which few and then half of the rows differ from what they
// say. Reading is measured while the rows lie in many parts, and merged.
func judgeFigures(ctx context.Context, o *Options) (figures []Figure, err error) {
	dir, remove, err := tempDir(o)
	if err != nil {
		return nil, err
	}
	defer remove()
	lib, engine, err := openLibrary(ctx, o, dir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, stopEngine(engine)) }()
	ds := dataset(code, topic, false)
	// Two columns more, so that the rows are as wide as the district's residents.
	ds.Columns = append(ds.Columns, mulu.Column{Name: "note", Type: mulu.String}, mulu.Column{Name: "seen", Type: mulu.Date})
	if err := errors.Join(lib.Apply(ctx, ds), lib.HoldMerges(ctx, code, true), fillLibrary(ctx, o, lib, ds)); err != nil {
		return nil, err
	}
	apart, _, err := scanned(ctx, o, lib, ds)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(lib.HoldMerges(ctx, code, false), lib.MergeAll(ctx, code)); err != nil {
		return nil, err
	}
	merged, check, err := scanned(ctx, o, lib, ds)
	if err != nil {
		return nil, err
	}
	figures = []Figure{
		figure("judge.scan_parts", apart, "rows/s", "", 0),
		figure("judge.scan", merged, "rows/s", "", 0),
		figure("judge.check", check, "rows/s", "", 0),
	}
	for _, next := range []struct{ name, limit string }{{"judge.history", "119"}, {"judge.history_half", "60"}} {
		ds := *ds
		ds.Version, ds.Rules = lib.Dataset(code).Version+1, append([]mulu.Rule(nil), ds.Rules...)
		for i, r := range ds.Rules {
			if r.Columns[0] == "age" {
				ds.Rules[i].Params = map[string]string{"min": "0", "max": next.limit}
			}
		}
		v, err := ready(&ds)
		if err != nil {
			return nil, err
		}
		if err := lib.Apply(ctx, &ds); err != nil {
			return nil, err
		}
		o.Progress("重判历史 / judging history", 0, 0)
		judge := pipeline.Judge{Library: lib, Now: time.Now, Version: func(mulu.DatasetCode, uint32) (*pipeline.Version, error) { return v, nil }}
		watch := startWatch()
		done, err := judge.History(ctx, code, false)
		if err != nil {
			return nil, err
		}
		figures = append(figures, figure(next.name, perSecond(done.Rows, watch.wall()), "rows/s", "bar", barJudge),
			figure(next.name+"_cpu", perMillion(watch.cpu(), done.Rows), "CPU-s/M rows", "", 0),
			figure(next.name+"_differ", float64(done.Differ)/float64(done.Rows), "of rows", "", 0))
	}
	return figures, nil
}

// scanned is how many rows a second are read alone, and how many are judged alone.
func scanned(ctx context.Context, o *Options, lib *library.Library, ds *mulu.Dataset) (scan, check float64, err error) {
	v, err := ready(ds)
	if err != nil {
		return 0, 0, err
	}
	o.Progress("读取历史 / reading history", 0, 0)
	var rows int64
	opt := library.ScanOptions{Columns: v.Rules.Uses(), Provenance: []string{library.ColTopicID, mulu.ColPartition, mulu.ColOffset, mulu.ColRow, mulu.ColFlags, mulu.ColOrigin}}
	watch := startWatch()
	if err := lib.Scan(ctx, code, opt, func(rec arrow.RecordBatch) error { rows += rec.NumRows(); return nil }); err != nil {
		return 0, 0, err
	}
	scan = perSecond(rows, watch.wall())
	judging, judged, at := time.Duration(0), int64(0), time.Now()
	err = lib.Scan(ctx, code, opt, func(rec arrow.RecordBatch) error {
		offsets := make([]int64, rec.NumRows())
		watch := startWatch()
		v.Rules.Check(rec, offsets, at)
		judging, judged = judging+watch.wall(), judged+rec.NumRows()
		return nil
	})
	return scan, perSecond(judged, judging), err
}
