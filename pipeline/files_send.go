package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"mulu"
	"mulu/ingest/file"
	"mulu/ingest/submit"
)

// retry is when a submission that an error stopped is tried again.
type retry struct {
	at   time.Time
	wait time.Duration
}

// Clocks of the worker.
const (
	retryFirst = 2 * time.Second
	retryMost  = time.Minute
	sweepFiles = time.Hour
	mostOpen   = 1000
)

// Turn is one look at what is to be done: files that were told to go on are sent in the
// background, those that landed are held against their previews, bytes that were kept
// for long enough are removed.
func (f *Files) Turn(ctx context.Context) error {
	f.init()
	open, err := f.startSending(ctx)
	if err != nil {
		return err
	}
	err = f.settleLanded(ctx, open)
	if now := f.Now(); now.Sub(f.swept) >= sweepFiles {
		f.swept = now
		err = errors.Join(err, f.sweep(ctx))
	}
	return err
}

// Wait returns when nothing runs in the background.
func (f *Files) Wait() { f.wg.Wait() }

// startSending gives the ids of what is being sent.
func (f *Files) startSending(ctx context.Context) (map[string]bool, error) {
	list, err := f.Desk.List(ctx, submit.Filter{Way: mulu.WayFile, State: submit.Open}, mostOpen)
	if err != nil {
		return nil, err
	}
	open := map[string]bool{}
	for i := len(list) - 1; i >= 0; i-- { // the oldest first
		s := &list[i]
		rep, err := reportOf(s)
		if err != nil {
			return nil, err
		}
		if !rep.Sending {
			continue
		}
		open[s.ID] = true
		if !f.due(s.ID) {
			continue
		}
		release, err := f.hold(s.ID)
		if err != nil {
			continue // under way
		}
		id := s.ID
		f.wg.Go(func() {
			defer release()
			f.outcome(id, f.send(f.Life, id))
		})
	}
	return open, nil
}

func (f *Files) due(id string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !f.Now().Before(f.retry[id].at)
}

// outcome notes how sending or settling ended. What may go better is tried again, ever later.
func (f *Files) outcome(id string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil || f.Life.Err() != nil {
		delete(f.retry, id)
		return
	}
	wait := min(max(2*f.retry[id].wait, retryFirst), retryMost)
	f.retry[id] = retry{f.Now().Add(wait), wait}
	f.Log.Warn("file has to wait", "submission", id, "again", wait, "error", err)
}

// send walks one file from its disk to the broker: judge, if it is not → refuse, or
// send from where it stands → end. Wherever the process dies, the next call goes on.
func (f *Files) send(ctx context.Context, id string) error {
	s, err := f.Desk.Get(ctx, id)
	if err != nil {
		return err
	}
	rep, err := reportOf(&s)
	if err != nil || s.State != submit.Open || !rep.Sending {
		return err
	}
	if rep.Counts == nil { // it came from a folder: nobody has looked at it yet
		if _, err := os.Stat(f.path(id, fileData)); err != nil && rep.Drop != nil {
			return nil // a crash kept it from being brought in: the folder still has it
		}
		if _, err := f.judge(ctx, &s, &rep); err != nil {
			return f.stuck(ctx, id, err)
		}
	}
	if why := rep.refusal(); why != "" && s.Cursor == "" {
		return f.refuse(ctx, &s, &rep, why)
	}
	leave, err := slot(ctx, f.sends)
	if err != nil {
		return err
	}
	defer leave()
	err = f.intact(&s)
	if err == nil {
		err = f.deliver(ctx, &s, &rep)
	}
	if errors.Is(err, mulu.ErrInvalid) && s.Cursor == "" {
		return f.refuse(ctx, &s, &rep, wording(err))
	}
	return f.stuck(ctx, id, err)
}

func (f *Files) reload(ctx context.Context, id string) (submit.Submission, FileReport, error) {
	s, err := f.Desk.Get(ctx, id)
	if err != nil {
		return s, FileReport{}, err
	}
	rep, err := reportOf(&s)
	return s, rep, err
}

// stuck keeps in the report why sending does not go on.
func (f *Files) stuck(ctx context.Context, id string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	_, rep, rerr := f.reload(ctx, id)
	if rerr != nil || rep.Problem == wording(err) {
		return errors.Join(err, rerr)
	}
	rep.Problem = wording(err)
	return errors.Join(err, f.keep(ctx, id, rep))
}

// deliver sends the rows after the cursor, which is the number of the last row that is on
// the broker.
func (f *Files) deliver(ctx context.Context, s *submit.Submission, rep *FileReport) (err error) {
	v, err := f.Version(s.Dataset, rep.Counts.Version)
	if err != nil {
		return err
	}
	out, err := f.Desk.Send(ctx, s.ID, v.Dataset.Topic)
	if err != nil {
		return err
	}
	defer out.Close()
	after := 0
	if c := out.Cursor(); c != "" {
		s.Cursor = c
		if after, err = strconv.Atoi(c); err != nil {
			return fmt.Errorf("read cursor of submission %s: %w", s.ID, err)
		}
	}
	r, err := file.Open(f.path(s.ID, fileData), s.Source, v.Dataset, fileOptions(rep.Options, v.Dataset))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if row.Number <= after {
			continue
		}
		row = fit(row)
		err = out.Add(ctx, submit.Row{Key: row.Key, Value: row.Value, Note: row.Note}, strconv.Itoa(row.Number))
		s.Cursor = out.Cursor()
		if err != nil {
			return err
		}
	}
	return out.End(ctx, nil)
}

