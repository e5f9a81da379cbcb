//go:build linux && amd64

package pipeline_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"mulu"
	"mulu/ingest"
	"mulu/internal/broker"
	"mulu/internal/broker/brokertest"
	"mulu/internal/store"
	"mulu/library"
	"mulu/pipeline"
	"mulu/quality"
	"mulu/quality/codes"
)

// desk is a broker, an engine and a raw connection to it that nobody of the product
// knows of: what the tests change behind its back.
type desk struct {
	engine http.RoundTripper
	tables *codes.Tables
	seeds  []string
	raw    driver.Conn
	n      atomic.Int32
}

// ledger is one dataset on its own topic, read for real.
type ledger struct {
	*desk
	t        *testing.T
	dataset  *mulu.Dataset
	newest   atomic.Uint32
	versions map[uint32]*pipeline.Version
	lib      *library.Library
	journal  *ingest.Journal
	again    *ingest.Rereader
	cl       *kgo.Client
	progress func(done, total int64)
}

func openDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{engine: engine(t)}
	var err error
	if d.tables, err = codes.Load(); err != nil {
		t.Fatal(err)
	}
	d.seeds = []string{brokertest.Start(t)}
	d.raw, err = clickhouse.Open(&clickhouse.Options{Addr: []string{"embedded:1"}, Protocol: clickhouse.HTTP,
		Settings:      clickhouse.Settings{"mutations_sync": 1, "lightweight_deletes_sync": 1},
		TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return d.engine, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.raw.Close() })
	return d
}

func (d *desk) ledger(t *testing.T, history bool) *ledger {
	t.Helper()
	return d.shaped(t, func(ds *mulu.Dataset) { ds.History = history })
}

// shaped is a ledger whose dataset is changed first.
func (d *desk) shaped(t *testing.T, change func(*mulu.Dataset)) *ledger {
	t.Helper()
	l := &ledger{desk: d, t: t, versions: map[uint32]*pipeline.Version{}}
	code := fmt.Sprintf("r%d", d.n.Add(1))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(broker.EnsureTopics(t.Context(), d.seeds, []broker.TopicSpec{{Name: "t_" + code, Partitions: 1}}))
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/control.db")
	must(err)
	t.Cleanup(func() { db.Close() })
	l.journal, err = ingest.NewJournal(t.Context(), db, time.Now)
	must(err)
	l.lib, err = library.Open(t.Context(), library.Options{Transport: d.engine})
	must(err)
	t.Cleanup(func() { l.lib.Close() })
	for v := uint32(1); v <= 2; v++ {
		ds := dataset(code, v)
		change(ds)
		must(l.lib.Apply(t.Context(), ds))
		p := &pipeline.Version{Dataset: ds}
		p.Decoder, err = ingest.NewDecoder(ds)
		must(err)
		p.Rules, err = quality.Compile(ds, d.tables)
		must(err)
		l.versions[v], l.dataset = p, ds
	}
	l.newest.Store(1)
	l.again = ingest.NewRereader(d.seeds)
	l.cl, err = kgo.NewClient(kgo.SeedBrokers(d.seeds...), kgo.DefaultProduceTopic(l.dataset.Topic), kgo.TransactionalID(code))
	must(err)
	t.Cleanup(l.cl.Close)
	return l
}

