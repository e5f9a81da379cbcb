package pipeline

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"mulu"
	"mulu/ingest/drop"
	"mulu/ingest/file"
	"mulu/ingest/submit"
	"mulu/internal/clock"
	"mulu/internal/durable"
)

// Files takes what departments deliver as files: it keeps the bytes, judges every row
// as ingest will before anything is sent, sends when it is told to, and afterwards
// holds what landed against what it had said.
//
// A file's submission is open from the moment that its bytes are kept. Whoever handed
// it in sees its preview and tells it to go on; from then on (FileReport.Sending) a
// worker sends it, also after a crash, from the row after the last that is on the
// broker: the bytes are those of the digest and the options are kept, so the rows are
// the same.
type Files struct {
	Desk     *submit.Desk
	Version  func(mulu.DatasetCode, uint32) (*Version, error)
	Newest   func(mulu.DatasetCode) *mulu.Dataset // that the library takes, nil for none
	Codes    func(table string) []file.Code       // for the drop-downs of a template
	Dir      string                               // a directory of each submission's own lies below it
	Inbox    string                               // root of the drop folders
	MaxBytes int64                                // of a dropped file
	Keep     time.Duration                        // how long bytes stay after the end of a submission
	Now      func() time.Time
	Log      *slog.Logger
	// Life ends what runs in the background.
	Life context.Context

	once  sync.Once
	looks chan struct{} // a place for each file that is being judged or marked
	sends chan struct{} // and for each that is being sent
	mu    sync.Mutex
	busy  map[string]bool // submissions in hand
	retry map[string]retry
	// flight are the submissions that were sent and are not settled; Turn's own.
	flight map[string]bool
	wg     sync.WaitGroup
	swept  time.Time
}

// atOnce is how many files are read at a time: each takes a core and a batch of rows.
const atOnce = 2

// Names in a submission's directory.
const (
	fileData    = "data"         // the bytes as they were handed in
	filePreview = "preview.json" // a FilePreview
	fileFaults  = "faults.gob"   // what is to be marked
	fileMarked  = "marked.xlsx"  // made when it is first asked for
	incoming    = ".incoming"    // bytes on their way in, not yet of a submission
)

// FileOptions say how a file is to be read; what is empty is detected.
type FileOptions struct {
	Sheet    string            `json:"sheet,omitempty"`
	Header   int               `json:"header,omitempty"`
	Encoding string            `json:"encoding,omitempty"`
	Map      map[string]string `json:"map,omitempty"` // heading → column, "" ignores the heading
}

func (o FileOptions) same(p FileOptions) bool {
	return o.Sheet == p.Sheet && o.Header == p.Header && o.Encoding == p.Encoding && maps.Equal(o.Map, p.Map)
}

// over is o, and from p what o does not say.
func (o FileOptions) over(p FileOptions) FileOptions {
	o.Sheet, o.Header, o.Encoding = cmp.Or(o.Sheet, p.Sheet), cmp.Or(o.Header, p.Header), cmp.Or(o.Encoding, p.Encoding)
	if len(p.Map) > 0 {
		m := maps.Clone(p.Map)
		maps.Copy(m, o.Map)
		o.Map = m
	}
	return o
}

// FileReport is what a file's submission says of itself; whoever may see the
// submission may see it, so it holds no value of any row.
type FileReport struct {
	Options FileOptions `json:"options"`
	Clean   bool        `json:"require_clean"`     // take it only if every row fits
	Sending bool        `json:"sending"`           // told to go on
	SentBy  string      `json:"sent_by,omitempty"` // who told it
	Checked int64       `json:"checked"`           // rows judged so far
	Counts  *FileCounts `json:"preview,omitempty"` // nil until it is judged
	Problem string      `json:"problem,omitempty"` // why sending does not go on, Chinese
	Drop    *FileDrop   `json:"drop,omitempty"`    // the folder that it came from
	// After landing.
	Settled bool   `json:"settled"`
	Agrees  bool   `json:"agrees"`         // what landed is what the preview said
	Note    string `json:"note,omitempty"` // why not, Chinese
}

