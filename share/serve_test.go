package share_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/ledger/merkle"
	"mulu/plan"
	"mulu/share"
)

// replay hands every answered grant command to Confirm once more.
func replay(t *testing.T, f *fixture, g share.Grant) {
	t.Helper()
	rows, err := f.opt.DB.Read.QueryContext(t.Context(), `SELECT command FROM outbox WHERE subject = $1`, contract.Key(contract.Grant, string(g.ID)))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		var raw string
		if err := rows.Scan(&raw); err != nil {
			t.Fatal(err)
		}
		c, err := contract.Parse([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		err = f.opt.DB.Tx(t.Context(), func(tx *sql.Tx) error {
			return f.Confirm(t.Context(), tx, c, contract.Result{State: contract.Terminated, Index: 999})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if n == 0 {
		t.Fatal("no command was replayed")
	}
}

func TestServePlan(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	f.reader.rows = 0
	if _, _, err := f.pull(id); err != nil {
		t.Fatal(err)
	}
	p := f.reader.last
	if len(p.Items) != 4 || p.Items[0].Mask != plan.MaskToken || p.Items[1].Mask != plan.Clear || p.Items[2].Mask != plan.MaskHide || p.Items[3].Mask != plan.Clear {
		t.Errorf("items for a system: %+v", p.Items)
	}
	if p.View.Derived[0].AsOf != "2026-11-23" || p.Limit != 101 {
		t.Errorf("as of %s, limit %d", p.View.Derived[0].AsOf, p.Limit)
	}
	if fixed := p.Where.All[0].All[1]; len(fixed.All) != 2 {
		t.Errorf("the scenario's own condition is missing: %+v", p.Where)
	}
	if _, err := f.Serve(t.Context(), share.Ask{Actor: officer, Grant: id, Format: "csv"}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	if m := f.reader.last.Items[1].Mask; m != plan.MaskName {
		t.Errorf("the officer sees names as %q", m)
	}
}

func TestServeDenied(t *testing.T) {
	f := open(t)
	a := application()
	a.Systems = []string{worker.ID}
	id := f.granted(a)
	deny := func(name, code string, ask share.Ask) {
		t.Run(name, func(t *testing.T) {
			calls := f.reader.calls
			var b bytes.Buffer
			if ask.Grant == "" {
				ask.Grant = id
			}
			_, err := f.Serve(t.Context(), ask, &b)
			var d *share.Denial
			if !errors.As(err, &d) || !errors.Is(err, mulu.ErrDenied) || b.Len() != 0 || f.reader.calls != calls {
				t.Fatalf("%v, %d bytes, engine asked %d times", err, b.Len(), f.reader.calls-calls)
			}
			i := slices.IndexFunc(d.Checks, func(c share.Check) bool { return !c.Passed })
			if d.Checks[i].Code != code {
				t.Errorf("denied by %q (%s), want %q", d.Checks[i].Code, d.Reason(), code)
			}
			r, err := f.Receipt(t.Context(), d.Receipt)
			if err != nil || r.Outcome != share.Denied || r.Reason != d.Reason() || r.ClosedAt == 0 || r.Rows != 0 {
				t.Errorf("receipt %+v, %v", r, err)
			}
			again, err := f.Explain(t.Context(), ask)
			if err != nil || !slices.Equal(again, d.Checks) {
				t.Errorf("explained as %+v, %v", again, err)
			}
		})
	}
	deny("unknown grant", "grant", share.Ask{Actor: worker, Grant: "G310107-2026-000999"})
	deny("wrong organisation", "org", share.Ask{Actor: stranger})
	deny("system that is not listed", "actor", share.Ask{Actor: mulu.Actor{ID: "another", Org: street, Role: mulu.RoleSystem}})
	deny("auditor of the same street", "actor", share.Ask{Actor: mulu.Actor{ID: "a", Org: street, Role: mulu.RoleAuditor}})
	deny("format outside the grant", "format", share.Ask{Actor: worker, Format: "arrow"})
	deny("division of another community", "where", share.Ask{Actor: worker, Where: map[string]any{"div12": string(neighbour)}})
	deny("division that is no code", "where", share.Ask{Actor: worker, Where: map[string]any{"div12": "310107005001' OR 1=1"}})
	deny("condition on a masked item", "where", share.Ask{Actor: worker, Where: map[string]any{"phone": "13800000000"}})
	deny("condition on an item outside the grant", "where", share.Ask{Actor: worker, Where: map[string]any{"birth": "1940-01-01"}})

	f.now = f.now.Add(-time.Hour)
	if _, _, err := f.pull(id); err != nil {
		t.Fatalf("nothing was served yet, so no time is known to be later: %v", err)
	}
	f.now = f.now.Add(-2 * time.Second)
	deny("clock going backwards", "clock", share.Ask{Actor: worker})
	if err := f.AcceptClock(t.Context(), steward, "x"); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("the steward set the clock: %v", err)
	}
	if err := f.AcceptClock(t.Context(), operator, "时钟曾快两秒，已校准"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.pull(id); err != nil {
		t.Errorf("after an operator accepted the clock: %v", err)
	}
	f.now = time.UnixMicro(application().From.UnixMicro()).Add(-time.Microsecond)
	if err := f.AcceptClock(t.Context(), operator, "x"); err != nil {
		t.Fatal(err)
	}
	deny("before the term", "term", share.Ask{Actor: worker})
	f.now = application().To
	deny("at the end of the term", "term", share.Ask{Actor: worker})
}

func TestServeNarrowed(t *testing.T) {
	f := open(t)
	a := application()
	a.Receivers = []mulu.Division{"310107005"}
	id := f.granted(a)
	if _, err := f.Serve(t.Context(), share.Ask{Actor: worker, Grant: id, Where: map[string]any{"div12": string(committee)}}, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	all := f.reader.last.Where.All
	if own := all[0].All[0]; own.Op != plan.Prefix || own.Value != "310107005" {
		t.Errorf("the street's own condition: %+v", own)
	}
	if c := all[1]; c.Op != plan.Eq || c.Value != string(committee) {
		t.Errorf("narrowed by %+v", c)
	}
}

func TestQuota(t *testing.T) {
	f := open(t)
	a := application()
	a.RowsPerDay = 10
	id := f.granted(a)
	f.reader.rows = 6
	if _, _, err := f.pull(id); err != nil {
		t.Fatal(err)
	}
	_, body, err := f.pull(id) // 6 of the 4 that are left
	if !errors.Is(err, mulu.ErrDenied) || body != "" {
		t.Fatalf("over the quota: %v, %q", err, body)
	}
	if r := f.last(); r.Outcome != share.Refused || r.Rows != 0 || !strings.Contains(r.Reason, "额度 4 行") {
		t.Errorf("receipt %+v", r)
	}
	f.reader.rows = 4
	if _, _, err := f.pull(id); err != nil {
		t.Fatal(err)
	}
	var d *share.Denial
	if _, _, err := f.pull(id); !errors.As(err, &d) || !strings.Contains(d.Reason(), "今日已取 10 行") {
		t.Errorf("used up: %v", err)
	}
	f.now = f.now.Add(14 * time.Hour) // midnight in Shanghai
	if _, _, err := f.pull(id); err != nil {
		t.Errorf("the next day: %v", err)
	}
}

func TestConcurrentReadsShareOneQuota(t *testing.T) {
	f := open(t)
	a := application()
	a.RowsPerDay = 10
	id := f.granted(a)
	f.reader.rows = 6
	gate := make(chan struct{})
	arrived := make(chan struct{}, 2)
	f.reader.during = func() { arrived <- struct{}{}; <-gate }
	got := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := f.Serve(context.WithoutCancel(t.Context()), share.Ask{Actor: worker, Grant: id}, &bytes.Buffer{})
			got <- err
		}()
	}
	<-arrived
	<-arrived
	close(gate)
	a1, a2 := <-got, <-got
	if (a1 == nil) == (a2 == nil) {
		t.Errorf("two reads of 6 rows with a quota of 10: %v, %v", a1, a2)
	}
}

func TestRevokedWhileTheEngineWorks(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	f.reader.during = func() {
		if err := f.Terminate(t.Context(), approver, id, "leak", "疑似泄露"); err != nil {
			t.Error(err)
		}
	}
	if _, body, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) || body != "" {
		t.Errorf("%v, %q", err, body)
	}
	if r := f.last(); r.Outcome != share.Refused || r.Rows != 0 || !strings.Contains(r.Reason, "终止") {
		t.Errorf("receipt %+v", r)
	}
}

func TestScenarioMovesOn(t *testing.T) {
	move := func(name string, change func(*share.Scenario)) {
		t.Run(name, func(t *testing.T) {
			f := open(t)
			id := f.granted(application())
			sc := sc2()
			change(&sc)
			f.file(sc)
			var d *share.Denial
			if _, _, err := f.pull(id); !errors.As(err, &d) || !strings.Contains(d.Reason(), "phone") {
				t.Errorf("%v", err)
			}
		})
	}
	move("item taken out", func(s *share.Scenario) { s.Items = slices.Delete(s.Items, 2, 3) })
	move("item graded higher", func(s *share.Scenario) { s.Items[2].Level = mulu.L4 })
	move("item no longer graded", func(s *share.Scenario) { s.Items[2].Level = 0 })
}

func TestQualityMark(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	delete(f.scores, "resident")
	f.scores["visit"] = 0.1 // a low score does not cut a running share
	var before share.Delivery
	var b bytes.Buffer
	d, err := f.Serve(t.Context(), share.Ask{Actor: worker, Grant: id, RequestID: "req-1", Begin: func(d share.Delivery) {
		before = d
		if b.Len() != 0 {
			t.Error("bytes left before the mark")
		}
	}}, &b)
	if err != nil {
		t.Fatal(err)
	}
	if before.Digest != d.Digest || before.Rows != 3 || d.Quality[0].Known || !d.Quality[1].Known || d.Quality[1].Total != 0.1 {
		t.Errorf("%+v", d)
	}
	if r := f.last(); r.Scores["visit"] != 1000 || r.RequestID != "req-1" || r.Digest != d.Digest || r.Rows != 3 || r.Outcome != share.Delivered || r.Plan == "" {
		t.Errorf("receipt %+v", r)
	}
	opened := time.UnixMicro(f.last().OpenedAt)
	if calls, err := f.Calls(t.Context(), opened, opened.Add(time.Microsecond)); err != nil || len(calls) != 1 || calls[0].Outcome != share.Delivered || calls[0].Calls != 1 || calls[0].Scenario == "" {
		t.Errorf("calls of the moment %+v %v", calls, err)
	}
	if calls, err := f.Calls(t.Context(), opened.Add(time.Microsecond), opened.Add(time.Hour)); err != nil || len(calls) != 0 {
		t.Errorf("calls after it %+v %v", calls, err)
	}
}

// brokenPipe takes some bytes and fails.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

// crash is how the tests end a process inside the walk.
type crash struct{}

func (crash) Write([]byte) (int, error) { panic(crash{}) }

func TestServeEnds(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	t.Run("client goes away", func(t *testing.T) {
		if _, err := f.Serve(t.Context(), share.Ask{Actor: worker, Grant: id}, brokenPipe{}); err == nil {
			t.Fatal("no error")
		}
		if r := f.last(); r.Outcome != share.Aborted || r.Rows != 3 || r.Digest == "" {
			t.Errorf("receipt %+v", r)
		}
	})
	t.Run("client goes away while the engine works", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f.reader.during, f.reader.err = cancel, context.Canceled
		f.tick()
		defer func() { f.reader.during, f.reader.err = nil, nil }()
		if _, err := f.Serve(ctx, share.Ask{Actor: worker, Grant: id}, &bytes.Buffer{}); err == nil {
			t.Fatal("no error")
		}
		if r := f.last(); r.Outcome != share.Aborted || r.Rows != 0 {
			t.Errorf("receipt %+v", r)
		}
	})
	t.Run("engine fails", func(t *testing.T) {
		f.reader.err = errors.New("engine: out of memory")
		defer func() { f.reader.err = nil }()
		if _, body, err := f.pull(id); err == nil || body != "" || errors.Is(err, mulu.ErrDenied) {
			t.Fatalf("%v, %q", err, body)
		}
		if r := f.last(); r.Outcome != share.Failed || r.Rows != 0 || strings.Contains(r.Reason, "memory") {
			t.Errorf("receipt %+v", r)
		}
	})
	t.Run("result does not fit", func(t *testing.T) {
		f.opt.MaxBytes = 20
		f.restart()
		if _, body, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) || body != "" {
			t.Fatalf("%v, %q", err, body)
		}
		if r := f.last(); r.Outcome != share.Refused || !strings.Contains(r.Reason, "上限") {
			t.Errorf("receipt %+v", r)
		}
		f.opt.MaxBytes = 0
		f.restart()
	})
	if left, err := os.ReadDir(f.opt.Spool); err != nil || len(left) != 0 {
		t.Errorf("the spool holds %v, %v", left, err)
	}
}

func TestCrash(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	die := func(w interface{ Write([]byte) (int, error) }) share.Receipt {
		t.Helper()
		f.tick()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the process lived")
				}
			}()
			f.Serve(t.Context(), share.Ask{Actor: worker, Grant: id}, w) //nolint:errcheck // it never returns
		}()
		if r := f.last(); r.Outcome != share.Open {
			t.Fatalf("receipt %+v", r)
		}
		f.restart()
		if n, err := f.Recover(t.Context()); err != nil || n != 1 {
			t.Fatalf("recovered %d, %v", n, err)
		}
		if n, err := f.Recover(t.Context()); err != nil || n != 0 {
			t.Errorf("recovered %d again, %v", n, err)
		}
		return f.last()
	}
	f.reader.during = func() { panic("power cut") }
	if r := die(&bytes.Buffer{}); r.Outcome != share.Interrupted || r.Rows != 0 || r.ClosedAt == 0 {
		t.Errorf("before anything left: %+v", r)
	}
	f.reader.during = nil
	if r := die(crash{}); r.Outcome != share.Interrupted || r.Rows != 3 || r.Digest == "" {
		t.Errorf("while rows were leaving: %+v", r)
	}
	if _, _, err := f.pull(id); err != nil {
		t.Errorf("after the restart: %v", err)
	}
}

