package post

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/semaphore"
	"golang.org/x/text/transform"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
	"mulu/ingest/text"
)

// Media types that are taken.
const (
	TypeJSON  = "application/json"
	TypeLines = "application/x-ndjson"
	TypeArrow = "application/vnd.apache.arrow.stream"
)

// ErrFull says that as much is being taken as there is memory for; it wraps mulu.ErrBusy.
var ErrFull = fmt.Errorf("同时提交的内容已达内存上限，请稍候重试 / as much is being taken as there is memory for: %w", mulu.ErrBusy)

// Options of an intake.
type Options struct {
	Desk *submit.Desk
	// Dir keeps the bodies of large submissions until they are sent.
	Dir string
	// MaxBody is the longest body, unzipped; MemoryBytes bounds what all that are being
	// taken hold together.
	MaxBody, MemoryBytes int64
	// Passed is told each durable stage of a large submission; nil but in tests.
	Passed func(stage string)
}

// Intake takes posts.
type Intake struct {
	Options
	memory *semaphore.Weighted

	mu   sync.Mutex
	keys map[version]*ingest.Keys
	busy map[string]bool // large submissions that are being sent
}

type version struct {
	code    mulu.DatasetCode
	version uint32
}

// Bounds of what one post holds: a window, and the rows of a chunk.
const (
	holdLeast = 256 << 10
	holdMost  = 12 << 20
)

// New makes an intake. Resume goes on with what a crash cut off.
func New(o Options) *Intake {
	if o.Passed == nil {
		o.Passed = func(string) {}
	}
	o.MemoryBytes = max(o.MemoryBytes, holdMost)
	return &Intake{Options: o, memory: semaphore.NewWeighted(o.MemoryBytes), keys: map[version]*ingest.Keys{}, busy: map[string]bool{}}
}

// Post is one call.
type Post struct {
	Dataset *mulu.Dataset
	Name    string // of the declared way, "" for none
	By      string // who posts; keys of one are not those of another
	Key     string // Idempotency-Key, "" for none
	Type    string // media type
	Charset string // of text: "" or utf-8, gb18030, gbk
	Zipped  bool   // the body is gzip
	Length  int64  // of the body as it comes, -1 if it is not known
	Body    io.Reader
}

// Taken is the answer to a post.
type Taken struct {
	submit.Receipt
	Replayed bool // it was taken before, under the same key
}

// Take takes a post: when it returns nil the broker has every row of it. An error of the
// body (*Broken, *TooLong, mulu.ErrInvalid) or mulu.ErrConflict says that nothing was
// taken; after mulu.ErrBusy it is not known, and the same again with the same key finds out.
func (in *Intake) Take(ctx context.Context, p Post) (Taken, error) {
	hold := int64(holdMost)
	if p.Length >= 0 && !p.Zipped {
		hold = min(max(4*p.Length, holdLeast), holdMost)
	}
	if !in.memory.TryAcquire(hold) {
		return Taken{}, ErrFull
	}
	defer in.memory.Release(hold)
	keys, err := in.keysOf(p.Dataset)
	if err != nil {
		return Taken{}, err
	}
	b, err := readBody(ctx, p.Body, p.Zipped, in.MaxBody, in.Dir)
	if err != nil {
		return Taken{}, err
	}
	kept := false
	defer func() {
		if !kept {
			b.close()
		}
	}()
	cut := cutter{kind: p.Type, charset: p.Charset, keys: keys}
	rows, total, err := cut.small(b)
	if err != nil {
		return Taken{}, err
	}
	if total == 0 {
		return Taken{}, fmt.Errorf("请求中没有数据行；本期没有变化请用零报告（POST /v1/submissions/nil）/ there is no row: %w", mulu.ErrInvalid)
	}
	s := submit.Submission{Dataset: p.Dataset.Code, Way: mulu.WayHTTP, Name: p.Name, Source: source(p.Type), Digest: b.digest, By: p.By, Total: total}
	if p.Key != "" {
		s.Key = p.By + "/" + p.Key
	}
	if rows != nil {
		got, err := in.Desk.Line(p.Dataset.Code, p.Dataset.Topic).Put(ctx, s, rows)
		return Taken{got, err == nil && !got.Fresh}, err
	}
	kept = true
	return in.takeLarge(ctx, s, b, cut, p.Dataset.Topic)
}

