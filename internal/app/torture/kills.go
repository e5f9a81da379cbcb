package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"mulu"
	"mulu/internal/app"
	"mulu/internal/config"
)

// Dataset is what the producer of the whole-house scenarios sends.
const Dataset mulu.DatasetCode = "resident"

// Config is the configuration of the mulu under torture: small batches, so that
// kills fall between many of them.
func Config(o Options) config.Config {
	c := config.Default()
	c.Data = filepath.Join(o.Dir, "mulu")
	c.Listen, c.Sample = o.Listen, "none"
	c.Broker.Seeds = o.seeds()
	c.Engine.Library = o.Lib
	c.Ingest.BatchRows, c.Ingest.Linger = 500, 200*time.Millisecond
	c.Ledger.AnchorEvery = time.Second
	return c
}

// house is a broker, a producer, and a whole mulu that is started again and again.
type house struct {
	o       Options
	out     *Outcome
	rng     *rand.Rand
	feed    *feed
	closers []func()
}

func newHouse(ctx context.Context, o Options, out *Outcome) (*house, error) {
	h := &house{o: o, out: out, rng: rand.New(rand.NewPCG(o.Seed, 1))}
	if _, err := superviseBroker(ctx, o, func(f func()) { h.closers = append(h.closers, f) }); err != nil {
		return nil, err
	}
	var err error
	if h.feed, err = startDistrict(ctx, o); err != nil {
		h.close()
		return nil, err
	}
	h.closers = append(h.closers, h.feed.abandon)
	return h, nil
}

func (h *house) close() {
	for _, f := range slices.Backward(h.closers) {
		f()
	}
}

// kills is kill -9 of a whole mulu, half of them at a random moment, half right
// after a stage of the walk.
func kills(ctx context.Context, o Options, out *Outcome) error {
	h, err := newHouse(ctx, o, out)
	if err != nil {
		return err
	}
	defer h.close()
	for i := range o.Kills {
		if err := h.life(ctx); err != nil {
			return fmt.Errorf("life %d: %w", i+1, err)
		}
		o.Progress("反复 kill -9 / killing", int64(i+1), int64(o.Kills))
	}
	out.Did = fmt.Sprintf("kill -9 × %d", out.Kills)
	return h.settle(ctx)
}

// death is how one worker is to die.
type death struct {
	at    string        // a stage, renamed, or atTime
	times int           // the stage or the rename that it dies at
	after time.Duration // of readiness; of the start if early
	early bool
}

// What KilledAt says of a kill at a random moment, at a rename of the engine, and
// at the rename that makes an inserted part visible.
const atTime, renamed, partRename = "time", "rename", "part rename"

func (h *house) draw() death {
	d := death{at: atTime, after: time.Duration(h.rng.IntN(900)) * time.Millisecond, early: h.rng.IntN(8) == 0}
	switch {
	case h.o.Strace != "" && h.rng.IntN(4) != 0:
		// strace counts by thread: none may get that far.
		d = death{at: renamed, times: 1 + h.rng.IntN(3), after: renameWithin}
	case h.rng.IntN(2) == 0:
		d = death{at: stages[h.rng.IntN(len(stages))], times: 1 + h.rng.IntN(4), after: time.Minute}
	}
	return d
}

// renameWithin is how long a ready worker may go on without its rename.
const renameWithin = 4 * time.Second

// worker starts a whole mulu that will die so.
func (h *house) worker(d death) (*proc, error) {
	args := []string{"torture", "worker", "--dir", h.o.Dir, "--listen", h.o.Listen, "--lib", h.o.Lib, "--kafka", h.o.Kafka}
	for _, b := range h.o.Brokers {
		args = append(args, "--brokers", b)
	}
	log := filepath.Join(h.o.Dir, "worker.log")
	if h.feed != nil {
		h.feed.may.Add(perLife)
	}
	switch d.at {
	case atTime:
		return start(log, nil, h.o.Exe, args...)
	case renamed:
		return start(log, nil, h.o.Strace, append(atRename(h.o, d.times), append([]string{h.o.Exe}, args...)...)...)
	}
	return start(log, []string{EnvCrash + "=" + d.at + ":" + strconv.Itoa(d.times)}, h.o.Exe, args...)
}

// life runs one worker until it is killed, and notes where, and how long it took to
// be ready if it lived that long.
func (h *house) life(ctx context.Context) error { return h.dies(ctx, h.draw()) }

