package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"mulu"
	"mulu/ingest/drop"
	"mulu/ingest/submit"
	"mulu/internal/clock"
)

// FileDrop is the folder that a file came from and its answers go to.
type FileDrop struct {
	Folder string `json:"folder"`
}

// Drop takes a file that is complete out of its folder. It is sent without anybody
// looking at it; what stands against all of it sends it back. The steps are: register
// by content → move → mark for sending, which the registration did. A crash between
// leaves the file in the folder, where the next look finds it registered and goes on.
func (f *Files) Drop(ctx context.Context, d drop.Dropped) error {
	f.init()
	path := d.Folder.Path(d.Name)
	back := func(why string) error {
		if err := d.Folder.Return(d.Name, path, why); err != nil {
			return err
		}
		f.Log.Info("dropped file returned", "dataset", d.Dataset, "folder", d.Folder.Name, "reason", why)
		return d.Folder.Remove(d.Name)
	}
	if _, err := f.dataset(d.Dataset); errors.Is(err, mulu.ErrInvalid) {
		return back(wording(err))
	} else if err != nil {
		return err
	}
	if info, err := os.Stat(path); err != nil {
		return err
	} else if info.Size() > f.MaxBytes {
		return back(fmt.Sprintf("文件大小 %d 字节，超过上限 %d MiB；请分成几份后再报送", info.Size(), f.MaxBytes>>20))
	}
	digest, err := digestOf(path)
	if err != nil {
		return err
	}
	rep := FileReport{Options: optionsOf(d.Way), Clean: d.Way.Policy == policyClean, Sending: true, Drop: &FileDrop{d.Folder.Name}}
	s, err := f.open(ctx, submit.Submission{Dataset: d.Dataset, Name: d.Way.Name, Source: d.Name, Digest: digest}, rep, false)
	if err != nil {
		return err
	}
	release, err := f.hold(s.ID)
	if err != nil {
		return err
	}
	defer release()
	was, err := reportOf(&s)
	if err != nil {
		return err
	}
	mine := s.State == submit.Open && was.Drop != nil && was.Drop.Folder == d.Folder.Name && s.Source == d.Name
	_, err = os.Stat(f.path(s.ID, fileData))
	switch {
	case !mine && s.State == submit.Open && !was.Sending:
		return back(fmt.Sprintf("这份文件已由 %s 上传（%s），等待确认报送；请在控制台确认或放弃", s.By, s.ID))
	case !mine:
		return back(said(&s))
	case err == nil: // copied from another disk and not yet removed there
		return d.Folder.Remove(d.Name)
	}
	if err := os.MkdirAll(f.path(s.ID), 0o700); err != nil {
		return fmt.Errorf("take dropped file: %w", err)
	}
	if err := drop.Move(path, f.path(s.ID, fileData)); err != nil {
		return err
	}
	return d.Folder.Remove(d.Name)
}

// policyClean is the way's policy that takes a file only if every row fits.
const policyClean = "clean"

func digestOf(path string) (string, error) {
	in, err := drop.Open(path)
	if err != nil {
		return "", err
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return "", fmt.Errorf("read dropped file: %w", err)
	}
	return digestText(h.Sum(nil)), nil
}

func (f *Files) folder(d *FileDrop) drop.Folder {
	return drop.Folder{Name: d.Folder, Dir: filepath.Join(f.Inbox, d.Folder)}
}

// giveBack puts a refused file back, with the reason and what is wrong with its rows.
func (f *Files) giveBack(ctx context.Context, s *submit.Submission, rep *FileReport, why string) error {
	folder := f.folder(rep.Drop)
	if rep.Counts != nil && rep.Counts.Bad > 0 {
		if err := f.answer(ctx, s, rep, why); err != nil {
			return err
		}
		why += "；每一处问题见 " + drop.Receipts + " 目录"
	}
	return folder.Return(s.Source, f.path(s.ID, fileData), why+"（"+s.ID+"）")
}

// FileReceipt is the receipt of a file (报送回执).
type FileReceipt struct {
	ID       string       `json:"id"`
	Dataset  string       `json:"dataset"`
	Title    string       `json:"title"`
	File     string       `json:"file"`
	Digest   string       `json:"digest"`
	State    string       `json:"state"`
	Reason   string       `json:"reason,omitempty"`
	Rows     int64        `json:"rows"`
	Good     int64        `json:"good"`
	Rejected int64        `json:"rejected"`
	Soft     int64        `json:"soft"`
	Note     string       `json:"note,omitempty"`
	OpenedAt string       `json:"opened_at"`
	SentAt   string       `json:"sent_at,omitempty"`
	LandedAt string       `json:"landed_at,omitempty"`
	ByClass  []ClassCount `json:"by_class"`
	ByRule   []RuleCount  `json:"by_rule"`
	Faults   []FileFault  `json:"faults"` // the first of them; the marked file has more
}

// answer writes the receipt beside the department's folder, and the marked file if there
// is anything to mark.
func (f *Files) answer(ctx context.Context, s *submit.Submission, rep *FileReport, refused string) error {
	c := rep.Counts
	r := FileReceipt{ID: s.ID, Dataset: string(s.Dataset), File: s.Source, Digest: s.Digest, State: s.State, Rows: c.Rows, Good: s.Good, Rejected: s.Rejected, Soft: c.Soft,
		Note: rep.Note, OpenedAt: stamp(s.OpenedAt), SentAt: stamp(s.SentAt), LandedAt: stamp(s.LandedAt), ByClass: c.ByClass, ByRule: c.ByRule, Faults: []FileFault{}}
	if ds := f.Newest(s.Dataset); ds != nil {
		r.Title = ds.Title
	}
	if refused != "" { // nothing of it was taken
		r.State, r.Reason, r.Good, r.Rejected = submit.Refused, refused, 0, 0
	}
	if p, err := f.Shown(s.ID); err == nil && p.First != nil {
		r.Faults = p.First
	}
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	marked := ""
	if c.Bad > 0 {
		if marked, err = f.marked(ctx, s, rep); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return f.folder(rep.Drop).Answer(s.Source, b, marked)
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(clock.Shanghai).Format(time.RFC3339)
}
