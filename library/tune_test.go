//go:build linux && amd64

package library_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"mulu"
	"mulu/library"
)

// TestRetuneMerges brings a table that an earlier house made to how parts are merged now.
func TestRetuneMerges(t *testing.T) {
	e := engine(t, t.TempDir())
	ds := &mulu.Dataset{Code: "old", Version: 1, Library: "lib_old", Topic: "t", Format: mulu.FormatJSON,
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true}}, Key: []string{"id"}}
	l := open(t, library.Options{Transport: e.Transport()})
	if err := l.Apply(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false, true} {
		full, err := library.EngineFull(t.Context(), l, "lib_old", "old")
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(full, "merge_selector_base = 10") != want {
			t.Errorf("want merged ten at a time %v: %s", want, full)
		}
		if want {
			err = library.Exec(t.Context(), l, "ALTER TABLE lib_old.old RESET SETTING merge_selector_base")
		} else {
			err = l.Apply(t.Context(), ds)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestRetune opens the same tables under other options: what they say holds for
// tables that exist.
func TestRetune(t *testing.T) {
	e := engine(t, t.TempDir())
	ds := &mulu.Dataset{Code: "tuned", Version: 1, Library: "lib_tuned", Topic: "t", Format: mulu.FormatJSON,
		Columns: []mulu.Column{{Name: "id", Type: mulu.String, Required: true}}, Key: []string{"id"}, History: true}
	for _, c := range []struct {
		fsync bool
		days  int
	}{{false, 30}, {true, 30}, {true, 90}, {false, 90}} {
		l := open(t, library.Options{Transport: e.Transport(), Fsync: c.fsync, HistoryTTL: time.Duration(c.days) * 24 * time.Hour})
		if err := l.Apply(context.Background(), ds); err != nil {
			t.Fatal(err)
		}
		for _, table := range [][2]string{{"lib_tuned", "tuned"}, {"lib_tuned", "tuned_history"}, {"mulu", "manifest"}} {
			full, err := library.EngineFull(t.Context(), l, table[0], table[1])
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(full, "fsync_after_insert = 1"); got != c.fsync {
				t.Errorf("%v: %s is synced: %v: %s", c, table, got, full)
			}
			if want := fmt.Sprintf("toIntervalSecond(%d)", c.days*86400); strings.HasSuffix(table[1], "_history") && !strings.Contains(full, want) {
				t.Errorf("%v: %s keeps %s, want %s", c, table, full, want)
			}
		}
	}
}
