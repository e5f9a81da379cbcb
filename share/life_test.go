package share_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/ledger/contract"
	"mulu/plan"
	"mulu/share"
)

func TestLife(t *testing.T) {
	f := open(t)
	if err := f.PutScenario(t.Context(), steward, sc2()); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Submit(t.Context(), officer, application()); !errors.Is(err, mulu.ErrInvalid) {
		t.Fatalf("request before the scenario is on the chain: %v", err)
	}
	f.settle()
	r, err := f.Submit(t.Context(), officer, application())
	if err != nil {
		t.Fatal(err)
	}
	if got := r.Reply.Due.Format(time.DateOnly); got != "2026-12-07" || !strings.Contains(r.Reply.Article, "第二十一条") {
		t.Errorf("reply due %s by %s", got, r.Reply.Article)
	}
	id := r.Grants[0].ID
	if id != "G310107-2026-000001" {
		t.Errorf("grant id %s", id)
	}
	if g := f.state(id, contract.None); g.Pending == "" || g.PendingStep != contract.GrantRequest {
		t.Errorf("pending %q %q", g.Pending, g.PendingStep)
	}
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); !errors.Is(err, mulu.ErrBusy) {
		t.Errorf("decision before the request is on the chain: %v", err)
	}
	f.settle()
	f.state(id, contract.Requested)
	r, err = f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true, Reason: "同意"})
	if err != nil {
		t.Fatal(err)
	}
	if r.Deliver == nil || r.Deliver.Due.Format(time.DateOnly) != "2026-12-21" {
		t.Errorf("delivery due %+v", r.Deliver)
	}
	if g := f.state(id, contract.Requested); g.PendingStep != contract.GrantAgree {
		t.Errorf("after the decision %q is pending", g.PendingStep)
	}
	if _, _, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("read before the grant is on the chain: %v", err)
	}
	f.settle()
	f.state(id, contract.Active)

	d, body, err := f.pull(id)
	if err != nil {
		t.Fatal(err)
	}
	if d.Rows != 3 || d.Bytes != int64(len(body)) || d.Digest != contract.Digest([]byte(body)) || len(d.Quality) != 2 || d.Quality[0].Grade != "良" {
		t.Errorf("delivery %+v of %q", d, body)
	}

	if err := f.Terminate(t.Context(), approver, id, "overreach", "超范围使用"); err != nil {
		t.Fatal(err)
	}
	f.state(id, contract.Active) // the chain has not confirmed yet
	if _, body, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) || body != "" {
		t.Errorf("read after revocation, before the chain: %v, %q", err, body)
	}
	f.settle()
	g := f.state(id, contract.Terminated)
	if g.Status() != "已终止" || g.ChainIndex < 1 {
		t.Errorf("%s at %d", g.Status(), g.ChainIndex)
	}
	if _, _, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("read of an ended grant: %v", err)
	}
	steps, err := f.History(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var got []contract.Kind
	for _, s := range steps {
		got = append(got, s.Step)
		if s.Outcome != "confirmed" {
			t.Errorf("step %+v", s)
		}
	}
	if want := []contract.Kind{contract.GrantRequest, contract.GrantAgree, contract.GrantActivate, contract.GrantEnd}; !slices.Equal(got, want) {
		t.Errorf("history %v, want %v", got, want)
	}
}