// FileCounts is what the rows of a file were judged to be.
type FileCounts struct {
	Version uint32       `json:"version"` // dataset version that judged
	Rows    int64        `json:"rows"`
	Good    int64        `json:"good"`
	Bad     int64        `json:"bad"`  // rows that become problem rows
	Soft    int64        `json:"soft"` // good rows that break a soft rule
	Faults  int64        `json:"fault_count"`
	ByClass []ClassCount `json:"by_class"`
	ByRule  []RuleCount  `json:"by_rule"`
	Refusal string       `json:"refusal"` // why the file can not be sent at all, Chinese
}

// ClassCount counts the faults of a class.
type ClassCount struct {
	Class string `json:"class"`
	Title string `json:"title"`
	Count int64  `json:"count"`
}

// RuleCount counts the rows that break a rule.
type RuleCount struct {
	Rule     mulu.RuleID `json:"rule"`
	Title    string      `json:"title"`
	Blocking bool        `json:"blocking"`
	Count    int64       `json:"count"`
}

// FileFault is something wrong with a cell, or with a row as a whole.
type FileFault struct {
	Sheet   string `json:"sheet"`
	Row     int    `json:"row"`
	Column  int    `json:"column"` // 0 for the row
	Cell    string `json:"cell"`   // "C5"
	Heading string `json:"heading"`
	Class   string `json:"class"`
	Field   string `json:"field"`
	Rule    string `json:"rule"`
	Reason  string `json:"reason"`
}

// FilePreview is what whoever handed a file in sees before it is sent. Columns have
// samples of values.
type FilePreview struct {
	FileCounts
	ID        string        `json:"id"`
	Dataset   string        `json:"dataset"`
	File      string        `json:"file"`
	Format    string        `json:"format"`
	Encoding  string        `json:"encoding"`
	Sheets    []file.Sheet  `json:"sheets"`
	Sheet     string        `json:"sheet"`
	Header    int           `json:"header"`
	Columns   []file.Column `json:"columns"`
	Missing   []string      `json:"missing"`
	Notes     []string      `json:"notes"`
	First     []FileFault   `json:"faults"` // the first of them
	Sendable  bool          `json:"sendable"`
	EarlierID string        `json:"earlier,omitempty"` // this content was submitted before
}

// Handed is a file that a person or a system hands in.
type Handed struct {
	Dataset mulu.DatasetCode
	Name    string // as people know it; its ending tells the format
	By      string
	Options FileOptions
	Force   bool // also if the same content was submitted before
	Body    io.Reader
}

func (f *Files) init() {
	f.once.Do(func() {
		f.looks, f.sends, f.busy, f.retry = make(chan struct{}, atOnce), make(chan struct{}, atOnce), map[string]bool{}, map[string]retry{}
	})
}

// Take keeps a file and judges it. Nothing is sent. The same content for the same
// dataset is the same submission; if that was sent already the preview says so, unless
// Force makes it another. A crash leaves bytes of no submission, which the next sweep
// removes, or an open submission, which the same file handed in again goes on with.
func (f *Files) Take(ctx context.Context, h Handed) (*FilePreview, error) {
	f.init()
	if _, err := f.dataset(h.Dataset); err != nil {
		return nil, err
	}
	name, err := fileName(h.Name)
	if err != nil {
		return nil, err
	}
	tmp, digest, err := f.receive(h.Body)
	if err != nil {
		return nil, err
	}
	defer os.Remove(tmp) // moved by then, if all is well
	options, way, err := f.declared(ctx, h.Dataset, h.Options)
	if err != nil {
		return nil, err
	}
	s, err := f.open(ctx, submit.Submission{Dataset: h.Dataset, Name: way, Source: name, Digest: digest, By: h.By}, FileReport{Options: options}, h.Force)
	if err != nil {
		return nil, err
	}
	release, err := f.hold(s.ID)
	if err != nil {
		return nil, err
	}
	defer release()
	rep, err := reportOf(&s)
	if err != nil {
		return nil, err
	}
	if s.State != submit.Open || rep.Sending {
		return f.earlier(&s), nil
	}
	if err := f.bring(s.ID, tmp); err != nil {
		return nil, err
	}
	rep.Options = options
	return f.judge(ctx, &s, &rep)
}

