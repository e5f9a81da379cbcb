package app

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"mulu"
	"mulu/catalog"
	"mulu/internal/declare"
)

// wayDiff says whose ways of delivery differ from what is declared now: they change
// without a new version of the dataset, so nothing else in a diff shows it.
func (a *App) wayDiff(ctx context.Context, set *declare.Set) (catalog.Diff, error) {
	var diff catalog.Diff
	for _, d := range set.Datasets {
		if set.Dataset(d.Code) != d {
			continue
		}
		stored, err := a.submit.Ways(ctx, d.Code)
		if err != nil {
			return nil, err
		}
		was := make([]mulu.Way, len(stored))
		for i := range stored {
			was[i] = stored[i].Way
		}
		ch := catalog.Change{Kind: "Ways", ID: string(d.Code), Name: d.Title, Action: catalog.Amend, Note: "报送方式：" + wayNames(d.Ways)}
		switch {
		case sameWays(was, d.Ways):
			continue
		case len(was) == 0:
			ch.Action = catalog.Add
		}
		diff = append(diff, ch)
	}
	return diff, nil
}

func sameWays(a, b []mulu.Way) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !slices.ContainsFunc(b, func(w mulu.Way) bool { return wayText(w) == wayText(a[i]) }) {
			return false
		}
	}
	return true
}

// wayText is a way as it is stored.
func wayText(w mulu.Way) string {
	b, _ := json.Marshal(w) //nolint:errcheck // strings, numbers and a map of strings
	return string(b)
}

// wayNames is "file/main、table/nightly", or that there is none beside the topic.
func wayNames(ways []mulu.Way) string {
	if len(ways) == 0 {
		return "只有 Kafka"
	}
	names := make([]string, len(ways))
	for i, w := range ways {
		names[i] = string(w.Kind) + "/" + w.Name
	}
	return strings.Join(names, "、")
}
