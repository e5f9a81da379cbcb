package httpapi

import (
	"context"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
)

func (h qualityRoom) RunRules(ctx context.Context, req api.RunRulesRequestObject) (api.RunRulesResponseObject, error) {
	ds, err := h.Catalog.Dataset(ctx, mulu.DatasetCode(req.Code), 0)
	if err != nil {
		return nil, err
	}
	run, err := h.Deps.RunRules(ctx, ds.Code)
	if err != nil {
		return nil, err
	}
	return api.RunRules200JSONResponse(ruleRunOf(ds, run)), nil
}
