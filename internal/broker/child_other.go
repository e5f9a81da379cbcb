//go:build !linux

package broker

import "syscall"

// childAttributes: elsewhere the lifeline alone ends an orphan.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
