package testenv

import (
	"path/filepath"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

const kubeconfigFile = "kubeconfig"

// ConfigFor returns the client configuration of a user with that name in those groups, without
// client-side throttling. The user may do what RBAC allows, at first nearly nothing.
func (e *Env) ConfigFor(t testing.TB, name string, groups ...string) *rest.Config {
	t.Helper()
	return e.config(e.issue(t, name, groups))
}

// WriteKubeconfig writes a kubeconfig file for a user with that name in those groups and returns
// its path, which is valid until the test is over.
func (e *Env) WriteKubeconfig(t testing.TB, name string, groups ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), kubeconfigFile)
	if err := e.writeKubeconfig(path, name, e.issue(t, name, groups)); err != nil {
		t.Fatal(err)
	}
	return path
}

func (e *Env) issue(t testing.TB, name string, groups []string) keyPair {
	t.Helper()
	pair, err := e.ca.user(name, groups...)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func (e *Env) config(user keyPair) *rest.Config {
	return &rest.Config{
		Host:            e.url(),
		TLSClientConfig: rest.TLSClientConfig{CAData: e.ca.certPEM, CertData: user.cert, KeyData: user.key},
		QPS:             -1,
	}
}

func (e *Env) writeKubeconfig(path, name string, user keyPair) error {
	config := api.NewConfig()
	config.Clusters["testenv"] = &api.Cluster{Server: e.url(), CertificateAuthorityData: e.ca.certPEM}
	config.AuthInfos[name] = &api.AuthInfo{ClientCertificateData: user.cert, ClientKeyData: user.key}
	config.Contexts["testenv"] = &api.Context{Cluster: "testenv", AuthInfo: name}
	config.CurrentContext = "testenv"
	return clientcmd.WriteToFile(*config, path)
}
