package httpapi

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"

	"mulu"
	"mulu/catalog"
	api "mulu/internal/httpapi/gen/catalog"
)

// catalogRoom shows the directory.
type catalogRoom struct{ *house }

func (h catalogRoom) ListEntries(ctx context.Context, req api.ListEntriesRequestObject) (api.ListEntriesResponseObject, error) {
	q := req.Params
	limit, err := limitOf(q.Limit, 50, 500)
	if err != nil {
		return nil, err
	}
	if value(q.Offset) < 0 {
		return nil, invalid("offset 不应为负")
	}
	list, total, err := h.Catalog.Entries(ctx, catalog.Query{Text: value(q.Q), Provider: mulu.OrgCode(value(q.Provider)), Offset: value(q.Offset), Limit: limit})
	if err != nil {
		return nil, err
	}
	page := api.EntryPage{Items: []api.Entry{}, Total: total}
	for i := range list {
		page.Items = append(page.Items, entryOf(&list[i]))
	}
	return api.ListEntries200JSONResponse(page), nil
}

func (h catalogRoom) GetEntry(ctx context.Context, req api.GetEntryRequestObject) (api.GetEntryResponseObject, error) {
	e, err := h.Catalog.Entry(ctx, mulu.CatalogCode(req.Params.Code))
	if err != nil {
		return nil, err
	}
	duties, err := h.Catalog.Duties(ctx)
	if err != nil {
		return nil, err
	}
	systems, err := h.Catalog.Systems(ctx)
	if err != nil {
		return nil, err
	}
	d := api.EntryDetail{Entry: entryOf(&e), Items: []api.EntryItem{}, Duty: named(duties, e.Duty), System: named(systems, e.System), ShareCondition: e.ShareCondition, NoShareBasis: e.NoShareBasis, OpenType: e.OpenType}
	for _, i := range e.Items {
		d.Items = append(d.Items, api.EntryItem{Name: i.Name, Title: i.Title, Type: i.Type, Required: i.Required, Key: i.Key, Codes: i.Codes, Level: levelOf(i.Level), Pi: i.PI})
	}
	return api.GetEntry200JSONResponse(d), nil
}

// named says a declared object as people know it, with its id; an id that is not
// declared stays as it is.
func named(list []catalog.Declared, id string) string {
	i := slices.IndexFunc(list, func(d catalog.Declared) bool { return d.ID == id })
	if i < 0 || list[i].Name == "" {
		return id
	}
	return list[i].Name + "（" + id + "）"
}

func entryOf(e *catalog.EntryView) api.Entry {
	return api.Entry{
		Code: string(e.Code), Title: e.Name, Summary: e.Summary, Provider: string(e.Provider), ProviderName: e.ProviderName, Dataset: string(e.Dataset),
		Version: e.Version, State: string(e.State), ShareType: e.ShareType, UpdateCycle: e.Cycle, Level: levelOf(e.Level), Index: indexOf(e.Index),
		UpdatedAt: timeOf(e.PublishedAt), Digest: e.Digest, Pending: e.Pending, Refusal: e.Refusal, Sample: e.Sample,
	}
}

// levelOf reads "L3" as 3; anything else is unclassified.
func levelOf(s string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(s, "L"))
	if err != nil || n < int(mulu.L1) || n > int(mulu.L4) {
		return 0
	}
	return n
}

func (h catalogRoom) ListOrgs(ctx context.Context, _ api.ListOrgsRequestObject) (api.ListOrgsResponseObject, error) {
	orgs, err := h.orgs.get(ctx)
	if err != nil {
		return nil, err
	}
	out := api.ListOrgs200JSONResponse{}
	for _, o := range orgs {
		out = append(out, api.Org{Code: string(o.Code), Name: o.Name, Short: o.Short, Kind: o.Kind, Division: string(o.Division)})
	}
	slices.SortFunc(out, func(a, b api.Org) int { return cmp.Compare(a.Code, b.Code) })
	return out, nil
}