func TestOneGrantPerReceiver(t *testing.T) {
	f := open(t)
	f.file(sc2())
	a := application()
	a.Receivers = []mulu.Division{committee, neighbour}
	r := f.requested(a)
	if len(r.Grants) != 2 || r.Grants[0].Terms.Receiver != committee || r.Grants[1].Terms.Receiver != neighbour {
		t.Fatalf("grants %+v", r.Grants)
	}
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	for _, g := range r.Grants {
		f.state(g.ID, contract.Active)
		if _, _, err := f.pull(g.ID); err != nil {
			t.Fatal(err)
		}
		if own := f.reader.last.Where.All[0].All[0]; own.Field != "div12" || own.Op != plan.Eq || own.Value != string(g.Terms.Receiver) {
			t.Errorf("grant %s reads %+v", g.ID, own)
		}
	}
	// Ending one leaves the other.
	if err := f.Terminate(t.Context(), officer, r.Grants[0].ID, "purpose_reached", "任务完成"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.pull(r.Grants[1].ID); err != nil {
		t.Error(err)
	}
}

func TestSubmitErr(t *testing.T) {
	f := open(t)
	f.file(sc2())
	refuse := func(name string, want error, actor mulu.Actor, change func(*share.Application)) {
		t.Run(name, func(t *testing.T) {
			a := application()
			change(&a)
			if _, err := f.Submit(t.Context(), actor, a); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		})
	}
	keep := func(*share.Application) {}
	refuse("item outside the scenario", mulu.ErrInvalid, officer, func(a *share.Application) { a.Items = append(a.Items, "birth") })
	refuse("unclassified item", mulu.ErrInvalid, officer, func(a *share.Application) { a.Items = []string{"grid"} })
	refuse("no items", mulu.ErrInvalid, officer, func(a *share.Application) { a.Items = nil })
	refuse("sensitive item without an assessment", mulu.ErrInvalid, officer, func(a *share.Application) { a.Assessment = " " })
	refuse("receiver of another street", mulu.ErrDenied, officer, func(a *share.Application) { a.Receivers = []mulu.Division{"310107006001"} })
	refuse("receiver wider than the street", mulu.ErrDenied, officer, func(a *share.Application) { a.Receivers = []mulu.Division{"310107"} })
	refuse("receivers that overlap", mulu.ErrInvalid, officer, func(a *share.Application) { a.Receivers = []mulu.Division{"310107005", committee} })
	refuse("receiver that is no code", mulu.ErrInvalid, officer, func(a *share.Application) { a.Receivers = []mulu.Division{"310107005%"} })
	refuse("no receiver", mulu.ErrInvalid, officer, func(a *share.Application) { a.Receivers = nil })
	refuse("term that ends before it begins", mulu.ErrInvalid, officer, func(a *share.Application) { a.To = a.From })
	refuse("more rows than the scenario allows", mulu.ErrInvalid, officer, func(a *share.Application) { a.RowsPerDay = 101 })
	refuse("unknown format", mulu.ErrInvalid, officer, func(a *share.Application) { a.Formats = []string{"xls"} })
	refuse("unknown scenario", mulu.ErrInvalid, officer, func(a *share.Application) { a.Scenario = "SC-9" })
	refuse("a system does not apply", mulu.ErrDenied, worker, keep)
	refuse("the centre does not apply", mulu.ErrDenied, mulu.Actor{ID: "x", Org: center, Role: mulu.RoleOfficer}, keep)

	all, err := f.Requests(t.Context(), share.RequestFilter{})
	if err != nil || len(all) != 0 {
		t.Errorf("refused applications left %d requests, %v", len(all), err)
	}
	a := application()
	a.Items, a.Assessment = []string{"div12", "visit.risk_lv"}, ""
	if _, err := f.Submit(t.Context(), officer, a); err != nil {
		t.Errorf("harmless items need no assessment: %v", err)
	}
}

func TestDecideErr(t *testing.T) {
	f := open(t)
	f.file(sc2())
	r := f.requested(application())
	id := r.Grants[0].ID
	for _, who := range []mulu.Actor{officer, steward, {ID: "x", Org: street, Role: mulu.RoleApprover},
		{ID: "y", Org: mulu.Org{Code: street.Code, Kind: "bureau"}, Role: mulu.RoleApprover}} {
		if _, err := f.Decide(t.Context(), who, r.ID, share.Decision{Agree: true}); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("%s of %s decided: %v", who.Role, who.Org.Kind, err)
		}
	}
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Reason: " "}); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("refusal without a reason: %v", err)
	}
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Reason: "超出履职需要"}); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.state(id, contract.Refused)
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("second answer: %v", err)
	}
	if err := f.Terminate(t.Context(), approver, id, "other", "多余"); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("end of a refused grant: %v", err)
	}
	got, err := f.Request(t.Context(), r.ID)
	if err != nil || got.Agreed || got.Reason != "超出履职需要" || got.Deliver != nil || got.Status() != "不同意" {
		t.Errorf("request %+v, %v", got, err)
	}
	if _, err := f.Request(t.Context(), "S0"); !errors.Is(err, mulu.ErrNotFound) {
		t.Errorf("unknown request: %v", err)
	}
}

