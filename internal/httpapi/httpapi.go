// Package httpapi is the door of the house: it serves api/openapi.yaml and the
// console over the rooms. It asks who is there (auth), asks the policy table
// whether they may, hands the call to a room and puts the answer into the words of
// the document. It holds no rule of a room; every share decision is share's.
package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mulu"
	"mulu/catalog"
	"mulu/console"
	"mulu/ingest"
	"mulu/ingest/packages"
	"mulu/ingest/post"
	"mulu/ingest/registry"
	"mulu/ingest/submit"
	"mulu/ingest/table"
	"mulu/internal/auth"
	catalogapi "mulu/internal/httpapi/gen/catalog"
	datasetapi "mulu/internal/httpapi/gen/dataset"
	ingestapi "mulu/internal/httpapi/gen/ingest"
	intakeapi "mulu/internal/httpapi/gen/intake"
	ledgerapi "mulu/internal/httpapi/gen/ledger"
	qualityapi "mulu/internal/httpapi/gen/quality"
	sessionapi "mulu/internal/httpapi/gen/session"
	shareapi "mulu/internal/httpapi/gen/share"
	submissionapi "mulu/internal/httpapi/gen/submission"
	systemapi "mulu/internal/httpapi/gen/system"
	"mulu/internal/outbox"
	"mulu/ledger/tilelog"
	"mulu/library"
	"mulu/pipeline"
	"mulu/quality/desk"
	"mulu/share"
)

// Deps are the rooms and what else the door needs. All but those marked optional
// must be set.
type Deps struct {
	Auth    *auth.Service
	Library *library.Library
	Journal *ingest.Journal
	// Declare applies declarations, or with dry only says what would change.
	Declare func(ctx context.Context, files fs.FS, dry bool) (catalog.Diff, error)
	Source  *ingest.Source                  // optional: nil when this process does not ingest
	Seen    *ingest.Seen                    // optional, as Source
	Broker  func(ctx context.Context) error // optional: whether the broker answers
	Desk    *pipeline.Desk                  // reconciliation
	Submit  *submit.Desk                    // what comes in by other ways than Kafka
	Tables  *table.Puller                   // tables of exchange databases
	Files   *pipeline.Files                 // those of them that are files
	Intake  *post.Intake                    // of rows that are posted
	Shelf   *packages.Shelf                 // of packages that come in
	Seal    *packages.Seal                  // of packages that go out
	// Registry is the embedded schema registry, Schemas what ingest reads records with.
	// Optional.
	Registry *registry.Desk
	Schemas  ingest.Schemas
	Share    *share.Service
	Catalog  *catalog.Catalog
	Quality  *desk.Desk // results of runs, drafts, profiles
	Profiles *pipeline.Profiler
	Scoring  Scoring // scores that are not kept, departments, the scheme in force
	Failing  *pipeline.FailingRows
	// RunRules runs a dataset's rules now.
	RunRules func(ctx context.Context, code mulu.DatasetCode) (*desk.Run, error)
	Ledger   *tilelog.Log
	Relay    *outbox.Relay
	// What people do about what came in.
	Mender     *pipeline.Mender
	Withdrawer *pipeline.Withdrawer
	History    *pipeline.HistoryDesk // judged again under other rules
	Editor     *pipeline.Editor      // drafts of rules
	CodeTables []string              // names that a code rule may use
	// Components are further parts to be asked by /readyz and the status page
	// (broker, control store); engine and chain are asked anyway. Optional.
	Components []Component
	FileBytes  int64                // longest file that is taken
	Sample     func() bool          // demonstration data is present; optional
	Version    string               // of the binary
	Console    fs.FS                // optional: the console built into the binary
	Metrics    *prometheus.Registry // optional: one of its own
	Now        func() time.Time     // optional: time.Now
	Log        *slog.Logger
}

// Component is a part of the house that can be asked whether it works.
type Component struct {
	Name    string // Chinese
	Version string
	// Probe asks it; detail is Chinese and shown. It must heed ctx.
	Probe func(ctx context.Context) (detail string, err error)
}

