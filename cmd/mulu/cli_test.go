package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// envMain makes the test binary be mulu: the tests exercise the real main.
const envMain = "MULU_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(envMain) != "" {
		main()
	}
	os.Exit(m.Run())
}

// runMulu runs the program and returns what it printed and its exit code. env is added
// to the environment, without an engine of the machine's own.
func runMulu(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), exe, args...)
	c.Env = append(append(os.Environ(), envMain+"=1"), env...)
	c.Dir = t.TempDir()
	var o, e bytes.Buffer
	c.Stdout, c.Stderr = &o, &e
	err = c.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return o.String(), e.String(), c.ProcessState.ExitCode()
}

// fails wants an exit code and words on standard error.
func fails(t *testing.T, code int, stderr string, got int, words ...string) {
	t.Helper()
	if got != code {
		t.Errorf("exit code %d, want %d; it said %q", got, code, stderr)
	}
	for _, w := range words {
		if !strings.Contains(stderr, w) {
			t.Errorf("message has no %q:\n%s", w, stderr)
		}
	}
	if strings.Contains(stderr, "panic") || strings.Contains(stderr, "goroutine") {
		t.Errorf("it panicked:\n%s", stderr)
	}
}

// freeAddress is an address that was free a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l := listen(t)
	addr := l.Addr().String()
	l.Close()
	return addr
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestWrongCommandLineIsExitCode2(t *testing.T) {
	for line, words := range map[string][]string{
		"nope":                        {`"nope"`, "--help"},
		"help nope":                   {`"nope"`},
		"up --bogus":                  {"--bogus"},
		"up extra":                    {"mulu up --help"},
		"ingest nope":                 {`"nope"`, "mulu ingest --help"},
		"ingest rejects --limit 0":    {"--limit"},
		"ingest rejects --limit many": {"--limit"},
		"ingest replay":               {"--dataset", "--why", "--offset"},
		"ingest replay --dataset a --why b --offset 1 --all":    {"--all"},
		"ingest replay --dataset a --why b --all --value x":     {"--value"},
		"ingest replay --dataset a --why b --offset 1 --rule x": {"--rule"},
		"ingest batches":                              {"--dataset"},
		"ingest file":                                 {"mulu ingest file --help"},
		"ingest file a.csv":                           {"dataset"},
		"ingest file a.csv --dataset a --map x":       {"--map"},
		"ingest template":                             {"mulu ingest template --help"},
		"ingest withdraw --dataset a --batch t/0/1-2": {"--reason"},
		"catalog show":                                {"mulu catalog show --help"},
		"share decide X":                              {"--agree"},
		"share decide X --agree --refuse":             {"--agree"},
		"share decide X --refuse":                     {"--reason"},
		"share revoke X":                              {"reason"},
		"share pull X --format xml":                   {"xml", "ndjson"},
		"share pull":                                  {"mulu share pull --help"},
		"share request --scenario SC-2":               {"items", "receivers", "purpose"},
		"serve":                                       {"config"},
		"serve --config x --role api":                 {"全部角色"},
		"serve --config x --role api,nothing":         {"nothing"},
		"apply":                                       {"file"},
		"share request --scenario S --items a --receivers 1 --purpose p --to soon":                         {"soon", "2026-12-31"},
		"share request --scenario S --items a --receivers 1 --purpose p --from 2026-05-02 --to 2026-05-01": {"--from"},
	} {
		t.Run(line, func(t *testing.T) {
			stdout, stderr, code := runMulu(t, nil, strings.Fields(line)...)
			fails(t, exitUsage, stderr, code, words...)
			if stdout != "" {
				t.Errorf("standard output %q, want nothing", stdout)
			}
		})
	}
}

func TestHelpShowsNoSecret(t *testing.T) {
	stdout, stderr, code := runMulu(t, []string{"MULU_KEY=mulu_secret"}, "share", "pull", "--help")
	fails(t, 0, stderr, code)
	if !strings.Contains(stdout, "MULU_KEY") || strings.Contains(stdout, "mulu_secret") {
		t.Errorf("help: %s", stdout)
	}
}

func TestWithoutARunningMulu(t *testing.T) {
	for _, line := range []string{"ingest status", "ingest rejects", "quality report", "catalog search x", "share grants", "share pull G1", "ledger status", "ledger proof x"} {
		t.Run(line+" says what to start", func(t *testing.T) {
			_, stderr, code := runMulu(t, nil, append(strings.Fields(line), "--data", "nowhere")...)
			fails(t, exitFailed, stderr, code, "没有运行中的 mulu", "mulu up --data nowhere")
		})
	}
	t.Run("a process that was killed is told from one that runs", func(t *testing.T) {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "run.json"), `{"pid":1,"url":"http://`+freeAddress(t)+`"}`)
		_, stderr, code := runMulu(t, nil, "ingest", "status", "--data", dir, "--key", "mulu_x")
		fails(t, exitFailed, stderr, code, "连不上", "mulu up")
	})
}

