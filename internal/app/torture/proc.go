package torture

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"
)

// proc is one child process. Its output goes to a log file, and it dies with us.
type proc struct {
	cmd   *exec.Cmd
	log   string
	began time.Time
	gone  chan struct{} // closed when it has ended
	err   error         // of its end; read after gone
}

// start runs a command; env is added to this process's own.
func start(log string, env []string, command string, args ...string) (*proc, error) {
	f, err := os.OpenFile(log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log of a child: %w", err)
	}
	defer f.Close()
	cmd := exec.Command(command, args...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	p := &proc{cmd: cmd, log: log, began: time.Now(), gone: make(chan struct{})}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", command, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.gone)
	}()
	return p, nil
}

func (p *proc) pid() int { return p.cmd.Process.Pid }

func (p *proc) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

func (p *proc) signal(s syscall.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to child %d: %w", s, p.pid(), err)
	}
	return nil
}

// kill is kill -9, and returns when the process is gone.
func (p *proc) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.gone
}

// stop asks it to end, and kills it if it does not within the time.
func (p *proc) stop(within time.Duration) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	select {
	case <-p.gone:
	case <-time.After(within):
		p.kill()
	}
}

// ended is the error of a process that should still be there.
func (p *proc) ended() error {
	return fmt.Errorf("child ended by itself: %v: %s", p.err, lastLine(p.log))
}

// wasKilled is nil if a process died of SIGKILL: any other end is a finding.
func wasKilled(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		if ws, ok := exit.Sys().(syscall.WaitStatus); ok && ws.Signaled() && ws.Signal() == syscall.SIGKILL {
			return nil
		}
	}
	return fmt.Errorf("worker ended by itself: %v", err)
}

// lastLine is the last thing a process said.
func lastLine(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}
