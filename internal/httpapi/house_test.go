package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/catalog"
	declared "mulu/deploy/sample"
	"mulu/ingest"
	"mulu/ingest/file"
	"mulu/ingest/packages"
	"mulu/ingest/post"
	"mulu/ingest/registry"
	"mulu/ingest/submit"
	"mulu/ingest/table"
	"mulu/internal/auth"
	"mulu/internal/clock"
	"mulu/internal/declare"
	"mulu/internal/httpapi"
	"mulu/internal/outbox"
	"mulu/internal/sample"
	"mulu/internal/store"
	"mulu/ledger/contract"
	"mulu/ledger/tilelog"
	"mulu/library"
	"mulu/library/embedded"
	"mulu/pipeline"
	"mulu/plan"
	"mulu/quality"
	"mulu/quality/codes"
	"mulu/quality/desk"
	"mulu/quality/rows"
	"mulu/share"
)

const password = "correct horse battery"

// The people of the tests. Organisations are the sample district's.
const (
	bureauCode = mulu.OrgCode("11310107MBQ000024N")
	centerCode = mulu.OrgCode("12310107MBQ000032E")
	streetCode = mulu.OrgCode("11310107MBQ000518E")
	otherCode  = mulu.OrgCode("11310107MBQ0005269")
	policeCode = mulu.OrgCode("11310107MBQ0000599") // owns resident
	civilCode  = mulu.OrgCode("11310107MBQ0000674") // owns visit
)

// house is every room for real on a temporary directory, behind the door.
type house struct {
	t *testing.T
	http.Handler
	auth        *auth.Service
	chain       *tilelog.Log
	relay       *outbox.Relay
	catalog     *catalog.Catalog
	share       *share.Service
	lib         *library.Library
	journal     *ingest.Journal
	seen        *ingest.Seen
	desk        *pipeline.Desk
	profiles    *pipeline.Profiler
	mender      *pipeline.Mender
	lane        pipeline.Lane // without a source
	submissions *submit.Desk
	tables      *table.Puller
	files       *pipeline.Files
	looks       *desk.Desk
	failing     *pipeline.FailingRows
	history     *pipeline.HistoryDesk
	editor      *pipeline.Editor
	people      map[string]mulu.Actor
	keys        map[string]string
	cookies     map[string]*http.Cookie
	log         bytes.Buffer
}

// exporter runs a grant's plan in the library.
type exporter struct{ lib *library.Library }

func (e exporter) Export(ctx context.Context, _ mulu.ScenarioCode, p plan.Plan, format string, w io.Writer) (int64, error) {
	return e.lib.Export(ctx, p, library.Format(format), library.ReadOptions{TokenKey: []byte("0123456789abcdef0123456789abcdef")}, w)
}

type noScores struct{}

func (noScores) Score(context.Context, mulu.DatasetCode) (mulu.Score, bool, error) {
	return mulu.Score{}, false, nil
}

