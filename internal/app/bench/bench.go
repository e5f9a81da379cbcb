// Package bench measures the house on the machine it runs on. Every figure stands
// beside its limit: what the engine or a known library does with the same rows in
// the same run, or the bar that was set for two cores. Walls are noisy on shared
// machines, so CPU and ratios come first.
package bench

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mulu"
	"mulu/library"
	"mulu/library/embedded"
)

// Progress is told what is going on: done of total, total 0 if unknown.
type Progress func(stage string, done, total int64)

// Options of a run.
type Options struct {
	Exe      string // the mulu binary, started as the broker
	Lib      string // libchdb.so; "" looks in the usual places
	Dir      string // where temporary directories are made, "" is the system's
	Peer     string // a binary of bench/peers to hold the way in against; "" is none
	Rows     int64  // rows through the way in, at least; default 1 000 000
	Log      *slog.Logger
	Progress Progress
}

// Limit is what a figure is held against.
type Limit struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
}

// Figure is one measurement. Ratio is Value / Limit.Value.
type Figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Limit *Limit  `json:"limit"`
	Ratio float64 `json:"ratio"`
}

// Report is what `mulu bench --json` prints.
type Report struct {
	Machine Machine  `json:"machine"`
	Figures []Figure `json:"figures"`
}

// figure makes a figure beside its limit; a limit without a name is none.
func figure(name string, value float64, unit, limit string, limitValue float64) Figure {
	f := Figure{Name: name, Value: value, Unit: unit}
	if limit != "" {
		f.Limit = &Limit{Name: limit, Value: limitValue}
		if limitValue != 0 {
			f.Ratio = value / limitValue
		}
	}
	return f
}

// The parts of the house that can be measured, in the order of All.
var parts = []struct {
	name string
	run  func(context.Context, *Options) ([]Figure, error)
}{
	{"ingest", ingestFigures}, {"check", checkAll}, {"judge", judgeFigures}, {"share", shareFigures}, {"ledger", ledgerFigures},
}

// All is the name that stands for every part.
const All = "all"

// Names lists what Run takes.
func Names() []string {
	names := make([]string, 0, len(parts)+1)
	for _, p := range parts {
		names = append(names, p.name)
	}
	return append(names, All)
}

// Run measures one part, or all of them one after another. An unknown name is
// mulu.ErrInvalid.
func Run(ctx context.Context, what string, o Options) (*Report, error) {
	if !slices.Contains(Names(), what) {
		return nil, fmt.Errorf("bench %q: want one of %v: %w", what, Names(), mulu.ErrInvalid)
	}
	if o.Rows <= 0 {
		o.Rows = 1_000_000
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	r := &Report{Machine: thisMachine(), Figures: []Figure{}}
	for _, p := range parts {
		if what != All && what != p.name {
			continue
		}
		figures, err := p.run(ctx, &o)
		if err != nil {
			return nil, fmt.Errorf("bench %s: %w", p.name, err)
		}
		r.Figures = append(r.Figures, figures...)
	}
	return r, nil
}

// engineMemory caps the engine as a small installation would.
const engineMemory = 4 << 30

// openLibrary starts an engine of its own in dir. close stops it.
func openLibrary(ctx context.Context, o *Options, dir string) (lib *library.Library, engine *embedded.Engine, err error) {
	engine, err = embedded.Start(ctx, embedded.Options{Dir: filepath.Join(dir, "engine"), Lib: o.Lib, MaxMemoryBytes: engineMemory, Log: o.Log})
	if err != nil {
		return nil, nil, fmt.Errorf("start engine: %w", err)
	}
	lib, err = library.Open(ctx, library.Options{Transport: engine.Transport(), Log: o.Log})
	if err != nil {
		return nil, nil, fmt.Errorf("open library: %w", joinStop(err, engine))
	}
	return lib, engine, nil
}

func joinStop(err error, engine *embedded.Engine) error {
	if stop := stopEngine(engine); stop != nil {
		return fmt.Errorf("%w (and %w)", err, stop)
	}
	return err
}

// stopEngine ends an engine even when the run was cancelled.
func stopEngine(engine *embedded.Engine) error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	if err := engine.Stop(ctx); err != nil {
		return fmt.Errorf("stop engine: %w", err)
	}
	return nil
}

// tempDir makes a working directory; remove deletes it.
func tempDir(o *Options) (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp(o.Dir, "mulu-bench-")
	if err != nil {
		return "", nil, fmt.Errorf("make working directory: %w", err)
	}
	return dir, func() { os.RemoveAll(dir) }, nil //nolint:errcheck // a temporary directory
}

// quantile is the q-th of sorted durations.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	return d[int(float64(len(d)-1)*q)]
}

func median(v []float64) float64 {
	s := slices.Sorted(slices.Values(v))
	return s[len(s)/2]
}
