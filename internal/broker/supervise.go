package broker

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"

	"mulu"
)

// LifelineEnv names the file descriptor, inherited by the child, whose end tells
// the child that its parent is gone. See Lifeline.
const LifelineEnv = "MULU_LIFELINE_FD"

// Child says how to run the broker as a child process.
type Child struct {
	Exe  string
	Args []string
	Env  []string // in addition to this process's
	Addr string   // where it will listen, "127.0.0.1:19092"
	Log  *slog.Logger
	// Output gets what the child writes to standard error; nil throws it away. The
	// last line is kept in any case, to say why a child died.
	Output io.Writer
}

// Supervisor keeps a broker child running.
type Supervisor struct {
	c     Child
	first chan struct{} // closed when the child was first reached, or will not be
	done  chan struct{}
	once  sync.Once

	mu       sync.Mutex
	pid      int
	ready    bool
	restarts int
	last     error
}

// Supervise starts the child and keeps it running, with a growing pause when it
// dies, until ctx ends; then the child gets SIGTERM and 15 s to save its state. If
// this process dies, even by kill -9, the child ends too: its end of a pipe closes
// (the child must call Lifeline), and on Linux the kernel kills it if that fails.
// It returns once the child answers a metadata request, or with the reason why a
// child that died before that did.
func Supervise(ctx context.Context, c Child) (*Supervisor, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Exe == "" || c.Addr == "" {
		return nil, fmt.Errorf("supervise broker: program and address are needed: %w", mulu.ErrInvalid)
	}
	s := &Supervisor{c: c, first: make(chan struct{}), done: make(chan struct{})}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(s.done)
		defer cancel()
		// Linux kills the child when the thread that started it ends: keep the thread.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		s.loop(ctx)
	}()
	select {
	case <-s.first:
	case <-ctx.Done():
	}
	s.mu.Lock()
	ready, last := s.ready, s.last
	s.mu.Unlock()
	if !ready {
		cancel()
		<-s.done
		return nil, fmt.Errorf("supervise broker: %w", errors.Join(last, ctx.Err()))
	}
	return s, nil
}

// Wait returns when ctx has ended and the child is gone.
func (s *Supervisor) Wait() { <-s.done }

// State is the child's PID (0 while there is none), whether it was reached, how
// often it was started again, and why last.
func (s *Supervisor) State() (pid int, ready bool, restarts int, last error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pid, s.ready, s.restarts, s.last
}

func (s *Supervisor) loop(ctx context.Context) {
	const least, most = 200 * time.Millisecond, 15 * time.Second
	pause := least
	for ctx.Err() == nil {
		began := time.Now()
		reached, err := s.run(ctx)
		if ctx.Err() != nil {
			break
		}
		s.mu.Lock()
		s.last, s.pid, s.ready = err, 0, false
		s.mu.Unlock()
		if !reached {
			select {
			case <-s.first:
			default: // it never worked: say so instead of trying for ever
				s.once.Do(func() { close(s.first) })
				return
			}
		}
		if time.Since(began) > time.Minute {
			pause = least
		}
		s.c.Log.Error("broker died; starting it again", "pause", pause, "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, most)
		s.mu.Lock()
		s.restarts++
		s.mu.Unlock()
	}
	s.once.Do(func() { close(s.first) })
}

// run starts one child and waits for its end; reached says that it answered.
func (s *Supervisor) run(ctx context.Context) (reached bool, err error) {
	lifeline, mine, err := os.Pipe()
	if err != nil {
		return false, err
	}
	defer mine.Close() // its end is what the child watches
	cmd := exec.Command(s.c.Exe, s.c.Args...)
	cmd.Env = append(append(os.Environ(), s.c.Env...), LifelineEnv+"=3")
	cmd.ExtraFiles = []*os.File{lifeline}
	cmd.SysProcAttr = childAttributes()
	var tail lastLine
	cmd.Stderr = &tail
	if s.c.Output != nil {
		cmd.Stderr = io.MultiWriter(s.c.Output, &tail)
	}
	err = cmd.Start() // stdin is the null device
	lifeline.Close()
	if err != nil {
		return false, fmt.Errorf("start %s: %w", s.c.Exe, err)
	}
	s.mu.Lock()
	s.pid = cmd.Process.Pid
	s.mu.Unlock()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	reachCtx, stop := context.WithCancel(ctx)
	defer stop()
	reach := make(chan error, 1)
	go func() { reach <- Reach(reachCtx, []string{s.c.Addr}) }()
	for {
		select {
		case err := <-ended:
			return reached, fmt.Errorf("broker child ended: %w: %s", orExit(err), tail.get())
		case err := <-reach:
			reach = nil
			if err != nil {
				s.c.Log.Warn("broker does not answer", "error", err)
				time.Sleep(200 * time.Millisecond)
				reach = make(chan error, 1)
				go func() { reach <- Reach(reachCtx, []string{s.c.Addr}) }()
				continue
			}
			reached = true
			s.mu.Lock()
			s.ready = true
			s.mu.Unlock()
			s.once.Do(func() { close(s.first) })
		case <-ctx.Done():
			return reached, s.end(cmd, ended)
		}
	}
}

// end asks the child to save and go.
func (s *Supervisor) end(cmd *exec.Cmd, ended chan error) error {
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		s.c.Log.Warn("signal broker", "error", err)
	}
	select {
	case err := <-ended:
		return err
	case <-time.After(15 * time.Second):
		s.c.Log.Error("broker did not stop in time; killed, its next start is slower")
		_ = cmd.Process.Kill() // it may just have ended
		return <-ended
	}
}

func orExit(err error) error {
	if err == nil {
		return errors.New("exit status 0")
	}
	return err
}

// Lifeline returns a context that ends when ctx does or, in a process that
// Supervise started, when the parent is gone. `mulu broker` calls it first.
func Lifeline(ctx context.Context) context.Context {
	if os.Getenv(LifelineEnv) != "3" {
		return ctx
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer cancel()
		f := os.NewFile(3, "lifeline")
		_, _ = io.Copy(io.Discard, f) // returns when the parent's end is closed
	}()
	return ctx
}

// lastLine remembers the last line written: why a child died.
type lastLine struct {
	mu   sync.Mutex
	line string
}

func (l *lastLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	sc := bufio.NewScanner(bytes.NewReader(p))
	for sc.Scan() {
		if t := sc.Text(); t != "" {
			l.line = t
		}
	}
	return len(p), nil
}

func (l *lastLine) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.line
}