// produce sends values in one transaction, which ends as it is told.
func (l *ledger) produce(commit bool, values ...string) {
	l.t.Helper()
	if err := l.cl.BeginTransaction(); err != nil {
		l.t.Fatal(err)
	}
	for _, v := range values {
		r := &kgo.Record{Value: []byte(v)} // of now: the broker's retention takes old ones
		if err := l.cl.ProduceSync(l.t.Context(), r).FirstErr(); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := l.cl.EndTransaction(l.t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		l.t.Fatal(err)
	}
}

// values are n rows, some of which can not be read, break the rule or are flagged.
func values(from, n int) (out []string) {
	for o := from; o < from+n; o++ {
		v := fmt.Sprintf(`{"id":"k%03d","name":"名%d","n":%d}`, o%keys, o, o)
		switch {
		case o%7 == 5:
			v = `{"id":`
		case o%11 == 6:
			v = fmt.Sprintf(`{"id":"k%03d","name":"","n":1}`, o%keys)
		case o%13 == 0:
			v = fmt.Sprintf(`{"id":"k%03d","name":"名%d","n":-1,"more":"未登记"}`, o%keys, o)
		}
		out = append(out, v)
	}
	return out
}

// drain runs the way in until all that is on the topic is stored and the newest
// version is in force.
func (l *ledger) drain() {
	l.t.Helper()
	ds := *l.versions[l.newest.Load()].Dataset
	s, err := ingest.NewSource(ingest.Options{Seeds: l.seeds, Group: "g-" + ds.Topic, Datasets: []*mulu.Dataset{&ds}, Journal: l.journal, BatchRows: 20, Linger: 150 * time.Millisecond})
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- s.Run(ctx, func(ctx context.Context, p *ingest.Partition) error {
			lane := pipeline.Lane{Source: p, Journal: l.journal, Library: l.lib, Now: time.Now, Version: l.version}
			return lane.Step(ctx)
		})
	}()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			l.t.Error(err)
		}
		s.Close()
	}()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		st := s.Status()
		if len(st) == 1 && st[0].Position > 0 && st[0].Lag == 0 && st[0].Version == ds.Version {
			return
		}
		if len(st) == 1 && st[0].Error != "" {
			l.t.Fatal(st[0].Error)
		}
	}
	l.t.Fatalf("the topic was not drained in 20 s: %+v", s.Status())
}

func (l *ledger) version(_ mulu.DatasetCode, v uint32) (*pipeline.Version, error) {
	return l.versions[v], nil
}

func (l *ledger) reconciler() *pipeline.Reconciler {
	return &pipeline.Reconciler{Source: l.again, Journal: l.journal, Library: l.lib, Version: l.version, Now: time.Now, Progress: l.progress,
		Datasets: func(context.Context) ([]*mulu.Dataset, error) { return []*mulu.Dataset{l.dataset}, nil }}
}

var all = ingest.Scope{All: true}

func (l *ledger) compare(scope ingest.Scope) *ingest.Statement {
	l.t.Helper()
	st := ingest.NewStatement("", scope, time.Now())
	if err := l.reconciler().Compare(l.t.Context(), st); err != nil {
		l.t.Fatal(err)
	}
	if !st.Intact() {
		l.t.Error("the statement is not what its digest says")
	}
	return st
}

func (l *ledger) save(st *ingest.Statement) []ingest.OpenDifference {
	l.t.Helper()
	mended, err := l.journal.Statements().Save(l.t.Context(), st)
	if err != nil {
		l.t.Fatal(err)
	}
	return mended
}

func (l *ledger) exec(sql string, args ...any) {
	l.t.Helper()
	sql = strings.NewReplacer("HISTORY", "lib_walk."+string(l.dataset.Code)+"_history", "CURRENT", "lib_walk."+string(l.dataset.Code), "CODE", string(l.dataset.Code), "TOPIC", "'"+l.dataset.Topic+"'").Replace(sql)
	if err := l.raw.Exec(l.t.Context(), sql, args...); err != nil {
		l.t.Fatal(err)
	}
}

// found is what a statement's differences name: "kind offset".
func found(st *ingest.Statement) (out []string) {
	for _, l := range st.Lines {
		for _, b := range l.Differing {
			for _, d := range b.Differences {
				s := fmt.Sprintf("%s %d", d.Kind, d.Offset)
				if d.Last != d.Offset {
					s += fmt.Sprintf("-%d", d.Last)
				}
				if len(d.Fields) > 0 {
					s += " " + strings.Join(d.Fields, ",")
				}
				out = append(out, s)
			}
		}
	}
	return out
}

// filled is a topic of two versions of a dataset, with committed and aborted
// transactions, rejects and flagged rows: offsets 0–29 and a marker, 5 aborted and a
// marker, 40 more and a marker. Offsets 47–76 are the newest of their keys: a merge
// removes the older ones from the current table when it likes.
func (d *desk) filled(t *testing.T, history bool) *ledger {
	t.Helper()
	l := d.ledger(t, history)
	l.produce(true, values(0, 30)...)
	l.produce(false, values(900, 5)...)
	l.drain()
	l.advance()
	l.produce(true, values(30, 40)...)
	l.drain()
	return l
}

