package store_test

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"mulu/internal/store"
)

var migrations = fstest.MapFS{"00001_thing.sql": {Data: []byte("-- +goose Up\nCREATE TABLE thing (id TEXT PRIMARY KEY, n BIGINT NOT NULL);\n")}}

func open(t *testing.T) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+t.TempDir()+"/c.db")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for range 2 { // the second time finds nothing to do
		if err := db.Migrate(t.Context(), "thing", migrations); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

func TestTx(t *testing.T) {
	db := open(t)
	put := func(id string) error {
		return db.Tx(t.Context(), func(tx *sql.Tx) error {
			_, err := tx.Exec(`INSERT INTO thing (id, n) VALUES ($1, 1)`, id)
			return err
		})
	}
	if err := put("a"); err != nil {
		t.Fatal(err)
	}
	if err := put("a"); !store.IsUnique(err) {
		t.Errorf("second insert: %v, want a unique error", err)
	}
	stop := errors.New("stop")
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`UPDATE thing SET n = 2`); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Errorf("Tx: %v, want the callback's error", err)
	}
	var n int
	if err := db.Read.QueryRow(`SELECT n FROM thing WHERE id = $1`, "a").Scan(&n); err != nil || n != 1 {
		t.Errorf("after rollback n = %d, %v; want 1", n, err)
	}
	if _, err := db.Read.Exec(`UPDATE thing SET n = 3`); err == nil {
		t.Error("the reading pool accepted a write")
	}
}

func TestOpenErrUnknown(t *testing.T) {
	if _, err := store.Open(context.Background(), "mysql://x"); err == nil {
		t.Error("an unknown control store was opened")
	}
}

// A process that is frozen in the middle of a transaction must not keep others out.
// It needs a server: MULU_TEST_POSTGRES names one.
func TestPostgresIdleTx(t *testing.T) {
	dsn := os.Getenv("MULU_TEST_POSTGRES")
	if dsn == "" {
		t.Skip("set MULU_TEST_POSTGRES=postgres://… (deploy/test/postgres.sh does)")
	}
	frozen, other := openPostgres(t, dsn), openPostgres(t, dsn)
	const lock = `UPDATE thing SET n = n + 1 WHERE id = 'p'`
	if err := frozen.Tx(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (id, n) VALUES ('p', 0) ON CONFLICT (id) DO NOTHING`)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	free := make(chan error, 1)
	err := frozen.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(lock); err != nil {
			return err
		}
		go func() {
			free <- other.Tx(context.Background(), func(tx *sql.Tx) error {
				_, err := tx.Exec(lock)
				return err
			})
		}()
		select {
		case err := <-free:
			if err != nil {
				t.Errorf("the other process: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the other process still waits for the frozen one")
		}
		return nil
	})
	if err == nil {
		t.Error("the frozen transaction was committed although its locks were gone")
	}
	if err := frozen.Tx(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(lock); return err }); err != nil {
		t.Errorf("the thawed process can not go on: %v", err)
	}
}

func openPostgres(t *testing.T, dsn string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context(), "thing", migrations); err != nil {
		t.Fatal(err)
	}
	return db
}
