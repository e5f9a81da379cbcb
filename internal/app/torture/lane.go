package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
)

// EnvCrash tells a worker or lane to kill itself when a stage has been passed that
// often: "data:3". Both halves of a promise are at risk right after a durable line.
const EnvCrash = "MULU_TORTURE_CRASH"

var stages = []string{pipeline.Planned, pipeline.Rejected, pipeline.Found, pipeline.Stored, pipeline.Manifest, pipeline.Done, pipeline.Committed}

// CrashAt reads "stage:n" and returns what kills this process when stage has been
// passed n times; nil for "".
func CrashAt(s string) (func(string), error) {
	if s == "" {
		return nil, nil
	}
	stage, times, _ := strings.Cut(s, ":")
	n, err := strconv.ParseInt(times, 10, 64)
	if err != nil || n < 1 {
		return nil, fmt.Errorf("%s=%q: want stage:n", EnvCrash, s)
	}
	var left atomic.Int64
	left.Store(n)
	return func(passed string) {
		if passed == stage && left.Add(-1) == 0 {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // the signal is on its way
		}
	}, nil
}

// Guards that a lane can leave out, for the negative control. They exist in this
// process alone: no configuration of mulu reaches them.
const (
	NoSettle    = "no-settle"    // a batch in doubt is stored without asking what is there
	CommitFirst = "commit-first" // a batch is called done before it is stored
)

// LaneSpec says what one `mulu torture lane` does.
type LaneSpec struct {
	Seeds    []string
	Group    string
	Instance string // static member: a restart takes its partitions back at once; "" is a dynamic member
	Store    string // control store, shared
	Engine   string // URL of the engine, shared
	Datasets []*mulu.Dataset
	Rows     int64 // a batch ends before each multiple of this offset
	Linger   time.Duration
	Session  time.Duration // of the group; an owner silent for longer loses its partitions
	Guard    string        // the one that is left out, "" for none
	Status   string        // file that says how it stands, rewritten every statusEvery
}

// LaneStatus is what a lane writes to its status file.
type LaneStatus struct {
	PID        int
	Partitions []ingest.Status
}

const statusEvery = 100 * time.Millisecond

// RunLane is the way in alone: journal, library by URL, source, walk.
func RunLane(ctx context.Context, spec LaneSpec, passed func(string), log *slog.Logger) error {
	db, err := store.Open(ctx, spec.Store)
	if err != nil {
		return err
	}
	defer db.Close()
	journal, err := ingest.NewJournal(ctx, db, time.Now)
	if err != nil {
		return err
	}
	lib, err := library.Open(ctx, library.Options{URL: spec.Engine, Log: log})
	if err != nil {
		return err
	}
	defer lib.Close()
	versions, err := makeReady(ctx, lib, spec.Datasets)
	if err != nil {
		return err
	}
	source, err := ingest.NewSource(ingest.Options{
		Seeds: spec.Seeds, Group: spec.Group, Instance: spec.Instance, Datasets: spec.Datasets, Journal: journal,
		BatchRows: spec.Rows, Linger: spec.Linger, DrainWait: 2 * time.Second, Log: log,
		Client: []kgo.Opt{kgo.SessionTimeout(spec.Session), kgo.HeartbeatInterval(spec.Session / 6), kgo.RebalanceTimeout(10 * time.Second)},
	})
	if err != nil {
		return err
	}
	defer source.Close()
	go report(ctx, spec.Status, source)
	return source.Run(ctx, func(ctx context.Context, p *ingest.Partition) error {
		lane := pipeline.Lane{Source: p, Version: versions.of, Journal: journal, Library: lib, Now: time.Now, Passed: passed}
		weaken(&lane, spec.Guard, p)
		return lane.Step(ctx)
	})
}

type readyVersions map[mulu.DatasetCode]*pipeline.Version

func (v readyVersions) of(code mulu.DatasetCode, version uint32) (*pipeline.Version, error) {
	if ready := v[code]; ready != nil && ready.Dataset.Version == version {
		return ready, nil
	}
	return nil, fmt.Errorf("version %d of dataset %s: %w", version, code, mulu.ErrNotFound)
}

// makeReady makes the tables of the datasets, and what decodes and judges them.
func makeReady(ctx context.Context, lib *library.Library, datasets []*mulu.Dataset) (readyVersions, error) {
	tables, err := codes.Load()
	if err != nil {
		return nil, err
	}
	out := readyVersions{}
	for _, ds := range datasets {
		v := &pipeline.Version{Dataset: ds}
		if err := lib.Apply(ctx, ds); err != nil {
			return nil, err
		}
		if v.Decoder, err = ingest.NewDecoder(ds); err != nil {
			return nil, err
		}
		if v.Rules, err = quality.Compile(ds, tables); err != nil {
			return nil, err
		}
		out[ds.Code] = v
	}
	return out, nil
}

// report rewrites the status file until ctx ends.
func report(ctx context.Context, path string, source *ingest.Source) {
	for ctx.Err() == nil {
		b, err := json.Marshal(LaneStatus{PID: os.Getpid(), Partitions: source.Status()})
		if err == nil {
			if err = os.WriteFile(path+".tmp", b, 0o600); err == nil {
				err = os.Rename(path+".tmp", path)
			}
		}
		if err != nil {
			slog.Warn("write status", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(statusEvery):
		}
	}
}

// weaken leaves one guard out of the walk.
func weaken(lane *pipeline.Lane, guard string, p *ingest.Partition) {
	switch guard {
	case NoSettle:
		lane.Source = blind{p}
	case CommitFirst:
		s := &remembering{Partition: p}
		lane.Source = s
		passed := lane.Passed
		lane.Passed = func(stage string) {
			if stage == pipeline.Planned {
				_ = lane.Journal.Done(context.Background(), mulu.Manifest{ // a replay is refused, as it should be
					Plan: s.last.Plan, Good: int64(len(s.last.Records)), Control: s.last.Control(),
					Bytes: s.last.Bytes, Digest: ingest.Digest(s.last.Records),
				})
			}
			if passed != nil {
				passed(stage)
			}
		}
	}
}

// blind is a source that forgets to say that a batch is in doubt.
type blind struct{ *ingest.Partition }

func (b blind) Next(ctx context.Context) (*ingest.Batch, error) {
	batch, err := b.Partition.Next(ctx)
	if batch != nil {
		batch.InDoubt = false
	}
	return batch, err
}

// remembering keeps the batch it gave.
type remembering struct {
	*ingest.Partition
	last *ingest.Batch
}

func (r *remembering) Next(ctx context.Context) (*ingest.Batch, error) {
	batch, err := r.Partition.Next(ctx)
	r.last = batch
	return batch, err
}