func TestEngineMissing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	_, stderr, code := runMulu(t, []string{"MULU_ENGINE=/nowhere/libchdb.so"}, "up", "--sample", "none", "--data", dir, "--listen", "127.0.0.1:0", "--kafka", freeAddress(t))
	fails(t, exitFailed, stderr, code, "/nowhere/libchdb.so", "make engine", "MULU_ENGINE")
}

func TestPortTaken(t *testing.T) {
	addr := listen(t).Addr().String()
	_, stderr, code := runMulu(t, nil, "up", "--sample", "none", "--data", filepath.Join(t.TempDir(), "data"), "--listen", addr, "--kafka", freeAddress(t))
	fails(t, exitFailed, stderr, code, addr, "--listen")
}

func TestDataDirectoryHeld(t *testing.T) {
	dir := t.TempDir()
	pid := hold(t, dir)
	write(t, filepath.Join(dir, "run.json"), `{"pid":1,"url":"http://127.0.0.1:1"}`)
	t.Run("up names the holder and leaves its run file", func(t *testing.T) {
		_, stderr, code := runMulu(t, nil, "up", "--sample", "none", "--data", dir, "--listen", "127.0.0.1:0", "--kafka", freeAddress(t))
		fails(t, exitFailed, stderr, code, dir, pid, "--data")
		if _, err := os.Stat(filepath.Join(dir, "run.json")); err != nil {
			t.Errorf("the running process's run file: %v", err)
		}
	})
	t.Run("apply names the holder", func(t *testing.T) {
		_, stderr, code := runMulu(t, nil, "apply", "-f", sampleDir(t), "--data", dir)
		fails(t, exitFailed, stderr, code, pid, "--user")
	})
}

func TestServeRefusesABadConfiguration(t *testing.T) {
	serve := func(t *testing.T, text string) (string, int) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "mulu.yaml")
		write(t, file, text)
		_, stderr, code := runMulu(t, nil, "serve", "--config", file)
		return stderr, code
	}
	t.Run("unknown field with its line", func(t *testing.T) {
		stderr, code := serve(t, "data: d\nlisten: 127.0.0.1:0\nlisen: x\n")
		fails(t, exitFailed, stderr, code, "line 3", "lisen")
	})
	t.Run("every fault at once", func(t *testing.T) {
		stderr, code := serve(t, "listen: nonsense\nstore: mysql://x\n")
		fails(t, exitFailed, stderr, code, "listen", "store")
	})
	t.Run("no file", func(t *testing.T) {
		_, stderr, code := runMulu(t, nil, "serve", "--config", "absent.yaml")
		fails(t, exitFailed, stderr, code, "absent.yaml")
	})
}