// Preview judges an open file again, with other options.
func (f *Files) Preview(ctx context.Context, id string, o FileOptions) (*FilePreview, error) {
	s, rep, release, err := f.waiting(ctx, id)
	if err != nil {
		return nil, err
	}
	defer release()
	if rep.Options, _, err = f.declared(ctx, s.Dataset, o); err != nil {
		return nil, err
	}
	return f.judge(ctx, &s, &rep)
}

// Telling is how a file is told to go on.
type Telling struct {
	Options *FileOptions // nil: as it was judged
	Clean   bool         // only if every row fits
	By      string
}

// Send tells a file to go on: it is sent in the background. A file that has not been
// judged with these options and the newest version is judged first. mulu.ErrInvalid:
// it can not be sent, and stays open.
func (f *Files) Send(ctx context.Context, id string, t Telling) (submit.Submission, error) {
	s, rep, release, err := f.waiting(ctx, id)
	if err != nil {
		return s, err
	}
	defer release()
	ds, err := f.dataset(s.Dataset)
	if err != nil {
		return s, err
	}
	again := rep.Counts == nil || rep.Counts.Version != ds.Version
	if t.Options != nil {
		o, _, err := f.declared(ctx, s.Dataset, *t.Options)
		if err != nil {
			return s, err
		}
		again = again || !o.same(rep.Options)
		rep.Options = o
	}
	if again {
		if _, err := f.judge(ctx, &s, &rep); err != nil {
			return s, err
		}
	}
	rep.Clean, rep.SentBy = t.Clean, t.By
	if why := rep.refusal(); why != "" {
		return s, fmt.Errorf("不能报送：%s / can not be sent: %w", why, mulu.ErrInvalid)
	}
	rep.Sending = true
	// From here on it is sent, whatever dies.
	if err := f.keep(ctx, s.ID, rep); err != nil {
		return s, err
	}
	return f.Desk.Get(ctx, id)
}

// refusal is why a judged file is not to be sent, "" if it is.
func (r *FileReport) refusal() string {
	switch {
	case r.Counts.Refusal != "":
		return r.Counts.Refusal
	case r.Clean && r.Counts.Bad > 0:
		return fmt.Sprintf("%d 行中有 %d 行不合格，按“全部合格才报送”的要求没有报送任何一行", r.Counts.Rows, r.Counts.Bad)
	}
	return ""
}

// Discard ends an open file of which nothing was sent, and removes it.
func (f *Files) Discard(ctx context.Context, id, by string) error {
	s, rep, release, err := f.waiting(ctx, id)
	if err != nil {
		return err
	}
	defer release()
	why := "由 " + by + " 放弃，没有报送任何一行"
	if rep.Counts != nil && rep.refusal() != "" {
		why = rep.refusal() // giving up was all that could be done
	}
	if err := f.Desk.Refuse(ctx, s.ID, why, nil); err != nil {
		return err
	}
	return os.RemoveAll(f.path(s.ID))
}

// Marked opens the file with its failing cells marked, as XLSX. mulu.ErrNotFound: it was not
// judged, or its bytes are no longer kept.
func (f *Files) Marked(ctx context.Context, id string) (*os.File, error) {
	f.init()
	s, err := f.Desk.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	rep, err := reportOf(&s)
	if err != nil {
		return nil, err
	}
	path, err := f.marked(ctx, &s, &rep)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("报送 %s 的文件没有保存或已过保存期限 / the file is not kept any more: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return nil, err
	}
	return os.Open(path)
}

// Template writes the file that a department fills in for a dataset.
func (f *Files) Template(code mulu.DatasetCode, w io.Writer) error {
	ds, err := f.dataset(code)
	if err != nil {
		return err
	}
	return file.Template(ds, f.Codes, w)
}

