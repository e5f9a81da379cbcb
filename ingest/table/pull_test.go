package table

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"mulu"
	"mulu/ingest"
	"mulu/ingest/submit"
	"mulu/internal/broker/brokertest"
	"mulu/internal/store"
)

// SQLite stands in for a department's database here: a real engine, in the process. The
// suite of deploy/test/table.sh has real servers.
func init() {
	d := *dialects["postgres"]
	d.Name, d.Open, d.ReadOnly, d.Padded = "sqlite", func(dsn string) (*sql.DB, error) { return sql.Open("sqlite", dsn) }, false, nil
	Register(d)
}

// rig is a puller over an exchange database, a control store and a broker of its own.
type rig struct {
	*Puller
	t     *testing.T
	src   *sql.DB
	addr  string
	order Order
	clock time.Time
	cuts  map[string]int // how often it passed a stage and was, at first, cut there
}

func newRig(t *testing.T, way mulu.Way, ddl string) *rig {
	t.Helper()
	r := &rig{t: t, cuts: map[string]int{}, clock: time.Date(2026, 11, 27, 4, 0, 0, 0, time.UTC), addr: brokertest.Start(t)}
	db, err := store.Open(t.Context(), controlStore(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	now := func() time.Time { r.clock = r.clock.Add(time.Millisecond); return r.clock }
	if _, err := ingest.NewJournal(t.Context(), db, now); err != nil {
		t.Fatal(err)
	}
	brokertest.Topic(t, r.addr, "people", 2)
	dsn := "file:" + (&url.URL{Path: filepath.Join(t.TempDir(), "ex.db")}).EscapedPath() + "?_pragma=busy_timeout(10000)"
	if r.src, err = sql.Open("sqlite", dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.src.Close() })
	r.exec(ddl)
	way.Kind, way.Connection, way.Every = mulu.WayTable, "ex", time.Hour
	if way.Name == "" {
		way.Name = "main"
	}
	if way.Table == "" {
		way.Table = "people"
	}
	r.Puller = New(db, submit.NewDesk(db, []string{r.addr}, now), now)
	r.sleep = func(context.Context, time.Duration) error { return nil }
	ds := &mulu.Dataset{Code: "people", Topic: "people", Format: mulu.FormatJSON, Key: []string{"id"}, Columns: []mulu.Column{
		{Name: "id", Title: "编号", Type: mulu.Int, Required: true}, {Name: "name", Title: "姓名", Type: mulu.String}, {Name: "born", Title: "出生日期", Type: mulu.Date}}}
	r.order = Order{Dataset: ds, Way: way, Connection: Connection{"sqlite", dsn}}
	r.next()
	return r
}

// controlStore is SQLite, or a database of its own on the server that MULU_TEST_POSTGRES
// names.
func controlStore(t *testing.T) string {
	t.Helper()
	dsn := os.Getenv("MULU_TEST_POSTGRES")
	if dsn == "" {
		return "sqlite:" + t.TempDir() + "/control.db"
	}
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	name := "t" + strings.ToLower(rand.Text())
	if _, err := db.Exec("CREATE DATABASE " + name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}

func (r *rig) exec(text string, a ...any) {
	r.t.Helper()
	if _, err := r.src.Exec(text, a...); err != nil {
		r.t.Fatalf("%s: %v", text, err)
	}
}

// next lets an hour pass.
func (r *rig) next() {
	r.clock = r.clock.Add(time.Hour)
	r.order.Slot = Slot(r.clock, time.Hour)
}

// cut is what a process does that is killed at a stage: it does nothing any more.
var errCut = errors.New("cut")

// pull runs once and is cut where cut says so of a stage.
func (r *rig) pull(cut func(stage string) bool) (err error) {
	passed := func(stage string) {
		if cut != nil && cut(stage) {
			panic(errCut)
		}
	}
	r.desk.OnPassed(passed)
	r.passed = passed
	defer func() {
		if p := recover(); p == errCut { //nolint:errorlint // the very value
			err = errCut
		} else if p != nil {
			panic(p)
		}
	}()
	return r.Run(r.t.Context(), r.order)
}

// pullCut is cut over and over, twice at each stage, until it comes to its end.
func (r *rig) pullCut() {
	r.t.Helper()
	for turn := 0; ; turn++ {
		err := r.pull(func(stage string) bool {
			r.cuts[stage]++
			return r.cuts[stage] <= 2
		})
		if err == nil {
			break
		}
		if !errors.Is(err, errCut) {
			r.t.Fatalf("turn %d: %v", turn, err)
		}
		if turn > 300 {
			r.t.Fatal("it does not come to an end")
		}
	}
}

// wasCut is that it was cut at each of the stages.
func (r *rig) wasCut(stages ...string) {
	r.t.Helper()
	for _, s := range stages {
		if r.cuts[s] == 0 {
			r.t.Errorf("it was not cut at %q, only at %v: this proves little", s, r.cuts)
		}
	}
}

func (r *rig) mustPull() {
	r.t.Helper()
	if err := r.pull(nil); err != nil {
		r.t.Fatal(err)
	}
}

// topic gives every record there is, "value" or "value ← note", and how often.
func (r *rig) topic() map[string]int {
	r.t.Helper()
	out := map[string]int{}
	for _, k := range brokertest.Committed(r.t, r.addr, "people") {
		s := string(k.Value)
		for _, h := range k.Headers {
			if h.Key == mulu.HeaderNote {
				s += " ← " + string(h.Value)
			}
		}
		out[s]++
	}
	return out
}

// want is that the topic has each of these once and nothing else.
func (r *rig) want(values ...string) {
	r.t.Helper()
	got := r.topic()
	for _, v := range values {
		if got[v] != 1 {
			r.t.Errorf("%s is there %d times", v, got[v])
		}
		delete(got, v)
	}
	if len(got) > 0 {
		list := slices.Sorted(maps.Keys(got))
		r.t.Errorf("%d values too many: %s", len(got), list[:min(5, len(list))])
	}
}

func (r *rig) last() (submit.Submission, Report) {
	r.t.Helper()
	list, err := r.desk.List(r.t.Context(), submit.Filter{}, 1)
	if err != nil || len(list) == 0 {
		r.t.Fatalf("no submission: %v", err)
	}
	rep, err := reportOf(&list[0])
	if err != nil {
		r.t.Fatal(err)
	}
	return list[0], rep
}

func row(id int, name string) string {
	return fmt.Sprintf(`{"id":%d,"name":%q,"born":"2001-02-03"}`, id, name)
}

const people = `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT, born TEXT DEFAULT '2001-02-03', upd INTEGER, batch TEXT);
CREATE INDEX people_upd ON people (upd, id)`

// fill writes rows [from, to), a hundred of them with each value of upd.
func (r *rig) fill(from, to int) (values []string) {
	r.t.Helper()
	tx, err := r.src.Begin()
	if err != nil {
		r.t.Fatal(err)
	}
	for i := from; i < to; i++ {
		if _, err := tx.Exec(`INSERT INTO people (id, name, upd) VALUES ($1, 'n', $2)`, i, i/100); err != nil {
			r.t.Fatal(err)
		}
		values = append(values, row(i, "n"))
	}
	if err := tx.Commit(); err != nil {
		r.t.Fatal(err)
	}
	return values
}

// An increment that is cut at any stage sends each version of a row once, also where many
// rows share one value, where one is changed under the same value, and where one is
// committed late.
func TestIncrement(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "increment", Column: "upd", OverlapSteps: 1, RowsPerSec: 60}, people)
	want := r.fill(0, 900)
	r.pullCut()
	r.want(want...)
	r.next()
	r.exec(`UPDATE people SET name = 'changed in the same moment' WHERE id = 850`)
	r.exec(`UPDATE people SET name = 'changed later', upd = 9 WHERE id = 3`)
	r.exec(`INSERT INTO people (id, name, upd) VALUES (10001, 'committed late', 7)`)
	r.exec(`INSERT INTO people (id, name, upd) VALUES (10002, 'too late', 6)`) // older than the overlap: the documented limit
	want = append(want, row(850, "changed in the same moment"), row(3, "changed later"), row(10001, "committed late"))
	r.pullCut()
	r.want(want...)
	r.next()
	r.mustPull()
	r.want(want...)
	if s, rep := r.last(); s.Rows != 0 || s.State != submit.Landed || rep.Same == 0 {
		t.Errorf("a run without news: %+v, %+v", s, rep)
	}
	r.wasCut("read", "pending", "planned", "uncommitted", "produced", "flushed", "known", "ended")
	var kept int
	if err := r.db.Read.QueryRow(`SELECT COUNT(*) FROM ingest_table_row`).Scan(&kept); err != nil || kept == 0 || kept > 110 {
		t.Errorf("%d rows are remembered, %v: those near the end are enough", kept, err)
	}
}

