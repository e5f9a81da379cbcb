package share_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"mulu"
	"mulu/internal/clock"
	"mulu/internal/outbox"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/plan"
	"mulu/share"
)

// The people and systems of the tests.
var (
	bureau = mulu.Org{Code: "11310107MBQ0000010", Name: "区数据局", Kind: "bureau", Division: "310107"}
	center = mulu.Org{Code: "12310107MBQ0000029", Name: "区大数据中心", Kind: "center", Division: "310107"}
	civil  = mulu.Org{Code: "11310107MBQ0000674", Name: "区民政局", Kind: "department", Division: "310107"}
	street = mulu.Org{Code: "11310107MBQ000518E", Name: "长风新村街道", Kind: "street", Division: "310107005"}
	other  = mulu.Org{Code: "11310107MBQ0000599", Name: "曹杨新村街道", Kind: "street", Division: "310107006"}

	approver = mulu.Actor{ID: "approver", Org: bureau, Role: mulu.RoleApprover}
	steward  = mulu.Actor{ID: "steward", Org: center, Role: mulu.RoleSteward}
	operator = mulu.Actor{ID: "operator", Org: center, Role: mulu.RoleOperator}
	house    = mulu.Actor{ID: "mulu", Org: center, Role: mulu.RoleSystem}
	officer  = mulu.Actor{ID: "officer", Org: street, Role: mulu.RoleOfficer}
	worker   = mulu.Actor{ID: "street-app", Org: street, Role: mulu.RoleSystem}
	stranger = mulu.Actor{ID: "other-app", Org: other, Role: mulu.RoleSystem}
	everyone = []mulu.Actor{approver, steward, operator, house, officer, worker, stranger}
)

const (
	committee = mulu.Division("310107005001")
	neighbour = mulu.Division("310107005002")
)

var datasets = map[mulu.DatasetCode]*mulu.Dataset{
	"resident": {Code: "resident", Key: []string{"id_no"}, Columns: []mulu.Column{
		{Name: "id_no", Type: mulu.String, Level: mulu.L3, PI: "id_no"}, {Name: "name", Type: mulu.String, Level: mulu.L3, PI: "name"},
		{Name: "phone", Type: mulu.String, Level: mulu.L3, PI: "phone"}, {Name: "birth", Type: mulu.Date, Level: mulu.L3},
		{Name: "div12", Type: mulu.String, Level: mulu.L2}, {Name: "grid", Type: mulu.String},
	}},
	"visit": {Code: "visit", Key: []string{"id_no"}, Columns: []mulu.Column{
		{Name: "id_no", Type: mulu.String, Level: mulu.L3, PI: "id_no"}, {Name: "visit", Type: mulu.Date, Level: mulu.L2},
		{Name: "risk_lv", Type: mulu.Int, Level: mulu.L2}, {Name: "live_alone", Type: mulu.Bool, Level: mulu.L3},
	}},
}

func sc2() share.Scenario {
	return share.Scenario{
		Code: "SC-2", Title: "独居老人关怀", Owner: civil.Code, Purpose: "定期走访", LegalBasis: []string{"上海市居民委员会工作条例 第三十六条"},
		View: plan.View{Base: "resident",
			Lookups: []plan.Lookup{{Name: "visit", Dataset: "visit", Kind: plan.Latest, On: []string{"id_no"}, OrderBy: "visit"}},
			Derived: []plan.Derived{{Name: "age", Kind: "age", From: "birth", AsOf: "today"}}},
		Items: []share.Item{
			{Name: "id_no", Title: "人员标识", Level: mulu.L3, PI: "id_no", Masks: map[mulu.Role]plan.Mask{"": plan.MaskToken}},
			{Name: "name", Title: "姓名", Level: mulu.L3, PI: "name", Masks: map[mulu.Role]plan.Mask{"": plan.MaskName, mulu.RoleSystem: plan.Clear}},
			{Name: "phone", Title: "联系电话", Level: mulu.L3, PI: "phone"},
			{Name: "div12", Title: "居委代码", Level: mulu.L2},
			{Name: "grid", Title: "网格"},
			{Name: "visit.risk_lv", Title: "风险等级", Level: mulu.L2},
		},
		Where:    plan.Predicate{All: []plan.Predicate{{Field: "age", Op: plan.Ge, Value: 70}, {Field: "visit.live_alone", Op: plan.Eq, Value: true}}},
		Division: "div12", RowsPerDay: 100,
	}
}

// reader is a Reader that fails the test when it is handed a plan that the library
// would refuse or that is not bound to the receiver.
type reader struct {
	t      *testing.T
	mu     sync.Mutex
	rows   int64
	err    error
	during func() // runs while the engine would work
	last   plan.Plan
	calls  int
}

