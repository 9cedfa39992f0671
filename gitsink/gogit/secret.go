package gogit

import (
	"fmt"
	"maps"
	"net/url"
	"slices"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// The names of keys in Secrets, by what they hold, in the order of preference.
var secretKeys = struct{ username, password, token, sshKey, knownHosts, ca, certificate, key, proxy []string }{
	username:    []string{"username"},
	password:    []string{"password"},
	token:       []string{"bearerToken"},
	sshKey:      []string{"ssh-privatekey", "identity", "sshPrivateKey"},
	knownHosts:  []string{"known_hosts", "ssh_known_hosts"},
	ca:          []string{"ca.crt", "caFile"},
	certificate: []string{"tls.crt", "certFile", "tlsClientCertData"},
	key:         []string{"tls.key", "keyFile", "tlsClientCertKey"},
	proxy:       []string{"proxy"},
}

// AuthFromSecret reads the data of a Kubernetes Secret with the key names that are in use:
//
//	kubernetes.io/basic-auth  username, password
//	kubernetes.io/ssh-auth    ssh-privatekey
//	kubernetes.io/tls         tls.crt, tls.key
//	Flux                      username, password, bearerToken, identity, known_hosts,
//	                          ca.crt (caFile), tls.crt (certFile), tls.key (keyFile);
//	                          beside identity, password is its passphrase if it needs one
//	Argo CD                   username, password, bearerToken, sshPrivateKey,
//	                          tlsClientCertData, tlsClientCertKey, proxy
//
// known_hosts is read beside all of them, as ssh_known_hosts too, the name in Argo CD's ConfigMap.
// A Secret with none of them is an error that names the keys it has, never a value. So is one with
// a username and nothing that goes with it, and one with the private key of a GitHub App: see the
// example of [Options] for how its tokens are had.
func AuthFromSecret(data map[string][]byte) (Auth, error) {
	first := func(keys []string) []byte {
		for _, key := range keys {
			if len(data[key]) > 0 {
				return data[key]
			}
		}
		return nil
	}
	a := Auth{
		Username:          string(first(secretKeys.username)),
		Password:          string(first(secretKeys.password)),
		BearerToken:       string(first(secretKeys.token)),
		SSHPrivateKey:     first(secretKeys.sshKey),
		KnownHosts:        first(secretKeys.knownHosts),
		CABundle:          first(secretKeys.ca),
		ClientCertificate: first(secretKeys.certificate),
		ClientKey:         first(secretKeys.key),
		Proxy:             string(first(secretKeys.proxy)),
	}
	if a.Username != "" && a.Password == "" && a.BearerToken == "" && a.SSHPrivateKey == nil && a.ClientCertificate == nil {
		return Auth{}, errNoPassword
	}
	if a.SSHPrivateKey != nil {
		a.SSHPassphrase = a.Password
	}
	switch {
	case len(data["githubAppPrivateKey"]) > 0:
		return Auth{}, errGitHubApp
	case smart.Credentials(a).Anonymous() && a.SSHPrivateKey == nil && a.CABundle == nil && a.Proxy == "":
		return Auth{}, fmt.Errorf("%w: it has the keys %q", errNoCredentials, slices.Sorted(maps.Keys(data)))
	}
	return a, nil
}

// ProxyFromSecret reads Flux's Secret for a proxy (address, username, password) into the URL for
// [Auth.Proxy]. Its errors hold no value.
func ProxyFromSecret(data map[string][]byte) (string, error) {
	u, err := smart.ParseProxy(string(data["address"]))
	if err != nil {
		return "", fmt.Errorf("%w: key address of the Secret", err)
	}
	if user := string(data["username"]); user != "" {
		u.User = url.UserPassword(user, string(data["password"]))
	}
	return u.String(), nil
}

var (
	errNoCredentials = fmt.Errorf("%w: the Secret has no key that is known, such as username, password, bearerToken, ssh-privatekey and tls.crt",
		gitsink.ErrNoCredentials)
	errNoPassword = fmt.Errorf("%w: the Secret has a username, but neither password nor bearerToken: add one, or give a token as the password",
		gitsink.ErrNoCredentials)
	errGitHubApp = fmt.Errorf("%w: the Secret is a GitHub App's: its key opens no repository, but gets tokens that do", gitsink.ErrNoCredentials)
)