func TestRange(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range", RowsPerSec: 60}, people)
	want := r.fill(0, 900)
	r.pullCut()
	r.wasCut("planned", "uncommitted", "produced", "flushed")
	r.want(want...)
}

// A comparison sends what changed and deletes what is gone, cut at any stage.
func TestCompare(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "compare", RowsPerSec: 60}, people)
	want := r.fill(0, 900)
	r.pullCut()
	r.want(want...)
	r.next()
	r.exec(`UPDATE people SET name = 'changed' WHERE id IN (5, 899)`)
	r.exec(`DELETE FROM people WHERE id BETWEEN 100 AND 199`)
	r.exec(`INSERT INTO people (id, name) VALUES (1000, 'new')`)
	want = append(want, row(5, "changed"), row(899, "changed"), row(1000, "new"))
	for i := 100; i < 200; i++ {
		want = append(want, fmt.Sprintf(`{"id":%d} ← {"delete":true}`, i))
	}
	r.pullCut()
	r.wasCut("read", "pending", "planned", "uncommitted", "produced", "flushed", "known", "ended")
	r.want(want...)
	if _, rep := r.last(); rep.Deleted != 100 || rep.Read != 801 || rep.Same != 798 {
		t.Errorf("report %+v", rep)
	}
	r.next()
	r.mustPull()
	r.want(want...)
}

