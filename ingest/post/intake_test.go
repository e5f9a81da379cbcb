package post

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"golang.org/x/text/encoding/simplifiedchinese"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
	"mulu/internal/broker/brokertest"
	"mulu/internal/store"
)

var people = &mulu.Dataset{Code: "people", Version: 1, Topic: "people", Format: mulu.FormatJSON, Key: []string{"id", "name"},
	Columns: []mulu.Column{{Name: "id", Type: mulu.String}, {Name: "name", Path: "person.name", Type: mulu.String}, {Name: "age", Type: mulu.Int}}}

func keysOf(t testing.TB) *ingest.Keys {
	t.Helper()
	k, err := ingest.NewKeys(people)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeys(t *testing.T) {
	k := keysOf(t)
	want := func(row, key string) {
		t.Helper()
		values, ok := k.Of([]byte(row))
		if got := string(submit.Key(values...)); got != key || ok != (key != "") {
			t.Errorf("%s: key %q, %v, want %q", row, got, ok, key)
		}
	}
	want(`{"id":"1","person":{"x":[1,{"name":"no"}],"name":"张"}}`, "1|张")
	want(` {"name":"no", "person" : {"name":"\u5f20\""}, "id" : 17 } `, `17|张"`)
	want(`{"id":"1","person":{"name":null}}`, "")
	want(`{"id":"1","person":null}`, "")
	want(`{"id":"1","person":{"name":" "}}`, "")
	want(`{"id":"1","id":"2","person":{"name":"张"}}`, "")
	want(`{"id":{},"person":{"name":"张"}}`, "")
	want(`{"id":"1","person":{"name":"张"}`, "")
	want(`[1]`, "")
}

// rig is an intake on a store and a broker of its own.
type rig struct {
	*Intake
	db   *store.DB
	addr string
	dir  string
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{dir: t.TempDir(), addr: brokertest.Start(t)}
	var err error
	if r.db, err = store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.db.Close() })
	if _, err := ingest.NewJournal(t.Context(), r.db, time.Now); err != nil {
		t.Fatal(err)
	}
	brokertest.Topic(t, r.addr, "people", 3)
	r.again(t)
	return r
}

// again is the next process.
func (r *rig) again(t *testing.T) {
	t.Helper()
	desk := submit.NewDesk(r.db, []string{r.addr}, time.Now)
	t.Cleanup(desk.Close)
	r.Intake = New(Options{Desk: desk, Dir: r.dir, MaxBody: 32 << 20, MemoryBytes: 64 << 20})
}

func (r *rig) take(t *testing.T, key, kind, body string) (Taken, error) {
	t.Helper()
	return r.Take(t.Context(), Post{Dataset: people, By: "sys", Key: key, Type: kind, Length: int64(len(body)), Body: strings.NewReader(body)})
}

func (r *rig) counts(t *testing.T) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, k := range brokertest.Committed(t, r.addr, "people") {
		out[string(k.Value)]++
	}
	return out
}

func rowOf(i int) string {
	return fmt.Sprintf(`{"id":"%d", "person":{"name":"张三"},"age":%d}`, i, i%90)
}

func bodyOf(n int) string {
	rows := make([]string, n)
	for i := range rows {
		rows[i] = rowOf(i)
	}
	return "[" + strings.Join(rows, ",\n") + "]"
}