func (r *reader) Export(ctx context.Context, sc mulu.ScenarioCode, p plan.Plan, format string, w io.Writer) (int64, error) {
	r.mu.Lock()
	r.calls++
	r.last = p
	rows, err, during := r.rows, r.err, r.during
	r.mu.Unlock()
	if verr := p.Validate(func(c mulu.DatasetCode) *mulu.Dataset { return datasets[c] }); verr != nil {
		r.t.Errorf("plan: %v", verr)
	}
	if !strings.Contains(fmt.Sprint(p.Where), "div12") {
		r.t.Errorf("the plan is not bound to a division: %+v", p.Where)
	}
	if sc != "SC-2" {
		r.t.Errorf("token key of scenario %q", sc)
	}
	if during != nil {
		during()
	}
	for i := range rows {
		if _, werr := fmt.Fprintf(w, "{\"row\":%d}\n", i); werr != nil {
			return 0, fmt.Errorf("write: %w", werr)
		}
	}
	return rows, err
}

// scores is a Scorer.
type scores map[mulu.DatasetCode]float64

func (s scores) Score(_ context.Context, d mulu.DatasetCode) (mulu.Score, bool, error) {
	x, ok := s[d]
	return mulu.Score{Dataset: d, Total: x, Grade: "良"}, ok, nil
}

// chain is the real contract over a map, as a ledger the relay can submit to.
type chain struct {
	keys  map[string]ed25519.PrivateKey
	state map[string][]byte
	n     uint64
	now   func() time.Time
}

func (c *chain) Get(k string) ([]byte, error) { return c.state[k], nil }
func (c *chain) Put(k string, v []byte) error { c.state[k] = v; return nil }
func (c *chain) Sign(_ context.Context, id string, cmd *contract.Command) error {
	return cmd.Sign(c.keys[id])
}

func (c *chain) SubmitAll(_ context.Context, cs []contract.Command) ([]contract.Answer, error) {
	out := make([]contract.Answer, len(cs))
	for i, cmd := range cs {
		res, err := contract.Apply(c, contract.Tx{Time: cmd.At}, cmd)
		if err == nil {
			c.n++
			out[i].Receipt = contract.Receipt{ID: cmd.ID, Index: c.n, Result: res}
		}
		out[i].Err = err
	}
	return out, nil
}

func (c *chain) do(t *testing.T, id string, actor mulu.Actor, body contract.Body) {
	t.Helper()
	cmd, err := contract.New(id, actor, c.now(), body)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Sign(t.Context(), actor.ID, &cmd); err != nil {
		t.Fatal(err)
	}
	if _, err := contract.Apply(c, contract.Tx{Time: cmd.At}, cmd); err != nil {
		t.Fatalf("chain %s: %v", id, err)
	}
}

// fixture is a sharing desk on a real control store and the real contract.
type fixture struct {
	*share.Service
	t      *testing.T
	opt    share.Options
	reader *reader
	scores scores
	chain  *chain
	now    time.Time
}

func open(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{t: t, reader: &reader{t: t, rows: 3}, scores: scores{"resident": 0.93, "visit": 0.85}, now: time.Date(2026, 11, 23, 10, 0, 0, 0, clock.Shanghai)}
	now := func() time.Time { return f.now }
	f.chain = newChain(t, now)
	db := controlStore(t)
	if err := outbox.Migrate(t.Context(), db); err != nil {
		t.Fatal(err)
	}
	cal, err := clock.National()
	if err != nil {
		t.Fatal(err)
	}
	f.opt = share.Options{DB: db, Put: outbox.Put, Signer: f.chain, Reader: f.reader, Scorer: f.scores, Calendar: cal, System: house,
		Division: "310107", Spool: t.TempDir() + "/spool", Now: now, Log: slog.New(slog.DiscardHandler)}
	f.restart()
	return f
}

// controlStore is a fresh SQLite, or a fresh schema of the PostgreSQL that
// MULU_TEST_POSTGRES names (postgres://…), so that both run the same tests.
func controlStore(t *testing.T) *store.DB {
	t.Helper()
	dsn := "sqlite:" + t.TempDir() + "/control.db"
	if pg := os.Getenv("MULU_TEST_POSTGRES"); pg != "" {
		admin, err := store.Open(t.Context(), pg)
		if err != nil {
			t.Fatal(err)
		}
		schema := fmt.Sprintf("share_%d", time.Now().UnixNano())
		if _, err := admin.Read.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if _, err := admin.Read.Exec("DROP SCHEMA " + schema + " CASCADE"); err != nil {
				t.Error(err)
			}
			admin.Close()
		})
		u, err := url.Parse(pg)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Set("search_path", schema)
		u.RawQuery = q.Encode()
		dsn = u.String()
	}
	db, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// restart makes a new process on the same store.
func (f *fixture) restart() {
	f.t.Helper()
	s, err := share.New(f.t.Context(), f.opt)
	if err != nil {
		f.t.Fatal(err)
	}
	f.Service = s
}

