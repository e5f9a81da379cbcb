package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/drop"
	"mulu/ingest/file"
	"mulu/ingest/submit"
	"mulu/internal/broker/brokertest"
	"mulu/internal/store"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
)

// filesRig is a file service on a broker and a store of its own, without a library.
type filesRig struct {
	*pipeline.Files
	t       *testing.T
	db      *store.DB
	addr    string
	dir     string
	version *pipeline.Version
	skip    time.Duration // how far its clock is ahead
	end     context.CancelFunc
}

// people is a dataset that takes files.
func people() *mulu.Dataset {
	return &mulu.Dataset{Code: "people", Title: "人员", Version: 1, Topic: "people", Format: mulu.FormatJSON, Key: []string{"id"},
		Columns: []mulu.Column{{Name: "id", Title: "编号", Type: mulu.String, Required: true, Length: 20}, {Name: "name", Title: "姓名", Type: mulu.String, Length: 20}, {Name: "n", Title: "数量", Type: mulu.Int}, {Name: "sex", Title: "性别", Type: mulu.String}},
		Rules: []mulu.Rule{
			{ID: "name.filled", Title: "姓名必填", Kind: "not_null", Columns: []string{"name"}, Blocking: true, Indicator: "020100"},
			{ID: "n.range", Title: "数量不为负", Kind: "range", Columns: []string{"n"}, Params: map[string]string{"min": "0"}, Blocking: true, Indicator: "030100"},
			{ID: "sex.code", Title: "性别代码", Kind: "enum", Columns: []string{"sex"}, Params: map[string]string{"values": "1,2"}, Indicator: "010500"},
		}}
}