func TestClosedReceiptsStay(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	f.reader.during = func() { // another process takes this one for dead
		second, err := share.New(t.Context(), f.opt)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := second.Recover(t.Context()); err != nil || n != 1 {
			t.Errorf("recovered %d, %v", n, err)
		}
	}
	if _, body, err := f.pull(id); !errors.Is(err, mulu.ErrConflict) || body != "" {
		t.Errorf("a read without an open receipt: %v, %q", err, body)
	}
	if r := f.last(); r.Outcome != share.Interrupted || r.Rows != 0 {
		t.Errorf("receipt %+v", r)
	}
}

func TestAnchorReceipts(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	var ids []mulu.ReceiptID
	for range 4 {
		f.now = f.now.Add(time.Second)
		d, _, err := f.pull(id)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, d.Receipt)
	}
	f.Serve(t.Context(), share.Ask{Actor: stranger, Grant: id}, &bytes.Buffer{}) //nolint:errcheck // leaves a denial
	if _, err := f.ReceiptProof(t.Context(), ids[0]); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("proof before the anchor: %v", err)
	}
	if n, err := f.AnchorReceipts(t.Context()); err != nil || n != 5 {
		t.Fatalf("anchored %d, %v", n, err)
	}
	if _, err := f.ReceiptProof(t.Context(), ids[0]); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("proof before the chain: %v", err)
	}
	f.settle()
	if n, err := f.AnchorReceipts(t.Context()); err != nil || n != 0 {
		t.Errorf("anchored %d again, %v", n, err)
	}
	for i, rid := range ids {
		p, err := f.ReceiptProof(t.Context(), rid)
		if err != nil {
			t.Fatal(err)
		}
		var v contract.ReceiptsValue
		if err := contract.Decode(f.chain.state[contract.Key(contract.Receipts, strings.TrimPrefix(p.Command, "receipt.anchor:"))], &v); err != nil {
			t.Fatal(err)
		}
		if v.Body.Root != p.Root || v.Body.Receipts != 5 || v.Body.Rows != 12 || p.Size != 5 {
			t.Errorf("on the chain: %+v; proof %+v", v.Body, p)
		}
		root, _ := merkle.ParseText(p.Root)
		var path []merkle.Hash
		for _, s := range p.Path {
			h, err := merkle.ParseText(s)
			if err != nil {
				t.Fatal(err)
			}
			path = append(path, h)
		}
		if contract.Digest(p.Receipt) != p.Digest || !merkle.Check(root, p.Size, p.Index, []byte(p.Digest), path) || !bytes.Contains(p.Receipt, []byte(rid)) {
			t.Errorf("receipt %d is not proven", i)
		}
	}
	// A receipt that was changed behind the desk's back is found.
	err := f.opt.DB.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`UPDATE share_receipt SET body = replace(body, '"rows":3', '"rows":2') WHERE id = $1`, ids[1])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.ReceiptProof(t.Context(), ids[0]); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("proof over a changed receipt: %v", err)
	}
}