func TestChainRefuses(t *testing.T) {
	t.Run("activation below the least score stays agreed and shows why", func(t *testing.T) {
		f := open(t)
		f.file(sc2())
		a := application()
		a.MinScore = 0.9
		r := f.requested(a)
		if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); err != nil {
			t.Fatal(err)
		}
		f.settle()
		id := r.Grants[0].ID
		if g := f.state(id, contract.Agreed); g.Pending != "" || !strings.Contains(g.Refusal, "评分") {
			t.Errorf("%+v", g)
		}
		if _, _, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("read of a grant that the chain did not activate: %v", err)
		}
		for ds := range datasets {
			f.chain.do(t, "score:"+string(ds), house, contract.QualityBody{Dataset: ds, Ruleset: 1, Weights: "w1", Total: 9500, Digest: contract.Digest(nil)})
		}
		if err := f.Activate(t.Context(), approver, id); err != nil {
			t.Fatal(err)
		}
		f.settle()
		if g := f.state(id, contract.Active); g.Refusal != "" {
			t.Errorf("the old refusal is still shown: %q", g.Refusal)
		}
	})
	t.Run("suspension by a revoked key leaves the grant active", func(t *testing.T) {
		f := open(t)
		id := f.granted(application())
		key := contract.KeyText(make([]byte, 32))
		f.chain.do(t, "revoke", approver, contract.ActorBody{Actor: steward.ID, Org: center.Code, Role: mulu.RoleSteward, Key: key, Revoked: true})
		if err := f.Suspend(t.Context(), steward, id, "leak", "疑似泄露"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) {
			t.Errorf("read of a grant with a pending suspension: %v", err)
		}
		f.settle()
		if g := f.state(id, contract.Active); !strings.Contains(g.Refusal, "撤销") {
			t.Errorf("refusal %q", g.Refusal)
		}
		if _, _, err := f.pull(id); err != nil {
			t.Errorf("the chain decides, the grant is active: %v", err)
		}
	})
	t.Run("request for an unlinked dataset never reaches the desk", func(t *testing.T) {
		f := open(t)
		sc := sc2()
		sc.View.Lookups[0].Dataset = "nowhere"
		f.file(sc)
		r := f.requested(application())
		if g := f.state(r.Grants[0].ID, contract.None); g.Status() != "上链被拒" || g.Refusal == "" {
			t.Errorf("%s: %q", g.Status(), g.Refusal)
		}
		if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); !errors.Is(err, mulu.ErrConflict) {
			t.Errorf("decision on it: %v", err)
		}
	})
	t.Run("scenario by one who may not file it stays unfiled and can be filed again", func(t *testing.T) {
		f := open(t)
		if err := f.PutScenario(t.Context(), officer, sc2()); err != nil {
			t.Fatal(err)
		}
		f.settle()
		if all, err := f.Scenarios(t.Context()); err != nil || len(all) != 1 || all[0].State != contract.None || all[0].Refusal == "" {
			t.Errorf("%+v, %v", all, err)
		}
		f.file(sc2())
		if sc, err := f.Scenario(t.Context(), "SC-2"); err != nil || sc.Version != 2 {
			t.Errorf("%+v, %v", sc, err)
		}
		f.file(sc2()) // the same again changes nothing
		if sc, _ := f.Scenario(t.Context(), "SC-2"); sc.Version != 2 {
			t.Errorf("version %d", sc.Version)
		}
	})
}