// advance brings version 2 into force at the end of the topic, as a source does when it
// hears of it.
func (l *ledger) advance() {
	l.t.Helper()
	l.newest.Store(2)
	id, _, err := l.journal.KnownAs(l.t.Context(), l.dataset.Topic)
	if err != nil {
		l.t.Fatal(err)
	}
	next, _, err := l.journal.Resume(l.t.Context(), id, 0)
	if err != nil {
		l.t.Fatal(err)
	}
	p := mulu.Plan{BatchID: mulu.BatchID{TopicID: id, Topic: l.dataset.Topic, First: next}, Dataset: l.dataset.Code, Version: 2}
	if _, err := l.journal.Schedule(l.t.Context(), p); err != nil {
		l.t.Fatal(err)
	}
}

// lines as JSON, without what a run decides.
func lines(t *testing.T, st *ingest.Statement) string {
	t.Helper()
	b, err := json.Marshal(st.Lines)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestReconcile(t *testing.T) {
	d := openDesk(t)
	t.Run("what was stored agrees with the topic", func(t *testing.T) {
		l := d.filled(t, true)
		st := l.compare(all)
		if st.Verdict != ingest.Even || len(st.Lines) != 1 || len(found(st)) != 0 {
			t.Fatalf("verdict %s, %v, %+v", st.Verdict, found(st), st.Lines)
		}
		line := st.Lines[0]
		if line.From != 0 || line.To != 77 || line.Waiting != 0 || line.Batches < 4 {
			t.Errorf("window %d–%d, waiting %d, %d batches", line.From, line.To, line.Waiting, line.Batches)
		}
		s, g := line.Source, line.Landed
		if s.Offsets != 78 || s.Records != 70 || s.Control != 8 || s.Rejected == 0 || s.Good+s.Rejected != 70 || s.Rows != s.Good {
			t.Errorf("source side %+v", s)
		}
		if g != s {
			t.Errorf("landed side %+v, source side %+v", g, s)
		}
		if len(st.Datasets) != 1 || st.Datasets[0].Source != s || len(st.Owners) != 1 {
			t.Errorf("sums %+v %+v", st.Datasets, st.Owners)
		}
		if mended := l.save(st); len(mended) != 0 {
			t.Errorf("mended %v", mended)
		}
		kept, err := l.journal.Statements().Get(t.Context(), st.ID, "")
		if err != nil || !kept.Intact() || lines(t, kept) != lines(t, st) {
			t.Errorf("kept statement: %v, intact %v", err, kept != nil && kept.Intact())
		}
		if again := l.compare(ingest.Scope{}); len(again.Lines) != 0 {
			t.Errorf("nothing is new, yet %+v", again.Lines)
		}
		l.produce(true, values(70, 3)...)
		if st := l.compare(ingest.Scope{}); st.Verdict != ingest.InFlight || st.Lines[0].Waiting != 4 {
			t.Errorf("three records and a marker wait: %s %+v", st.Verdict, st.Lines)
		}
		l.drain()
		if st := l.compare(ingest.Scope{}); st.Verdict != ingest.Even || st.Lines[0].From != 78 || st.Lines[0].To != 81 {
			t.Errorf("the new window: %s %+v", st.Verdict, st.Lines)
		}
		if st := l.compare(ingest.Scope{From: 25, To: 26}); st.Verdict != ingest.Even || st.Lines[0].From > 25 || st.Lines[0].To < 26 || st.Lines[0].Batches != 1 {
			t.Errorf("a range that was asked for: %s %+v", st.Verdict, st.Lines)
		}
	})
	for _, f := range []struct {
		name   string
		tamper string
		want   []string
	}{
		{"a row is deleted from the history", "DELETE FROM HISTORY WHERE _offset = 55", []string{"row_missing 55", "row_stray 55"}},
		{"a value is altered in the history", "ALTER TABLE HISTORY UPDATE name = '别名' WHERE _offset = 69", []string{"row_altered 69 name", "row_stray 69"}},
		{"a null becomes a value in the history", "ALTER TABLE HISTORY UPDATE later = '' WHERE _offset = 70", []string{"row_altered 70 later", "row_stray 70"}},
		{"a flag is taken off in the history", "ALTER TABLE HISTORY UPDATE _flags = 0 WHERE _offset = 59", []string{"row_altered 59 _flags", "row_stray 59"}},
		{"a row is doubled at another position", "INSERT INTO HISTORY SELECT * REPLACE (_row + 1 AS _row) FROM HISTORY WHERE _offset = 9", []string{"row_extra 9"}},
		{"a reject is deleted", "DELETE FROM mulu.rejects WHERE dataset = 'CODE' AND _offset = 12", []string{"reject_missing 12"}},
		{"a reject's bytes are altered", "ALTER TABLE mulu.rejects UPDATE value = concat(value, ' ') WHERE dataset = 'CODE' AND _offset = 12", []string{"reject_altered 12"}},
		{"a reject is made up", "INSERT INTO mulu.rejects SELECT * REPLACE (_offset + 2 AS _offset) FROM (SELECT * FROM mulu.rejects WHERE dataset = 'CODE' AND _offset = 12)", []string{"reject_extra 14"}},
		{"a manifest is deleted", "DELETE FROM mulu.manifest WHERE dataset = 'CODE' AND first = 20", []string{"batch_missing 20-36"}},
		{"a manifest's digest is altered", "ALTER TABLE mulu.manifest UPDATE digest = 'sha256:00' WHERE dataset = 'CODE' AND first = 0", []string{"source_changed 0-19"}},
		{"a manifest's count is altered", "ALTER TABLE mulu.manifest UPDATE good = good - 1, rejected = rejected + 1 WHERE dataset = 'CODE' AND first = 0", []string{"manifest_differs 0-19"}},
		{"a row is deleted from what readers see", "DELETE FROM CURRENT WHERE id = 'k009'", []string{"row_stale 76"}},
		{"a value is altered in what readers see", "ALTER TABLE CURRENT UPDATE n = 5 WHERE id = 'k009' AND _offset = 76", []string{"row_stray 76"}},
		{"a row is made up for readers", "INSERT INTO CURRENT SELECT * EXCEPT (_ingested) REPLACE ('k900' AS id, _row + 1 AS _row) FROM (SELECT * FROM HISTORY WHERE _offset = 9)", []string{"row_stray 9"}},
		{"a newer row is made up for readers", "INSERT INTO CURRENT SELECT * EXCEPT (_ingested) REPLACE (_version + 500 AS _version, 7 AS n) FROM (SELECT * FROM HISTORY WHERE _offset = 9)", []string{"row_stray 9"}},
	} {
		t.Run(f.name, func(t *testing.T) {
			l := d.filled(t, true)
			l.exec(f.tamper)
			st := l.compare(all)
			if got := found(st); st.Verdict != ingest.Uneven || !slices.Equal(got, f.want) {
				t.Errorf("%s: %v, want %v; %v", st.Verdict, got, f.want, st.Lines[0].Notes)
			}
		})
	}
	t.Run("rows of a partition that nobody read", func(t *testing.T) {
		l := d.filled(t, true)
		l.exec("INSERT INTO CURRENT SELECT * EXCEPT (_ingested) REPLACE ('k900' AS id, toUInt32(9) AS _partition) FROM (SELECT * FROM HISTORY WHERE _offset = 9)")
		st := l.compare(all)
		if st.Verdict != ingest.Uneven || len(st.Lines) != 2 || st.Lines[1].Partition != 9 || st.Lines[1].Verdict != ingest.Uneven {
			t.Errorf("%s %+v", st.Verdict, st.Lines)
		}
	})
	t.Run("a difference stays open until it is mended", func(t *testing.T) {
		l := d.filled(t, true)
		l.exec("CREATE TABLE mulu.keep_CODE ENGINE=MergeTree ORDER BY tuple() AS SELECT * FROM HISTORY WHERE _offset = 55")
		l.exec("DELETE FROM HISTORY WHERE _offset = 55")
		first := l.compare(ingest.Scope{})
		l.save(first)
		second := l.compare(ingest.Scope{})
		if len(second.Lines) != 1 || second.Lines[0].From != 40 || second.Lines[0].To != 59 || !slices.Equal(found(second), []string{"row_missing 55", "row_stray 55"}) {
			t.Fatalf("the next turn: %+v", second.Lines)
		}
		l.save(second)
		open, err := l.journal.Statements().Open(t.Context(), "")
		if err != nil || len(open) != 1 || open[0].Statement != first.ID || open[0].First != 40 || open[0].Last != 59 {
			t.Fatalf("open: %+v %v", open, err)
		}
		l.exec("INSERT INTO HISTORY SELECT * FROM mulu.keep_CODE")
		third := l.compare(ingest.Scope{})
		if mended := l.save(third); third.Verdict != ingest.Even || len(mended) != 1 {
			t.Errorf("mended: %s %v %v", third.Verdict, mended, found(third))
		}
		if open, err := l.journal.Statements().Open(t.Context(), ""); err != nil || len(open) != 0 {
			t.Errorf("open after mending: %+v %v", open, err)
		}
	})
	t.Run("a byte that is not the topic's was stored", func(t *testing.T) { testChanged(t, d) })
	t.Run("a run that breaks off leaves nothing", func(t *testing.T) {
		l := d.filled(t, true)
		l.exec("DELETE FROM HISTORY WHERE _offset = 45")
		want := lines(t, l.compare(all))
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		l.progress = func(int64, int64) {
			if calls++; calls == 1 {
				cancel()
			}
		}
		if err := l.reconciler().Compare(ctx, ingest.NewStatement("", all, time.Now())); !errors.Is(err, context.Canceled) {
			t.Fatalf("cut off: %v", err)
		}
		l.progress = nil
		if list, err := l.journal.Statements().List(t.Context(), ingest.StatementFilter{}); err != nil || len(list) != 0 {
			t.Errorf("statements %v %v", list, err)
		}
		if got := lines(t, l.compare(all)); got != want {
			t.Errorf("run again:\n%s\nwant\n%s", got, want)
		}
		var left uint64
		if err := d.raw.QueryRow(t.Context(), "SELECT count() FROM system.tables WHERE database = 'mulu' AND startsWith(name, 'reconcile_')").Scan(&left); err != nil || left != 0 {
			t.Errorf("%d tables left, %v", left, err)
		}
	})
	t.Run("what the source no longer holds is compared with the manifests", func(t *testing.T) {
		l := d.filled(t, true)
		adm := kadm.NewClient(l.cl)
		if _, err := adm.DeleteRecords(t.Context(), kadm.Offsets{l.dataset.Topic: {0: {Topic: l.dataset.Topic, Partition: 0, At: 25}}}); err != nil {
			t.Fatal(err)
		}
		st := l.compare(all)
		if st.Verdict != ingest.Purged || len(found(st)) != 0 || st.Lines[0].Source.Records >= st.Lines[0].Landed.Records {
			t.Errorf("%s %v %+v", st.Verdict, found(st), st.Lines)
		}
		l.exec("DELETE FROM HISTORY WHERE _offset = 8")
		if st := l.compare(all); st.Verdict != ingest.Uneven || len(found(st)) == 0 || found(st)[0] != "manifest_differs 0-19" {
			t.Errorf("%s %v", st.Verdict, found(st))
		}
	})
	t.Run("a topic that was made again", func(t *testing.T) {
		l := d.filled(t, true)
		adm := kadm.NewClient(l.cl)
		if _, err := adm.DeleteTopics(t.Context(), l.dataset.Topic); err != nil {
			t.Fatal(err)
		}
		if st := l.compare(all); st.Verdict != ingest.Purged || len(found(st)) != 0 {
			t.Errorf("without the topic: %s %v", st.Verdict, found(st))
		}
		if err := broker.EnsureTopics(t.Context(), l.seeds, []broker.TopicSpec{{Name: l.dataset.Topic, Partitions: 1}}); err != nil {
			t.Fatal(err)
		}
		if st := l.compare(all); st.Verdict != ingest.Rebuilt || len(found(st)) != 0 {
			t.Errorf("with another topic: %s %v", st.Verdict, found(st))
		}
	})
	t.Run("a dataset without history is compared with its manifests", func(t *testing.T) {
		l := d.filled(t, false)
		st := l.compare(all)
		if st.Verdict != ingest.Even || !slices.ContainsFunc(st.Lines[0].Notes, func(s string) bool { return strings.Contains(s, "不保留历史") }) {
			t.Errorf("%s %v %v", st.Verdict, found(st), st.Lines[0].Notes)
		}
		l.exec("DELETE FROM mulu.rejects WHERE dataset = 'CODE' AND _offset = 12")
		if st := l.compare(all); !slices.Equal(found(st), []string{"reject_missing 12"}) {
			t.Errorf("%s %v", st.Verdict, found(st))
		}
	})
	t.Run("a turn reads no more than it may", func(t *testing.T) {
		l := d.filled(t, true)
		whole := int64(0)
		for turns := 1; ; turns++ {
			st := l.compare(ingest.Scope{MostBytes: 600})
			l.save(st)
			whole += st.Lines[0].Source.Records
			if !st.Rest {
				if turns < 3 || whole != 70 {
					t.Errorf("%d turns, %d records", turns, whole)
				}
				return
			}
			if turns == 20 {
				t.Fatal("20 turns did not reach the end")
			}
		}
	})
	t.Run("a mended reject counts as one", func(t *testing.T) {
		l := d.filled(t, true)
		l.exec("INSERT INTO HISTORY SELECT * REPLACE (_offset + 4 AS _offset, toUInt8(1) AS _origin) FROM (SELECT * FROM HISTORY WHERE _offset = 8)")
		l.exec("DELETE FROM mulu.rejects WHERE dataset = 'CODE' AND _offset = 12")
		st := l.compare(all)
		if st.Verdict != ingest.Even || st.Lines[0].Landed.Rejected != st.Lines[0].Source.Rejected || st.Lines[0].Landed.Good != st.Lines[0].Source.Good {
			t.Errorf("%s %v %+v", st.Verdict, found(st), st.Lines)
		}
	})
}

// testChanged stores rows of records of which one byte is not the topic's.
func testChanged(t *testing.T, d *desk) {
	l := d.ledger(t, true)
	l.produce(true, values(0, 30)...)
	extents, err := l.again.Extents(t.Context(), []string{l.dataset.Topic})
	if err != nil {
		t.Fatal(err)
	}
	e := extents[l.dataset.Topic][0]
	w, err := l.again.Open(l.dataset.Topic, 0, e.Start, e.End)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	records, err := w.Read(t.Context(), 0, 30)
	if err != nil || len(records) != 30 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	records[22].Value = []byte(strings.Replace(string(records[22].Value), "k022", "k023", 1))
	for first := int64(0); first <= 30; first += 10 {
		plan := mulu.Plan{BatchID: mulu.BatchID{TopicID: e.TopicID, Topic: l.dataset.Topic, First: first, Last: min(first+9, 30)}, Dataset: l.dataset.Code, Version: 1}
		b := &ingest.Batch{Plan: plan, Records: records[first:min(first+10, 30)]}
		b.Bytes = ingest.RecordBytes(b.Records)
		lane := pipeline.Lane{Source: &one{batch: b}, Journal: l.journal, Library: l.lib, Now: time.Now, Version: l.version}
		if err := lane.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	st := l.compare(all)
	if got := found(st); st.Verdict != ingest.Uneven || !slices.Equal(got, []string{"source_changed 20-29", "row_altered 22 id"}) {
		t.Errorf("%s %v", st.Verdict, got)
	}
}

// one is a source of one batch.
type one struct {
	mu    sync.Mutex
	batch *ingest.Batch
}

func (o *one) Next(context.Context) (*ingest.Batch, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.batch, nil
}

func (*one) Commit(context.Context, mulu.BatchID) error { return nil }

func (*one) Review(context.Context, *ingest.Batch, *ingest.Decoded) error { return nil }
