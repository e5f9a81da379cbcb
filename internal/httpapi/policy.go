package httpapi

import (
	"maps"
	"slices"
	"time"

	"mulu"
	"mulu/ingest/packages"
)

// Rule says who may call one route. A role that is not named may not: there is no
// other way in than the table.
type Rule struct {
	Public bool          // nobody need be signed in; Roles is empty then
	Local  bool          // also whoever asks from this very machine, not through a proxy
	Roles  []mulu.Role   // may call the route
	Own    []mulu.Role   // those of Roles that see and touch their own organisation's objects alone
	Within time.Duration // how long an answer may take; 0 is ordinaryTime
	Body   int64         // the longest request body in bytes; 0 is maxBody
	Types  []string      // media types of the body; nil is application/json alone
}

// Admits says whether a role may call the route at all.
func (r Rule) Admits(role mulu.Role) bool { return r.Public || slices.Contains(r.Roles, role) }

// Scope is the organisation whose objects the actor is held to under this rule; ""
// is everybody's.
func (r Rule) Scope(a mulu.Actor) mulu.OrgCode {
	if slices.Contains(r.Own, a.Role) {
		return a.Org.Code
	}
	return ""
}

// How long an answer may take: most are read from the control store, exports are
// written by the engine.
const (
	ordinaryTime = 30 * time.Second
	exportTime   = 15 * time.Minute
	declareTime  = 2 * time.Minute // tables and topics are made
)

const (
	steward  = mulu.RoleSteward
	officer  = mulu.RoleOfficer
	approver = mulu.RoleApprover
	operator = mulu.RoleOperator
	auditor  = mulu.RoleAuditor
	system   = mulu.RoleSystem
)

func roles(r ...mulu.Role) []mulu.Role { return r }

var (
	// everybody is whoever is signed in.
	everybody = roles(steward, officer, approver, operator, auditor, system)
	// held are those whose organisation is a receiver: they see its share alone.
	held = roles(officer, system)
	// deliverers hand files in, and see the values that are in them: departments and their
	// systems their own, stewards everybody's.
	deliverers = roles(steward, officer, system)
	// submitters see what was handed in: departments and their systems their own.
	submitters = roles(steward, officer, operator, auditor, system)
)

// anyFile leaves it to the house's own limit how long a file may be.
const anyFile = 1 << 40

