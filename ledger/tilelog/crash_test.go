package tilelog_test

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mulu"
	"mulu/ledger/contract"
	"mulu/ledger/ledgertest"
	"mulu/ledger/tilelog"
)

// The crash tests run this test binary again as a child that writes to the log
// and is killed, or kills itself at a named step.
const (
	childDir  = "MULU_TEST_LEDGER_DIR"
	childStep = "MULU_TEST_LEDGER_STEP"  // die there …
	childTurn = "MULU_TEST_LEDGER_TURN"  // … in this group, from 1
	childFrom = "MULU_TEST_LEDGER_FIRST" // number of the first command
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

// numbered is command n of the crash tests: the same bytes in every process.
// Every seventh is one that the contract refuses.
func numbered(n int) contract.Command {
	id := "receipts-" + strconv.Itoa(n)
	who := mulu.Actor{ID: "robot", Org: mulu.Org{Code: ledgertest.Center}, Role: mulu.RoleSystem}
	if n%7 == 6 {
		who = mulu.Actor{ID: "asker", Org: mulu.Org{Code: ledgertest.Street}, Role: mulu.RoleOfficer}
	}
	at := ledgertest.Start.Add(time.Hour + time.Duration(n)*time.Millisecond)
	c, err := contract.New(id, who, at, contract.ReceiptBody{Anchor: id, Receipts: 1, Rows: 1, From: at.UnixMicro(), To: at.UnixMicro(), Root: ledgertest.Digest(id)})
	if err == nil {
		err = c.Sign(ledgertest.Key(who.ID))
	}
	if err != nil {
		panic(err)
	}
	return c
}

// child submits commands from 16 goroutines for ever and prints each answer.
func child(dir string) {
	turn, _ := strconv.Atoi(os.Getenv(childTurn))
	first, _ := strconv.Atoi(os.Getenv(childFrom))
	var fail func(string)
	if step := os.Getenv(childStep); step != "" {
		fail = func(s string) {
			if s != step {
				return
			}
			if turn--; turn == 0 {
				syscall.Kill(os.Getpid(), syscall.SIGKILL) //nolint:errcheck // nothing is left to tell
				select {}
			}
		}
	}
	l, err := tilelog.Open(context.Background(), tilelog.Options{Dir: dir, Origin: origin, Failpoint: fail})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	numbers := make(chan int)
	for range 16 {
		go func() {
			for n := range numbers {
				r, err := l.Submit(context.Background(), numbered(n))
				switch {
				case err == nil:
					fmt.Printf("%d %d\n", n, r.Index)
				case contract.AsRefusal(err) != nil:
					fmt.Printf("%d refused\n", n)
				}
			}
		}()
	}
	for n := first; ; n++ {
		numbers <- n
	}
}

// crashing is a log under test with what its children were told.
type crashing struct {
	t     *testing.T
	dir   string
	acked map[int]uint64
	no    map[int]bool
	top   int
}

func newCrashing(t *testing.T) *crashing {
	c := &crashing{t: t, dir: t.TempDir(), acked: map[int]uint64{}, no: map[int]bool{}}
	l := open(t, c.dir)
	if _, err := l.SubmitAll(t.Context(), ledgertest.NewHouse(t).Found()); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

// run starts a child and waits until it is dead; after, if positive, kills it
// shortly after that many answers.
func (c *crashing) run(after int, env ...string) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), append(env, childDir+"="+c.dir, childFrom+"="+strconv.Itoa(max(0, c.top-40)))...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	answers := 0
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if answers++; answers == after {
			time.AfterFunc(rand.N(30*time.Millisecond), func() { cmd.Process.Kill() }) //nolint:errcheck // it may be dead already
		}
		a, b, ok := strings.Cut(lines.Text(), " ")
		n, err := strconv.Atoi(a)
		if !ok || err != nil {
			continue // a line cut off by the kill
		}
		c.top = max(c.top, n)
		if b == "refused" {
			c.no[n] = true
		} else if idx, err := strconv.ParseUint(b, 10, 64); err == nil {
			if before, seen := c.acked[n]; seen && before != idx {
				c.t.Errorf("command %d was answered %d, then %d", n, before, idx)
			}
			c.acked[n] = idx
		}
	}
	cmd.Wait() //nolint:errcheck // it was killed
	if errs.Len() > 0 {
		c.t.Fatalf("child: %s", errs.String())
	}
}

