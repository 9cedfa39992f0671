package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/client-go/rest"
)

const (
	assetsVariable = "KUBEBUILDER_ASSETS"

	adminUser  = "admin"
	adminGroup = "system:masters" // every request is allowed, without RBAC
)

// Options of a start.
type Options struct {
	// Etcd stores the objects and is not stopped with the Env. Default: an etcd of the Env's own.
	Etcd *Etcd

	// EtcdPrefix is the key prefix below which this API server stores, beginning with a slash: the
	// identity of the cluster in a shared Etcd. Default: "/registry", as kube-apiserver has it.
	EtcdPrefix string

	// DisableWatchCache has every list and watch served by etcd, so that what was compacted there
	// answers 410 Gone; with the cache the API server goes on serving from memory. Default: false.
	DisableWatchCache bool

	// APIServerArgs are appended to kube-apiserver's command line, and win over the flags before
	// them. Default: none.
	APIServerArgs []string
}

// Env is a running API server. Its address, certificates and data stay the same over a restart.
type Env struct {
	dir      string
	programs string
	options  Options
	ownsEtcd bool
	etcd     *Etcd
	ca       *authority
	admin    keyPair
	port     int

	// mu is held while the server starts or stops, so that there is never more than one process;
	// server is nil while it is stopped.
	mu     sync.Mutex
	server *process
}

// Start starts an API server and stops it when the test is over. nil options are the defaults. It
// skips the test if KUBEBUILDER_ASSETS is unset, and ends it if the server does not become ready
// within a minute.
func Start(t testing.TB, options *Options) *Env {
	t.Helper()
	programs := assets(t)
	env, err := start(t.Context(), programs, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		env.showLogs(t)
		env.stop()
	})
	return env
}

// Config returns the administrator's client configuration, without client-side throttling; the
// caller may change it.
func (e *Env) Config() *rest.Config { return e.config(e.admin) }

// Kubeconfig returns the path of a kubeconfig file for the administrator; it is valid as long as
// the Env.
func (e *Env) Kubeconfig() string { return filepath.Join(e.dir, kubeconfigFile) }

// Etcd returns where the API server stores.
func (e *Env) Etcd() *Etcd { return e.etcd }

// CompactEtcd discards the history up to now; see [Etcd.Compact].
func (e *Env) CompactEtcd(t testing.TB) {
	t.Helper()
	if err := e.etcd.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// StopAPIServer stops the API server and leaves etcd alone. It does nothing if it is stopped
// already.
func (e *Env) StopAPIServer(testing.TB) { e.stopServer() }

// StartAPIServer starts a stopped API server again, with the same address and data, and returns
// when it is ready.
func (e *Env) StartAPIServer(t testing.TB) {
	t.Helper()
	if err := e.startServer(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// RestartAPIServer stops the API server and starts it again: open watches end, and the watch cache
// forgets the past.
func (e *Env) RestartAPIServer(t testing.TB) {
	t.Helper()
	e.StopAPIServer(t)
	e.StartAPIServer(t)
}

// start makes everything that survives a restart of the API server, and starts it.
func start(ctx context.Context, programs string, options *Options) (_ *Env, err error) {
	if options == nil {
		options = &Options{}
	}
	e := &Env{programs: programs, options: *options, etcd: options.Etcd, ownsEtcd: options.Etcd == nil}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	if e.dir, err = os.MkdirTemp("", "testenv-apiserver-"); err != nil {
		return nil, err
	}
	if err := e.writeCredentials(); err != nil {
		return nil, err
	}
	if e.ownsEtcd {
		if e.etcd, err = startEtcd(ctx, programs); err != nil {
			return nil, err
		}
	}
	if err := onFreePort(func(port int) error {
		e.port = port
		return e.startServer(ctx)
	}); err != nil {
		return nil, err
	}
	if err := e.writeKubeconfig(e.Kubeconfig(), adminUser, e.admin); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *Env) stop() {
	e.stopServer()
	if e.ownsEtcd && e.etcd != nil {
		e.etcd.stop()
	}
	_ = os.RemoveAll(e.dir)
}

// showLogs logs the end of the servers' logs if the test has failed.
func (e *Env) showLogs(t testing.TB) {
	t.Helper()
	showLogs(t, filepath.Join(e.dir, apiServer+".log"), e.etcd.proc.log)
}

func showLogs(t testing.TB, logs ...string) {
	t.Helper()
	if !t.Failed() {
		return
	}
	for _, log := range logs {
		t.Log(tail(log))
	}
}

// assets returns the folder of the programs, and skips the test if there is none.
func assets(t testing.TB) string {
	t.Helper()
	folder := os.Getenv(assetsVariable)
	if folder == "" {
		t.Skipf("needs a real API server and %s is unset: run `make e2e`", assetsVariable)
	}
	folder, err := filepath.Abs(folder)
	for _, name := range []string{"etcd", apiServer} {
		_, statErr := os.Stat(filepath.Join(folder, name))
		err = errors.Join(err, statErr)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("testenv: %s must hold etcd and kube-apiserver: %w", assetsVariable, err))
	}
	return folder
}