func newFilesRig(t *testing.T) *filesRig {
	t.Helper()
	r := &filesRig{t: t, dir: t.TempDir(), addr: brokertest.Start(t)}
	var err error
	if r.db, err = store.Open(t.Context(), "sqlite:"+filepath.Join(r.dir, "control.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.db.Close() })
	if _, err := ingest.NewJournal(t.Context(), r.db, time.Now); err != nil {
		t.Fatal(err)
	}
	brokertest.Topic(t, r.addr, "people", 3)
	tables, err := codes.Load()
	if err != nil {
		t.Fatal(err)
	}
	r.version = &pipeline.Version{Dataset: people()}
	if r.version.Decoder, err = ingest.NewDecoder(r.version.Dataset); err != nil {
		t.Fatal(err)
	}
	if r.version.Rules, err = quality.Compile(r.version.Dataset, tables); err != nil {
		t.Fatal(err)
	}
	r.restart()
	t.Cleanup(func() { r.end(); r.Wait() })
	return r
}

// restart makes the service anew, as the next process does: nothing is remembered.
func (r *filesRig) restart() {
	if r.end != nil {
		r.end()
		r.Wait()
	}
	var life context.Context
	life, r.end = context.WithCancel(context.Background())
	r.Files = &pipeline.Files{
		Desk: submit.NewDesk(r.db, []string{r.addr}, r.clock), Version: func(mulu.DatasetCode, uint32) (*pipeline.Version, error) { return r.version, nil },
		Newest: func(code mulu.DatasetCode) *mulu.Dataset {
			if code == "people" {
				return r.version.Dataset
			}
			return nil
		}, Codes: func(string) []file.Code { return nil }, Dir: filepath.Join(r.dir, "submissions"), Inbox: filepath.Join(r.dir, "inbox"), MaxBytes: 1 << 20,
		Keep: 24 * time.Hour, Now: r.clock, Log: slog.New(slog.DiscardHandler), Life: life,
	}
}

func (r *filesRig) clock() time.Time { return time.Now().Add(r.skip) }

func (r *filesRig) take(name, content string, change ...func(*pipeline.Handed)) *pipeline.FilePreview {
	r.t.Helper()
	h := pipeline.Handed{Dataset: "people", Name: name, By: "ada", Body: strings.NewReader(content)}
	for _, c := range change {
		c(&h)
	}
	p, err := r.Take(r.t.Context(), h)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// turn lets the worker look once, and waits for what it began.
func (r *filesRig) turn() {
	r.t.Helper()
	if err := r.Turn(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	r.Wait()
}

func (r *filesRig) submission(id string) submit.Submission {
	r.t.Helper()
	s, err := r.Desk.Get(r.t.Context(), id)
	if err != nil {
		r.t.Fatal(err)
	}
	return s
}

// topic counts the values of the topic, committed, with what their notes say.
func (r *filesRig) topic() (values map[string]int, noted int) {
	r.t.Helper()
	values = map[string]int{}
	for _, k := range brokertest.Committed(r.t, r.addr, "people") {
		values[string(k.Value)]++
		for _, h := range k.Headers {
			if h.Key == mulu.HeaderNote {
				noted++
			}
		}
	}
	return values, noted
}

func csvOf(rows int) string {
	var b strings.Builder
	b.WriteString("编号,姓名,数量\n")
	for i := range rows {
		fmt.Fprintf(&b, "k%06d,名%d,%d\n", i, i, i)
	}
	return b.String()
}

// A process that dies at any stage of sending, over and over: every row is on the broker once.
func TestFileIsSentOnce(t *testing.T) {
	r := newFilesRig(t)
	const rows = 45_000 // five chunks
	p := r.take("a.csv", csvOf(rows))
	if !p.Sendable || p.Rows != rows || p.Good != rows {
		t.Fatalf("preview %+v", p)
	}
	if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{By: "ada"}); err != nil {
		t.Fatal(err)
	}
	cuts := 0
	rnd := rand.New(rand.NewPCG(1, 2))
	for turn := 0; r.submission(p.ID).State == submit.Open; turn++ {
		if turn > 60 {
			t.Fatal("it does not come to an end")
		}
		r.restart()
		stage, at := []string{"planned", "uncommitted", "produced"}[turn%3], int32(1+rnd.IntN(2))
		var n atomic.Int32
		r.Desk.OnPassed(func(s string) {
			if s == stage && n.Add(1) == at {
				runtime.Goexit() // it does nothing any more
			}
		})
		r.turn()
		if n.Load() >= at {
			cuts++
		}
	}
	if cuts < 5 {
		t.Errorf("only %d cuts: this proves little", cuts)
	}
	values, noted := r.topic()
	for v, n := range values {
		if n != 1 {
			t.Errorf("%s is there %d times", v, n)
		}
	}
	if s := r.submission(p.ID); len(values) != rows || noted != 0 || s.Rows != rows || s.State != submit.Sent {
		t.Errorf("%d distinct rows and %d notes on the broker, submission %+v", len(values), noted, s)
	}
}

func TestFilePreview(t *testing.T) {
	r := newFilesRig(t)
	p := r.take(`C:\data\人员.csv`, "编号,姓名,数量,性别,备注\nk1,甲,1,1,x\nk2,,-1,1,\nk3,丙,三,2,\n,丁,4,1,\nk5,戊,5,9,\nk6,己,6,1,,多\n")
	if p.File != "人员.csv" || p.Rows != 6 || p.Good != 2 || p.Bad != 4 || p.Soft != 1 {
		t.Fatalf("preview %+v", p.FileCounts)
	}
	// Every fault of a row at once: row 3 breaks two rules.
	got := map[string]string{}
	for _, f := range p.First {
		got[fmt.Sprintf("%d %s %s", f.Row, f.Field, f.Cell)] = f.Class + " " + f.Rule
	}
	for at, want := range map[string]string{"3 name B3": "rule name.filled", "3 n C3": "rule n.range", "4 n C4": file.ClassValue + " ", "5 id A5": file.ClassEmpty + " "} {
		if got[at] != want {
			t.Errorf("at %s %q, want %q; all: %v", at, got[at], want, got)
		}
	}
	if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{Clean: true}); !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), "4 行不合格") {
		t.Errorf("sent although it is not clean: %v", err)
	}
	if values, _ := r.topic(); len(values) > 0 {
		t.Errorf("something was sent: %v", values)
	}
	// Bad rows are data: told to go on, all of them go.
	if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{}); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{}); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("told twice: %v", err)
	}
	r.turn()
	if s := r.submission(p.ID); s.State != submit.Sent || s.Rows != 6 || s.Total != 6 {
		t.Errorf("ended as %+v", s)
	}
	f, err := r.Marked(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Size() < 1000 {
		t.Errorf("marked file: %v, %v", info, err)
	}
}