// A table that was emptied by mistake does not empty the library; a person may say that
// it was no mistake.
func TestWithheld(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "compare", MaxDelete: 20}, people)
	want := r.fill(0, 10)
	r.mustPull()
	r.next()
	r.exec(`DELETE FROM people WHERE id < 3`)
	r.mustPull()
	r.want(want...)
	st, err := r.State(t.Context(), "people", "main")
	if err != nil || !strings.Contains(st.Failure, "少了 3 行") || !strings.Contains(st.Failure, "--agree-deletions") {
		t.Errorf("state %+v, %v", st, err)
	}
	if err := r.Ask(t.Context(), "people", "main", "A1", true); err != nil {
		t.Fatal(err)
	}
	if st, err = r.State(t.Context(), "people", "main"); err != nil || st.Asked.IsZero() || !st.Agreed {
		t.Fatalf("state %+v, %v", st, err)
	}
	r.order.Asked, r.order.By, r.order.Agreed = st.Asked, st.AskedBy, st.Agreed
	r.mustPull()
	for i := range 3 {
		want = append(want, fmt.Sprintf(`{"id":%d} ← {"delete":true}`, i))
	}
	r.want(want...)
	if st, err = r.State(t.Context(), "people", "main"); err != nil || st.Failure != "" || !st.Asked.IsZero() {
		t.Errorf("state %+v, %v", st, err)
	}
	if s, _ := r.last(); s.By != "A1" {
		t.Errorf("it was asked for by %q", s.By)
	}
}