func TestAnchorRefused(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	d, _, err := f.pull(id)
	if err != nil {
		t.Fatal(err)
	}
	f.chain.do(t, "revoke", approver, contract.ActorBody{Actor: house.ID, Org: center.Code, Role: mulu.RoleSystem, Key: contract.KeyText(make([]byte, 32)), Revoked: true})
	if n, err := f.AnchorReceipts(t.Context()); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	f.settle()
	if _, err := f.ReceiptProof(t.Context(), d.Receipt); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("proof of a refused anchor: %v", err)
	}
	f.opt.System = operator
	f.restart()
	if n, err := f.AnchorReceipts(t.Context()); err != nil || n != 1 {
		t.Fatalf("anchored %d after the refusal, %v", n, err)
	}
	f.settle()
	if _, err := f.ReceiptProof(t.Context(), d.Receipt); err != nil {
		t.Error(err)
	}
}

func TestReceiptsFilter(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	from := f.now
	for range 3 {
		f.now = f.now.Add(time.Minute)
		if _, _, err := f.pull(id); err != nil {
			t.Fatal(err)
		}
	}
	f.Serve(t.Context(), share.Ask{Actor: stranger, Grant: id}, &bytes.Buffer{}) //nolint:errcheck // leaves a denial
	count := func(want int, fl share.ReceiptFilter) []share.Receipt {
		t.Helper()
		all, err := f.Receipts(t.Context(), fl)
		if err != nil || len(all) != want {
			t.Fatalf("%+v: %d receipts, %v; want %d", fl, len(all), err, want)
		}
		return all
	}
	count(4, share.ReceiptFilter{Grant: id, Scenario: "SC-2"})
	count(1, share.ReceiptFilter{Outcome: share.Denied, Org: other.Code, Actor: stranger.ID})
	count(1, share.ReceiptFilter{From: from, To: from.Add(2 * time.Minute)})
	page := count(2, share.ReceiptFilter{Outcome: share.Delivered, Limit: 2})
	if page[0].OpenedAt <= page[1].OpenedAt {
		t.Error("not newest first")
	}
	count(1, share.ReceiptFilter{Outcome: share.Delivered, Before: page[1].ID})
	if at := store.FromMicros(page[0].OpenedAt); !at.Equal(f.now) {
		t.Errorf("opened at %s", at)
	}
}
