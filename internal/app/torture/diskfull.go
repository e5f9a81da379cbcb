package torture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mulu/ingest"
	"mulu/internal/store"
)

// diskSize is the small filesystem's, in MB: a fresh house takes a few.
const diskSize = 192

// diskFull fills the file system of the data directory under a running mulu, kills
// it there, starts it there, and gives the space back. The broker's directory stands
// elsewhere: what a broker does on a full disk is the broker's to answer for.
func diskFull(ctx context.Context, o Options, out *Outcome) error {
	data := filepath.Join(o.Dir, "mulu")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return fmt.Errorf("make data directory: %w", err)
	}
	if err := syscall.Mount("tmpfs", data, "tmpfs", 0, fmt.Sprintf("size=%dm,mode=0700", diskSize)); err != nil {
		return notRun(fmt.Sprintf("不能挂载小文件系统（%v），需要 root / cannot mount a small file system: root is needed", err))
	}
	defer syscall.Unmount(data, syscall.MNT_DETACH) //nolint:errcheck // the directory goes with it
	h, err := newHouse(ctx, o, out)
	if err != nil {
		return err
	}
	defer h.close()
	h.feed.may.Store(1 << 40) // a full disk must not run out of rows
	for round := range o.Rounds {
		o.Progress("写满与释放 / filling and freeing", int64(round), int64(o.Rounds))
		if err := h.fillOnce(ctx, data, round%2 == 1); err != nil {
			return fmt.Errorf("round %d: %w", round+1, err)
		}
	}
	out.Did = fmt.Sprintf("数据盘写满 × %d，满时 kill -9 × %d，满时启动被拒 × %d；自行停止 × %d，均留有说明 / disk filled × %d, killed while full × %d, refused to start × %d, stopped by itself with a message × %d",
		out.Figures["filled"], out.Kills, out.Figures["refused_to_start"], out.Figures["stopped_by_itself"],
		out.Figures["filled"], out.Kills, out.Figures["refused_to_start"], out.Figures["stopped_by_itself"])
	return h.settle(ctx)
}

// fillOnce runs one house into a full disk and out of it.
func (h *house) fillOnce(ctx context.Context, data string, killed bool) error {
	p, err := h.worker(death{at: atTime})
	if err != nil {
		return err
	}
	defer func() { p.kill() }()
	if err := h.awaitReady(ctx, p); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	ballast := filepath.Join(data, "ballast")
	if err := fill(ballast); err != nil {
		return err
	}
	defer os.Remove(ballast) //nolint:errcheck // gone already if all went well
	h.out.Figures["filled"]++
	if err := pause(ctx, 4*time.Second); err != nil {
		return err
	}
	if killed && p.alive() {
		p.kill()
		h.out.Kills++
		h.out.KilledAt[atTime]++
		if p, err = h.worker(death{at: atTime}); err != nil {
			return err
		}
		select { // it may wait for space or say that there is none
		case <-p.gone:
			h.out.Figures["refused_to_start"]++
		case <-time.After(4 * time.Second):
		}
	} else if !p.alive() {
		h.out.Figures["stopped_by_itself"]++
	}
	if err := os.Remove(ballast); err != nil {
		return fmt.Errorf("give space back: %w", err)
	}
	return h.goesOn(ctx, &p)
}

// goesOn makes sure that a house with space again stores again, by itself or, if it
// stopped with a message, after a start.
func (h *house) goesOn(ctx context.Context, p **proc) error {
	if err := pause(ctx, time.Second); err != nil {
		return err
	}
	if !(*p).alive() {
		if err := saidWhy((*p).log); err != nil {
			return err
		}
		next, err := h.worker(death{at: atTime})
		if err != nil {
			return err
		}
		*p = next
		if err := h.awaitReady(ctx, next); err != nil {
			return err
		}
	}
	cfg := Config(h.o)
	db, err := store.Open(ctx, cfg.StoreDSN())
	if err != nil {
		return err
	}
	defer db.Close()
	journal, err := ingest.NewJournal(ctx, db, time.Now)
	if err != nil {
		return err
	}
	before := int64(-1)
	return until(ctx, 90*time.Second, "it stores again after space came back", func() (bool, error) {
		if !(*p).alive() {
			return false, (*p).ended()
		}
		list, err := journal.Positions(ctx)
		if err != nil {
			return false, err
		}
		var now int64
		for _, pos := range list {
			now += pos.Next
		}
		if before < 0 {
			before = now
		}
		return now > before, nil
	})
}

func (h *house) awaitReady(ctx context.Context, p *proc) error {
	return until(ctx, waitReady, "mulu is ready", func() (bool, error) {
		if !p.alive() {
			return false, p.ended()
		}
		ok := isReady(h.o, p.pid())
		if ok {
			h.out.ready = append(h.out.ready, time.Since(p.began).Seconds())
		}
		return ok, nil
	})
}

// fill writes a file until the file system is full.
func fill(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		_, err := f.Write(make([]byte, size))
		switch {
		case errors.Is(err, syscall.ENOSPC):
			size /= 4
		case err != nil:
			return fmt.Errorf("fill disk: %w", err)
		}
	}
	return nil
}

// saidWhy is nil if a process ended with a message and not with a panic.
func saidWhy(log string) error {
	b, err := os.ReadFile(log)
	if err != nil {
		return fmt.Errorf("read log: %w", err)
	}
	for _, sign := range []string{"panic:", "fatal error:", "SIGSEGV", "unexpected signal"} {
		if bytes.Contains(b, []byte(sign)) {
			return fmt.Errorf("it did not stop, it crashed (%s), see %s", sign, log)
		}
	}
	return nil
}
