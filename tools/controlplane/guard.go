package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	envAssets = "HOOKWRIGHT_GUARD_ASSETS"
	envState  = "HOOKWRIGHT_GUARD_STATE"
	envParent = "HOOKWRIGHT_GUARD_PARENT"
)

var components = []string{"etcd", "kube-apiserver", "kube-controller-manager"}

// A guard stands between whoever starts a program and the program. It ends the program when its own parent is
// gone, however that died, and it starts the program again on SIGHUP.
type guard struct {
	program string
	args    []string
	// grace is how long the program may take to stop before it is killed.
	grace time.Duration
	// state is the path, less its ending, of the two files that name the guard's pid and the program's.
	state string
}

// guardEnvironment tells the guards that this process starts where the programs are and whom to outlive not.
func guardEnvironment(assets, state string) {
	_ = os.Setenv(envAssets, assets)
	_ = os.Setenv(envState, state)
	_ = os.Setenv(envParent, strconv.Itoa(os.Getpid()))
}

func guardComponent(name string, args []string) int {
	g := guard{
		program: filepath.Join(os.Getenv(envAssets), name),
		args:    args,
		grace:   3 * time.Second,
		state:   filepath.Join(os.Getenv(envState), name),
	}
	return g.run()
}

// run returns the exit code of the program, or 1 where it was killed or never started.
func (g guard) run() int {
	// Linux ties a child's parent-death signal to the thread that started it, so that thread has to last.
	runtime.LockOSThread()
	parent := os.Getppid()
	if told, err := strconv.Atoi(os.Getenv(envParent)); err == nil {
		parent = told
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	child, exited, err := g.start()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	watch := time.NewTicker(200 * time.Millisecond)
	defer watch.Stop()
	for {
		select {
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				return terminate(child, exited, sig, g.grace)
			}
			kill(child, exited)
			if child, exited, err = g.start(); err != nil {
				fmt.Fprintln(os.Stderr, err)
				return 1
			}
		case <-watch.C:
			if os.Getppid() != parent {
				kill(child, exited)
				return 1
			}
		case code := <-exited:
			return code
		}
	}
}

func (g guard) start() (*exec.Cmd, <-chan int, error) {
	child := exec.Command(g.program, g.args...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	child.SysProcAttr = childAttributes()
	if err := child.Start(); err != nil {
		return nil, nil, err
	}
	exited := make(chan int, 1)
	go func() {
		_ = child.Wait()
		exited <- child.ProcessState.ExitCode()
	}()
	if g.state == "" {
		return child, exited, nil
	}
	err := errors.Join(writePid(g.state+".guard", os.Getpid()), writePid(g.state+".pid", child.Process.Pid))
	if err != nil {
		kill(child, exited)
		return nil, nil, err
	}
	return child, exited, nil
}

func terminate(child *exec.Cmd, exited <-chan int, sig os.Signal, grace time.Duration) int {
	_ = child.Process.Signal(sig)
	select {
	case code := <-exited:
		return code
	case <-time.After(grace):
		kill(child, exited)
		return 1
	}
}

func kill(child *exec.Cmd, exited <-chan int) {
	_ = child.Process.Kill()
	<-exited
}

func writePid(path string, pid int) error {
	return writeAtomically(path, []byte(strconv.Itoa(pid)+"\n"))
}

func readPid(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