// check opens the log again and proves: nothing answered is lost or moved,
// nothing is there twice, nothing refused is there, and the state is what a
// fresh replay of the log gives.
func (c *crashing) check() {
	c.t.Helper()
	l := open(c.t, c.dir)
	for n, idx := range c.acked {
		if r, err := l.Lookup(c.t.Context(), numbered(n).ID); err != nil || r.Index != idx {
			c.t.Errorf("command %d was acked at %d: %+v, %v", n, idx, r, err)
		}
	}
	for n := range c.no {
		if _, err := l.Lookup(c.t.Context(), numbered(n).ID); err == nil {
			c.t.Errorf("refused command %d is on the chain", n)
		}
	}
	records, err := l.Recent(c.t.Context(), 1<<30)
	if err != nil {
		c.t.Fatal(err)
	}
	if len(records) > 0 { // a checkpoint comes to cover what the killed process had not published
		wait, cancel := context.WithTimeout(c.t.Context(), 5*time.Second)
		defer cancel()
		if _, err := l.Proof(wait, records[0].ID); err != nil {
			c.t.Fatal(err)
		}
	}
	if err := l.Close(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	fresh := c.t.TempDir()
	if err := os.CopyFS(filepath.Join(fresh, "log"), os.DirFS(filepath.Join(c.dir, "log"))); err != nil {
		c.t.Fatal(err)
	}
	for _, f := range []string{"log.key", "log.key.pub"} {
		b, err := os.ReadFile(filepath.Join(c.dir, f))
		if err == nil {
			err = os.WriteFile(filepath.Join(fresh, f), b, 0o600)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	again := open(c.t, fresh)
	head, err := again.Head(c.t.Context())
	if err != nil || head.Size != uint64(len(records)) {
		c.t.Errorf("the log has %d entries for %d commands (%v): duplicates or voids", head.Size, len(records), err)
	}
	if err := again.Close(c.t.Context()); err != nil {
		c.t.Fatal(err)
	}
	if a, b := dump(c.t, c.dir), dump(c.t, fresh); a != b {
		c.t.Error("state differs from a fresh replay")
	}
}

func dump(t *testing.T, dir string) string {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(dir, "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var all strings.Builder
	for _, q := range []string{`SELECT k, v FROM kv ORDER BY k`, `SELECT id, idx FROM applied ORDER BY idx`, `SELECT actor, idx FROM registered ORDER BY idx`, `SELECT k, n FROM meta`} {
		rows, err := db.Query(q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var k, v string
			if err := rows.Scan(&k, &v); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&all, k, v)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		rows.Close()
	}
	return all.String()
}

func TestKilledAtRandomLosesNothing(t *testing.T) {
	c := newCrashing(t)
	for range 8 {
		c.run(60 + rand.N(60))
	}
	if len(c.acked) < 50 || len(c.no) == 0 {
		t.Fatalf("only %d acked and %d refused: the test did not test", len(c.acked), len(c.no))
	}
	c.check()
}

func TestKilledAtEachStep(t *testing.T) {
	for _, step := range []string{"admitted", "adding", "logged", "committed"} {
		t.Run(step, func(t *testing.T) {
			c := newCrashing(t)
			c.run(0, childStep+"="+step, childTurn+"=4")
			db, err := sql.Open("sqlite", filepath.Join(c.dir, "ledger.db"))
			if err != nil {
				t.Fatal(err)
			}
			var before uint64
			if err := db.QueryRow(`SELECT n FROM meta WHERE k = 'size'`).Scan(&before); err != nil {
				t.Fatal(err)
			}
			db.Close()
			l := open(t, c.dir)
			records, err := l.Recent(t.Context(), 1<<30)
			if err != nil {
				t.Fatal(err)
			}
			switch now := uint64(len(records)); {
			case step == "logged" && now == before:
				t.Error("the log was ahead of the state, and nothing was replayed")
			case (step == "admitted" || step == "committed") && now != before:
				t.Errorf("state had %d entries, has %d", before, now)
			}
			if err := l.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			c.run(60) // repeats the last 40 commands
			c.check()
		})
	}
}
