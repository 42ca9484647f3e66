package main

import "syscall"

// childAttributes puts the program into a group of its own, since envtest signals the guard's whole group and a second
// SIGTERM makes kube-apiserver give up at once; and has the kernel kill it should the guard itself be killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
