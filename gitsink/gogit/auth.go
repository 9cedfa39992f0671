package gogit

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/opaque"
)

// Auth is what a connection shows to a server, and what it trusts. Each protocol takes the fields it knows. The zero value
// shows nothing and trusts the system's certificate authorities.
type Auth struct {
	// Username and Password are the HTTP Basic credentials. Hosts want an access token as the password and take any user
	// name. A Username without a Password is taken for a token, as some hosts take it, and hidden like one. Default: no
	// credentials; with a password, the user in the URL, or else "git".
	Username, Password string

	// BearerToken is sent by HTTP in place of Username and Password, for servers that want it so. Default: not sent.
	BearerToken string

	// SSHPrivateKey is a key in PEM, as ssh-keygen(1) writes it, and SSHPassphrase what it is encrypted with; it is not used
	// for a key that is not. The user is the one in the URL, or else "git". Default: none, and SSH is refused with ErrAuth.
	SSHPrivateKey []byte
	SSHPassphrase string

	// KnownHosts are lines of a known_hosts file (sshd(8)). A host that is not in them is refused. Default: none, and SSH
	// is refused with ErrAuth.
	KnownHosts []byte

	// CABundle are certificates in PEM that HTTPS trusts besides the system's. Default: none.
	CABundle []byte

	// ClientCertificate and ClientKey are a certificate (with those that lead to its root) and its key in PEM, for servers of
	// HTTPS that ask for one. Default: none.
	ClientCertificate, ClientKey []byte

	// Proxy is the URL of what all connections go through: http and https (the method CONNECT, for HTTPS, SSH and git), and
	// socks5, where the proxy looks the names up. It may hold a user and a password. Default: for HTTP, what
	// Options.Transport says, which is the environment's; for the others none.
	Proxy string
}

// String hides the credentials.
func (a Auth) String() string { return "gogit.Auth{***}" }

// GoString hides the credentials.
func (a Auth) GoString() string { return a.String() }

// MarshalLog implements logr.Marshaler with String.
func (a Auth) MarshalLog() any { return a.String() }

// Format implements fmt.Formatter with String, whatever the verb: none shows a credential.
func (a Auth) Format(f fmt.State, verb rune) { opaque.Format(f, verb, a.String()) }

// LogValue implements slog.LogValuer with String.
func (a Auth) LogValue() slog.Value { return opaque.LogValue(a.String()) }

// MarshalJSON implements json.Marshaler with String, since loggers marshal what they are given.
func (a Auth) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(a.String()) }

// authError is an error of Options.Auth.
type authError struct{ err error }

func (e *authError) Error() string { return fmt.Sprintf("getting credentials: %v", e.err) }
func (e *authError) Unwrap() error { return e.err }

// invalidAuth says that credentials cannot be used at all. It does not wrap err, which could show what it could not parse.
func invalidAuth(why string) error { return fmt.Errorf("%w: %s", gitsink.ErrAuth, why) }

// anonymous tells whether there is nothing to be shown by HTTP.
func (a Auth) anonymous() bool {
	return a.Username == "" && a.Password == "" && a.BearerToken == "" && len(a.ClientCertificate) == 0
}

// show adds the credentials to a request of HTTP.
func (a Auth) show(req *http.Request) {
	switch {
	case a.BearerToken != "":
		req.Header.Set("Authorization", "Bearer "+a.BearerToken)
	case a.Password != "" || a.Username != "":
		req.SetBasicAuth(firstOf(a.Username, defaultUser), a.Password)
	}
}

// configure sets what connections of HTTP are made with.
func (a Auth) configure(t *http.Transport) error {
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
		proxy, err := a.proxyURL()
		if err != nil {
			return err
		}
		t.Proxy = http.ProxyURL(proxy)
	}
	return nil
}

const defaultUser = "git"

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// sshConfig is for a login at an address, host:port. Only what is set here is used.
func (a Auth) sshConfig(user, address string) (*ssh.ClientConfig, error) {
	if len(a.SSHPrivateKey) == 0 || len(a.KnownHosts) == 0 {
		return nil, invalidAuth("SSH needs SSHPrivateKey and KnownHosts: set both")
	}
	signer, err := a.signer()
	if err != nil {
		return nil, err
	}
	hosts, err := parseKnownHosts(a.KnownHosts)
	if err != nil {
		return nil, err
	}
	algorithms := hosts.algorithms(address)
	if len(algorithms) == 0 {
		return nil, invalidAuth("KnownHosts has no key of " + address + ": add it")
	}
	return &ssh.ClientConfig{
		User:              user,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   hosts.check,
		HostKeyAlgorithms: algorithms,
	}, nil
}

// signer reads the key. One Secret may hold a password for HTTPS and a key that is not encrypted, so a passphrase is used only
// where it is needed.
func (a Auth) signer() (ssh.Signer, error) {
	signer, err := ssh.ParsePrivateKey(a.SSHPrivateKey)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		if a.SSHPassphrase == "" {
			return nil, invalidAuth("SSHPrivateKey is encrypted: set SSHPassphrase")
		}
		if signer, err = ssh.ParsePrivateKeyWithPassphrase(a.SSHPrivateKey, []byte(a.SSHPassphrase)); err != nil {
			return nil, invalidAuth("SSHPrivateKey cannot be read with this SSHPassphrase")
		}
	}
	if err != nil {
		return nil, invalidAuth("SSHPrivateKey is no private key in PEM")
	}
	return signer, nil
}

// minToken is the length from which a name is taken for a token that stands in place of one.
const minToken = 8

// secrets returns what no error may hold, in every spelling in which it could come back.
func (a Auth) secrets(ep *transport.Endpoint) []string {
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
		if user := firstOf(a.Username, ep.User, defaultUser); a.Password != "" || user != defaultUser {
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

// userInfo is what stands between :// and @ in a URL, wherever one is quoted.
var userInfo = regexp.MustCompile(`://[^/\s@"']*@`)

// redact masks the credentials of all connections so far.
func (r *remote) redact(text string) string {
	for _, secret := range r.secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return userInfo.ReplaceAllString(text, "://***@")
}
