package httpapi

import (
	"slices"

	"mulu"
)

// Rule says who may call one route.
type Rule struct {
	// Public routes need nobody to be signed in; Roles is empty then.
	Public bool
	// Roles may call the route; nobody else may.
	Roles []mulu.Role
	// Own lists the roles that see and touch their own organisation's objects
	// alone. Every other admitted role sees everybody's.
	Own []mulu.Role
}

// Admits says whether a role may call the route at all.
func (r Rule) Admits(role mulu.Role) bool { return r.Public || slices.Contains(r.Roles, role) }

// Scope is the organisation whose objects the actor is held to under this rule;
// "" is everybody's.
func (r Rule) Scope(a mulu.Actor) mulu.OrgCode {
	if slices.Contains(r.Own, a.Role) {
		return a.Org.Code
	}
	return ""
}

// Groups of roles that the table repeats.
var (
	everybody = []mulu.Role{mulu.RoleSteward, mulu.RoleOfficer, mulu.RoleApprover, mulu.RoleOperator, mulu.RoleAuditor, mulu.RoleSystem}
	people    = []mulu.Role{mulu.RoleSteward, mulu.RoleOfficer, mulu.RoleApprover, mulu.RoleOperator, mulu.RoleAuditor}
	watchers  = []mulu.Role{mulu.RoleSteward, mulu.RoleOperator, mulu.RoleAuditor}
	sharing   = []mulu.Role{mulu.RoleSteward, mulu.RoleOfficer, mulu.RoleApprover, mulu.RoleAuditor, mulu.RoleSystem}
	deciders  = []mulu.Role{mulu.RoleApprover}
	stoppers  = []mulu.Role{mulu.RoleApprover, mulu.RoleSteward, mulu.RoleOperator}
	held      = []mulu.Role{mulu.RoleOfficer, mulu.RoleSystem}
)

// policy is the one table of who may do what, by "METHOD /path" as in the API
// document. A route that is not here is denied to everybody; a test holds table
// and document against each other.
var policy = map[string]Rule{
	"GET /v1/session":    {Roles: everybody},
	"POST /v1/session":   {Public: true},
	"DELETE /v1/session": {Roles: people}, // a system has a key and no session

	"GET /v1/flow": {Roles: people},

	"GET /v1/datasets":               {Roles: people},
	"GET /v1/datasets/{code}":        {Roles: people},
	"GET /v1/datasets/{code}/score":  {Roles: people},
	"GET /v1/datasets/{code}/scores": {Roles: people},
	// Rejected rows may hold whatever a department sent: operators see no rows, and
	// all but the steward see them without their values.
	"GET /v1/rejects":         {Roles: []mulu.Role{mulu.RoleSteward, mulu.RoleAuditor}},
	"GET /v1/rejects/summary": {Roles: watchers},

	"GET /v1/catalog/entries": {Roles: everybody},
	"GET /v1/catalog/entry":   {Roles: everybody},
	"GET /v1/orgs":            {Roles: everybody},

	"GET /v1/ledger/head":    {Roles: everybody},
	"GET /v1/ledger/recent":  {Roles: people},
	"GET /v1/ledger/proof":   {Roles: everybody},
	"GET /v1/ledger/pending": {Roles: watchers},

	"GET /v1/share/scenarios": {Roles: sharing},
	"GET /v1/share/requests":  {Roles: sharing, Own: held},
	// Nobody both asks and approves.
	"POST /v1/share/requests":               {Roles: []mulu.Role{mulu.RoleOfficer}, Own: held},
	"POST /v1/share/requests/{id}/decision": {Roles: deciders},
	"GET /v1/share/grants":                  {Roles: sharing, Own: held},
	// An approver revokes; the requester gives back what is its own.
	"POST /v1/share/grants/{id}/revoke": {Roles: []mulu.Role{mulu.RoleApprover, mulu.RoleOfficer}, Own: held},
	// The data centre may stop a share in an emergency too; share checks that it is
	// the centre's steward or operator.
	"POST /v1/share/grants/{id}/suspend": {Roles: stoppers},
	"POST /v1/share/grants/{id}/resume":  {Roles: stoppers},
	// Rows leave only to the receiving organisation, under its own grants.
	"GET /v1/share/grants/{id}/rows":    {Roles: held, Own: held},
	"GET /v1/share/grants/{id}/explain": {Roles: sharing, Own: held},
	"GET /v1/share/receipts":            {Roles: sharing, Own: held},

	"GET /v1/system/status": {Roles: people},
	"GET /healthz":          {Public: true},
	"GET /readyz":           {Public: true},
	"GET /metrics":          {Roles: []mulu.Role{mulu.RoleOperator}},
}

// PolicyFor returns the rule of a route, named as the mux names it
// ("GET /v1/datasets/{code}"). Without one the answer must be no.
func PolicyFor(route string) (Rule, bool) {
	r, ok := policy[route]
	return r, ok
}

// Routes lists every route the table knows, sorted.
func Routes() []string {
	out := make([]string, 0, len(policy))
	for route := range policy {
		out = append(out, route)
	}
	slices.Sort(out)
	return out
}
