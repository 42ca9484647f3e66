package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr/funcr"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

const (
	// Generous: two control planes may start at once on a machine of two cores that also compiles.
	startTimeout = 90 * time.Second
	stopTimeout  = 20 * time.Second
)

// The controllers that a namespace and its objects meet; those for workloads would run with nothing to do.
var controllers = []string{
	"clusterrole-aggregation-controller",
	"garbage-collector-controller",
	"namespace-controller",
	"root-ca-certificate-publisher-controller",
	"serviceaccount-controller",
	"serviceaccount-token-controller",
	"validatingadmissionpolicy-status-controller",
}

// Of what service accounts ask for, and of nothing else: that is what the tests want to know, and administrators, as which
// all other tests and measurements run, cost nothing.
const auditPolicy = `apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, userGroups: ["system:serviceaccounts"]}
  - {level: None}
`

// plane is one control plane and the directory that holds all it writes.
type plane struct {
	data    string
	env     *envtest.Environment
	manager *exec.Cmd
	client  *http.Client
}

func newPlane(assets, data string) (*plane, error) {
	assets, err := filepath.Abs(assets)
	if err != nil {
		return nil, err
	}
	if data, err = filepath.Abs(data); err != nil {
		return nil, err
	}
	for _, name := range components {
		if _, err := exec.LookPath(filepath.Join(assets, name)); err != nil {
			return nil, fmt.Errorf("--assets: %w", err)
		}
	}
	p := &plane{data: data}
	// envtest makes no new certificates where it finds some, but then doesn't know the CA that signed them.
	if err := os.RemoveAll(p.path("certs")); err != nil {
		return nil, err
	}
	for _, dir := range []string{"certs", "etcd", "guards"} {
		if err := os.MkdirAll(p.path(dir), 0o700); err != nil {
			return nil, err
		}
	}
	if err := p.linkGuards(); err != nil {
		return nil, err
	}
	guardEnvironment(assets, data)
	return p, p.configure()
}

func (p *plane) path(parts ...string) string {
	return filepath.Join(append([]string{p.data}, parts...)...)
}

func (p *plane) linkGuards() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range components {
		link := p.path("guards", name)
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(self, link); err != nil {
			return err
		}
	}
	return nil
}

func (p *plane) configure() error {
	// Somebody's KUBECONFIG or USE_EXISTING_CLUSTER must never turn a test run against a real cluster.
	existing := false
	p.env = &envtest.Environment{
		UseExistingCluster:       &existing,
		ControlPlaneStartTimeout: startTimeout,
		ControlPlaneStopTimeout:  stopTimeout,
	}
	logs, err := p.logFile("launcher")
	if err != nil {
		return err
	}
	log.SetLogger(funcr.New(func(prefix, args string) { fmt.Fprintln(logs, prefix, args) }, funcr.Options{}))

	etcdLog, err := p.logFile("etcd")
	if err != nil {
		return err
	}
	p.env.ControlPlane.Etcd = &envtest.Etcd{
		Path: p.path("guards", "etcd"), DataDir: p.path("etcd"), Out: etcdLog, Err: etcdLog,
	}

	server := p.env.ControlPlane.GetAPIServer()
	server.Path, server.CertDir = p.path("guards", "kube-apiserver"), p.path("certs")
	if server.Out, err = p.logFile("kube-apiserver"); err != nil {
		return err
	}
	server.Err = server.Out
	if err := os.WriteFile(p.path("audit-policy.yaml"), []byte(auditPolicy), 0o600); err != nil {
		return err
	}
	// Many tests share one API server: fairness and its queues would make one test wait for another.
	server.Configure().
		Set("enable-priority-and-fairness", "false").
		Set("max-requests-inflight", "0").
		Set("max-mutating-requests-inflight", "0").
		Set("audit-policy-file", p.path("audit-policy.yaml")).
		Set("audit-log-path", p.path("audit.log")).
		// envtest switches this one off for want of a controller that makes service accounts; here is one.
		Disable("disable-admission-plugins")
	return nil
}