func TestApply(t *testing.T) {
	t.Run("lists every fault with file and line", func(t *testing.T) {
		dir, data := t.TempDir(), filepath.Join(t.TempDir(), "data")
		write(t, filepath.Join(dir, "a.yaml"), "kind: Organisation\ncode: \"123\"\nname: 某局\n---\nkind: Nope\n")
		write(t, filepath.Join(dir, "b.yaml"), "kind: Duty\n bad: [\n")
		_, stderr, code := runMulu(t, nil, "apply", "-f", dir, "--data", data)
		fails(t, exitFailed, stderr, code, "a.yaml:2 code", "a.yaml:5 kind", "b.yaml:2", dir)
		if _, err := os.Stat(data); err == nil {
			t.Error("faulty declarations made a data directory")
		}
	})
	t.Run("a directory without declarations is a fault", func(t *testing.T) {
		_, stderr, code := runMulu(t, nil, "apply", "-f", t.TempDir(), "--data", "data")
		fails(t, exitFailed, stderr, code, ".yaml")
	})
	t.Run("no directory", func(t *testing.T) {
		_, stderr, code := runMulu(t, nil, "apply", "-f", "absent")
		fails(t, exitFailed, stderr, code, "absent")
	})
	t.Run("a dry run lists additions and makes nothing", func(t *testing.T) {
		data := filepath.Join(t.TempDir(), "data")
		stdout, stderr, code := runMulu(t, nil, "apply", "-f", sampleDir(t), "--data", data, "--dry-run", "--json")
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		var got struct {
			DryRun  bool `json:"dry_run"`
			Changed int
			Changes []change
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(got.Changes, func(ch change) bool { return ch.Kind == "Scenario" && ch.ID == "SC-2" && ch.Action == "add" }) {
			t.Error("the scenario is not among the changes")
		}
		if !got.DryRun || got.Changed == 0 || got.Changed != len(got.Changes) {
			t.Errorf("dry run %v with %d of %d changed, want all", got.DryRun, got.Changed, len(got.Changes))
		}
		if _, err := os.Stat(data); err == nil {
			t.Error("the dry run made a data directory")
		}
	})
}

// TestApplyToAHouse runs the whole of it, engine and broker included.
func TestApplyToAHouse(t *testing.T) {
	lib := os.Getenv("MULU_ENGINE")
	if lib == "" {
		lib = "../../engine/node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
	}
	lib, err := filepath.Abs(lib)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(lib); err != nil {
		t.Fatalf("no engine library: run `make engine` or set MULU_ENGINE: %v", err)
	}
	data := filepath.Join(t.TempDir(), "data")
	apply := func(dir string, more ...string) string {
		t.Helper()
		args := append([]string{"apply", "-f", dir, "--data", data, "--kafka", freeAddress(t), "--lib", lib}, more...)
		stdout, stderr, code := runMulu(t, nil, args...)
		if code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr)
		}
		return stdout
	}
	if got := apply(sampleDir(t)); !strings.Contains(got, "已装入") || !strings.Contains(got, "+  Scenario") {
		t.Fatalf("first time: %s", got)
	}
	if got := apply(sampleDir(t), "--dry-run"); strings.Contains(got, "+  ") || strings.Contains(got, "~  ") {
		t.Errorf("the same again changes something: %s", got)
	}
	// A file that names objects of the house only.
	b, err := os.ReadFile(filepath.Join(sampleDir(t), "scenario-sc2.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "s.yaml"), strings.Replace(string(b), "title: 独居老人关怀", "title: 独居老人关爱", 1))
	if got := apply(dir, "--dry-run"); !strings.Contains(got, "~  Scenario  SC-2  独居老人关爱") {
		t.Errorf("an amended scenario: %s", got)
	}
	// Declarations of a stopped house are the house's, not a running process's.
	if _, err := os.Stat(filepath.Join(data, "run.json")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("run file after apply: %v", err)
	}
}

func TestDoctor(t *testing.T) {
	doctor := func(t *testing.T, env []string, args ...string) (map[string]finding, bool, int) {
		t.Helper()
		stdout, _, code := runMulu(t, env, append([]string{"doctor", "--json"}, args...)...)
		var got struct {
			OK     bool
			Checks []finding
		}
		if err := json.Unmarshal([]byte(stdout), &got); err != nil {
			t.Fatalf("%v in %q", err, stdout)
		}
		by := map[string]finding{}
		for _, f := range got.Checks {
			by[f.Name] = f
			if f.OK != (f.Mend == "") {
				t.Errorf("%s: ok %v with mend %q", f.Name, f.OK, f.Mend)
			}
		}
		return by, got.OK, code
	}
	t.Run("a missing engine and a taken port are said with their mend", func(t *testing.T) {
		addr := listen(t).Addr().String()
		by, ok, code := doctor(t, []string{"MULU_ENGINE=/nowhere"}, "--listen", addr, "--kafka", freeAddress(t))
		if ok || code != exitFailed {
			t.Errorf("ok %v, exit code %d", ok, code)
		}
		if f := by["engine"]; f.OK || !strings.Contains(f.Mend, "make engine") {
			t.Errorf("engine: %+v", f)
		}
		if f := by["listen"]; f.OK || !strings.Contains(f.Mend, "--listen") {
			t.Errorf("listen: %+v", f)
		}
		if f := by["kafka"]; !f.OK {
			t.Errorf("kafka: %+v", f)
		}
	})
	t.Run("an engine of the wrong size is refused", func(t *testing.T) {
		lib := filepath.Join(t.TempDir(), "libchdb.so")
		write(t, lib, "not an engine")
		by, _, _ := doctor(t, nil, "--lib", lib)
		if f := by["engine"]; f.OK || !strings.Contains(f.Detail, "字节") {
			t.Errorf("engine: %+v", f)
		}
	})
	t.Run("the holder of the data directory is named and its ports are in order", func(t *testing.T) {
		dir := t.TempDir()
		pid := hold(t, dir)
		by, _, _ := doctor(t, nil, "--data", dir, "--listen", listen(t).Addr().String())
		if f := by["lock"]; !strings.Contains(f.Detail, pid) {
			t.Errorf("lock: %+v", f)
		}
		if f := by["listen"]; !f.OK {
			t.Errorf("listen: %+v", f)
		}
	})
	t.Run("outside services are tried, and no password is shown", func(t *testing.T) {
		by, _, _ := doctor(t, nil, "--engine", "http://u:secret@"+freeAddress(t), "--brokers", freeAddress(t))
		for _, name := range []string{"clickhouse", "kafka"} {
			if f := by[name]; f.OK || strings.Contains(f.Detail, "secret") {
				t.Errorf("%s: %+v", name, f)
			}
		}
	})
}

// hold takes the lock of a data directory as a running mulu does, and returns the PID
// of who holds it.
func hold(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(dir, "mulu.lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		t.Fatal(err)
	}
	pid := strconv.Itoa(os.Getpid())
	if _, err := f.WriteString(pid + "\n"); err != nil {
		t.Fatal(err)
	}
	return pid
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sampleDir is the sample district's declarations.
func sampleDir(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../../deploy/sample")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
