// Package torture kills a whole mulu again and again while a producer keeps
// sending, starts it again each time, and in the end counts every acknowledged
// record: in the library or among the problem rows, once, and nowhere twice.
package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mulu"
	"mulu/internal/app"
	"mulu/internal/broker"
	"mulu/internal/config"
	"mulu/pipeline"
)

// Result is what `mulu torture --json` prints.
type Result struct {
	Kills             int     `json:"kills"`
	Acked             int64   `json:"acked"` // records the broker acknowledged
	Lost              int64   `json:"lost"`  // acknowledged, and neither in the history nor rejected
	VisibleDuplicates int64   `json:"visible_duplicates"`
	RawDuplicates     int64   `json:"raw_duplicates"` // rows stored twice that no reader sees
	ReadyP99          float64 `json:"ready_p99_s"`
	Seed              uint64  `json:"seed"`

	ReadyP50    float64        `json:"ready_p50_s"`
	Good        int64          `json:"good"`
	Rejected    int64          `json:"rejected"`
	Batches     int64          `json:"batches"`
	Unbalanced  int64          `json:"unbalanced"`   // partitions whose equation does not hold
	ChainBroken int64          `json:"chain_broken"` // commands acknowledged and not on the chain
	KilledAt    map[string]int `json:"killed_at"`    // kills by stage; "time" is a random moment, "part rename" see Options.Strace
}

// OK says whether the promise held.
func (r *Result) OK() bool {
	return r.Lost == 0 && r.VisibleDuplicates == 0 && r.Unbalanced == 0 && r.ChainBroken == 0
}

// Options of a run.
type Options struct {
	Dir    string // empty working directory
	Exe    string // the mulu binary
	Kills  int
	Seed   uint64
	Listen string // address of the console of the mulu under torture
	Kafka  string // address of the broker, which is not killed
	Lib    string // libchdb.so, "" looks in the usual places
	// Strace is the program that kills at the engine's renames, "" for none: between
	// writing a part and naming it there is a tenth of a millisecond that kills by
	// time do not hit.
	Strace   string
	Log      *slog.Logger
	Progress app.Progress
}

// EnvCrash tells a worker to kill itself when a stage has been passed that often:
// "data:3". Both halves of a promise are at risk right after a durable line.
const EnvCrash = "MULU_TORTURE_CRASH"

var stages = []string{pipeline.Planned, pipeline.Rejected, pipeline.Found, pipeline.Stored, pipeline.Manifest, pipeline.Done, pipeline.Committed}

// Config is the configuration of the mulu under torture: small batches, so that
// kills fall between many of them.
func Config(o Options) config.Config {
	c := config.Default()
	c.Data = filepath.Join(o.Dir, "mulu")
	c.Listen, c.Sample = o.Listen, "none"
	c.Broker.Seeds = []string{o.Kafka}
	c.Engine.Library = o.Lib
	c.Ingest.BatchRows, c.Ingest.Linger = 500, 200*time.Millisecond
	c.Ledger.AnchorEvery = time.Second
	return c
}

// Run does the whole run; progress counts kills.
func Run(ctx context.Context, o Options) (*Result, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	b, err := broker.Supervise(ctx, broker.Child{Exe: o.Exe, Args: []string{"broker", "--data", filepath.Join(o.Dir, "broker"), "--listen", o.Kafka}, Addr: o.Kafka, Log: o.Log})
	if err != nil {
		return nil, fmt.Errorf("start broker: %w", err)
	}
	defer b.Wait()
	defer cancel()
	feed, err := startFeed(ctx, o)
	if err != nil {
		return nil, err
	}
	res := &Result{Kills: o.Kills, Seed: o.Seed, KilledAt: map[string]int{}}
	ready, err := killLoop(ctx, o, res)
	if err != nil {
		return nil, err
	}
	if res.Acked, err = feed.stop(); err != nil {
		return nil, err
	}
	slices.Sort(ready)
	res.ReadyP50, res.ReadyP99 = quantile(ready, 0.5), quantile(ready, 0.99)
	return res, check(ctx, o, res)
}

func killLoop(ctx context.Context, o Options, res *Result) (ready []float64, err error) {
	rng := rand.New(rand.NewPCG(o.Seed, 1))
	for i := range o.Kills {
		at, took, err := life(ctx, o, rng)
		if err != nil {
			return nil, fmt.Errorf("life %d: %w", i+1, err)
		}
		if took > 0 {
			ready = append(ready, took.Seconds())
		}
		res.KilledAt[at]++
		o.Progress("反复 kill -9 / killing", int64(i+1), int64(o.Kills))
	}
	return ready, nil
}

