package httpapi

import (
	"context"
	"fmt"

	"mulu"
	api "mulu/internal/httpapi/gen/quality"
	"mulu/quality"
)

func (h qualityRoom) ListRuleKinds(context.Context, api.ListRuleKindsRequestObject) (api.ListRuleKindsResponseObject, error) {
	out := api.ListRuleKinds200JSONResponse{Rows: kindsOfRules(quality.Kinds()), Sets: kindsOfRules(quality.SetKindInfos()), Tables: h.CodeTables, Types: []string{}, Indicators: []api.RuleIndicator{}}
	for _, t := range []mulu.Type{mulu.String, mulu.Int, mulu.Decimal, mulu.Date, mulu.DateTime, mulu.Bool} {
		out.Types = append(out.Types, string(t))
	}
	for d := 1; d <= 6; d++ {
		for n := 1; n < 1000; n++ { // 0d, two digits of the second level, two of the third
			code := fmt.Sprintf("%02d%02d%02d", d, n/100, n%100)
			if title := quality.IndicatorTitle(code); title != "" {
				out.Indicators = append(out.Indicators, api.RuleIndicator{Code: code, Title: title})
			}
		}
	}
	return out, nil
}

func kindsOfRules(list []quality.KindInfo) []api.RuleKind {
	out := []api.RuleKind{}
	for _, k := range list {
		kind := api.RuleKind{Name: k.Name, Title: k.Title, Theme: k.Theme, Says: k.Says, Indicator: k.Indicator, Least: k.Least, Most: k.Most, Types: [][]string{}, Roles: namesOf(k.Roles), Params: []api.RuleParam{}}
		for _, types := range k.Types {
			names := make([]string, len(types))
			for i, t := range types {
				names[i] = string(t)
			}
			kind.Types = append(kind.Types, names)
		}
		for _, p := range k.Params {
			kind.Params = append(kind.Params, api.RuleParam{Name: p.Name, Title: p.Title, Type: string(p.Type), Required: p.Required, Default: p.Default, Choices: namesOf(p.Choices)})
		}
		out = append(out, kind)
	}
	return out
}

// namesOf is a list that JSON never writes as null.
func namesOf(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