func TestTake(t *testing.T) {
	r := newRig(t)
	got, err := r.take(t, "k", TypeJSON, bodyOf(3))
	if err != nil || got.Rows != 3 || got.State != submit.Sent || got.Replayed || !strings.HasPrefix(got.Digest, "sha256:") {
		t.Fatalf("%+v, %v", got, err)
	}
	again, err := r.take(t, "k", TypeJSON, bodyOf(3))
	if err != nil || again.ID != got.ID || !again.Replayed || fmt.Sprint(again.Runs) != fmt.Sprint(got.Runs) {
		t.Errorf("again: %+v, %v", again, err)
	}
	if _, err := r.take(t, "k", TypeJSON, bodyOf(4)); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("other content under the key: %v", err)
	}
	if other, err := r.Take(t.Context(), Post{Dataset: people, By: "other", Key: "k", Type: TypeJSON, Length: -1, Body: strings.NewReader(`{"id":"x"}`)}); err != nil || other.Replayed {
		t.Errorf("the same key of somebody else: %+v, %v", other, err)
	}
	for i, broken := range []string{bodyOf(3)[:40], "[]", " ", bodyOf(2) + "x"} {
		if _, err := r.take(t, "b", TypeJSON, broken); !errors.Is(err, mulu.ErrInvalid) {
			t.Errorf("broken body %d: %v", i, err)
		}
	}
	keys := map[string]string{}
	for _, k := range brokertest.Committed(t, r.addr, "people") {
		keys[string(k.Value)] = string(k.Key)
	}
	if len(keys) != 4 || keys[rowOf(1)] != "1|张三" || keys[`{"id":"x"}`] != "" {
		t.Errorf("on the topic are %v", keys)
	}
}

func TestTakeZippedAndChinese(t *testing.T) {
	r := newRig(t)
	zip := func(s string) string {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		z.Write([]byte(s)) //nolint:errcheck // memory
		z.Close()
		return b.String()
	}
	post := func(p Post, body string) (Taken, error) {
		p.Dataset, p.By, p.Type, p.Length, p.Body = people, "sys", TypeLines, int64(len(body)), strings.NewReader(body)
		return r.Take(t.Context(), p)
	}
	if got, err := post(Post{Zipped: true}, zip(rowOf(1))); err != nil || got.Rows != 1 {
		t.Errorf("zipped: %+v, %v", got, err)
	}
	if _, err := post(Post{Zipped: true}, zip(rowOf(1))[:20]); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("half of a gzip: %v", err)
	}
	if _, err := post(Post{Zipped: true}, rowOf(1)); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("no gzip: %v", err)
	}
	var long *TooLong
	if _, err := post(Post{Zipped: true}, zip(strings.Repeat(rowOf(1)+"\n", 800_000))); !errors.As(err, &long) {
		t.Errorf("a small gzip of a long body: %v", err)
	}
	gbk, err := simplifiedchinese.GB18030.NewEncoder().String(`{"id":"2","person":{"name":"龘㐀"}}` + "\n")
	if err != nil {
		t.Fatal(err)
	}
	gbk = strings.Replace(gbk, `"}}`, "\xfe\x59\"}}", 1) // 龴, by the two bytes that it has since 2022
	if got, err := post(Post{Charset: "gb18030"}, gbk+"{\"id\":\"3\",\"person\":{\"name\":\"\xff\"}}"); err != nil || got.Rows != 2 {
		t.Errorf("GB 18030: %+v, %v", got, err)
	}
	for _, k := range brokertest.Committed(t, r.addr, "people") {
		switch {
		case bytes.Contains(k.Value, []byte(`"2"`)) && (!bytes.Contains(k.Value, []byte("龘㐀龴")) || len(k.Headers) != 1):
			t.Errorf("%s with %v", k.Value, k.Headers)
		case bytes.Contains(k.Value, []byte(`"3"`)) && (len(k.Headers) != 2 || !bytes.Contains(k.Headers[1].Value, []byte("encoding"))):
			t.Errorf("what is no GB 18030 came as %s with %v", k.Value, k.Headers)
		}
	}
}

var errCut = errors.New("cut")