// policy is the whole of it: one line per route of api/openapi.yaml. New refuses to
// serve a route without a line and a line without a route.
//
//	steward   flow and what is decided about it, statements, datasets, rejects with their original bytes, catalogue,
//	          chain; mends and replays rejects, takes wrong batches back
//	officer   datasets, catalogue, what its own organisation sends and shares, its datasets' statements; delivers them
//	approver  flow, datasets, catalogue, chain, everybody's share; no row
//	operator  flow, pauses, topics put right, statements, declarations, system, head of the chain, packages; sees no row
//	auditor   the records of everything; no row, changes nothing
//	system    rows of its own organisation's grants; delivers its organisation's datasets
var policy = map[string]Rule{
	"GET /v1/session":    {Roles: everybody},
	"POST /v1/session":   {Public: true},
	"DELETE /v1/session": {Roles: everybody},

	"GET /v1/flow":        {Roles: roles(steward, approver, operator, auditor)},
	"GET /v1/flow/{code}": {Roles: roles(steward, approver, operator, auditor)},

	"POST /v1/ingest/datasets/{code}/pause":  {Roles: roles(steward, operator)},
	"POST /v1/ingest/datasets/{code}/resume": {Roles: roles(steward, operator)},
	"GET /v1/ingest/holds":                   {Roles: roles(steward, operator, auditor)},
	"POST /v1/ingest/holds/release":          {Roles: roles(steward)},
	"POST /v1/ingest/topics/accept":          {Roles: roles(operator)},
	"POST /v1/ingest/topics/skip":            {Roles: roles(operator)},
	"GET /v1/ingest/notices":                 {Roles: roles(steward, officer, operator, auditor), Own: roles(officer)},
	"POST /v1/ingest/notices/seen":           {Roles: roles(steward, officer), Own: roles(officer)},

	"GET /v1/ingest/reconciliations":           {Roles: roles(steward, officer, operator, auditor), Own: held},
	"POST /v1/ingest/reconciliations":          {Roles: roles(steward, operator)},
	"GET /v1/ingest/reconciliations/{id}":      {Roles: roles(steward, officer, operator, auditor), Own: held},
	"GET /v1/ingest/reconciliations/{id}/file": {Roles: roles(steward, officer, operator, auditor), Own: held},

	"GET /v1/ways": {Roles: roles(steward, officer, operator, auditor), Own: roles(officer)},
	"POST /v1/ways/{dataset}/{kind}/{name}/run": {Roles: roles(steward, officer, operator), Own: roles(officer)},
	"GET /v1/submissions":                       {Roles: submitters, Own: held},
	"GET /v1/submissions/{id}":                  {Roles: submitters, Own: held},

	"POST /v1/ingest/{dataset}":             {Roles: held, Own: held, Within: exportTime, Body: postBody, Types: postTypes},
	"POST /v1/submissions/nil":              {Roles: held, Own: held},
	"POST /v1/submissions/packages":         {Roles: roles(officer, operator, system), Own: held, Body: 4 << 20},
	"PUT /v1/submissions/{id}/parts/{name}": {Roles: roles(officer, operator, system), Own: held, Within: exportTime, Body: packages.MaxPart, Types: []string{"application/octet-stream"}},
	"GET /v1/packages":                      {Roles: roles(operator, auditor)},
	"POST /v1/packages":                     {Roles: roles(operator), Body: 4 << 20},

	"POST /v1/submissions/files":        {Roles: deliverers, Own: held, Within: exportTime, Body: anyFile, Types: []string{"application/octet-stream"}},
	"GET /v1/submissions/{id}/preview":  {Roles: deliverers, Own: held},
	"POST /v1/submissions/{id}/preview": {Roles: deliverers, Own: held, Within: exportTime},
	"POST /v1/submissions/{id}/send":    {Roles: deliverers, Own: held, Within: exportTime},
	"POST /v1/submissions/{id}/discard": {Roles: roles(steward, officer, operator, system), Own: held}, // a file: deliverers; a package: who may bring parts
	"GET /v1/submissions/{id}/marked":   {Roles: deliverers, Own: held, Within: exportTime},
	"GET /v1/datasets/{code}/template":  {Roles: submitters}, // no row is in it

	"GET /v1/datasets":                {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/datasets/{code}":         {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/datasets/{code}/score":   {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/datasets/{code}/scores":  {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/rejects":                 {Roles: roles(steward, auditor)},
	"GET /v1/rejects/summary":         {Roles: roles(steward, auditor)},
	"POST /v1/rejects/replay":         {Roles: roles(steward), Within: exportTime},
	"GET /v1/datasets/{code}/batches": {Roles: roles(steward, approver, auditor)},
	"GET /v1/withdrawals":             {Roles: roles(steward, approver, auditor)},
	"POST /v1/withdrawals":            {Roles: roles(steward), Within: exportTime},

	"GET /v1/datasets/{code}/results":                {Roles: roles(steward, officer, approver, auditor)},
	"POST /v1/datasets/{code}/results":               {Roles: roles(steward, operator), Within: exportTime},
	"GET /v1/datasets/{code}/profile":                {Roles: roles(steward, officer, auditor), Own: roles(officer)},
	"POST /v1/datasets/{code}/profile":               {Roles: roles(steward, officer), Own: roles(officer)},
	"GET /v1/datasets/{code}/suggestions":            {Roles: roles(steward, officer, auditor), Own: roles(officer)},
	"POST /v1/datasets/{code}/suggestions/{n}/adopt": {Roles: roles(steward, officer), Own: roles(officer)},
	// Which rows and items of them is quality/rows.See's to say.
	"GET /v1/datasets/{code}/rules/{rule}/rows":         {Roles: roles(steward, officer), Own: roles(officer), Within: exportTime},
	"POST /v1/datasets/{code}/rules/{rule}/rows/export": {Roles: roles(steward, officer), Own: roles(officer), Within: exportTime},
	"GET /v1/quality/looks":                             {Roles: roles(steward, officer, auditor), Own: roles(officer)},
	"GET /v1/quality/looks/{id}/became":                 {Roles: roles(steward, officer, auditor), Own: roles(officer), Within: exportTime},

	// Scores hold counts and no value: whoever sees datasets sees all of them.
	"GET /v1/datasets/{code}/score/explain": {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/quality/departments":           {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/quality/departments/{org}":     {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/quality/weights":               {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/datasets/{code}/judge":         {Roles: roles(steward, officer, approver, auditor)},
	"POST /v1/datasets/{code}/judge":        {Roles: roles(steward)},
	"GET /v1/quality/kinds":                 {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/quality/drafts":                {Roles: roles(steward, officer, auditor), Own: roles(officer)},
	"POST /v1/quality/drafts":               {Roles: roles(steward, officer), Own: roles(officer)},
	"GET /v1/quality/drafts/{id}":           {Roles: roles(steward, officer, auditor), Own: roles(officer)},
	"PUT /v1/quality/drafts/{id}":           {Roles: roles(steward, officer), Own: roles(officer)},
	"DELETE /v1/quality/drafts/{id}":        {Roles: roles(steward, officer), Own: roles(officer)},
	"POST /v1/quality/drafts/{id}/preview":  {Roles: roles(steward, officer), Own: roles(officer), Within: declareTime}, // rows are in it
	"GET /v1/quality/drafts/{id}/backtest":  {Roles: roles(steward, officer, auditor), Own: roles(officer)},
	"POST /v1/quality/drafts/{id}/backtest": {Roles: roles(steward, officer), Own: roles(officer)},
	"POST /v1/quality/drafts/{id}/rebase":   {Roles: roles(steward, officer), Own: roles(officer)},
	"POST /v1/quality/drafts/{id}/activate": {Roles: roles(steward), Within: declareTime},

	"GET /v1/catalog/entries": {Roles: roles(steward, officer, approver, auditor)},
	"GET /v1/catalog/entry":   {Roles: roles(steward, officer, approver, auditor)},
	"POST /v1/declarations":   {Roles: roles(operator), Within: declareTime},
	"GET /v1/orgs":            {Roles: roles(steward, officer, approver, auditor)},

	"GET /v1/ledger/head":    {Roles: roles(steward, approver, operator, auditor)},
	"GET /v1/ledger/recent":  {Roles: roles(steward, approver, auditor)},
	"GET /v1/ledger/pending": {Roles: roles(steward, approver, auditor)},
	"GET /v1/ledger/proof":   {Roles: roles(steward, approver, auditor)},

	"GET /v1/share/scenarios":               {Roles: roles(officer, approver, auditor)},
	"GET /v1/share/requests":                {Roles: roles(officer, approver, auditor), Own: held},
	"POST /v1/share/requests":               {Roles: roles(officer), Own: held},
	"POST /v1/share/requests/{id}/decision": {Roles: roles(approver)},
	"GET /v1/share/grants":                  {Roles: roles(officer, approver, auditor), Own: held},
	"POST /v1/share/grants/{id}/suspend":    {Roles: roles(approver)},
	"POST /v1/share/grants/{id}/resume":     {Roles: roles(approver)},
	"POST /v1/share/grants/{id}/revoke":     {Roles: roles(officer, approver), Own: held},
	"GET /v1/share/grants/{id}/rows":        {Roles: held, Own: held, Within: exportTime},
	"GET /v1/share/grants/{id}/explain":     {Roles: roles(officer, approver, auditor, system), Own: held},
	"GET /v1/share/receipts":                {Roles: roles(officer, approver, auditor), Own: held},
	"GET /v1/share/notices":                 {Roles: roles(officer, approver, auditor, system), Own: held},
	"POST /v1/share/notices/{id}/seen":      {Roles: held, Own: held},

	"GET /v1/system/status": {Roles: roles(operator, auditor)},
	"GET /healthz":          {Public: true},
	"GET /readyz":           {Public: true},
	"GET /metrics":          {Roles: roles(operator), Local: true},
}

// PolicyFor returns the rule of a route, named as the mux names it
// ("GET /v1/datasets/{code}"). Without one the answer is no.
func PolicyFor(route string) (Rule, bool) {
	r, ok := policy[route]
	return r, ok
}

// Routes lists every route the table knows, sorted.
func Routes() []string { return slices.Sorted(maps.Keys(policy)) }

// seesRejects is whether a role reads the original bytes of rejected rows.
func seesRejects(r mulu.Role) bool { return r == steward }
