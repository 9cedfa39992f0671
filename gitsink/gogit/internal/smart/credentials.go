package smart

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/internal/opaque"
)

// Credentials are what a connection shows to a server, and what it trusts: the fields of the
// sink's Auth, one by one.
type Credentials struct {
	Username, Password string
	BearerToken        string
	SSHPrivateKey      []byte
	SSHPassphrase      string
	KnownHosts         []byte
	CABundle           []byte
	ClientCertificate  []byte
	ClientKey          []byte
	Proxy              string
}

// Format implements fmt.Formatter: whatever the verb, none of the fields is shown.
func (a Credentials) Format(f fmt.State, verb rune) { opaque.Format(f, verb, "smart.Credentials{***}") }

// Anonymous reports whether there is nothing to be shown by HTTP.
func (a Credentials) Anonymous() bool {
	return a.Username == "" && a.Password == "" && a.BearerToken == "" && len(a.ClientCertificate) == 0
}

// show adds the credentials to a request of HTTP.
func (a Credentials) show(req *http.Request) {
	switch {
	case a.BearerToken != "":
		req.Header.Set("Authorization", "Bearer "+a.BearerToken)
	case a.Password != "" || a.Username != "":
		req.SetBasicAuth(cmp.Or(a.Username, defaultUser), a.Password)
	}
}

// configure sets what connections of HTTP are made with.
func (a Credentials) configure(t *http.Transport) error {
	if len(a.CABundle) > 0 {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM(a.CABundle) {
			return invalidAuth("CABundle holds no certificate in PEM")
		}
		t.TLSClientConfig.RootCAs = pool
	}
	if len(a.ClientCertificate) > 0 || len(a.ClientKey) > 0 {
		pair, err := tls.X509KeyPair(a.ClientCertificate, a.ClientKey)
		if err != nil {
			return invalidAuth("ClientCertificate and ClientKey are no pair of a certificate and its key in PEM")
		}
		t.TLSClientConfig.Certificates = []tls.Certificate{pair}
	}
	if a.Proxy != "" {
		proxy, err := ParseProxy(a.Proxy)
		if err != nil {
			return err
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	return nil
}

const defaultUser = "git"

// sshConfig is for a login at an address, host:port. Only what is set here is used.
func (a Credentials) sshConfig(user, address string) (*ssh.ClientConfig, error) {
	if len(a.SSHPrivateKey) == 0 || len(a.KnownHosts) == 0 {
		return nil, invalidAuth("SSH needs SSHPrivateKey and KnownHosts: set both (in a Secret: ssh-privatekey or identity, and known_hosts)")
	}
	signer, err := a.Signer()
	if err != nil {
		return nil, err
	}
	hosts, err := parseKnownHosts(a.KnownHosts)
	if err != nil {
		return nil, err
	}
	algorithms := hosts.algorithms(address)
	if len(algorithms) == 0 {
		return nil, invalidAuth("KnownHosts (known_hosts of a Secret) has no key of " + address + ": add it")
	}
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: algorithms,
	}, nil
}

// Signer reads the key. One Secret may hold a password for HTTPS and a key that is not encrypted,
// so a passphrase is used only where it is needed.
func (a Credentials) Signer() (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(a.SSHPrivateKey)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		if a.SSHPassphrase == "" {
			return nil, invalidAuth("SSHPrivateKey is encrypted: set SSHPassphrase (in a Secret: identity is encrypted, set password)")
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(a.SSHPrivateKey, []byte(a.SSHPassphrase)); err != nil {
			return nil, invalidAuth("SSHPrivateKey cannot be read with this SSHPassphrase (in a Secret: identity and password)")
		}
	}
	if err != nil {
		return nil, invalidAuth("SSHPrivateKey is no private key in PEM (in a Secret: ssh-privatekey or identity)")
	}
	return signer, nil
}

// minToken is the length from which a name is taken for a token that stands in place of one.
const minToken = 8

// Secrets returns what no error may hold, in every spelling in which it could come back.
func (a Credentials) Secrets(ep *transport.Endpoint) []string {
	plain := []string{a.Password, a.BearerToken, a.SSHPassphrase}
	if proxy, err := url.Parse(a.Proxy); err == nil {
		password, _ := proxy.User.Password()
		plain = append(plain, password, proxy.User.Username()+":"+password)
	}
	if strings.HasPrefix(ep.Protocol, "http") {
		for _, user := range []string{a.Username, ep.User} {
			if len(user) >= minToken || a.Password == "" && user != defaultUser {
				plain = append(plain, user)
			}
		}
		if user := cmp.Or(a.Username, ep.User, defaultUser); a.Password != "" || user != defaultUser {
			plain = append(plain, user+":"+a.Password) // of the header
		}
	}
	var secrets []string
	for _, s := range plain {
		if s != "" && s != ":" {
			secrets = append(secrets, s, url.PathEscape(s), url.QueryEscape(s),
				base64.StdEncoding.EncodeToString([]byte(s)), base64.RawStdEncoding.EncodeToString([]byte(s)))
		}
	}
	// The longest first: a secret that is the beginning of another would leave the rest of it.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	return secrets
}