// house is what every handler sees: the rooms, and answers that may be a moment old.
type house struct {
	Deps
	started time.Time
	meter   *meter
	signing chan struct{} // a place for each password that is being checked

	totals   *recent[[]library.Total]
	mended   *recent[map[mulu.DatasetCode]library.Correction]
	batches  *recent[[]mulu.Manifest]
	classes  *recent[map[mulu.DatasetCode][]ingestapi.FlowRejects]
	parts    *recent[[]library.PartCount]
	orgs     *recent[map[mulu.OrgCode]mulu.Org]
	actors   *recent[map[string]mulu.Actor]
	datasets *recent[[]*mulu.Dataset]
	posted   *recent[map[mulu.DatasetCode]mulu.Way] // the way of posts, where one is declared
	scores   *recent[map[mulu.DatasetCode]catalog.ScoreView]
	reads    *recent[map[mulu.GrantID]int64]
}

// maxSigning is how many passwords are checked at a time.
const maxSigning = 4

// New builds the handler. It fails if the routes and the policy table differ.
func New(d Deps) (http.Handler, error) {
	if d.Sample == nil {
		d.Sample = func() bool { return false }
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Console == nil {
		d.Console = console.FS()
	}
	if d.Metrics == nil {
		d.Metrics = prometheus.NewRegistry()
	}
	h := &house{Deps: d, started: d.Now(), signing: make(chan struct{}, maxSigning)}
	h.remember()
	var err error
	if h.meter, err = newMeter(h); err != nil {
		return nil, err
	}
	door := &door{house: h, mux: http.NewServeMux(), seen: map[string]bool{}}
	h.mount(door)
	h.mountRegistry(door)
	if err := door.complete(); err != nil {
		return nil, err
	}
	door.mux.HandleFunc("/v1/", h.nowhere)
	page, err := NewConsole(h.Console, console.NoncePlaceholder)
	if err != nil {
		return nil, err
	}
	door.mux.Handle("/", page)
	return h.around(door.mux), nil
}

// mount registers the generated servers, one per room.
func (h *house) mount(d *door) {
	sessionapi.HandlerWithOptions(sessionapi.NewStrictHandlerWithOptions(sessionRoom{h}, nil, sessionapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		sessionapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	ingestapi.HandlerWithOptions(ingestapi.NewStrictHandlerWithOptions(ingestRoom{h}, nil, ingestapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		ingestapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	submissionapi.HandlerWithOptions(submissionapi.NewStrictHandlerWithOptions(submissionRoom{h}, nil, submissionapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		submissionapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	intakeapi.HandlerWithOptions(intakeRoom{h}, intakeapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	datasetapi.HandlerWithOptions(datasetapi.NewStrictHandlerWithOptions(datasetRoom{h}, nil, datasetapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		datasetapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	qualityapi.HandlerWithOptions(qualityapi.NewStrictHandlerWithOptions(qualityRoom{h}, nil, qualityapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		qualityapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	catalogapi.HandlerWithOptions(catalogapi.NewStrictHandlerWithOptions(catalogRoom{h}, nil, catalogapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		catalogapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	shareapi.HandlerWithOptions(shareapi.NewStrictHandlerWithOptions(shareRoom{h}, nil, shareapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		shareapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	ledgerapi.HandlerWithOptions(ledgerapi.NewStrictHandlerWithOptions(ledgerRoom{h}, nil, ledgerapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		ledgerapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
	systemapi.HandlerWithOptions(systemapi.NewStrictHandlerWithOptions(systemRoom{h}, nil, systemapi.StrictHTTPServerOptions{RequestErrorHandlerFunc: h.malformed, ResponseErrorHandlerFunc: h.fail}),
		systemapi.StdHTTPServerOptions{BaseRouter: d, ErrorHandlerFunc: h.malformed})
}

// door is the mux the generated servers register with: it puts a guard before each
// route, and a route without a line in the policy is never served.
type door struct {
	*house
	mux  *http.ServeMux
	seen map[string]bool
	bad  []string
}

func (d *door) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	r, ok := policy[pattern]
	if !ok {
		d.bad = append(d.bad, pattern+" has no line in the policy")
		return
	}
	d.seen[pattern] = true
	d.mux.Handle(pattern, d.guard(pattern, r, http.HandlerFunc(handler)))
}

func (d *door) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

// complete says whether table and routes agree.
func (d *door) complete() error {
	for pattern := range policy {
		if !d.seen[pattern] {
			d.bad = append(d.bad, pattern+" has no route")
		}
	}
	if len(d.bad) == 0 {
		return nil
	}
	slices.Sort(d.bad)
	return fmt.Errorf("match routes and policy: %w", errors.New(strings.Join(d.bad, "; ")))
}

func (h *house) nowhere(w http.ResponseWriter, r *http.Request) {
	h.fail(w, r, fmt.Errorf("接口中没有 %s %s: %w", r.Method, r.URL.Path, mulu.ErrNotFound))
}