// Shown is the preview as it was kept. mulu.ErrNotFound: there is none.
func (f *Files) Shown(id string) (*FilePreview, error) {
	var p FilePreview
	b, err := os.ReadFile(f.path(id, filePreview))
	if err == nil {
		err = json.Unmarshal(b, &p)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("报送 %s 没有预检结果 / there is no preview: %w", id, mulu.ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("read preview of submission %s: %w", id, err)
	}
	return &p, nil
}

// dataset is one that takes files.
func (f *Files) dataset(code mulu.DatasetCode) (*mulu.Dataset, error) {
	ds := f.Newest(code)
	if ds == nil {
		return nil, fmt.Errorf("没有数据集 %s / no such dataset: %w", code, mulu.ErrNotFound)
	}
	if ds.Format != mulu.FormatJSON {
		return nil, fmt.Errorf("数据集 %s 的格式为 %s，只有 format: json 的数据集可以用文件报送 / the dataset takes no files: %w", code, ds.Format, mulu.ErrInvalid)
	}
	return ds, nil
}

// declared fills in what the dataset's own way says of its files, if it has just one,
// and names it.
func (f *Files) declared(ctx context.Context, code mulu.DatasetCode, o FileOptions) (_ FileOptions, name string, err error) {
	ways, err := f.Desk.Ways(ctx, code)
	if err != nil {
		return o, "", err
	}
	var found []mulu.Way
	for _, w := range ways {
		if w.Kind == mulu.WayFile {
			found = append(found, w.Way)
		}
	}
	if len(found) == 1 {
		return o.over(optionsOf(found[0])), found[0].Name, nil
	}
	return o, "", nil
}

func optionsOf(w mulu.Way) FileOptions {
	return FileOptions{Sheet: w.Sheet, Header: w.Header, Encoding: w.Encoding, Map: w.Map}
}

// open finds the submission of this content, or makes it. Content that was refused, or
// that is forced, is another one.
func (f *Files) open(ctx context.Context, s submit.Submission, rep FileReport, force bool) (submit.Submission, error) {
	s.Way = mulu.WayFile
	var err error
	if s.Report, err = json.Marshal(rep); err != nil {
		return s, err
	}
	s.Key = s.Digest
	for n := 2; ; n++ {
		out, fresh, err := f.Desk.Open(ctx, s)
		if err != nil || fresh {
			return out, err
		}
		was, err := reportOf(&out)
		if err != nil {
			return out, err
		}
		if asked := out.State == submit.Open && !was.Sending; asked || out.State != submit.Refused && !force {
			return out, nil
		}
		s.Key = fmt.Sprintf("%s#%d", s.Digest, n)
	}
}

// earlier says that this content was submitted before.
func (f *Files) earlier(s *submit.Submission) *FilePreview {
	p, err := f.Shown(s.ID)
	if err != nil { // its bytes are gone, or it is still being judged
		p = &FilePreview{ID: s.ID, Dataset: string(s.Dataset), File: s.Source}
	}
	p.EarlierID, p.Sendable, p.Refusal = s.ID, false, said(s)
	return p
}

// said tells when the same content was submitted.
func said(s *submit.Submission) string {
	state := map[string]string{submit.Open: "发送中", submit.Sent: "待入库", submit.Landed: "入库完成"}[s.State]
	return fmt.Sprintf("这份文件已于 %s 报送（%s，%s）；确需再报送一次请选择“仍要报送”（--force）", s.OpenedAt.In(clock.Shanghai).Format("2006-01-02 15:04"), s.ID, state)
}

// receive streams bytes to the disk and digests them on the way.
func (f *Files) receive(body io.Reader) (tmp, digest string, err error) {
	dir := f.path(incoming)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", "", fmt.Errorf("keep file: %w", err)
	}
	out, err := os.OpenFile(filepath.Join(dir, rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", "", fmt.Errorf("keep file: %w", err)
	}
	h := sha256.New()
	_, err = io.Copy(io.MultiWriter(out, h), body)
	if err == nil {
		err = out.Sync()
	}
	if err = errors.Join(err, out.Close()); err != nil {
		os.Remove(out.Name())
		return "", "", fmt.Errorf("keep file: %w", err)
	}
	return out.Name(), digestText(h.Sum(nil)), nil
}

func digestText(sum []byte) string { return "sha256:" + hex.EncodeToString(sum) }

// bring puts the bytes at tmp where the submission has them, unless they are there.
func (f *Files) bring(id, tmp string) error {
	if _, err := os.Stat(f.path(id, fileData)); err == nil {
		return nil
	}
	if err := os.MkdirAll(f.path(id), 0o700); err != nil {
		return fmt.Errorf("keep file of submission %s: %w", id, err)
	}
	if err := os.Rename(tmp, f.path(id, fileData)); err != nil {
		return fmt.Errorf("keep file of submission %s: %w", id, err)
	}
	return durable.SyncDir(f.path(id))
}

// intact says whether the bytes are those that were handed in.
func (f *Files) intact(s *submit.Submission) error {
	in, err := drop.Open(f.path(s.ID, fileData))
	if err != nil {
		return fmt.Errorf("open file of submission %s: %w", s.ID, err)
	}
	defer in.Close()
	h := sha256.New()
	if _, err := io.Copy(h, in); err != nil {
		return fmt.Errorf("read file of submission %s: %w", s.ID, err)
	}
	if digestText(h.Sum(nil)) != s.Digest {
		return fmt.Errorf("文件 %s 在收下之后被改动，与登记的摘要不符，请重新报送 / the file was changed after it was taken: %w", s.Source, mulu.ErrInvalid)
	}
	return nil
}

// waiting takes an open file in hand that has not been told to go on.
func (f *Files) waiting(ctx context.Context, id string) (s submit.Submission, rep FileReport, release func(), err error) {
	f.init()
	if release, err = f.hold(id); err != nil {
		return s, rep, nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	if s, err = f.Desk.Get(ctx, id); err != nil {
		return s, rep, nil, err
	}
	if rep, err = reportOf(&s); err != nil {
		return s, rep, nil, err
	}
	switch {
	case s.Way != mulu.WayFile:
		err = fmt.Errorf("报送 %s 不是文件 / not a file: %w", id, mulu.ErrInvalid)
	case s.State != submit.Open || rep.Sending:
		err = fmt.Errorf("报送 %s 已开始发送或已结束，不能再改 / it is being sent or has ended: %w", id, mulu.ErrConflict)
	}
	return s, rep, release, err
}

// hold takes a submission in hand: one at a time does something with it.
func (f *Files) hold(id string) (release func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy[id] {
		return nil, fmt.Errorf("报送 %s 正在检查或发送，请稍候 / it is in hand: %w", id, mulu.ErrBusy)
	}
	f.busy[id] = true
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.busy, id)
	}, nil
}

// slot waits for a place to read a file in.
func slot(ctx context.Context, places chan struct{}) (leave func(), err error) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *Files) keep(ctx context.Context, id string, rep FileReport) error {
	b, err := json.Marshal(rep)
	if err != nil {
		return err
	}
	return f.Desk.Report(ctx, id, b)
}

func reportOf(s *submit.Submission) (FileReport, error) {
	var rep FileReport
	if err := json.Unmarshal(s.Report, &rep); err != nil {
		return rep, fmt.Errorf("read report of submission %s: %w", s.ID, err)
	}
	return rep, nil
}

func (f *Files) path(elem ...string) string {
	return filepath.Join(append([]string{f.Dir}, elem...)...)
}

// fileName is the last element of what a client calls its file.
func fileName(s string) (string, error) {
	s = s[strings.LastIndexAny(s, `/\`)+1:]
	if s == "" || s == "." || s == ".." || len(s) > 240 || !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return "", fmt.Errorf("文件名 %q 不可用，应为不超过 240 字节、以 .csv、.xlsx 或 .parquet 结尾的名称 / not a usable file name: %w", s, mulu.ErrInvalid)
	}
	return s, nil
}