func source(kind string) string {
	switch kind {
	case TypeLines:
		return "NDJSON"
	case TypeArrow:
		return "Arrow"
	}
	return "JSON"
}

func (in *Intake) keysOf(ds *mulu.Dataset) (*ingest.Keys, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	v := version{ds.Code, ds.Version}
	if k := in.keys[v]; k != nil {
		return k, nil
	}
	k, err := ingest.NewKeys(ds)
	if err == nil {
		in.keys[v] = k
	}
	return k, err
}

// cutter cuts a body into rows.
type cutter struct {
	kind, charset string
	keys          *ingest.Keys
}

// small reads the whole body, and gives its rows if they are few enough for a line,
// else nil, and how many they are.
func (c cutter) small(b *body) (rows []submit.Row, total int64, err error) {
	bytes := int64(0)
	fits := true
	err = c.each(b, func(r submit.Row) error {
		total++
		bytes += int64(len(r.Key) + len(r.Value))
		if fits = fits && submit.Fits(int(total), bytes); fits {
			rows = append(rows, r)
		} else {
			rows = nil
		}
		return nil
	})
	return rows, total, err
}

// each gives every row of a body; they are the caller's to keep.
func (c cutter) each(b *body, yield func(submit.Row) error) error {
	f, err := b.open()
	if err != nil {
		return err
	}
	defer f.Close()
	row := int64(0)
	err = c.cut(f, func(v []byte) error {
		r := c.row(v)
		if n := int64(len(r.Key) + len(r.Value)); n > submit.MaxRow {
			return tooLong(row, n)
		}
		row++
		return yield(r)
	})
	var broken *Broken
	if errors.As(err, &broken) {
		if again, err := b.open(); err == nil {
			place(c.decoded(again), broken)
			again.Close()
		}
	}
	return err
}

func (c cutter) cut(f io.Reader, yield func([]byte) error) error {
	switch c.kind {
	case TypeJSON:
		return list(c.decoded(f), yield)
	case TypeLines:
		return lines(c.decoded(f), yield)
	case TypeArrow:
		return stream(f, yield)
	}
	return fmt.Errorf("内容类型 %q 不收 / media type is not taken: %w", c.kind, mulu.ErrInvalid)
}

// decoded reads text as UTF-8.
func (c cutter) decoded(f io.Reader) io.Reader {
	if c.chinese() {
		return transform.NewReader(f, text.FromGB18030())
	}
	return f
}

func (c cutter) chinese() bool { return c.charset == "gb18030" || c.charset == "gbk" }

// row is a value with its key. What the source's encoding could not say is a fault of
// the row: the replacement would change the value silently.
func (c cutter) row(v []byte) submit.Row {
	r := submit.Row{Value: bytes.Clone(v)}
	if values, ok := c.keys.Of(r.Value); ok {
		r.Key = submit.Key(values...)
	}
	if c.chinese() && c.kind != TypeArrow && bytes.ContainsRune(v, utf8.RuneError) {
		r.Note = &mulu.Note{Class: ingest.ClassEncoding, Reason: "含有不是 " + strings.ToUpper(c.charset) + " 的字节，请检查源端编码后重发"}
	}
	return r
}

// large is what is kept of a large submission, to be gone on with after a crash.
type large struct {
	Spool   string `json:"spool"` // file name in Options.Dir
	Type    string `json:"type"`
	Charset string `json:"charset,omitempty"`
}

// takeLarge sends more than a line takes, in chunks of its own. The body is on disk
// before the submission is there, and until it is sent: a crash between leaves a file
// that nobody names, or a submission that Resume goes on with. It is told of all of it.
func (in *Intake) takeLarge(ctx context.Context, s submit.Submission, b *body, cut cutter, topic string) (Taken, error) {
	name, err := b.keep(in.Dir)
	if err != nil {
		b.close()
		return Taken{}, err
	}
	in.Passed("kept")
	if s.Report, err = json.Marshal(large{name, cut.kind, cut.charset}); err != nil {
		return Taken{}, err
	}
	got, fresh, err := in.Desk.Open(ctx, s)
	if err != nil || got.State != submit.Open {
		b.close()
		if err != nil {
			return Taken{}, err
		}
		return in.taken(ctx, got.ID, true)
	}
	in.Passed("opened")
	if !fresh { // cut off, or still being sent: what it was opened with is there, too
		defer b.close()
	}
	if err := in.send(ctx, got, cut.keys, topic); err != nil {
		return Taken{}, err
	}
	return in.taken(ctx, got.ID, !fresh)
}

