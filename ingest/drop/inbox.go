package drop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mulu"
	"mulu/ingest/submit"
)

// Ways lists the declared ways; "" is of every dataset.
type Ways interface {
	Ways(ctx context.Context, dataset mulu.DatasetCode) ([]submit.Declared, error)
}

// Taker takes a file that is complete: when it returns nil the file is no longer in its
// folder. After an error, or a crash, it is given the same file again.
type Taker interface {
	Drop(ctx context.Context, d Dropped) error
}

// Inbox looks into the folders of all declared ways.
type Inbox struct {
	Root   string
	Ways   Ways
	Taker  Taker
	Keep   time.Duration // how long answers and returned files stay
	Settle time.Duration // how long a file must not change to be taken for complete
	Now    func() time.Time
	Log    *slog.Logger

	seen   map[string]sight
	pruned time.Time
	twice  map[string]bool // folders that two ways name, told once
}

// sight is how a file looked when it was first seen so.
type sight struct {
	size  int64
	mtime time.Time
	since time.Time
}

// pruneEvery is how often what is old is removed.
const pruneEvery = time.Hour

// Turn looks once into every folder and hands on what is complete. One goroutine calls it.
func (b *Inbox) Turn(ctx context.Context) error {
	ways, err := b.Ways.Ways(ctx, "")
	if err != nil {
		return err
	}
	if b.seen == nil {
		b.seen, b.twice = map[string]sight{}, map[string]bool{}
	}
	now, owner := map[string]sight{}, map[string]bool{}
	prune := b.Now().Sub(b.pruned) >= pruneEvery
	if prune {
		b.pruned = b.Now()
	}
	var faults []error
	for i := range ways {
		w := &ways[i]
		if w.Kind != mulu.WayFile {
			continue
		}
		folder := FolderOf(b.Root, w)
		if owner[folder.Name] {
			if !b.twice[folder.Name] {
				b.twice[folder.Name] = true
				b.Log.Error("two ways name one drop folder; the second gets none of its files", "folder", folder.Name, "dataset", w.Dataset, "way", w.Name)
			}
			continue
		}
		owner[folder.Name] = true
		faults = append(faults, b.look(ctx, w, folder, now))
		if prune {
			faults = append(faults, folder.Prune(b.Now().Add(-b.Keep)))
		}
	}
	b.seen = now
	return errors.Join(faults...)
}

// look hands on what is complete in one folder.
func (b *Inbox) look(ctx context.Context, w *submit.Declared, folder Folder, now map[string]sight) error {
	if err := folder.Make(); err != nil {
		return err
	}
	entries, err := os.ReadDir(folder.Dir)
	if err != nil {
		return fmt.Errorf("读取投递目录 / look into drop folder: %w", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	var faults []error
	for _, e := range entries {
		// A link could name a file that is not the department's.
		if !e.Type().IsRegular() || unfinished(e.Name()) {
			continue
		}
		ready := slices.Contains(names, e.Name()+readySuffix)
		if !ready && !b.settled(filepath.Join(folder.Dir, e.Name()), e, now) {
			continue
		}
		if err := b.Taker.Drop(ctx, Dropped{w.Dataset, w.Way, folder, e.Name()}); err != nil {
			faults = append(faults, fmt.Errorf("take dropped file %s/%s: %w", folder.Name, e.Name(), err))
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return errors.Join(faults...)
}

// settled says whether a file has not changed for long enough.
func (b *Inbox) settled(path string, e os.DirEntry, now map[string]sight) bool {
	info, err := e.Info()
	if err != nil { // it is gone
		return false
	}
	s := sight{info.Size(), info.ModTime(), b.Now()}
	if was, ok := b.seen[path]; ok && was.size == s.size && was.mtime.Equal(s.mtime) {
		s.since = was.since
	}
	now[path] = s
	return b.Now().Sub(s.since) >= b.Settle
}

// unfinished says whether a name is that of a file still being written, or of none that
// is handed in.
func unfinished(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "~$") { // hidden; Excel's own lock
		return true
	}
	low := strings.ToLower(name)
	return slices.ContainsFunc([]string{".tmp", ".part", ".filepart", ".crdownload", readySuffix}, func(s string) bool { return strings.HasSuffix(low, s) })
}