func TestFileAgain(t *testing.T) {
	r := newFilesRig(t)
	a := r.take("a.csv", csvOf(3))
	if b := r.take("b.csv", csvOf(3)); b.ID != a.ID || !b.Sendable {
		t.Errorf("the same content is %s and %s", a.ID, b.ID)
	}
	if err := r.Discard(t.Context(), a.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "submissions", a.ID)); !os.IsNotExist(err) {
		t.Errorf("what was discarded is kept: %v", err)
	}
	bad := r.take("bad.csv", "x,y\n1,2\n")
	if err := r.Discard(t.Context(), bad.ID, "ada"); err != nil {
		t.Fatal(err)
	}
	if s, err := r.Desk.Get(t.Context(), bad.ID); err != nil || s.Reason != bad.Refusal || bad.Refusal == "" {
		t.Errorf("a file that could only be discarded is refused for %q (%v), want %q", s.Reason, err, bad.Refusal)
	}
	b := r.take("a.csv", csvOf(3))
	if b.ID == a.ID {
		t.Error("a discarded file can not be handed in again")
	}
	if _, err := r.Send(t.Context(), b.ID, pipeline.Telling{}); err != nil {
		t.Fatal(err)
	}
	r.turn()
	if c := r.take("a.csv", csvOf(3)); c.Sendable || c.EarlierID != b.ID || !strings.Contains(c.Refusal, b.ID) {
		t.Errorf("sent twice: %+v", c)
	}
	d := r.take("a.csv", csvOf(3), func(h *pipeline.Handed) { h.Force = true })
	if !d.Sendable || d.ID == b.ID {
		t.Errorf("forced: %+v", d)
	}
	if _, err := r.Send(t.Context(), d.ID, pipeline.Telling{}); err != nil {
		t.Fatal(err)
	}
	r.turn()
	if values, _ := r.topic(); len(values) != 3 {
		t.Errorf("values %v", values)
	} else {
		for v, n := range values {
			if n != 2 {
				t.Errorf("%s is there %d times, want 2", v, n)
			}
		}
	}
}

func TestFileRefused(t *testing.T) {
	r := newFilesRig(t)
	for name, content := range map[string]string{
		"nokey.csv": "名称,数量\nx,1\n", "empty.csv": "", "rowless.csv": "编号,姓名\n", "broken.xlsx": "PK\x03\x04 no zip", "old.xls": "\xD0\xCF\x11\xE0 old", "page.csv": "<html>",
	} {
		p := r.take(name, content)
		if p.Sendable || p.Refusal == "" || p.Rows != 0 {
			t.Errorf("%s: %+v", name, p.FileCounts)
		}
		if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{}); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("%s was sent: %v", name, err)
		}
	}
	p := r.take("a.csv", "证件,姓名\nk1,甲\n")
	p, err := r.Preview(t.Context(), p.ID, pipeline.FileOptions{Map: map[string]string{"证件": "id"}})
	if err != nil || !p.Sendable || p.Good != 1 {
		t.Errorf("mapped: %+v, %v", p, err)
	}
	// Told to go on with another reading, it is judged by that first.
	q := r.take("b.csv", "证件,姓名\nk2,\nk3,丙\n")
	s, err := r.Send(t.Context(), q.ID, pipeline.Telling{Options: &pipeline.FileOptions{Map: map[string]string{"证件": "id"}}})
	if err != nil || s.Total != 2 || !strings.Contains(string(s.Report), `"bad":1`) {
		t.Errorf("sent with a map: %+v, %v", s, err)
	}
	r.turn()
	if values, _ := r.topic(); len(values) != 2 {
		t.Errorf("sent: %v", values)
	}
	// Bytes that change on our own disk are never sent.
	if err := os.WriteFile(filepath.Join(r.dir, "submissions", p.ID, "data"), []byte("证件,姓名\nk9,甲\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{}); err != nil {
		t.Fatal(err)
	}
	r.turn()
	if s := r.submission(p.ID); s.State != submit.Refused || !strings.Contains(s.Reason, "改动") {
		t.Errorf("changed bytes: %+v", s)
	}
	if values, _ := r.topic(); len(values) != 2 {
		t.Errorf("something was sent: %v", values)
	}
}

func TestFilesAreRemoved(t *testing.T) {
	r := newFilesRig(t)
	p := r.take("a.csv", csvOf(2))
	r.turn()
	r.skip = 25 * time.Hour
	r.turn()
	if s := r.submission(p.ID); s.State != submit.Refused || s.Reason == "" {
		t.Errorf("nobody told it to go on: %+v", s)
	}
	if _, err := r.Marked(t.Context(), p.ID); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("its bytes: %v", err)
	}
}

func (r *filesRig) dropped(name, content, policy string) drop.Dropped {
	r.t.Helper()
	f := drop.Folder{Name: "people", Dir: filepath.Join(r.dir, "inbox", "people")}
	if err := f.Make(); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(f.Path(name), []byte(content), 0o600); err != nil {
		r.t.Fatal(err)
	}
	return drop.Dropped{Dataset: "people", Folder: f, Name: name, Way: mulu.Way{Kind: mulu.WayFile, Name: "main", Policy: policy}}
}