// What is wrong with a table is sent as rejects, once, and stops nothing.
func TestDamage(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "compare"}, `CREATE TABLE people (id INTEGER, name, born TEXT)`)
	r.exec(`INSERT INTO people VALUES (1, 'good', '2001-02-03'), (NULL, 'no key', NULL), (2, 'twin', NULL), (2, 'other twin', NULL), (3, 'same', NULL), (3, 'same', NULL), (5, CAST(x'c4d0' AS TEXT), NULL), (6, 'no date', '2001-02-30')`)
	r.exec(`INSERT INTO people VALUES (7, $1, NULL)`, strings.Repeat("x", submit.MaxRow+1))
	for range 2 { // the second time nothing is new
		r.mustPull()
		r.next()
	}
	note := func(class, field, reason string) string {
		return fmt.Sprintf(` ← {"class":%q,"field":%q,"reason":%q}`, class, field, reason)
	}
	const twins = "源表中有 2 行主键相同而内容不同，无法判断以哪一行为准；请在源端去重"
	r.want(
		`{"id":1,"name":"good","born":"2001-02-03"}`,
		`{"id":null,"name":"no key","born":null}`,
		`{"id":2,"name":"twin","born":null}`+note("key", "id", twins),
		`{"id":2,"name":"other twin","born":null}`+note("key", "id", twins),
		`{"id":3,"name":"same","born":null}`,
		`{"id":3,"name":"same","born":null}`+note("key", "id", "源表中有 2 行完全相同，已取其中一行；请在源端去重"),
		`{"id":5,"name":"`+"\uFFFD"+`","born":null}`+note("encoding", "name", "字段“姓名”在源表中不是 UTF-8 文本（共 2 字节，开头为 C4D0）；请检查源库的字符集，或不要报送二进制列"),
		`{"id":6,"name":"no date","born":"2001-02-30"}`, // ingest judges it
		`{"oversize":"\"7\""} ← {"class":"oversize","reason":"这一行长 921632 字节，超过上限 921600 字节；请不要报送大字段"}`,
	)
	r.exec(`DELETE FROM people WHERE name IN ('no key', 'twin')`)
	r.mustPull()
	got := r.topic()
	if got[`{"id":2,"name":"other twin","born":null}`] != 1 || got[`{"id":null} ← {"delete":true}`] != 0 {
		t.Errorf("after mending: %v", got)
	}
}

// Rows that grow when they are written as JSON still go as one chunk a page.
func TestEscaped(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range"}, people)
	var want []string
	for i := range 40 {
		r.exec(`INSERT INTO people (id, name) VALUES ($1, $2)`, i, strings.Repeat("\x01", 100<<10))
		want = append(want, fmt.Sprintf(`{"id":%d,"name":"%s","born":"2001-02-03"}`, i, strings.Repeat(`\u0001`, 100<<10)))
	}
	r.pullCut()
	r.want(want...)
}

func TestMapping(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range", Map: map[string]string{"bh": "id", "gone": "name"}, Column: "nowhere"}, `CREATE TABLE people ("BH" INTEGER, "姓名" TEXT, "NAME" TEXT, other INTEGER)`)
	r.mustPull()
	s, rep := r.last()
	if s.State != submit.Refused || len(rep.Faults) != 3 {
		t.Fatalf("%+v %q", s, rep.Faults)
	}
	for _, want := range []string{`map 中的 "gone" 不在表 people 中；表有：BH、姓名、NAME、other`, `列 "姓名" 和 "NAME" 都对应字段“姓名”`, `column（增量列） "nowhere" 不在表 people 中`} {
		if !strings.Contains(s.Reason, want) {
			t.Errorf("no fault %q in %q", want, s.Reason)
		}
	}
	r.next()
	r.order.Way.Map, r.order.Way.Column = nil, ""
	r.exec(`ALTER TABLE people DROP COLUMN "NAME"`)
	r.mustPull()
	if s, rep = r.last(); len(rep.Faults) != 1 || !strings.Contains(s.Reason, "没有主键字段“编号”（id）") {
		t.Errorf("%+v", rep)
	}
	r.next()
	r.order.Way.Map = map[string]string{"bh": "id"}
	r.exec(`INSERT INTO people VALUES (1, '张三', 5)`)
	r.mustPull()
	r.want(`{"id":1,"name":"张三"}`)
	if _, rep = r.last(); !maps.Equal(rep.Columns, map[string]string{"BH": "id", "姓名": "name"}) || !slices.Equal(rep.Ignored, []string{"other"}) {
		t.Errorf("%+v", rep)
	}
}

// A run that reaches the end of its hours waits, and the next hours go on where it stands.
func TestHoursEnd(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range", RowsPerSec: 50, Hours: "13:00-14:00"}, people)
	want := r.fill(0, 200)
	pages := 0
	r.sleep = func(context.Context, time.Duration) error {
		if pages++; pages == 2 {
			r.clock = r.clock.Add(time.Hour)
		}
		return nil
	}
	r.mustPull()
	if s, _ := r.last(); s.State != submit.Open || s.Rows != 97 {
		t.Fatalf("%+v", s)
	}
	if st, err := r.State(t.Context(), "people", "main"); err != nil || !st.Slot.IsZero() || st.Failure != "" {
		t.Errorf("state %+v, %v", st, err)
	}
	r.next()
	r.mustPull() // at 15 o'clock nothing may be read
	if s, _ := r.last(); s.Rows != 97 {
		t.Fatalf("%+v", s)
	}
	r.clock = r.clock.Add(22 * time.Hour)
	r.mustPull()
	r.want(want...)
	if s, _ := r.last(); s.State != submit.Sent || s.Rows != 200 {
		t.Errorf("%+v", s)
	}
}