func (in *Intake) taken(ctx context.Context, id string, replayed bool) (t Taken, err error) {
	if t.Submission, err = in.Desk.Get(ctx, id); err != nil {
		return t, err
	}
	_, t.Runs, err = in.Desk.Runs(ctx, id)
	t.Fresh, t.Replayed = !replayed, replayed
	return t, err
}

// sendTime bounds the sending of one large submission.
const sendTime = 10 * time.Minute

// send sends a large submission, from where it was cut off. It goes on when whoever
// posted it has gone.
func (in *Intake) send(ctx context.Context, s submit.Submission, keys *ingest.Keys, topic string) error {
	if !in.begin(s.ID) {
		return fmt.Errorf("报送 %s 正在发送，请稍候以相同的键重试 / it is being sent: %w", s.ID, mulu.ErrBusy)
	}
	defer in.end(s.ID)
	var kept large
	if err := json.Unmarshal(s.Report, &kept); err != nil {
		return fmt.Errorf("read report of submission %s: %w", s.ID, err)
	}
	b := &body{file: filepath.Join(in.Dir, filepath.Base(kept.Spool))}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTime)
	defer cancel()
	out, err := in.Desk.Send(ctx, s.ID, topic)
	if err != nil {
		return err
	}
	defer out.Close()
	done := int64(0)
	if c := out.Cursor(); c != "" {
		if _, err := fmt.Sscan(c, &done); err != nil {
			return fmt.Errorf("read cursor %q of submission %s: %w", c, s.ID, err)
		}
	}
	n := int64(0)
	err = cutter{kept.Type, kept.Charset, keys}.each(b, func(r submit.Row) error {
		if n++; n <= done {
			return nil
		}
		return out.Add(ctx, r, fmt.Sprint(n))
	})
	if err != nil {
		return err
	}
	if err := out.End(ctx, json.RawMessage("{}")); err != nil {
		return err
	}
	in.Passed("sent")
	b.close()
	return nil
}

// begin says that a submission is being sent, unless it is already.
func (in *Intake) begin(id string) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.busy[id] {
		return false
	}
	in.busy[id] = true
	return true
}

func (in *Intake) end(id string) {
	in.mu.Lock()
	defer in.mu.Unlock()
	delete(in.busy, id)
}

// Resume goes on with large submissions that were cut off. version gives the dataset as
// it is, false if it is not there any more.
func (in *Intake) Resume(ctx context.Context, version func(mulu.DatasetCode) (*mulu.Dataset, bool)) error {
	var faults []error
	err := in.cutOff(ctx, func(s submit.Submission, _ string) {
		ds, ok := version(s.Dataset)
		if !ok {
			return
		}
		keys, err := in.keysOf(ds)
		if err == nil {
			err = in.send(ctx, s, keys, ds.Topic)
		}
		if err != nil && !errors.Is(err, mulu.ErrBusy) {
			faults = append(faults, fmt.Errorf("go on with submission %s: %w", s.ID, err))
		}
	})
	return errors.Join(append(faults, err)...)
}

// cutOff gives the large submissions that are not sent, and the files of their bodies.
func (in *Intake) cutOff(ctx context.Context, give func(s submit.Submission, spool string)) error {
	open, err := in.Desk.List(ctx, submit.Filter{Way: mulu.WayHTTP, State: submit.Open}, 1000)
	for _, s := range open {
		var kept large
		if json.Unmarshal(s.Report, &kept) == nil && kept.Spool != "" { // else a line settles it
			give(s, kept.Spool)
		}
	}
	return err
}

// Sweep removes bodies that no submission names, before the first post: a body is on disk
// before its submission is there.
func (in *Intake) Sweep(ctx context.Context) error {
	named := map[string]bool{}
	if err := in.cutOff(ctx, func(_ submit.Submission, spool string) { named[spool] = true }); err != nil {
		return err
	}
	files, err := os.ReadDir(in.Dir)
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("sweep bodies: %w", err)
	}
	for _, f := range files {
		if !named[f.Name()] && strings.HasPrefix(f.Name(), "post-") {
			if err := os.Remove(filepath.Join(in.Dir, f.Name())); err != nil {
				return fmt.Errorf("sweep bodies: %w", err)
			}
		}
	}
	return nil
}
