//go:build linux && amd64

package app_test

import (
	"bytes"
	"testing"
	"testing/fstest"

	"mulu/catalog"
)

// Ways change without a version, so the diff has to say by itself that they do.
func TestChangedWaysShow(t *testing.T) {
	files := district(t).(fstest.MapFS)
	a := start(t, house(t), files)
	ways := func() (out []catalog.Change) {
		t.Helper()
		diff, err := a.ApplyLive(t.Context(), files, true)
		if err != nil {
			t.Fatal(err)
		}
		for _, ch := range diff {
			if ch.Kind == "Ways" {
				out = append(out, ch)
			}
		}
		return out
	}
	if got := ways(); len(got) != 0 {
		t.Errorf("nothing changed, and the diff says %+v", got)
	}
	visit := files["visit.yaml"]
	visit.Data = bytes.Replace(visit.Data, []byte("folder: visit"), []byte("folder: zoufang"), 1)
	got := ways()
	if len(got) != 1 || got[0].ID != "visit" || got[0].Action != catalog.Amend || got[0].Note != "报送方式：file/main、http/main" {
		t.Errorf("another folder is %+v", got)
	}
	if _, err := a.ApplyLive(t.Context(), files, false); err != nil {
		t.Fatal(err)
	}
	if got := ways(); len(got) != 0 {
		t.Errorf("applied, and the diff still says %+v", got)
	}
}
