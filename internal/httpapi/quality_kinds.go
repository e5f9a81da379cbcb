package httpapi

import (
	"context"
	"fmt"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/quality"
)

func (h qualityRoom) ListRuleKinds(context.Context, api.ListRuleKindsRequestObject) (api.ListRuleKindsResponseObject, error) {
	out := api.ListRuleKinds200JSONResponse{Rows: []api.RuleKind{}, Sets: []api.RuleKind{}, Tables: h.CodeTables, Types: []string{}, Indicators: []api.RuleIndicator{}}
	for _, name := range quality.RuleKinds() {
		out.Rows = append(out.Rows, api.RuleKind{Name: name, Types: [][]string{}, Roles: []string{}, Params: []api.RuleParam{}})
	}
	for _, name := range quality.SetKinds() {
		out.Sets = append(out.Sets, api.RuleKind{Name: name, Types: [][]string{}, Roles: []string{}, Params: []api.RuleParam{}})
	}
	for _, t := range []mulu.Type{mulu.String, mulu.Int, mulu.Decimal, mulu.Date, mulu.DateTime, mulu.Bool} {
		out.Types = append(out.Types, string(t))
	}
	for d := 1; d <= 6; d++ {
		for n := range 1000 {
			code := fmt.Sprintf("%02d%02d%02d", d, n/100, n%100)
			if title := quality.IndicatorTitle(code); title != "" && n > 0 {
				out.Indicators = append(out.Indicators, api.RuleIndicator{Code: code, Title: title})
			}
		}
	}
	return out, nil
}
