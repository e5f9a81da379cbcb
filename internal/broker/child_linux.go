package broker

import "syscall"

// childAttributes has the kernel kill the child when the thread that started it
// ends: what it acknowledged is on disk, and lock and port are free at once for the
// next start. The child has its own process group, so that Ctrl-C reaches it
// through us, in order.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
