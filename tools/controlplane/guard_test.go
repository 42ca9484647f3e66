package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// The variable that turns this test binary into a guard of `sleep`, with its state at the given path.
const envSleep = "HOOKWRIGHT_TEST_GUARD_STATE"

func TestMain(m *testing.M) {
	if state := os.Getenv(envSleep); state != "" {
		os.Exit(guard{program: "sleep", args: []string{"1000"}, grace: 2 * time.Second, state: state}.run())
	}
	os.Exit(m.Run())
}

// guarded starts a guard by way of a shell command, in which "$0" is the guard.
func guarded(t *testing.T, script string) (shell *exec.Cmd, state string) {
	t.Helper()
	state = filepath.Join(t.TempDir(), "sleep")
	shell = exec.Command("sh", "-c", script, os.Args[0])
	shell.Env = append(os.Environ(), envSleep+"="+state)
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, ending := range []string{".guard", ".pid"} {
			if pid, err := readPid(state + ending); err == nil {
				_ = syscall.Kill(pid, syscall.SIGKILL)
			}
		}
		_ = shell.Wait()
	})
	return shell, state
}

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	if err := until(10*time.Second, done); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func pidAt(t *testing.T, path string) (pid int) {
	t.Helper()
	await(t, path, func() bool {
		found, err := readPid(path)
		pid = found
		return err == nil
	})
	return pid
}

func awaitEnd(t *testing.T, pid int) {
	t.Helper()
	await(t, "the program's end", func() bool { return syscall.Kill(pid, 0) != nil })
}

func TestHangupReplacesTheProgramAndTerminationEndsIt(t *testing.T) {
	_, state := guarded(t, `exec "$0"`)
	first, self := pidAt(t, state+".pid"), pidAt(t, state+".guard")
	if err := syscall.Kill(self, syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, first)
	await(t, "another program", func() bool { pid, err := readPid(state + ".pid"); return err == nil && pid != first })
	second := pidAt(t, state+".pid")
	if err := syscall.Kill(self, syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, second)
}

func TestTheProgramEndsWithTheGuardsParent(t *testing.T) {
	// `wait` keeps the shell from becoming the guard itself.
	shell, state := guarded(t, `"$0" & wait`)
	program := pidAt(t, state+".pid")
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, program)
}

func TestTheProgramEndsWithAKilledGuard(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells a process of its parent's death")
	}
	_, state := guarded(t, `exec "$0"`)
	program := pidAt(t, state+".pid")
	if err := syscall.Kill(pidAt(t, state+".guard"), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitEnd(t, program)
}