func need[V any](t *testing.T) func(V, error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// theSubmission is one of dataset resident, which the officer's organisation does not own.
var theSubmission string

func openHouse(t *testing.T) *house {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	h := &house{t: t, people: map[string]mulu.Actor{}, keys: map[string]string{}, cookies: map[string]*http.Cookie{}}
	log := slog.New(slog.NewTextHandler(&h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	quiet := slog.New(slog.DiscardHandler)
	db := need[*store.DB](t)(store.Open(ctx, "sqlite:"+filepath.Join(dir, "c.db")))
	t.Cleanup(func() { db.Close() })
	check(t, outbox.Migrate(ctx, db))
	h.lib = openLibrary(t, filepath.Join(dir, "engine"))
	h.journal = need[*ingest.Journal](t)(ingest.NewJournal(ctx, db, time.Now))
	h.submissions = submit.NewDesk(db, []string{"127.0.0.1:1"}, time.Now)
	h.tables = table.New(db, h.submissions, time.Now)
	check(t, h.submissions.Declare(ctx, "resident", tableWays))
	h.auth = need[*auth.Service](t)(auth.Open(ctx, db, filepath.Join(dir, "seal.key"), time.Now))
	h.chain = need[*tilelog.Log](t)(tilelog.Open(ctx, tilelog.Options{Dir: filepath.Join(dir, "chain"), Origin: "mulu.test/310107", Log: quiet}))
	t.Cleanup(func() { h.chain.Close(context.Background()) })

	center := mulu.Org{Code: centerCode, Name: "普陀区大数据中心", Kind: "center", Division: "310107"}
	bureau := mulu.Org{Code: bureauCode, Name: "普陀区数据局", Kind: "bureau", Division: "310107"}
	machine := mulu.Actor{ID: "mulu", Name: "目录系统", Org: center, Role: mulu.RoleSystem}
	root := mulu.Actor{ID: contract.RootActor, Name: "根密钥", Org: bureau, Role: mulu.RoleApprover}
	for _, a := range []mulu.Actor{root, machine} {
		check(t, h.auth.EnsureActor(ctx, a))
	}
	h.submit(root, "init", contract.InitBody{Root: h.key(root.ID), Bureau: bureauCode, Center: centerCode})
	h.register(machine)

	h.catalog = need[*catalog.Catalog](t)(catalog.Open(ctx, catalog.Options{DB: db, Signer: h.auth, Machine: machine, Now: time.Now, Log: quiet}))
	calendar := need[*clock.Calendar](t)(clock.National())
	h.share = need[*share.Service](t)(share.New(ctx, share.Options{DB: db, Put: outbox.Put, Signer: h.auth, Reader: exporter{h.lib}, Scorer: noScores{}, Calendar: calendar,
		System: machine, Division: "310107", Spool: filepath.Join(dir, "spool"), Now: time.Now, Log: quiet}))
	handlers := h.catalog.Handlers()
	for _, object := range []string{"scenario", "grant", "receipt"} {
		handlers[object] = h.share.Confirm
	}
	h.relay = outbox.NewRelay(db, h.chain, handlers, quiet, time.Now)
	run, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- h.relay.Run(run) }()
	t.Cleanup(func() { stop(); <-done })

	h.seen = ingest.NewSeen(time.Now)
	life, end := context.WithCancel(context.Background())
	h.desk = &pipeline.Desk{Statements: h.journal.Statements(), Log: quiet, Life: life, Reconciler: pipeline.Reconciler{
		Source: ingest.NewRereader([]string{"127.0.0.1:1"}), Journal: h.journal, Library: h.lib, Datasets: h.catalog.Datasets, Now: time.Now}} // no broker is there
	t.Cleanup(func() { end(); h.desk.Wait() })
	version := func(code mulu.DatasetCode, _ uint32) (*pipeline.Version, error) {
		return readyVersion(h.lib.Dataset(code))
	}
	h.mender = &pipeline.Mender{Library: h.lib, Journal: h.journal, Version: version, Now: time.Now}
	h.lane = pipeline.Lane{Library: h.lib, Journal: h.journal, Version: version, Now: time.Now}
	h.files = &pipeline.Files{Desk: h.submissions, Version: version, Newest: h.lib.Dataset, Codes: func(string) []file.Code { return nil }, Dir: filepath.Join(dir, "submissions"),
		Keep: time.Hour, Now: time.Now, Log: quiet, Life: life}
	h.looks = need[*desk.Desk](t)(desk.Open(ctx, db))
	h.failing = &pipeline.FailingRows{Library: h.lib, Looks: h.looks, Orgs: h.catalog.Orgs, Signer: h.auth,
		Actor: machine.ID, House: rows.House{Origin: "mulu.test/310107", Name: center.Name}, Key: []byte("0123456789abcdef0123456789abcdef"), Dir: filepath.Join(dir, "rows"), PerFile: 3, Now: time.Now}
	tables := need[*codes.Tables](t)(codes.Load(codes.WithSynthetic(sample.NoDivision)))
	h.profiles = &pipeline.Profiler{Library: h.lib, Desk: h.looks, Tables: func(*mulu.Dataset) *codes.Tables { return tables }, Data: h.lib.DataVersion, Now: time.Now, Log: quiet, Life: life}
	t.Cleanup(h.profiles.Wait)
	h.Handler = need[http.Handler](t)(httpapi.New(h.withEditor(machine, httpapi.Deps{
		Auth: h.auth, Library: h.lib, Journal: h.journal, Desk: h.desk, Submit: h.submissions, Tables: h.tables, Files: h.files, FileBytes: 1 << 20, Registry: registry.NewDesk(db, time.Now), Intake: post.New(post.Options{Desk: h.submissions, Dir: filepath.Join(dir, "posts"), MaxBody: 1 << 20, MemoryBytes: 64 << 20}),
		Shelf: &packages.Shelf{Desk: h.submissions, Dir: filepath.Join(dir, "packages"), Dataset: func(ctx context.Context, code mulu.DatasetCode) (*mulu.Dataset, error) {
			return h.lib.Dataset(code), nil
		}},
		Seal:  &packages.Seal{DB: db, Signer: h.auth, Actor: machine.ID, House: packages.House{Origin: "mulu.test/310107", Name: center.Name}, Now: time.Now},
		Share: h.share, Catalog: h.catalog, Quality: h.looks, Profiles: h.profiles, Scoring: scoring{h.catalog}, Failing: h.failing, RunRules: h.runRules(h.looks), Ledger: h.chain, Relay: h.relay, Seen: h.seen,
		Broker: func(context.Context) error { return mulu.ErrBusy },
		Mender: h.mender, Withdrawer: &pipeline.Withdrawer{Library: h.lib, Journal: h.journal, Holders: h.share, Now: time.Now},
		Sample: func() bool { return true }, Version: "test", Console: built, Log: log,
	})))
	h.declare(machine)
	need[*desk.Run](t)(h.runRules(h.looks)(ctx, "resident"))
	theSubmission = need[*pipeline.FilePreview](t)(h.files.Take(ctx, pipeline.Handed{Dataset: "resident", Name: "实有人口.csv", By: "steward", Body: strings.NewReader("公民身份号码,姓名\n1,张三\n")})).ID
	return h
}

// readyVersion makes a version of the sample district ready.
func readyVersion(ds *mulu.Dataset) (*pipeline.Version, error) {
	tables, err := codes.Load(codes.WithSynthetic(sample.NoDivision))
	if err != nil {
		return nil, err
	}
	v := &pipeline.Version{Dataset: ds}
	if v.Decoder, err = ingest.NewDecoder(ds); err != nil {
		return nil, err
	}
	v.Rules, err = quality.Compile(ds, tables)
	return v, err
}

func openLibrary(t *testing.T, dir string) *library.Library {
	t.Helper()
	path := os.Getenv(embedded.EnvLib)
	if path == "" {
		path = "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	e, err := embedded.Start(context.Background(), embedded.Options{Dir: dir, Lib: path})
	if err != nil {
		t.Fatalf("these tests need the engine (make installs it): %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		check(t, e.Stop(ctx))
	})
	return need[*library.Library](t)(library.Open(t.Context(), library.Options{Transport: e.Transport(), Log: slog.New(slog.DiscardHandler)}))
}

func (h *house) key(id string) string {
	h.t.Helper()
	k, err := h.auth.PublicKey(h.t.Context(), id)
	check(h.t, err)
	return contract.KeyText(k)
}

func (h *house) submit(who mulu.Actor, id string, body contract.Body) {
	h.t.Helper()
	c, err := contract.New(id, who, time.Now(), body)
	check(h.t, err)
	check(h.t, h.auth.Sign(h.t.Context(), who.ID, &c))
	_, err = h.chain.Submit(h.t.Context(), c)
	check(h.t, err)
}

func (h *house) register(a mulu.Actor) {
	h.t.Helper()
	root, err := h.auth.Actor(h.t.Context(), contract.RootActor)
	check(h.t, err)
	h.submit(root, "register:"+a.ID, contract.ActorBody{Actor: a.ID, Org: a.Org.Code, Role: a.Role, Key: h.key(a.ID)})
}

func (h *house) flush() {
	h.t.Helper()
	h.relay.Wake()
	ctx, cancel := context.WithTimeout(h.t.Context(), 30*time.Second)
	defer cancel()
	check(h.t, h.relay.Flush(ctx))
}

// declare loads the sample district: declarations, people, published entries, the
// scenario SC-2.
func (h *house) declare(machine mulu.Actor) {
	h.t.Helper()
	ctx := h.t.Context()
	tables := need[*codes.Tables](h.t)(codes.Load(codes.WithSynthetic(sample.NoDivision)))
	set, err := declare.Load(declared.FS, declare.Known{CodeTables: tables.Names(), RuleKinds: quality.RuleKinds(), SetKinds: quality.SetKinds(), CheckRules: quality.CheckRules(tables)})
	check(h.t, err)
	_, err = h.catalog.Apply(ctx, machine, set)
	check(h.t, err)
	for _, d := range set.Datasets {
		check(h.t, h.lib.Apply(ctx, d.Dataset))
	}
	for _, p := range []struct {
		id   string
		org  mulu.OrgCode
		role mulu.Role
	}{
		{"steward", centerCode, mulu.RoleSteward}, {"officer", streetCode, mulu.RoleOfficer}, {"stranger", otherCode, mulu.RoleOfficer},
		{"police", policeCode, mulu.RoleOfficer}, {"civil", civilCode, mulu.RoleOfficer},
		{"approver", bureauCode, mulu.RoleApprover}, {"operator", centerCode, mulu.RoleOperator}, {"auditor", bureauCode, mulu.RoleAuditor},
		{"system", streetCode, mulu.RoleSystem}, {"other-system", otherCode, mulu.RoleSystem},
	} {
		org, err := h.catalog.Org(ctx, p.org)
		check(h.t, err)
		a := mulu.Actor{ID: p.id, Name: p.id, Org: org, Role: p.role}
		if p.role == mulu.RoleSystem {
			h.keys[p.id], err = h.auth.CreateKey(ctx, a, time.Time{})
			check(h.t, err)
		} else {
			check(h.t, h.auth.CreateAccount(ctx, a, password))
		}
		h.register(a)
		h.people[p.id] = a
	}
	h.flush()
	for _, d := range set.Datasets {
		check(h.t, h.catalog.Publish(ctx, h.people["approver"], d.Catalog))
	}
	h.flush()
	for _, s := range set.Scenarios {
		sc := share.Scenario{Code: s.Code, Title: s.Title, Owner: s.Owner, Purpose: s.Purpose, LegalBasis: []string{"上海市居民委员会工作条例第三十六条"}, View: s.View, Where: s.Fixed,
			Division: s.Scope, RowsPerDay: s.RowsDay, RetainDays: int64(s.Retain), Assessment: s.Impact, Requesters: s.Requester}
		for _, i := range s.Items {
			item := share.Item{Name: i.Name, Title: i.Title, Level: i.Level, Masks: map[mulu.Role]plan.Mask{"": i.Mask}}
			for role, m := range i.Masks {
				item.Masks[role] = m
			}
			sc.Items = append(sc.Items, item)
		}
		check(h.t, h.share.PutScenario(ctx, machine, sc))
	}
	h.flush()
}

// call makes one request as somebody: a name of people, "" for nobody, "bad key".
func (h *house) call(who, method, path string, body any) *httptest.ResponseRecorder {
	h.t.Helper()
	var in io.Reader
	kind := "application/json"
	if b, ok := body.([]byte); ok {
		in, kind = bytes.NewReader(b), "application/octet-stream"
	} else if body != nil {
		b, err := json.Marshal(body)
		check(h.t, err)
		in = bytes.NewReader(b)
	}
	r := httptest.NewRequestWithContext(h.t.Context(), method, path, in)
	r.RemoteAddr = "192.0.2.7:40000"
	r.Header.Set("X-Mulu", "test")
	if body != nil {
		r.Header.Set("Content-Type", kind)
	}
	switch {
	case who == "":
	case who == "bad key":
		r.Header.Set("Authorization", "Bearer mulu_000000000000_nothing")
	case h.keys[who] != "":
		r.Header.Set("Authorization", "Bearer "+h.keys[who])
	default:
		r.AddCookie(h.session(who))
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// session signs somebody in through the door, once.
func (h *house) session(who string) *http.Cookie {
	h.t.Helper()
	if c := h.cookies[who]; c != nil {
		return c
	}
	w := h.call("", "POST", "/v1/session", map[string]string{"account": who, "password": password})
	if w.Code != 200 || len(w.Result().Cookies()) != 1 {
		h.t.Fatalf("sign in as %s: %d %s", who, w.Code, w.Body)
	}
	h.cookies[who] = w.Result().Cookies()[0]
	return h.cookies[who]
}

// get reads an answer that must be good.
func (h *house) get(who, path string, out any) {
	h.t.Helper()
	h.good(h.call(who, "GET", path, nil), out)
}

func (h *house) good(w *httptest.ResponseRecorder, out any) {
	h.t.Helper()
	if w.Code >= 300 {
		h.t.Fatalf("%d %s", w.Code, w.Body)
	}
	if out != nil {
		check(h.t, json.Unmarshal(w.Body.Bytes(), out))
	}
}
