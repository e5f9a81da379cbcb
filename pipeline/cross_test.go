//go:build linux && amd64

package pipeline_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/ingest"
	"mulu/library"
	"mulu/pipeline"
	"mulu/plan"
)

func (l *ledger) mender() *pipeline.Mender {
	return &pipeline.Mender{Library: l.lib, Journal: l.journal, Version: l.version, Now: time.Now}
}

// replay mends the rejects at the given places.
func (l *ledger) replay(values map[library.Place]string) {
	l.t.Helper()
	ask := pipeline.Mending{Dataset: l.dataset.Code, Actor: "steward", Why: "核对后更正"}
	for at, v := range values {
		ask.Rows = append(ask.Rows, pipeline.Mended{Row: mulu.RowID{TopicID: l.topic(), Offset: at.Offset, Row: at.Row}, Edited: true, Value: []byte(v)})
	}
	got, err := l.mender().Replay(l.t.Context(), ask)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, m := range got {
		if m.Outcome != pipeline.Replayed {
			l.t.Fatalf("%s is %s: %s", m.Row, m.Outcome, m.Reason)
		}
	}
}

func (l *ledger) topic() mulu.TopicID {
	l.t.Helper()
	extents, err := l.again.Extents(l.t.Context(), []string{l.dataset.Topic})
	if err != nil {
		l.t.Fatal(err)
	}
	return extents[l.dataset.Topic][0].TopicID
}

// batchAt is the batch that holds an offset.
func (l *ledger) batchAt(offset int64) mulu.Manifest {
	l.t.Helper()
	list, err := l.lib.ManifestsIn(l.t.Context(), l.topic(), 0, offset, offset, 2)
	if err != nil || len(list) != 1 {
		l.t.Fatalf("%d batches hold offset %d: %v", len(list), offset, err)
	}
	return list[0]
}

func (l *ledger) withdraw(offset int64, restore bool) (ingest.Withdrawal, error) {
	m := l.batchAt(offset)
	w := &pipeline.Withdrawer{Library: l.lib, Journal: l.journal, Holders: &holders{told: map[string]int{}}, Now: time.Now}
	return w.Withdraw(l.t.Context(), pipeline.Taking{Dataset: l.dataset.Code, Topic: l.dataset.Topic, First: m.First, Last: m.Last, Actor: "steward", Reason: "来源单位发错了", Restore: restore})
}

// even compares everything and says what the statement notes.
func (l *ledger) even(when string) (notes []string) {
	l.t.Helper()
	st := l.compare(all)
	if got := found(st); st.Verdict != ingest.Even || len(got) > 0 || len(st.Lines) != 1 || st.Lines[0].Landed != st.Lines[0].Source {
		l.t.Errorf("%s: %s %v %+v", when, st.Verdict, got, st.Lines)
		return nil
	}
	return st.Lines[0].Notes
}

func (l *ledger) uneven(when string, want ...string) {
	l.t.Helper()
	st := l.compare(all)
	if got := found(st); st.Verdict != ingest.Uneven || !slices.Equal(got, want) {
		l.t.Errorf("%s: %s %v, want %v", when, st.Verdict, got, want)
	}
}

