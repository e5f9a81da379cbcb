//go:build linux && amd64

package embedded_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"mulu/library/embedded"
)

// childEnv makes this test binary a process that inserts batches until it is killed.
const childEnv = "MULU_EMBEDDED_CHILD"

const childRows = 50_000

// child prints the number of each batch once its insert has returned.
func child(dir string) {
	err := func() error {
		ctx := context.Background()
		e, err := embedded.Start(ctx, embedded.Options{Dir: dir, Lib: library()})
		if err != nil {
			return err
		}
		boot, err := dial(e, "")
		if err != nil {
			return err
		}
		for _, sql := range []string{"CREATE DATABASE IF NOT EXISTS app ENGINE=Atomic", "CREATE TABLE IF NOT EXISTS app.b (batch UInt64, n UInt64, s String) ENGINE=ReplacingMergeTree ORDER BY (n, batch)"} {
			if err := boot.Exec(ctx, sql); err != nil {
				return err
			}
		}
		var from uint64
		if err := boot.QueryRow(ctx, "SELECT max(batch) FROM app.b").Scan(&from); err != nil {
			return err
		}
		for i := from + 1; ; i++ {
			b, err := boot.PrepareBatch(clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"optimize_on_insert": 0})), "INSERT INTO app.b (batch, n, s)")
			if err != nil {
				return err
			}
			for n := range uint64(childRows) {
				if err := b.Append(i, n*7919%childRows, "some text of a row"); err != nil {
					return err
				}
			}
			if err := b.Send(); err != nil {
				return err
			}
			fmt.Println(i)
		}
	}()
	fmt.Fprintln(os.Stderr, err)
	os.Exit(3)
}

func TestKill(t *testing.T) {
	dir := t.TempDir()
	var acked uint64
	for round := range 3 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), childEnv+"="+dir)
		cmd.Stdin = strings.NewReader("INSERT INTO app.b VALUES (0,0,'from stdin')\n")
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for i := 0; i < 5 && lines.Scan(); i++ {
			if acked, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if round == 0 {
			t.Run("a held directory names its holder", func(t *testing.T) {
				_, err := embedded.Start(t.Context(), embedded.Options{Dir: dir, Lib: library()})
				if !errors.Is(err, embedded.ErrHeld) || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
					t.Errorf("pid %d: %v", cmd.Process.Pid, err)
				}
			})
		}
		time.Sleep(time.Duration(13*(round+1)) * time.Millisecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		for lines.Scan() {
			if acked, err = strconv.ParseUint(lines.Text(), 10, 64); err != nil {
				t.Fatal(err)
			}
		}
		if err := cmd.Wait(); err == nil {
			t.Fatal("the child ended by itself")
		}
		if acked == 0 {
			t.Fatal("the child inserted nothing")
		}
	}
	c := open(t, start(t, dir))
	var batches, last, partial uint64
	err := c.QueryRow(t.Context(), "SELECT count(), max(batch), countIf(n != {n:UInt64}) FROM (SELECT batch, count() AS n FROM app.b GROUP BY batch)", clickhouse.Named("n", childRows)).Scan(&batches, &last, &partial)
	if err != nil {
		t.Fatal(err)
	}
	if partial != 0 || batches != last || last < acked {
		t.Errorf("%d batches, last %d, acknowledged %d, partial %d", batches, last, acked, partial)
	}
}