func (r *filesRig) newest() submit.Submission {
	r.t.Helper()
	list, err := r.Desk.List(r.t.Context(), submit.Filter{Way: mulu.WayFile}, 1)
	if err != nil || len(list) == 0 {
		r.t.Fatal(list, err)
	}
	return list[0]
}

func TestDrop(t *testing.T) {
	r := newFilesRig(t)
	there := func(d drop.Dropped, elem ...string) bool {
		_, err := os.Stat(d.Folder.Path(elem...))
		return err == nil
	}
	d := r.dropped("a.csv", csvOf(10)+"k99,,1\n", "")
	if err := r.Drop(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if there(d, "a.csv") {
		t.Error("it is still in the folder")
	}
	r.turn()
	s := r.newest()
	if s.State != submit.Sent || s.Rows != 11 || s.Name != "main" || s.Source != "a.csv" {
		t.Fatalf("submission %+v", s)
	}

	t.Run("the same content again goes back", func(t *testing.T) {
		d := r.dropped("b.csv", csvOf(10)+"k99,,1\n", "")
		if err := r.Drop(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		why, err := os.ReadFile(d.Folder.Path("退回", "b.csv.原因.txt"))
		if err != nil || !strings.Contains(string(why), s.ID) || !there(d, "退回", "b.csv") || there(d, "b.csv") {
			t.Errorf("%q, %v", why, err)
		}
	})
	t.Run("what can not be taken goes back", func(t *testing.T) {
		for name, content := range map[string]string{"x.csv": "名称\nx\n", "big.csv": strings.Repeat("x", 1<<20+1), "x.xlsx": "PK\x03\x04 no"} {
			d := r.dropped(name, content, "")
			if err := r.Drop(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			r.turn()
			if !there(d, "退回", name) || !there(d, "退回", name+".原因.txt") || there(d, name) {
				t.Errorf("%s did not come back", name)
			}
		}
	})
	t.Run("a way that wants clean files takes no other", func(t *testing.T) {
		before, _ := r.topic()
		d := r.dropped("c.csv", csvOf(3)+"k98,,1\n", "clean")
		if err := r.Drop(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		r.turn()
		if s := r.newest(); s.State != submit.Refused || !strings.Contains(s.Reason, "1 行不合格") {
			t.Errorf("submission %+v", s)
		}
		if after, _ := r.topic(); len(after) != len(before) {
			t.Errorf("%d rows were sent", len(after)-len(before))
		}
		for _, name := range []string{"回执/c.csv.receipt.json", "回执/c.csv.问题.xlsx", "退回/c.csv", "退回/c.csv.原因.txt"} {
			if !there(d, name) {
				t.Errorf("no %s", name)
			}
		}
	})
	t.Run("a crash after it was registered", func(t *testing.T) {
		content := csvOf(7)
		d := r.dropped("d.csv", content, "")
		if err := r.Drop(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		id := r.newest().ID
		// As if it had died before the move: the worker finds nothing to send, and waits.
		if err := os.Rename(filepath.Join(r.dir, "submissions", id, "data"), d.Folder.Path("d.csv")); err != nil {
			t.Fatal(err)
		}
		r.restart()
		r.turn()
		if s := r.submission(id); s.State != submit.Open {
			t.Fatalf("without its bytes: %+v", s)
		}
		if err := r.Drop(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		// As if it had died after a copy from another disk: the file is there twice.
		if err := os.WriteFile(d.Folder.Path("d.csv"), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		r.restart()
		if err := r.Drop(t.Context(), d); err != nil {
			t.Fatal(err)
		}
		r.turn()
		if s := r.submission(id); s.State != submit.Sent || s.Rows != 7 || there(d, "d.csv") || there(d, "退回", "d.csv") {
			t.Errorf("submission %+v", s)
		}
	})
	// What landed is answered.
	land(t, r)
	r.turn()
	b, err := os.ReadFile(d.Folder.Path("回执", "a.csv.receipt.json"))
	if err != nil || !strings.Contains(string(b), `"state": "landed"`) || !strings.Contains(string(b), `"good": 10`) || !strings.Contains(string(b), `"cell": "B12"`) || !there(d, "回执", "a.csv.问题.xlsx") {
		t.Errorf("receipt %s, %v", b, err)
	}
	if rep := string(r.submission(s.ID).Report); !strings.Contains(rep, `"agrees":true`) {
		t.Errorf("report %s", rep)
	}
}

// rejects says of each partition's range how many records were rejected: in all of it the
// rows without a name.
type rejects struct {
	here map[int32][]int64 // offsets of the bad rows
}

func (k *rejects) RejectedIn(_ context.Context, _ mulu.TopicID, p int32, first, last int64) (n int64, err error) {
	for _, o := range k.here[p] {
		if o >= first && o <= last {
			n++
		}
	}
	return n, nil
}

// land marks everything as read, and judges as the library would.
func land(t *testing.T, r *filesRig) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(r.addr), kgo.ConsumeTopics("people"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	adm := kadm.NewClient(cl)
	ends, err := adm.ListCommittedOffsets(t.Context(), "people")
	if err != nil {
		t.Fatal(err)
	}
	topics, err := adm.ListTopics(t.Context(), "people")
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	k := &rejects{here: map[int32][]int64{}}
	j, err := ingest.NewJournal(t.Context(), r.db, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for p, end := range left {
		plan := mulu.Plan{BatchID: mulu.BatchID{TopicID: mulu.TopicID(topics["people"].ID), Topic: "people", Partition: p, Last: end - 1}, Dataset: "people", Version: 1}
		if err := j.Plan(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		if err := j.Done(t.Context(), mulu.Manifest{Plan: plan, Good: end}); err != nil {
			t.Fatal(err)
		}
	}
	for len(left) > 0 {
		fetches := cl.PollFetches(t.Context())
		if err := fetches.Err(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(rec *kgo.Record) {
			if !rec.Attrs.IsControl() && !strings.Contains(string(rec.Value), `"name":"`) {
				k.here[rec.Partition] = append(k.here[rec.Partition], rec.Offset)
			}
			if rec.Offset+1 >= left[rec.Partition] {
				delete(left, rec.Partition)
			}
		})
	}
	if _, err := r.Desk.Land(t.Context(), k); err != nil {
		t.Fatal(err)
	}
}

// manyRows is a CSV of so many rows that is made as it is read; one in a thousand is bad.
type manyRows struct {
	rows, next int
	left       []byte
}

func (m *manyRows) Read(b []byte) (int, error) {
	for len(m.left) < len(b) && m.next <= m.rows {
		if m.next == 0 {
			m.left = append(m.left, "编号,姓名,数量,性别\n"...)
		} else {
			n := m.next
			if n%1000 == 0 {
				n = -n
			}
			m.left = fmt.Appendf(m.left, "k%08d,居民%d,%d,%d\n", m.next, m.next, n, m.next%2+1)
		}
		m.next++
	}
	if len(m.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, m.left)
	m.left = append(m.left[:0], m.left[n:]...)
	return n, nil
}

// A million rows are judged and sent with memory that does not grow with them.
func TestMillionRows(t *testing.T) {
	if testing.Short() {
		t.Skip("a million rows")
	}
	r := newFilesRig(t)
	const rows, most = 1_000_000, 96 << 20
	runtime.GC()
	peak := watchHeap(t)
	p := func() *pipeline.FilePreview {
		p, err := r.Take(t.Context(), pipeline.Handed{Dataset: "people", Name: "many.csv", Body: &manyRows{rows: rows}})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}()
	if got := peak(); got > most {
		t.Errorf("judging held %d MiB, want at most %d", got>>20, most>>20)
	}
	if p.Rows != rows || p.Bad != rows/1000 || p.Faults != rows/1000 || len(p.First) != 200 {
		t.Fatalf("preview %+v", p.FileCounts)
	}
	if _, err := r.Send(t.Context(), p.ID, pipeline.Telling{}); err != nil {
		t.Fatal(err)
	}
	r.turn()
	s := r.submission(p.ID)
	_, runs, err := r.Desk.Runs(t.Context(), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	var sent int64
	for _, run := range runs {
		sent += run.Last - run.First + 1
	}
	if s.State != submit.Sent || s.Rows != rows || sent != rows {
		t.Errorf("%d offsets, submission %+v", sent, s)
	}
}

// watchHeap looks at the live heap until it is asked for the most it saw.
func watchHeap(t *testing.T) (peak func() uint64) {
	t.Helper()
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				done <- most
				return
			case <-tick.C:
				var m runtime.MemStats
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapInuse)
			}
		}
	}()
	return func() uint64 {
		close(stop)
		most := <-done
		t.Logf("most of the heap: %d MiB", most>>20)
		return most
	}
}