// seen is what readers see: name by id.
func (l *ledger) seen() map[string]string {
	l.t.Helper()
	rows, err := l.lib.Read(l.t.Context(), plan.Plan{View: plan.View{Base: l.dataset.Code}, Items: []plan.Item{{Name: "id", Mask: plan.Clear}, {Name: "name", Mask: plan.Clear}}}, library.ReadOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	out := map[string]string{}
	for _, r := range rows.Values {
		out[r[0].(string)] = r[1].(string)
	}
	return out
}

func (l *ledger) sees(when string, want map[string]string) {
	l.t.Helper()
	if got := l.seen(); !maps.Equal(got, want) {
		l.t.Errorf("%s readers see\n%v, want\n%v", when, got, want)
	}
}

// TestReconcileCorrections: what people have taken back or mended agrees with the
// topic, and what was changed behind their back does not.
func TestReconcileCorrections(t *testing.T) {
	d := openDesk(t)
	t.Run("withdrawn and mended batches agree", func(t *testing.T) {
		l := d.filled(t, true)
		l.even("before")
		l.replay(map[library.Place]string{{Offset: 12}: `{"id":"k500","name":"改","n":12}`})
		l.even("mended")
		if _, err := l.withdraw(60, true); err != nil {
			t.Fatal(err)
		}
		m := l.batchAt(60)
		if notes := l.even("withdrawn"); !slices.ContainsFunc(notes, func(s string) bool {
			return strings.Contains(s, fmt.Sprintf("批次 %d 至 %d 已撤回", m.First, m.Last))
		}) {
			t.Errorf("notes %v", notes)
		}
		l.exec("ALTER TABLE HISTORY UPDATE name = '别名' WHERE _offset = 12")
		l.exec("ALTER TABLE CURRENT UPDATE name = '别名' WHERE _offset = 12")
		l.uneven("a mended row was altered on both sides", "row_altered 12 name")
	})
	for _, f := range []struct{ name, tamper, want string }{
		{"a row that came back is deleted", "DELETE FROM CURRENT WHERE id = (SELECT id FROM HISTORY WHERE _offset = 60)", "row_stale 60"},
		{"a withdrawn row is seen again", "INSERT INTO CURRENT SELECT * EXCEPT (_ingested) FROM (SELECT * FROM HISTORY WHERE _offset = 60)", "row_stray 60"},
		{"a withdrawn row is altered where it is kept", "ALTER TABLE HISTORY UPDATE name = '别名' WHERE _offset = 60", "row_altered 60 name"},
	} {
		t.Run(f.name, func(t *testing.T) {
			l := d.filled(t, true)
			if _, err := l.withdraw(60, true); err != nil {
				t.Fatal(err)
			}
			l.exec(f.tamper)
			l.uneven("tampered", f.want)
		})
	}
	t.Run("withdrawn for good", func(t *testing.T) {
		l := d.filled(t, true)
		if _, err := l.withdraw(60, false); err != nil {
			t.Fatal(err)
		}
		l.even("withdrawn")
	})
}

func debezium(op, before, after, snapshot string, lsn int) string {
	return fmt.Sprintf(`{"before":%s,"after":%s,"source":{"connector":"postgresql","snapshot":"%s","lsn":%d},"op":"%s"}`, before, after, snapshot, lsn, op)
}

func row(id, name string) string { return fmt.Sprintf(`{"id":"%s","name":"%s","n":1}`, id, name) }

// TestFeedCorrections: change feeds reconcile, and their rejects and batches are
// corrected as if nothing had been wrong.
func TestFeedCorrections(t *testing.T) {
	d := openDesk(t)
	t.Run("Debezium", func(t *testing.T) {
		l := d.shaped(t, func(ds *mulu.Dataset) { ds.Format = mulu.FormatDebezium })
		send := func(values ...string) {
			l.produce(true, values...)
			l.drain()
		}
		send(debezium("r", "null", row("a", "快照"), "first", 1000), // 0
			debezium("r", "null", row("b", "快照"), "last", 1000))
		// Open while the snapshot was read: raised to it. The first is rejected.
		send(debezium("u", "null", row("a", ""), "false", 900), // 3
			debezium("u", "null", row("a", "后"), "false", 950),
			debezium("u", "null", row("b", ""), "false", 960))
		l.replay(map[library.Place]string{{Offset: 3}: debezium("u", "null", row("a", "旧"), "false", 900)})
		l.sees("an old change mended", map[string]string{"a": "后", "b": "快照"})
		send(debezium("u", row("a", ""), row("c", "移"), "false", 1010), // 7
			debezium("d", row("b", ""), "null", "false", 1020),
			debezium("u", row("x", ""), row("y", ""), "false", 1030))
		l.even("landed")
		l.sees("landed", map[string]string{"c": "移"})
		l.replay(map[library.Place]string{
			{Offset: 5}: debezium("u", "null", row("b", "旧"), "false", 960),
			{Offset: 9}: debezium("u", row("x", ""), row("y", "改"), "false", 1030)})
		l.even("mended")
		l.sees("old changes mended", map[string]string{"c": "移", "y": "改"})
		// Withdrawn, the moved key and the deletion are as before, and of the two changes
		// that were raised to the snapshot the later one counts.
		w, err := l.withdraw(8, true)
		if err != nil || w.Keys != 4 || w.Restored != 2 {
			t.Fatalf("%+v, %v", w, err)
		}
		l.sees("deletions withdrawn", map[string]string{"a": "后", "b": "旧"})
		l.even("deletions withdrawn")
		send(debezium("t", "null", "null", "false", 2000), // 11
			debezium("c", "null", row("e", "新"), "false", 2010))
		l.sees("truncated", map[string]string{"e": "新"})
		l.even("truncated")
		if _, err := l.withdraw(11, false); err == nil || !strings.Contains(err.Error(), "no-restore") {
			t.Errorf("a truncate taken back for good: %v", err)
		}
		if w, err = l.withdraw(11, true); err != nil || w.Keys != 3 || w.Restored != 2 {
			t.Errorf("%+v, %v", w, err)
		}
		l.sees("truncate withdrawn", map[string]string{"a": "后", "b": "旧"})
		l.even("truncate withdrawn")
		l.exec("DELETE FROM CURRENT WHERE id = 'a'")
		if st := l.compare(all); st.Verdict != ingest.Uneven {
			t.Errorf("a row that came back is deleted: %s", st.Verdict)
		}
	})
	t.Run("Canal", func(t *testing.T) {
		l := d.shaped(t, func(ds *mulu.Dataset) { ds.Format = mulu.FormatCanal })
		canal := func(kind string, rows ...string) string {
			return fmt.Sprintf(`{"type":"%s","isDdl":false,"data":[%s]}`, kind, strings.Join(rows, ","))
		}
		l.produce(true, canal("INSERT", row("a", "一"), row("b", ""), row("c", "三")), canal("INSERT", row("d", ""), row("e", "")), canal("DELETE", row("a", "")))
		l.drain()
		l.even("landed")
		l.sees("landed", map[string]string{"c": "三"})
		// Only the row that was rejected is replayed, whatever the others say now.
		l.replay(map[library.Place]string{
			{Offset: 0, Row: 1}: canal("INSERT", row("a", "改"), row("b", "二"), row("c", "改")),
			{Offset: 1, Row: 1}: canal("INSERT", row("d", ""), row("e", "五"))})
		l.sees("one row mended", map[string]string{"b": "二", "c": "三", "e": "五"})
		l.even("one row mended")
		l.produce(true, canal("TRUNCATE"), canal("INSERT", row("f", "六")), `{"type":"INSERT","data":{}}`)
		l.drain()
		l.sees("truncated", map[string]string{"f": "六"})
		l.even("truncated")
		// A record that could not be read at all comes in with all of its rows.
		l.replay(map[library.Place]string{{Offset: 6}: canal("INSERT", row("g", "七"), row("h", "八"))})
		l.sees("a whole record mended", map[string]string{"f": "六", "g": "七", "h": "八"})
		l.even("a whole record mended")
		l.exec("DELETE FROM HISTORY WHERE _offset = 6 AND _row = 1")
		l.uneven("a mended row is deleted", "row_missing 6", "row_stray 6")
	})
}