func (p *plane) logFile(name string) (*os.File, error) {
	return os.OpenFile(p.path(name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
}

// start returns once the control plane is ready in all its parts and its kubeconfig is written.
func (p *plane) start(kubeconfig string) error {
	config, err := p.env.Start()
	if err != nil {
		return fmt.Errorf("%w; logs are in %s", err, p.data)
	}
	if p.client, err = rest.HTTPClientFor(config); err != nil {
		return err
	}
	if err := p.startManager(); err != nil {
		return err
	}
	// The controller manager is up when its work is seen: every namespace gets these two.
	for _, made := range []string{"serviceaccounts/default", "configmaps/kube-root-ca.crt"} {
		if err := p.await("/api/v1/namespaces/default/" + made); err != nil {
			return err
		}
	}
	if err := p.await("/readyz"); err != nil {
		return err
	}
	return writeAtomically(kubeconfig, p.env.KubeConfig)
}

func (p *plane) startManager() error {
	ca, config := p.path("certs", "ca.crt"), p.path("certs", "admin.kubeconfig")
	if err := writeAtomically(ca, p.env.ControlPlane.APIServer.CA); err != nil {
		return err
	}
	if err := writeAtomically(config, p.env.KubeConfig); err != nil {
		return err
	}
	logs, err := p.logFile("kube-controller-manager")
	if err != nil {
		return err
	}
	p.manager = exec.Command(p.path("guards", "kube-controller-manager"),
		"--kubeconfig="+config,
		"--root-ca-file="+ca,
		"--service-account-private-key-file="+p.path("certs", "sa-signer.key"),
		"--controllers="+strings.Join(controllers, ","),
		"--use-service-account-credentials=false",
		"--leader-elect=false",
		"--kube-api-qps=500", "--kube-api-burst=1000",
		// Nobody asks for its health or metrics, and a fixed port would let only one run on a machine.
		"--secure-port=0",
	)
	p.manager.Stdout, p.manager.Stderr = logs, logs
	p.manager.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.manager.Start(); err != nil {
		return err
	}
	go func() { _ = p.manager.Wait() }()
	return nil
}

// stop ends the parts in the order in which they need one another, and never leaves one because another failed.
func (p *plane) stop() error {
	if p.manager != nil {
		if pid, err := readPid(p.path("kube-controller-manager.guard")); err == nil {
			_ = syscall.Kill(pid, syscall.SIGTERM)
			waitGone(pid, stopTimeout)
		}
	}
	return p.env.Stop()
}

// alive says which part has ended by itself, if one has.
func (p *plane) alive() error {
	for _, name := range components {
		pid, err := readPid(p.path(name + ".guard"))
		if err == nil {
			err = syscall.Kill(pid, 0)
		}
		if err != nil {
			return fmt.Errorf("%s has ended unexpectedly; its log is %s", name, p.path(name+".log"))
		}
	}
	return nil
}

// restart has the guard kill its program and start it again, and returns when the API server is ready again.
func (p *plane) restart(name string) error {
	guard, err := readPid(p.path(name + ".guard"))
	if err != nil {
		return err
	}
	before, err := readPid(p.path(name + ".pid"))
	if err != nil {
		return err
	}
	if err := syscall.Kill(guard, syscall.SIGHUP); err != nil {
		return err
	}
	err = until(startTimeout, func() bool {
		now, err := readPid(p.path(name + ".pid"))
		return err == nil && now != before
	})
	if err != nil {
		return fmt.Errorf("%s was not started again: %w", name, err)
	}
	if name == "etcd" {
		// The API server remembers its last good look at etcd for a moment, so /readyz alone could be too early.
		if err := awaitURL(http.DefaultClient, p.env.ControlPlane.Etcd.URL.JoinPath("health").String()); err != nil {
			return err
		}
	}
	return p.await("/readyz")
}

// await polls a path of the API server until it answers 200.
func (p *plane) await(path string) error {
	if err := awaitURL(p.client, strings.TrimSuffix(p.env.Config.Host, "/")+path); err != nil {
		return fmt.Errorf("%w; logs are in %s", err, p.data)
	}
	return nil
}

func awaitURL(client *http.Client, url string) error {
	var last error
	err := until(startTimeout, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			last = err
			return false
		}
		response, err := client.Do(request)
		if err != nil {
			last = err
			return false
		}
		_ = response.Body.Close()
		last = fmt.Errorf("it answers %s", response.Status)
		return response.StatusCode == http.StatusOK
	})
	if err != nil {
		return fmt.Errorf("%s: %w: %w", url, err, last)
	}
	return nil
}

func until(limit time.Duration, done func() bool) error {
	deadline := time.Now().Add(limit)
	for !done() {
		if time.Now().After(deadline) {
			return fmt.Errorf("not within %s", limit)
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil
}

func waitGone(pid int, limit time.Duration) {
	_ = until(limit, func() bool { return syscall.Kill(pid, 0) != nil })
}

// writeAtomically never shows a reader half a file, nor anyone but the user a private key.
func writeAtomically(path string, content []byte) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, writeErr := file.Write(content) // CreateTemp gives mode 0600.
	if err := errors.Join(writeErr, file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

func isComponent(name string) bool { return slices.Contains(components, name) }
