//go:build linux && amd64

package library_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu"
	"mulu/library"
)

// TestOlderTables: tables that another build made get what they lack, or are refused with
// words that say how to go on.
func TestOlderTables(t *testing.T) {
	e := engine(t, t.TempDir())
	raw, err := clickhouse.Open(&clickhouse.Options{Protocol: clickhouse.HTTP, Addr: []string{"embedded:1"}, TransportFunc: func(*http.Transport) (http.RoundTripper, error) { return e.Transport(), nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	exec := func(sql string) {
		t.Helper()
		if err := raw.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, mulu.ErrConflict) || !strings.Contains(err.Error(), "--data") {
			t.Errorf("%s: %v, want a conflict that says how to go on", what, err)
		}
	}
	ds := &mulu.Dataset{Code: "old", Version: 1, Library: "lib_old", Topic: "old", Format: "json", Key: []string{"id"}, History: true,
		Columns: []mulu.Column{{Name: "id", Type: mulu.String}}}
	l := open(t, library.Options{Transport: e.Transport()})
	if err := l.Apply(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	for _, c := range []string{"manifest DROP COLUMN oldest", "manifest DROP COLUMN newest", "withdrawn DROP COLUMN restored", "rejects DROP COLUMN rest"} {
		exec("ALTER TABLE mulu." + c)
	}
	l = open(t, library.Options{Transport: e.Transport()})
	if err := l.StoreManifest(t.Context(), mulu.Manifest{Plan: mulu.Plan{Dataset: "old", Version: 1, BatchID: mulu.BatchID{Topic: "old", Last: 1}}, Good: 2}); err != nil {
		t.Errorf("columns that were missing: %v", err)
	}
	if _, _, err := l.Rejects(t.Context(), library.RejectFilter{}, "", 1); err != nil {
		t.Errorf("columns that were missing: %v", err)
	}
	exec("DROP TABLE lib_old.old_history SYNC")
	exec("CREATE TABLE lib_old.old_history (id String, _topic_id String, _partition UInt32, _offset UInt64, _row UInt16, _ingested DateTime) ENGINE=MergeTree ORDER BY (_topic_id, _partition, _offset, _row)")
	refused("a history that does not replace", l.Apply(t.Context(), ds))
	exec("DROP TABLE lib_old.old_history SYNC")
	exec("DROP TABLE mulu.rejects SYNC")
	exec("CREATE TABLE mulu.rejects (dataset String, _topic_id String, _partition UInt32, _offset UInt64, at DateTime) ENGINE=ReplacingMergeTree(at) ORDER BY (dataset, _topic_id, _partition, _offset)")
	_, err = library.Open(context.Background(), library.Options{Transport: e.Transport()})
	refused("rejects without rows of a record", err)
}
