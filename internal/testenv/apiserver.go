package testenv

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"

	"k8s.io/client-go/rest"
)

const (
	apiServer = "kube-apiserver"

	caFile         = "ca.crt"
	serverCertFile = "server.crt"
	serverKeyFile  = "server.key"
	signingKeyFile = "service-account.key"
)

// writeCredentials makes the CA and writes what the API server reads from files.
func (e *Env) writeCredentials() error {
	ca, err := newAuthority()
	if err != nil {
		return err
	}
	server, err := ca.server()
	if err != nil {
		return err
	}
	admin, err := ca.user(adminUser, adminGroup)
	if err != nil {
		return err
	}
	signingKey, err := newSigningKey()
	if err != nil {
		return err
	}
	e.ca, e.admin = ca, admin
	for name, content := range map[string][]byte{
		caFile:         ca.certPEM,
		serverCertFile: server.cert,
		serverKeyFile:  server.key,
		signingKeyFile: signingKey,
	} {
		if err := os.WriteFile(e.file(name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// startServer returns when the API server is ready; it does nothing if it runs.
func (e *Env) startServer(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		return nil
	}
	server, err := startProcess(filepath.Join(e.programs, apiServer), e.dir, e.args()...)
	if err != nil {
		return err
	}
	if err := server.waitReady(ctx, e.ready); err != nil {
		server.stop(stopGrace)
		return err
	}
	e.server = server
	return nil
}

func (e *Env) stopServer() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.server != nil {
		e.server.stop(stopGrace)
		e.server = nil
	}
}

func (e *Env) args() []string {
	args := []string{
		"--bind-address=" + loopback,
		fmt.Sprintf("--secure-port=%d", e.port),
		"--advertise-address=" + loopback,
		// The default one refuses to advertise a loopback address.
		"--endpoint-reconciler-type=none",
		"--service-cluster-ip-range=10.0.0.0/24",
		"--etcd-servers=" + e.etcd.url,
		"--cert-dir=" + e.dir,
		"--tls-cert-file=" + e.file(serverCertFile),
		"--tls-private-key-file=" + e.file(serverKeyFile),
		"--client-ca-file=" + e.file(caFile),
		"--authorization-mode=RBAC",
		"--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file=" + e.file(signingKeyFile),
		"--service-account-signing-key-file=" + e.file(signingKeyFile),
		// No controller makes the service accounts that it asks for.
		"--disable-admission-plugins=ServiceAccount",
	}
	if e.options.EtcdPrefix != "" {
		args = append(args, "--etcd-prefix="+e.options.EtcdPrefix)
	}
	if e.options.DisableWatchCache {
		args = append(args, "--watch-cache=false")
	}
	return append(args, e.options.APIServerArgs...)
}

// ready is nil when it is this server that answers, which its CA proves, and it is ready and has
// made the namespaces that every cluster has; it makes them in the background, and /readyz does not
// wait for them.
func (e *Env) ready(ctx context.Context) error {
	tls, err := rest.TLSConfigFor(e.Config())
	if err != nil {
		return err
	}
	// A connection for each request: none is left behind.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: tls, DisableKeepAlives: true}}
	for _, path := range []string{"/readyz", "/api/v1/namespaces/default", "/api/v1/namespaces/kube-system"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, e.url()+path, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close()
		if response.StatusCode != http.StatusOK {
			return fmt.Errorf("testenv: %s answered %s", path, response.Status)
		}
	}
	return nil
}

func (e *Env) url() string { return "https://" + address(e.port) }

func (e *Env) file(name string) string { return filepath.Join(e.dir, name) }
