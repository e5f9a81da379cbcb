package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"
)

// process is a fact of the library: it boots one engine per process and can not be
// unloaded. loaded keeps the library, running the one engine.
var process struct {
	sync.Mutex
	loaded  *bindings
	path    string
	running *Engine
}

// Engine is the one engine of this process. All methods are safe for concurrent use.
type Engine struct {
	b       *bindings
	dir     string
	log     *slog.Logger
	anchor  *conn // keeps the engine up: with the last connection it is torn down
	slots   chan struct{}
	idle    idle
	seq     atomic.Uint64
	base    context.Context
	cancel  context.CancelCauseFunc
	work    sync.WaitGroup
	name    string
	version string
	zone    string
}

// Start loads the library and boots the engine on opt.Dir. A crash at any later
// point leaves the directory reopenable at once: the lock dies with the process.
func Start(ctx context.Context, opt Options) (*Engine, error) {
	process.Lock()
	defer process.Unlock()
	if process.running != nil {
		return nil, fmt.Errorf("start engine in %s: one is running in %s: %w", opt.Dir, process.running.dir, ErrRunning)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := checkProcessor(cpu.X86.HasAVX2, cpu.X86.HasBMI1 && cpu.X86.HasBMI2); err != nil {
		return nil, err
	}
	lib, err := Locate(opt.Lib)
	if err != nil {
		return nil, err
	}
	dir, err := prepareDir(opt.Dir)
	if err != nil {
		return nil, err
	}
	if err := checkSize(lib, pinnedSize); err != nil {
		return nil, err
	}
	if err := silenceStdin(); err != nil {
		return nil, err
	}
	if process.loaded == nil {
		if process.loaded, err = load(lib); err != nil {
			return nil, err
		}
		process.path = lib
	} else if process.path != lib {
		return nil, fmt.Errorf("start engine with %s: this process has loaded %s: %w", lib, process.path, ErrRunning)
	}
	e := &Engine{b: process.loaded, dir: dir, log: opt.Log, slots: make(chan struct{}, 4*runtime.GOMAXPROCS(0))}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if err := e.boot(opt.MaxMemoryBytes); err != nil {
		return nil, err
	}
	process.running = e
	// Reading half a gigabyte would be most of a first start: it is done beside it.
	e.work.Go(func() { e.checkLibrary(lib) })
	return e, nil
}

// checkLibrary stops an engine whose library is not the pinned one.
func (e *Engine) checkLibrary(lib string) {
	err := checkDigest(e.base, lib, filepath.Join(e.dir, "engine.stamp"), pinnedSHA256)
	if err == nil || e.base.Err() != nil {
		return
	}
	e.log.Error("engine library refused", "err", err)
	e.cancel(err)
}

func (e *Engine) boot(memory int64) error {
	begin := time.Now()
	if err := writeConfig(e.dir, memory); err != nil {
		return fmt.Errorf("write engine configuration: %w: %w", err, ErrDir)
	}
	c, err := e.connect()
	if err != nil {
		if held := checkHeld(e.dir); held != nil {
			return held
		}
		return fmt.Errorf("boot engine in %s: %w", e.dir, err)
	}
	r := c.query("SELECT displayName(), version(), timezone()", "TSV", newParams(nil))
	defer r.free()
	if err := r.err(); err != nil {
		c.close()
		return fmt.Errorf("greet engine: %w", err)
	}
	f := strings.Split(strings.TrimSpace(string(r.bytes())), "\t")
	if len(f) != 3 {
		c.close()
		return fmt.Errorf("greet engine: got %q", f)
	}
	e.anchor, e.name, e.version, e.zone = c, f[0], f[1], f[2]
	e.base, e.cancel = context.WithCancelCause(context.Background())
	e.log.Info("engine started", "version", e.version, "dir", e.dir, "took", time.Since(begin))
	return nil
}

func (e *Engine) connect() (*conn, error) {
	return e.b.open("--path="+e.dir, "--config-file="+filepath.Join(e.dir, configFile))
}

// Transport serves clickhouse-go's HTTP protocol from the engine; no socket is
// opened. Each request runs on a connection of its own, at most four per core at
// once; more wait for their turn or their context.
func (e *Engine) Transport() http.RoundTripper { return (*transport)(e) }

// Stop refuses new statements, waits for running ones until ctx ends, then kills
// them, and closes the engine. Afterwards Start may be called again.
func (e *Engine) Stop(ctx context.Context) error {
	process.Lock()
	defer process.Unlock()
	if process.running != e {
		return nil
	}
	stop := context.AfterFunc(ctx, func() { e.cancel(errStopped) })
	defer stop()
	late := time.NewTimer(time.Minute)
	defer late.Stop()
	for range cap(e.slots) {
		select {
		case e.slots <- struct{}{}:
		case <-late.C:
			e.cancel(errStopped)
			return fmt.Errorf("stop engine in %s: a result is still open", e.dir)
		}
	}
	e.cancel(errStopped)
	e.work.Wait()
	e.idle.close()
	e.anchor.close()
	process.running = nil
	return ctx.Err()
}

func checkProcessor(avx2, bmi bool) error {
	if avx2 && bmi {
		return nil
	}
	return fmt.Errorf("本机处理器不支持 AVX2/BMI2 指令，内嵌引擎无法运行；请换用较新的机器，或用 --engine 指定 ClickHouse 服务地址 (processor lacks AVX2/BMI2, run with --engine URL): %w", ErrUnsupported)
}

// prepareDir makes the directory and checks what the engine would only tell stderr:
// that it can be written and that no other process holds it.
func prepareDir(dir string) (string, error) {
	if dir == "" {
		return "", fmt.Errorf("no data directory given: %w", ErrDir)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("resolve data directory: %w: %w", err, ErrDir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("数据目录 %s 无法创建，请检查权限或换一个 --data 目录: %w: %w", dir, err, ErrDir)
	}
	probe, err := os.CreateTemp(dir, ".writable-*")
	if err != nil {
		return "", fmt.Errorf("数据目录 %s 不可写，请检查权限和磁盘: %w: %w", dir, err, ErrDir)
	}
	probe.Close()
	if err := os.Remove(probe.Name()); err != nil {
		return "", fmt.Errorf("数据目录 %s 不可写，请检查权限和磁盘: %w: %w", dir, err, ErrDir)
	}
	return dir, checkHeld(dir)
}

// checkHeld tries the engine's own lock, a flock on <dir>/status, and lets it go.
func checkHeld(dir string) error {
	f, err := os.OpenFile(filepath.Join(dir, "status"), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open lock of %s: %w: %w", dir, err, ErrDir)
	}
	defer f.Close()
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EWOULDBLOCK) {
		return fmt.Errorf("lock %s: %w: %w", dir, err, ErrDir)
	}
	return fmt.Errorf("数据目录 %s 正被进程 %s 使用；请先停止该进程，或换一个 --data 目录 (held by PID %[2]s): %w", dir, holder(f), ErrHeld)
}

// holder reads "PID: n" from the status file.
func holder(f *os.File) string {
	b := make([]byte, 256)
	n, _ := f.ReadAt(b, 0)
	for line := range strings.Lines(string(b[:n])) {
		if pid, ok := strings.CutPrefix(strings.TrimSpace(line), "PID: "); ok {
			return pid
		}
	}
	return "?"
}

// silenceStdin makes the standard input /dev/null: the engine would read it as the
// data of an INSERT.
func silenceStdin() error {
	null, err := os.Open(os.DevNull)
	if err != nil {
		return fmt.Errorf("open %s: %w", os.DevNull, err)
	}
	defer null.Close()
	var in, want unix.Stat_t
	if err := unix.Fstat(int(null.Fd()), &want); err != nil {
		return fmt.Errorf("stat %s: %w", os.DevNull, err)
	}
	if unix.Fstat(0, &in) == nil && in.Mode&unix.S_IFMT == unix.S_IFCHR && in.Rdev == want.Rdev {
		return nil
	}
	if err := unix.Dup3(int(null.Fd()), 0, 0); err != nil {
		return fmt.Errorf("silence standard input: %w", err)
	}
	return nil
}

func inode(st os.FileInfo) uint64 {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return s.Ino
	}
	return 0
}