func TestStopsAndResumption(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	if err := f.Suspend(t.Context(), officer, id, "leak", "x"); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("suspended by its own officer: %v", err)
	}
	if err := f.Suspend(t.Context(), approver, id, "leak", ""); !errors.Is(err, mulu.ErrInvalid) {
		t.Errorf("suspended without a reason: %v", err)
	}
	if err := f.Suspend(t.Context(), approver, id, "leak", "疑似泄露"); err != nil {
		t.Fatal(err)
	}
	if err := f.Suspend(t.Context(), approver, id, "leak", "疑似泄露"); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("suspended twice: %v", err)
	}
	f.settle()
	f.state(id, contract.Suspended)
	if err := f.Resume(t.Context(), steward, id, "mended", "已整改"); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("resumed by the steward: %v", err)
	}
	if err := f.Resume(t.Context(), approver, id, "mended", "已整改"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("a resumption works once anchored: %v", err)
	}
	// Revoked while the resumption is on its way: never served again, and the chain
	// sees both in order.
	if err := f.Terminate(t.Context(), approver, id, "overreach", "超范围使用"); err != nil {
		t.Fatal(err)
	}
	if g := f.state(id, contract.Suspended); g.PendingStep != contract.GrantResume || g.Stop == nil || g.Status() != "已终止（待上链）" {
		t.Errorf("%+v", g)
	}
	f.settle()
	if g := f.state(id, contract.Terminated); g.Stop != nil || g.Pending != "" {
		t.Errorf("%+v", g)
	}
	if err := f.Resume(t.Context(), approver, id, "mended", "已整改"); !errors.Is(err, mulu.ErrConflict) {
		t.Errorf("an ended grant was resumed: %v", err)
	}
}

func TestStopOvertakesActivation(t *testing.T) {
	f := open(t)
	f.file(sc2())
	r := f.requested(application())
	id := r.Grants[0].ID
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); err != nil {
		t.Fatal(err)
	}
	if err := f.Terminate(t.Context(), officer, id, "withdrawn", "不再需要"); err != nil {
		t.Fatal(err)
	}
	f.settle()
	f.state(id, contract.Terminated)
	steps, err := f.History(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range steps {
		if s.Step == contract.GrantActivate {
			t.Error("a withdrawn grant was activated")
		}
	}
}

func TestConfirmTwice(t *testing.T) {
	f := open(t)
	id := f.granted(application())
	before := f.state(id, contract.Active)
	// Answers that come again (a relay that crashed after its commit) change nothing.
	replay(t, f, share.Grant{ID: id})
	if after := f.state(id, contract.Active); after.ChainIndex != before.ChainIndex {
		t.Errorf("index %d, was %d", after.ChainIndex, before.ChainIndex)
	}
}

func TestExpire(t *testing.T) {
	f := open(t)
	a := application()
	a.To = f.now.Add(48 * time.Hour)
	id := f.granted(a)
	if n, err := f.Expire(t.Context()); err != nil || n != 0 {
		t.Errorf("expired %d before its end, %v", n, err)
	}
	f.now = f.now.Add(48 * time.Hour)
	if _, _, err := f.pull(id); !errors.Is(err, mulu.ErrDenied) {
		t.Errorf("read at the end of the term: %v", err)
	}
	if n, err := f.Expire(t.Context()); err != nil || n != 1 {
		t.Fatalf("expired %d, %v", n, err)
	}
	f.settle()
	f.state(id, contract.Terminated)
}

func TestRequestsFilter(t *testing.T) {
	f := open(t)
	f.file(sc2())
	r := f.requested(application())
	count := func(want int, fl share.RequestFilter) {
		t.Helper()
		if all, err := f.Requests(t.Context(), fl); err != nil || len(all) != want {
			t.Errorf("%+v: %d requests, %v; want %d", fl, len(all), err, want)
		}
	}
	count(1, share.RequestFilter{})
	count(1, share.RequestFilter{Org: street.Code, Undecided: true})
	count(0, share.RequestFilter{Org: other.Code})
	if _, err := f.Decide(t.Context(), approver, r.ID, share.Decision{Agree: true}); err != nil {
		t.Fatal(err)
	}
	count(0, share.RequestFilter{Undecided: true})
	gs, err := f.Grants(t.Context(), share.GrantFilter{Requester: street.Code, Scenario: "SC-2", State: contract.Requested})
	if err != nil || len(gs) != 1 || gs[0].Terms.From != application().From.UnixMicro() {
		t.Errorf("grants %+v, %v", gs, err)
	}
	if gs[0].CreatedAt.In(clock.Shanghai).Day() != 23 {
		t.Errorf("created %s", gs[0].CreatedAt)
	}
}