// refuse ends a file of which nothing was sent. One that came from a folder goes back
// with the reason first, so that a crash between says it again and loses nothing.
func (f *Files) refuse(ctx context.Context, s *submit.Submission, rep *FileReport, why string) error {
	if rep.Drop != nil {
		if err := f.giveBack(ctx, s, rep, why); err != nil {
			return err
		}
	}
	if err := f.Desk.Refuse(ctx, s.ID, why, nil); err != nil {
		return err
	}
	f.Log.Info("file refused", "submission", s.ID, "dataset", s.Dataset, "reason", why)
	if rep.Drop != nil { // the folder has it
		return os.RemoveAll(f.path(s.ID))
	}
	return nil
}

// settleLanded holds what landed against what the preview said. open are those that
// are being sent.
func (f *Files) settleLanded(ctx context.Context, open map[string]bool) error {
	if f.flight == nil {
		if err := f.recall(ctx); err != nil {
			return err
		}
	}
	sent, err := f.Desk.List(ctx, submit.Filter{Way: mulu.WayFile, State: submit.Sent}, mostOpen)
	if err != nil {
		return err
	}
	for id := range open {
		f.flight[id] = true
	}
	for i := range sent {
		f.flight[sent[i].ID], open[sent[i].ID] = true, true
	}
	for id := range f.flight {
		if open[id] || !f.due(id) {
			continue
		}
		s, rep, err := f.reload(ctx, id)
		if err != nil {
			return err
		}
		if s.State == submit.Open || s.State == submit.Sent { // it was sent since the lists were read
			continue
		}
		if s.State != submit.Landed || rep.Settled || rep.Counts == nil {
			delete(f.flight, id)
			continue
		}
		release, err := f.hold(id)
		if err != nil {
			continue
		}
		f.wg.Go(func() { // a long file is marked for a while
			defer release()
			f.outcome(id, f.settle(f.Life, &s, &rep))
		})
	}
	return nil
}

// recall finds what landed before this process began and was not settled.
func (f *Files) recall(ctx context.Context) error {
	flight := map[string]bool{}
	const page = 500
	for before := (time.Time{}); ; {
		list, err := f.Desk.List(ctx, submit.Filter{Way: mulu.WayFile, State: submit.Landed, Before: before}, page)
		if err != nil {
			return err
		}
		for i := range list {
			rep, err := reportOf(&list[i])
			if err != nil {
				return err
			}
			if !rep.Settled && rep.Counts != nil {
				flight[list[i].ID] = true
			}
		}
		if len(list) < page || list[page-1].OpenedAt.Before(f.Now().Add(-f.Keep)) {
			f.flight = flight
			return nil
		}
		before = list[page-1].OpenedAt
	}
}

// settle is done when its last line is: a crash before it writes the same receipt again.
func (f *Files) settle(ctx context.Context, s *submit.Submission, rep *FileReport) error {
	c := rep.Counts
	rep.Agrees = c.Good == s.Good && c.Bad == s.Rejected
	rep.Problem, rep.Note = "", ""
	if !rep.Agrees {
		rep.Note = fmt.Sprintf("预检为合格 %d 行、不合格 %d 行，入库为 %d 行、问题数据 %d 行", c.Good, c.Bad, s.Good, s.Rejected)
		if ds := f.Newest(s.Dataset); ds != nil && ds.Version != c.Version {
			rep.Note += fmt.Sprintf("；预检用的是第 %d 版，此后第 %d 版已生效，请以入库结果为准", c.Version, ds.Version)
		} else if s.Good+s.Rejected < c.Rows {
			rep.Note += "；有记录在读取之前已从消息系统清除，请重新报送"
		} else {
			rep.Note += "；请以入库结果为准，并将编号告知运维人员"
		}
		f.Log.Warn("what landed of a file is not what its preview said", "submission", s.ID, "note", rep.Note)
	}
	if rep.Drop != nil {
		if err := f.answer(ctx, s, rep, ""); err != nil {
			return err
		}
	}
	rep.Settled = true
	return f.keep(ctx, s.ID, *rep)
}

// sweep removes bytes that were kept for long enough, ends files that nobody told to go
// on, and removes what a crash left of no submission.
func (f *Files) sweep(ctx context.Context) error {
	entries, err := os.ReadDir(f.Dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep files: %w", err)
	}
	old := f.Now().Add(-f.Keep)
	var faults []error
	for _, e := range entries {
		if e.Name() == incoming {
			faults = append(faults, f.sweepIncoming())
			continue
		}
		release, err := f.hold(e.Name())
		if err != nil {
			continue
		}
		faults = append(faults, f.sweepOne(ctx, e.Name(), old))
		release()
	}
	return errors.Join(faults...)
}

func (f *Files) sweepOne(ctx context.Context, id string, old time.Time) error {
	s, rep, err := f.reload(ctx, id)
	if errors.Is(err, mulu.ErrNotFound) {
		return nil // not ours
	}
	if err != nil {
		return err
	}
	switch {
	case s.State == submit.Open && !rep.Sending && s.OpenedAt.Before(old):
		if err := f.Desk.Refuse(ctx, id, "逾期没有确认报送，没有报送任何一行", nil); err != nil {
			return err
		}
	case s.State == submit.Refused && s.LandedAt.Before(old), s.State == submit.Landed && rep.Settled && s.LandedAt.Before(old):
	default:
		return nil
	}
	return os.RemoveAll(f.path(id))
}

// sweepIncoming removes uploads that ended half way a day ago or more.
func (f *Files) sweepIncoming() error {
	entries, err := os.ReadDir(f.path(incoming))
	if err != nil {
		return fmt.Errorf("sweep files: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && f.Now().Sub(info.ModTime()) > 24*time.Hour {
			if err := os.Remove(f.path(incoming, e.Name())); err != nil {
				return fmt.Errorf("sweep files: %w", err)
			}
		}
	}
	return nil
}
