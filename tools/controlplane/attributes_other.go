//go:build unix && !linux

package main

import "syscall"

// childAttributes is the same as on Linux, without the kernel's help: here a guard that is killed with SIGKILL
// leaves its program behind. One that loses its parent does not.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
