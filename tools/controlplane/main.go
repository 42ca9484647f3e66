// The launcher starts a Kubernetes control plane for tests and demos: etcd and kube-apiserver through controller-runtime's
// envtest, and kube-controller-manager beside them, because namespaces that never go away and service accounts
// that never appear would make an API server alone a poor stand-in for a cluster.
//
//	launcher up --assets DIR --kubeconfig FILE [--data DIR]
//	launcher guard [--grace 10s] -- PROGRAM ARGS...
//
// `up` prints `ready` once the kubeconfig is written, then answers each line on stdin with `ok` or `error: ...`:
//
//	restart kube-apiserver | etcd | kube-controller-manager
//
// SIGKILLs that program and starts it again, same arguments, ports and data. It stops everything on SIGTERM, on
// SIGINT and when stdin ends, so that the death of whoever started it ends the control plane too.
package main

import (
	"bufio"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

func main() {
	// envtest starts the programs by path and offers no hook around them. So it is given links to this very binary,
	// which then acts as the guard of the program that the link is named after.
	if name := filepath.Base(os.Args[0]); isComponent(name) && os.Getenv(envAssets) != "" {
		os.Exit(guardComponent(name, os.Args[1:]))
	}
	if len(os.Args) < 2 {
		usage()
	}
	switch os.Args[1] {
	case "up":
		os.Exit(up(os.Args[2:]))
	case "guard":
		flags := flag.NewFlagSet("guard", flag.ExitOnError)
		grace := flags.Duration("grace", 10*time.Second, "time between SIGTERM and SIGKILL")
		_ = flags.Parse(os.Args[2:])
		if flags.NArg() == 0 {
			usage()
		}
		os.Exit(guard{program: flags.Arg(0), args: flags.Args()[1:], grace: *grace}.run())
	default:
		usage()
	}
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: launcher up --assets DIR --kubeconfig FILE [--data DIR]\n"+
		"       launcher guard [--grace 10s] -- PROGRAM ARGS...")
	os.Exit(2)
}

// up runs a control plane until it is told to stop. Its result is the exit code.
func up(args []string) int {
	flags := flag.NewFlagSet("up", flag.ExitOnError)
	assets := flags.String("assets", "", "directory of etcd, kube-apiserver and kube-controller-manager")
	kubeconfig := flags.String("kubeconfig", "", "file to write the administrator's kubeconfig to")
	data := flags.String("data", "", "directory for etcd's data, certificates and logs; default: a temporary one")
	_ = flags.Parse(args)
	if *assets == "" || *kubeconfig == "" || flags.NArg() != 0 {
		usage()
	}
	// Asked for before anything starts: a signal during start-up has to be obeyed as well.
	stop := make(chan os.Signal, 4)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	commands, stdinEnd := readLines(os.Stdin)

	dir, temporary := *data, false
	if dir == "" {
		made, err := os.MkdirTemp("", "hookwright-control-plane-")
		if err != nil {
			return fail(err)
		}
		dir, temporary = made, true
	}
	p, err := newPlane(*assets, dir)
	if err != nil {
		return fail(err)
	}
	started := make(chan error, 1)
	go func() { started <- p.start(*kubeconfig) }()
	code := p.serve(started, commands, stdinEnd, stop)
	_ = os.Remove(*kubeconfig)
	// After a failure the logs are what the user needs, so they stay even where nobody named the directory.
	if temporary && code == 0 {
		_ = os.RemoveAll(dir)
	}
	return code
}

// serve waits for start-up, then obeys commands until something ends it, and stops the control plane in every case.
func (p *plane) serve(started <-chan error, commands <-chan string, stdinEnd <-chan struct{}, stop <-chan os.Signal) int {
	select {
	case err := <-started:
		if err != nil {
			return fail(errors.Join(err, p.stop()))
		}
	case <-stdinEnd:
		// A parent that closes stdin and signals as well says one thing twice.
		return p.abandon(started, stop, 2)
	case <-stop:
		return p.abandon(started, stop, 1)
	}
	fmt.Println("ready")
	watch := time.NewTicker(500 * time.Millisecond)
	defer watch.Stop()
	for {
		select {
		case line := <-commands:
			answer(p.command(line))
		case <-stdinEnd:
			return stopped(p.stop())
		case <-stop:
			return stopped(p.stop())
		case <-watch.C:
			// A test that runs on against a dead API server only produces misleading timeouts.
			if err := p.alive(); err != nil {
				return fail(errors.Join(err, p.stop()))
			}
		}
	}
}

// abandon ends a start-up that is no longer wanted. envtest can't be interrupted, and is bounded by its own
// timeouts, so it is waited for; whoever is in a hurry signals again, and the guards clear up after this process.
func (p *plane) abandon(started <-chan error, stop <-chan os.Signal, patience int) int {
	for ; patience > 0; patience-- {
		select {
		case <-started:
			return stopped(p.stop())
		case <-stop:
		}
	}
	return 1
}

func (p *plane) command(line string) error {
	verb, name, _ := strings.Cut(strings.TrimSpace(line), " ")
	if verb != "restart" || !isComponent(name) {
		return fmt.Errorf("unknown command %q; there is: restart %s", line, strings.Join(components, "|"))
	}
	return p.restart(name)
}

func answer(err error) {
	if err == nil {
		fmt.Println("ok")
		return
	}
	// One line, because the answer to a command is one line.
	fmt.Println("error: " + strings.ReplaceAll(err.Error(), "\n", "; "))
}

func stopped(err error) int {
	if err != nil {
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	answer(err)
	return 1
}

// readLines delivers the lines of a stream, and closes the second channel when the stream ends.
func readLines(from io.Reader) (<-chan string, <-chan struct{}) {
	lines, end := make(chan string), make(chan struct{})
	go func() {
		defer close(end)
		scanner := bufio.NewScanner(from)
		for scanner.Scan() {
			if strings.TrimSpace(scanner.Text()) != "" {
				lines <- scanner.Text()
			}
		}
	}()
	return lines, end
}