func newChain(t *testing.T, now func() time.Time) *chain {
	t.Helper()
	c := &chain{keys: map[string]ed25519.PrivateKey{}, state: map[string][]byte{}, now: now}
	key := func(id string) string {
		seed := make([]byte, ed25519.SeedSize)
		copy(seed, id)
		c.keys[id] = ed25519.NewKeyFromSeed(seed)
		return contract.KeyText(c.keys[id].Public().(ed25519.PublicKey))
	}
	root := mulu.Actor{ID: contract.RootActor, Org: bureau, Role: mulu.RoleApprover}
	c.do(t, "init", root, contract.InitBody{Root: key(root.ID), Bureau: bureau.Code, Center: center.Code})
	for _, a := range everyone {
		c.do(t, "reg:"+a.ID, root, contract.ActorBody{Actor: a.ID, Org: a.Org.Code, Role: a.Role, Key: key(a.ID)})
	}
	d := contract.Digest([]byte("x"))
	c.do(t, "duty", steward, contract.DutyBody{Duty: "d1", Org: civil.Code, Digest: d})
	c.do(t, "system", steward, contract.SystemBody{System: "s1", Org: civil.Code, Digest: d})
	c.do(t, "propose", steward, contract.ProposeBody{Catalog: "310107/3005/000001", Version: 1, Provider: civil.Code, Duty: "d1", System: "s1", Share: contract.ShareConditional, Level: "L3", Items: 6, Digest: d})
	c.do(t, "publish", approver, contract.PublishBody{Catalog: "310107/3005/000001", Version: 1, Digest: d})
	for ds := range datasets {
		c.do(t, "link:"+string(ds), steward, contract.LinkBody{Dataset: ds, Version: 1, Catalog: "310107/3005/000001", Schema: d})
	}
	return c
}

// settle lets the real relay bring everything that waits to the chain and back.
func (f *fixture) settle() {
	f.t.Helper()
	r := outbox.NewRelay(f.opt.DB, f.chain, map[string]outbox.Confirm{"scenario": f.Confirm, "grant": f.Confirm, "receipt": f.Confirm}, f.opt.Log, f.opt.Now)
	ctx, cancel := context.WithTimeout(f.t.Context(), 10*time.Second)
	done := make(chan error, 1)
	run, stop := context.WithCancel(ctx)
	go func() { done <- r.Run(run) }()
	defer func() { stop(); <-done; cancel() }()
	for range 4 { // a confirmation may put the next command
		if err := r.Flush(ctx); err != nil {
			f.t.Fatal(err)
		}
	}
}

func application() share.Application {
	return share.Application{Scenario: "SC-2", Items: []string{"id_no", "name", "phone", "div12"}, Receivers: []mulu.Division{committee}, Purpose: "独居老人走访",
		From: time.Date(2026, 11, 1, 0, 0, 0, 0, clock.Shanghai), To: time.Date(2027, 11, 1, 0, 0, 0, 0, clock.Shanghai), Assessment: "PIA-2026-017"}
}

// file puts the scenario on the chain.
func (f *fixture) file(sc share.Scenario) {
	f.t.Helper()
	if err := f.PutScenario(f.t.Context(), steward, sc); err != nil {
		f.t.Fatal(err)
	}
	f.settle()
}

// requested leads to a request that the chain has confirmed.
func (f *fixture) requested(a share.Application) share.Request {
	f.t.Helper()
	r, err := f.Submit(f.t.Context(), officer, a)
	if err != nil {
		f.t.Fatal(err)
	}
	f.settle()
	return r
}

// granted leads the whole way to an active grant.
func (f *fixture) granted(a share.Application) mulu.GrantID {
	f.t.Helper()
	f.file(sc2())
	r := f.requested(a)
	if _, err := f.Decide(f.t.Context(), approver, r.ID, share.Decision{Agree: true, Reason: "同意"}); err != nil {
		f.t.Fatal(err)
	}
	f.settle()
	f.state(r.Grants[0].ID, contract.Active)
	return r.Grants[0].ID
}

func (f *fixture) state(id mulu.GrantID, want contract.State) share.Grant {
	f.t.Helper()
	g, err := f.Grant(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	if g.State != want {
		f.t.Fatalf("grant %s is %q (%s, refusal %q), want %q", id, g.State, g.Status(), g.Refusal, want)
	}
	return g
}

// pull reads a grant as the street's system.
func (f *fixture) pull(id mulu.GrantID) (share.Delivery, string, error) {
	f.t.Helper()
	f.tick()
	var b bytes.Buffer
	d, err := f.Serve(f.t.Context(), share.Ask{Actor: worker, Grant: id}, &b)
	return d, b.String(), err
}

// tick moves the clock, so that receipts have an order.
func (f *fixture) tick() { f.now = f.now.Add(time.Millisecond) }

// last is the newest receipt.
func (f *fixture) last() share.Receipt {
	f.t.Helper()
	all, err := f.Receipts(f.t.Context(), share.ReceiptFilter{Limit: 1})
	if err != nil || len(all) != 1 {
		f.t.Fatalf("last receipt: %v, %v", all, err)
	}
	return all[0]
}
