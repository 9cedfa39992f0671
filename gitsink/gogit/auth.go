package gogit

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink"
)

// Auth is what a connection shows to a server, and what it trusts. Each protocol takes the fields it knows. The zero value
// shows nothing and trusts the system's certificate authorities.
type Auth struct {
	// Username and Password are the HTTP Basic credentials. Hosts want an access token as the password and take any user
	// name. Default: no credentials; with a password, the user in the URL, or else "git".
	Username, Password string

	// BearerToken is sent by HTTP in place of Username and Password, for servers that want it so. Default: not sent.
	BearerToken string

	// SSHPrivateKey is a key in PEM, as ssh-keygen(1) writes it, and SSHPassphrase what it is encrypted with. The user is
	// the one in the URL, or else "git". Default: none, and SSH is refused with ErrAuth.
	SSHPrivateKey []byte
	SSHPassphrase string

	// KnownHosts are lines of a known_hosts file (sshd(8)). A host that is not in them is refused. Default: none, and SSH
	// is refused with ErrAuth.
	KnownHosts []byte

	// CABundle are certificates in PEM that HTTPS trusts besides the system's. Default: none.
	CABundle []byte
}

// String hides the credentials.
func (a Auth) String() string { return "gogit.Auth{***}" }

// GoString hides the credentials.
func (a Auth) GoString() string { return a.String() }

// authError is an error of Options.Auth.
type authError struct{ err error }

func (e *authError) Error() string { return fmt.Sprintf("getting credentials: %v", e.err) }
func (e *authError) Unwrap() error { return e.err }

// invalidAuth says that credentials cannot be used at all. It does not wrap err, which could show what it could not parse.
func invalidAuth(why string) error { return fmt.Errorf("%w: %s", gitsink.ErrAuth, why) }

// method is a for go-git.
func (a Auth) method(ep *transport.Endpoint) (transport.AuthMethod, error) {
	switch ep.Protocol {
	case "http", "https":
		if a.BearerToken != "" {
			return &githttp.TokenAuth{Token: a.BearerToken}, nil
		}
		if a.Password != "" || a.Username != "" {
			return &githttp.BasicAuth{Username: firstOf(a.Username, ep.User, defaultUser), Password: a.Password}, nil
		}
	case "ssh":
		return a.ssh(ep)
	}
	return nil, nil
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

func (a Auth) ssh(ep *transport.Endpoint) (transport.AuthMethod, error) {
	if len(a.SSHPrivateKey) == 0 || len(a.KnownHosts) == 0 {
		return nil, invalidAuth("SSH needs SSHPrivateKey and KnownHosts: set both")
	}
	signer, err := a.signer()
	if err != nil {
		return nil, err
	}
	callback, err := parseKnownHosts(a.KnownHosts)
	if err != nil {
		return nil, err
	}
	port := ep.Port
	if port == 0 {
		port = 22
	}
	return &sshAuth{config: ssh.ClientConfig{
		User:              firstOf(ep.User, defaultUser),
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback:   callback,
		HostKeyAlgorithms: hostKeyAlgorithms(callback, net.JoinHostPort(ep.Host, strconv.Itoa(port))),
	}}, nil
}

func (a Auth) signer() (ssh.Signer, error) {
	var signer ssh.Signer
	var err error
	if a.SSHPassphrase != "" {
		signer, err = ssh.ParsePrivateKeyWithPassphrase(a.SSHPrivateKey, []byte(a.SSHPassphrase))
	} else {
		signer, err = ssh.ParsePrivateKey(a.SSHPrivateKey)
	}
	if err != nil {
		return nil, invalidAuth("SSHPrivateKey cannot be read with this SSHPassphrase")
	}
	return signer, nil
}

// parseKnownHosts goes through a file, since the parser takes nothing else. Host keys are public.
func parseKnownHosts(lines []byte) (ssh.HostKeyCallback, error) {
	file, err := os.CreateTemp("", "known_hosts")
	if err != nil {
		return nil, fmt.Errorf("reading KnownHosts: %w", err)
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.Write(lines)
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, fmt.Errorf("reading KnownHosts: %w", err)
	}
	callback, err := knownhosts.New(file.Name())
	if err != nil {
		return nil, invalidAuth("KnownHosts is malformed: give lines of a known_hosts file")
	}
	return callback, nil
}

// hostKeyAlgorithms asks the server for a key of a type that is known: it may have several, and would else choose.
func hostKeyAlgorithms(callback ssh.HostKeyCallback, address string) []string {
	var wrong *knownhosts.KeyError
	if !errors.As(callback(address, &net.TCPAddr{}, noKey{}), &wrong) {
		return nil
	}
	var algorithms []string
	for _, known := range wrong.Want {
		if t := known.Key.Type(); t == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256, t)
		} else {
			algorithms = append(algorithms, t)
		}
	}
	return algorithms
}

// noKey is a key that no host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// sshAuth is go-git's ssh.AuthMethod with everything set, so that nothing of the machine's own SSH configuration is used.
type sshAuth struct{ config ssh.ClientConfig }

func (a *sshAuth) Name() string   { return "ssh-public-keys" }
func (a *sshAuth) String() string { return a.Name() }

// ClientConfig returns a copy that the caller may change.
func (a *sshAuth) ClientConfig() (*ssh.ClientConfig, error) {
	config := a.config
	return &config, nil
}

// certificates are the system's and those of the bundle.
func certificates(bundle string) (*x509.CertPool, error) {
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM([]byte(bundle)) {
		return nil, invalidAuth("CABundle holds no certificate in PEM")
	}
	return pool, nil
}

// secrets returns what no error may hold, in every spelling in which it could come back.
func (a Auth) secrets(ep *transport.Endpoint) []string {
	plain := []string{a.Password, a.BearerToken, a.SSHPassphrase}
	if strings.HasPrefix(ep.Protocol, "http") && len(ep.User) >= 8 { // a token in place of a user name
		plain = append(plain, ep.User)
	}
	var secrets []string
	for _, s := range plain {
		if s != "" {
			secrets = append(secrets, s, url.PathEscape(s), url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s)))
		}
	}
	if a.Password != "" {
		user := firstOf(a.Username, ep.User, defaultUser)
		secrets = append(secrets, base64.StdEncoding.EncodeToString([]byte(user+":"+a.Password)))
	}
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