// A post that one line can not take, cut off at every stage of a large one and of its
// chunks: the client's retry under the same key, or the next process by itself, has each
// row there once.
func TestLargeCutAnywhere(t *testing.T) {
	r := newRig(t)
	const rows = 25_000 // three chunks
	body := bodyOf(rows)
	cut := func(stage string) (err error) {
		defer func() {
			if p := recover(); p == errCut { //nolint:errorlint // the very value
				err = errCut
			} else if p != nil {
				panic(p)
			}
		}()
		r.Passed = func(s string) {
			if s == stage {
				panic(errCut)
			}
		}
		_, err = r.take(t, "k", TypeJSON, body)
		return err
	}
	for _, stage := range []string{"kept", "opened", "sent"} {
		if err := cut(stage); !errors.Is(err, errCut) {
			t.Fatalf("cut at %s: %v", stage, err)
		}
		r.again(t)
		if err := r.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		if stage == "opened" { // nobody asks again: it is gone on with
			if err := r.Resume(t.Context(), func(mulu.DatasetCode) (*mulu.Dataset, bool) { return people, true }); err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	got, err := r.take(t, "k", TypeJSON, body)
	if err != nil || !got.Replayed || got.Rows != rows || got.State != submit.Sent {
		t.Errorf("in the end: %+v, %v", got.Submission, err)
	}
	on := r.counts(t)
	for i := range rows {
		if on[rowOf(i)] != 1 {
			t.Fatalf("row %d is there %d times", i, on[rowOf(i)])
		}
	}
	if len(on) != rows {
		t.Errorf("%d distinct rows, want %d", len(on), rows)
	}
	if left, err := os.ReadDir(r.dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFull(t *testing.T) {
	r := newRig(t)
	if !r.memory.TryAcquire(r.MemoryBytes) {
		t.Fatal("somebody holds memory")
	}
	if _, err := r.take(t, "", TypeJSON, bodyOf(1)); !errors.Is(err, ErrFull) || !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("without memory: %v", err)
	}
	r.memory.Release(r.MemoryBytes)
	if _, err := r.take(t, "", TypeJSON, bodyOf(1)); err != nil {
		t.Error(err)
	}
}

// arrowBody is a stream of two batches.
func arrowBody(t *testing.T) []byte {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.BinaryTypes.String}, {Name: "person", Type: arrow.StructOf(arrow.Field{Name: "name", Type: arrow.BinaryTypes.String, Nullable: true})},
		{Name: "age", Type: arrow.PrimitiveTypes.Int64, Nullable: true}, {Name: "born", Type: arrow.FixedWidthTypes.Date32}, {Name: "seen", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		{Name: "sum", Type: &arrow.Decimal128Type{Precision: 18, Scale: 2}}, {Name: "kind", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}},
	}, nil)
	var b bytes.Buffer
	w := ipc.NewWriter(&b, ipc.WithSchema(schema))
	for batch := range 2 {
		rb := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		if err := rb.UnmarshalJSON([]byte(fmt.Sprintf(`{"id":"a%d","person":{"name":"张\"三"},"age":null,"born":"1970-01-02","seen":"2026-11-27T13:00:00Z","sum":"12.50","kind":"户籍"}`, batch))); err != nil {
			t.Fatal(err)
		}
		rec := rb.NewRecordBatch()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestArrow(t *testing.T) {
	body := arrowBody(t)
	rows, err := cutAll(stream, bytes.NewReader(body))
	want := `{"id":"a0","person":{"name":"张\"三"},"age":null,"born":"1970-01-02","seen":"2026-11-27T21:00:00+08:00","sum":12.5,"kind":"户籍"}`
	if err != nil || len(rows) != 2 || rows[0] != want {
		t.Errorf("%q, %v, want %q", rows, err, want)
	}
	for _, n := range []int{0, 3, 40, len(body) / 2, len(body) - 60} {
		if rows, err := cutAll(stream, bytes.NewReader(body[:n])); !errors.Is(err, mulu.ErrInvalid) && len(rows) == 2 {
			t.Errorf("%d of %d bytes: %d rows, %v", n, len(body), len(rows), err)
		}
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "tags", Type: arrow.ListOf(arrow.BinaryTypes.String)}}, nil)
	var b bytes.Buffer
	ipc.NewWriter(&b, ipc.WithSchema(schema)).Close()
	if _, err := cutAll(stream, &b); !errors.Is(err, mulu.ErrInvalid) || !strings.Contains(err.Error(), "tags") {
		t.Errorf("a list: %v, want it refused by name", err)
	}
}