// life runs one worker until it is killed, and says where, and how long it took to
// be ready (0 if it died before).
func life(ctx context.Context, o Options, rng *rand.Rand) (at string, took time.Duration, err error) {
	worker := []string{o.Exe, "torture", "worker", "--dir", o.Dir, "--listen", o.Listen, "--kafka", o.Kafka, "--lib", o.Lib}
	cmd := exec.Command(worker[0], worker[1:]...)
	at = "time"
	if o.Strace != "" && rng.IntN(4) != 0 {
		at = renamed
		cmd = exec.Command(o.Strace, append(atRename(o, 1+rng.IntN(3)), worker...)...)
	} else if rng.IntN(2) == 0 {
		at = stages[rng.IntN(len(stages))]
		cmd.Env = append(os.Environ(), EnvCrash+"="+at+":"+strconv.Itoa(1+rng.IntN(4)))
	}
	pause := time.Duration(rng.IntN(900)) * time.Millisecond
	early := rng.IntN(8) == 0 // one in eight dies while it starts
	logFile, err := os.OpenFile(filepath.Join(o.Dir, "worker.log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("open worker log: %w", err)
	}
	defer logFile.Close()
	cmd.Stdout, cmd.Stderr = logFile, logFile
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return "", 0, fmt.Errorf("start worker: %w", err)
	}
	gone := make(chan error, 1)
	go func() { gone <- cmd.Wait() }()
	deadline, readyAt := time.After(60*time.Second), time.Time{}
	killAt := time.After(time.Hour)
	if at == "time" && early {
		killAt = time.After(pause)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			_ = cmd.Process.Kill()
			<-gone
			return "", 0, ctx.Err()
		case err := <-gone:
			if err := wasKilled(err); err != nil {
				return "", 0, fmt.Errorf("%w: %s", err, lastLine(logFile.Name()))
			}
			if at == renamed && partRenamed(o) {
				at = partRename
			}
			return at, took, nil
		case <-deadline:
			_ = cmd.Process.Kill()
			<-gone
			if readyAt.IsZero() {
				return "", 0, fmt.Errorf("worker was not ready within 60 s, see %s", logFile.Name())
			}
			return "time", took, nil // its stage never came: the kill counts all the same
		case <-killAt:
			at = "time"
			_ = cmd.Process.Kill()
		case <-tick.C:
			if readyAt.IsZero() && isReady(o, cmd.Process.Pid) {
				readyAt = time.Now()
				took = readyAt.Sub(start)
				switch at {
				case "time":
					killAt = time.After(pause)
				case renamed: // strace counts by thread: none may get that far
					killAt = time.After(renameWithin)
				}
			}
		}
	}
}

// What KilledAt says of a kill by strace: at a rename of the engine, and at the one
// that makes an inserted part visible.
const renamed, partRename = "rename", "part rename"

// renameWithin is how long a ready worker may go on without its rename.
const renameWithin = 4 * time.Second

func traceLog(o Options) string { return filepath.Join(o.Dir, "strace.log") }

// atRename makes strace kill the worker when one of its threads enters rename(2) for
// the nth time. Only the engine uses that call; Go's os.Rename is renameat(2). With
// -D the worker keeps the PID it was started with.
func atRename(o Options, n int) []string {
	return []string{"-D", "-f", "-qq", "--seccomp-bpf", "-o", traceLog(o), "-e", "trace=rename", "-e", fmt.Sprintf("inject=rename:signal=SIGKILL:when=%d", n)}
}

// partRenamed says whether the last rename that strace saw was of an inserted part.
func partRenamed(o Options) bool {
	b, err := os.ReadFile(traceLog(o))
	if err != nil {
		return false
	}
	i := strings.LastIndex(string(b), "rename(\"")
	return i >= 0 && strings.Contains(strings.SplitN(string(b[i:]), ",", 2)[0], "/tmp_insert_")
}

// wasKilled is nil if the worker died of SIGKILL: any other end is a finding.
func wasKilled(err error) error {
	if exit, ok := err.(*exec.ExitError); ok {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	return fmt.Errorf("worker ended by itself: %v", err)
}

// lastLine is the last thing a worker said.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

func isReady(o Options, pid int) bool {
	b, err := os.ReadFile(filepath.Join(o.Dir, "mulu", app.RunFileName))
	var run app.RunFile
	return err == nil && json.Unmarshal(b, &run) == nil && run.PID == pid && run.Ready
}

// quantile of sorted values; 0 without any.
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return 0
	}
	return v[min(len(v)-1, int(float64(len(v))*q))]
}

// check starts mulu once more, lets it finish, and counts from the rows themselves.
func check(ctx context.Context, o Options, res *Result) error {
	a, err := app.Start(ctx, Config(o), app.Options{Log: o.Log, Progress: o.Progress, Declare: Declarations()})
	if err != nil {
		return fmt.Errorf("start once more: %w", err)
	}
	defer a.Close()
	if err := a.Drained(ctx); err != nil {
		return fmt.Errorf("finish what was sent: %w", err)
	}
	totals, err := a.Library().Totals(ctx)
	if err != nil {
		return err
	}
	var offsets int64
	for _, t := range totals {
		offsets += t.Offsets
		res.Good += t.Good
		res.Rejected += t.Rejected
		res.Batches += t.Batches
		if !t.Balanced() || t.From != 0 {
			res.Unbalanced++
		}
	}
	got, err := a.Library().Audit(ctx, Dataset)
	if err != nil {
		return err
	}
	present := got.HistoryPositions + got.Rejects - got.Both
	res.Lost = max(res.Acked, offsets) - present
	res.VisibleDuplicates = (got.Visible - got.VisibleKeys) + (got.History - got.HistoryPositions) + got.Both
	res.RawDuplicates = got.Raw - got.RawPositions
	if res.ChainBroken, err = a.ChainGaps(ctx); err != nil {
		return err
	}
	return nil
}

// Dataset is what the producer sends.
const Dataset mulu.DatasetCode = "resident"