func TestUnreachable(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range"}, people)
	r.order.Connection = Connection{"postgres", "postgres://u:secret@127.0.0.1:1/x?connect_timeout=2"}
	if err := r.pull(nil); err == nil {
		t.Fatal("an exchange database that is not there was reached")
	}
	st, err := r.State(t.Context(), "people", "main")
	if err != nil || !strings.Contains(st.Failure, "连不上前置库") || strings.Contains(st.Failure, "secret") || st.Tried.IsZero() {
		t.Errorf("state %+v, %v", st, err)
	}
}

// rejected says how many records of each submission were rejected.
type rejected int64

func (n rejected) RejectedIn(context.Context, mulu.TopicID, int32, int64, int64) (int64, error) {
	return int64(n), nil
}

// land makes everything that was sent landed, with one reject for each partition it is on.
func (r *rig) land() {
	r.t.Helper()
	if err := r.db.Tx(r.t.Context(), func(tx *sql.Tx) error {
		for part := range 2 {
			if _, err := tx.Exec(`INSERT INTO ingest_position (topic_id, part, topic, dataset, next_offset, touched_at) SELECT DISTINCT topic_id, CAST($1 AS BIGINT), 'people', 'people', 1000000, 0 FROM ingest_submission
				WHERE topic_id <> '' ON CONFLICT DO NOTHING`, part); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		r.t.Fatal(err)
	}
	if _, err := r.desk.Land(r.t.Context(), rejected(0)); err != nil {
		r.t.Fatal(err)
	}
}

const controlTable = `CREATE TABLE mulu_batch (batch_no TEXT PRIMARY KEY, table_name TEXT, row_count INTEGER, status TEXT DEFAULT '待取', created_at TEXT, taken_at TEXT,
	rows_taken INTEGER, rows_good INTEGER, rows_rejected INTEGER, message TEXT)`

func (r *rig) receiptOf(batch string) string {
	r.t.Helper()
	var status string
	var taken, good, bad sql.NullInt64
	var message sql.NullString
	if err := r.src.QueryRow(`SELECT status, rows_taken, rows_good, rows_rejected, message FROM mulu_batch WHERE batch_no = $1`, batch).Scan(&status, &taken, &good, &bad, &message); err != nil {
		r.t.Fatal(err)
	}
	return fmt.Sprintf("%s %d %d %d %s", status, taken.Int64, good.Int64, bad.Int64, message.String)
}

// Batches are taken in order, each once, and get receipts with the final numbers.
func TestBatches(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range", Control: "mulu_batch", Batch: "batch", RowsPerSec: 60}, people+";"+controlTable)
	want := r.fill(0, 400)
	r.exec(`UPDATE people SET batch = CASE WHEN id < 250 THEN 'B1' WHEN id < 300 THEN 'B2' WHEN id < 350 THEN 'B3' END`)
	r.exec(`INSERT INTO mulu_batch (batch_no, table_name, row_count, status, created_at) VALUES ('B2', 'PEOPLE', 60, '0', '2026-11-27 02'), ('B1', 'people', 250, '待取', '2026-11-27 01'),
		('B3', 'people', 50, '准备中', '2026-11-27 03'), ('B9', 'other', 1, '待取', '2026-11-27 03'), ('B0', 'people', 0, '待取', '2026-11-27 04')`)
	r.pullCut()
	r.want(want[:300]...)
	list, err := r.desk.List(t.Context(), submit.Filter{}, 10)
	if err != nil || len(list) != 3 || list[2].Total != 250 || !strings.HasSuffix(list[2].Source, "批次 B1") || !strings.HasSuffix(list[1].Source, "批次 B2") {
		t.Errorf("submissions %+v, %v", list, err)
	}
	if got := r.receiptOf("B1"); got != "待取 0 0 0 " {
		t.Errorf("a receipt before it landed: %s", got)
	}
	if got := r.receiptOf("B0"); !strings.HasPrefix(got, "已取 0 0 0 实取 0 行") {
		t.Errorf("the receipt of an empty batch: %s", got)
	}
	r.land()
	for at := 1; at < 3; at++ { // killed between the receipt and the note of it
		func() {
			defer func() { recover() }() //nolint:errcheck // the cut
			n := at
			r.passed = func(s string) {
				if n--; s == "receipt" && n == 0 {
					panic(errCut)
				}
			}
			if err := r.Receipts(t.Context(), r.order); err != nil {
				t.Error(err)
			}
		}()
	}
	r.passed = func(string) {}
	if err := r.Receipts(t.Context(), r.order); err != nil {
		t.Fatal(err)
	}
	id := list[2].ID
	if got := r.receiptOf("B1"); got != "已取 250 250 0 实取 250 行，入库 250 行，问题数据 0 行（报送 "+id+"）" {
		t.Error(got)
	}
	if got := r.receiptOf("B2"); !strings.HasPrefix(got, "2 50 50 0 实取 50 行") || !strings.HasSuffix(got, "；与登记的 60 行不符") {
		t.Error(got)
	}
	if got := r.receiptOf("B3") + r.receiptOf("B9"); got != "准备中 0 0 0 待取 0 0 0 " {
		t.Error(got)
	}
	r.next()
	r.mustPull() // nothing waits
	r.want(want[:300]...)
	r.exec(`UPDATE mulu_batch SET status = '待取' WHERE batch_no = 'B2'`) // corrected, and to be taken again
	r.exec(`UPDATE people SET name = 'again' WHERE id = 260`)
	r.next()
	r.mustPull()
	if got := r.topic(); got[row(260, "again")] != 1 || got[row(261, "n")] != 2 {
		t.Error("the batch was not taken again")
	}
}

func TestControlFaults(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range", Control: "mulu_batch", Batch: "batch"}, people+`; CREATE TABLE mulu_batch (batch_no TEXT, table_name TEXT)`)
	if err := r.pull(nil); err == nil || !strings.Contains(err.Error(), "缺少列 row_count、status、created_at、taken_at、rows_taken、rows_good、rows_rejected、message") {
		t.Error(err)
	}
	r.exec(`DROP TABLE mulu_batch;` + controlTable + `;ALTER TABLE people DROP COLUMN name; ALTER TABLE people RENAME COLUMN id TO nr`)
	r.exec(`INSERT INTO mulu_batch (batch_no, table_name, row_count) VALUES ('B1', 'people', 1)`)
	r.mustPull()
	if got := r.receiptOf("B1"); !strings.HasPrefix(got, "有误 0 0 0 未取：表 people 没有主键字段“编号”") {
		t.Errorf("the receipt of a batch that was refused: %s", got)
	}
}

// A way that is changed begins anew; what it left open is ended.
func TestChangedWay(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "increment", Column: "upd", RowsPerSec: 60}, people)
	want := r.fill(0, 200)
	if err := r.pull(func(stage string) bool { return stage == "known" }); !errors.Is(err, errCut) {
		t.Fatal(err)
	}
	cut, _ := r.last()
	r.order.Way.Column = "id"
	r.mustPull()
	left, err := r.desk.Get(t.Context(), cut.ID)
	if err != nil || left.State != submit.Sent {
		t.Errorf("what was left open: %+v, %v", left, err)
	}
	got := r.topic()
	for _, v := range want {
		if got[v] == 0 {
			t.Errorf("%s is lost", v)
		}
	}
	if err := r.pull(nil); err != nil {
		t.Fatal(err)
	}
	if err := r.Leave(t.Context(), nil, func(mulu.DatasetCode) string { return "people" }); err != nil {
		t.Fatal(err)
	}
}

// Two processes on one control store: the second waits for the first.
func TestLease(t *testing.T) {
	r := newRig(t, mulu.Way{Mode: "range"}, people)
	other := New(r.db, r.desk, r.now)
	if ok, err := other.lease(t.Context(), "people", "main"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := r.pull(nil); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("both pull: %v", err)
	}
	r.clock = r.clock.Add(leaseTime)
	r.mustPull()
}