// dies is one life that is to end so.
func (h *house) dies(ctx context.Context, d death) error {
	p, err := h.worker(d)
	if err != nil {
		return err
	}
	deadline, tick := time.After(waitReady), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	killAt, ready := time.After(time.Hour), false
	if d.early {
		killAt = time.After(d.after)
	}
	for at := d.at; ; {
		select {
		case <-ctx.Done():
			p.kill()
			return ctx.Err()
		case <-p.gone:
			if err := wasKilledOr(p); err != nil {
				return err
			}
			if at == renamed && partRenamed(h.o) {
				at = partRename
			}
			h.out.Kills++
			h.out.KilledAt[at]++
			return nil
		case <-deadline:
			p.kill()
			if !ready {
				return fmt.Errorf("worker was not ready within %s, see %s", waitReady, p.log)
			}
			at = atTime // its stage never came: the kill counts all the same
		case <-killAt:
			at = atTime
			_ = p.cmd.Process.Kill() // its end comes through p.gone
		case <-tick.C:
			if !ready && isReady(h.o, p.pid()) {
				ready = true
				h.out.ready = append(h.out.ready, time.Since(p.began).Seconds())
				killAt = time.After(d.after)
			}
		}
	}
}

func isReady(o Options, pid int) bool {
	b, err := os.ReadFile(filepath.Join(o.Dir, "mulu", app.RunFileName))
	var run app.RunFile
	return err == nil && json.Unmarshal(b, &run) == nil && run.PID == pid && run.Ready
}

// settle stops the producer, starts mulu once more, lets it finish, and counts.
func (h *house) settle(ctx context.Context) error {
	acked, err := h.feed.stop()
	if err != nil {
		return err
	}
	h.out.Acked = acked
	if err := h.finish(ctx); err != nil {
		return err
	}
	if err := h.looked(ctx, func(conn driver.Conn) error { return h.countRows(ctx, conn) }); err != nil {
		return err
	}
	h.out.judge()
	return nil
}

// finish drains in this process and takes the sums and the chain's word.
func (h *house) finish(ctx context.Context) error {
	a, err := app.Start(ctx, Config(h.o), app.Options{Log: h.o.Log, Progress: h.o.Progress, Declare: Declarations()})
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
	for _, t := range totals {
		h.out.Good += t.Good
		h.out.Rejected += t.Rejected
		h.out.Control += t.Control
		h.out.Batches += t.Batches
		if !t.Balanced() || t.From != 0 {
			h.out.Unbalanced++
		}
	}
	got, err := a.Library().Audit(ctx, Dataset)
	if err != nil {
		return err
	}
	h.out.VisibleDuplicates = (got.Visible - got.VisibleKeys) + got.Both
	h.out.RawDuplicates = got.Raw - got.RawPositions + got.History - got.HistoryPositions
	if h.out.ChainBroken, err = a.ChainGaps(ctx); err != nil {
		return err
	}
	return nil
}

// looked asks the engine of a house that is down.
func (h *house) looked(ctx context.Context, ask func(driver.Conn) error) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	engine, err := startEngine(h.o, filepath.Join(h.o.Dir, "mulu", "engine"), url)
	if err != nil {
		return err
	}
	defer engine.stop(15 * time.Second)
	lib, conn, err := openEngine(ctx, engine, url)
	if err != nil {
		return err
	}
	defer lib.Close()
	defer conn.Close()
	return ask(conn)
}

// countRows looks in the tables for every acknowledged offset, and compares what
// readers see with the newest row of each key in the history.
func (h *house) countRows(ctx context.Context, conn driver.Conn) error {
	held := map[int32]*offsets{}
	for _, sql := range []string{
		"SELECT _partition, _offset FROM lib_population.resident_history FINAL",
		"SELECT _partition, _offset FROM mulu.rejects FINAL WHERE dataset = 'resident'",
	} {
		err := each(ctx, conn, sql, func(scan func(...any) error) error {
			var p position
			if err := scanPosition(scan, &p); err != nil {
				return err
			}
			if held[p.partition] == nil {
				held[p.partition] = &offsets{}
			}
			if held[p.partition].has(p.offset) {
				h.out.VisibleDuplicates++
			}
			held[p.partition].add(p.offset)
			return nil
		})
		if err != nil {
			return err
		}
	}
	for partition, s := range h.feed.acked {
		have := held[partition]
		if have == nil {
			have = &offsets{}
		}
		h.out.Lost += s.missing(have)
	}
	return h.countCurrent(ctx, conn)
}

// countCurrent counts the keys that do not show the newest row of the history.
func (h *house) countCurrent(ctx context.Context, conn driver.Conn) error {
	return each(ctx, conn, `SELECT toInt64(count()) FROM (SELECT id_no, _version FROM lib_population.resident FINAL) AS c
		FULL OUTER JOIN (SELECT id_no, max(_version) AS newest FROM lib_population.resident_history FINAL GROUP BY id_no) AS h
		ON c.id_no = h.id_no WHERE c.id_no != h.id_no OR c._version != h.newest`, func(scan func(...any) error) error {
		return scan(&h.out.Wrong)
	})
}
