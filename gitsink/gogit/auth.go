package gogit

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"log/slog"

	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/internal/opaque"
)

// Auth is what a connection shows to a server, and what it trusts. Each protocol takes the fields
// it knows. The zero value shows nothing and trusts the system's certificate authorities.
type Auth struct {
	// Username and Password are the HTTP Basic credentials. Hosts want an access token as the
	// password and take any user name. A Username without a Password is taken for a token, as some
	// hosts take it, and hidden like one. Default: no credentials; with a password, the user in the
	// URL, or else "git".
	Username, Password string

	// BearerToken is sent by HTTP in place of Username and Password, for servers that want it so.
	// Default: not sent.
	BearerToken string

	// SSHPrivateKey is a key in PEM, as ssh-keygen(1) writes it, and SSHPassphrase what it is
	// encrypted with; it is not used for a key that is not. The user is the one in the URL, or else
	// "git". Default: none, and SSH is refused with ErrNoCredentials.
	SSHPrivateKey []byte
	SSHPassphrase string

	// KnownHosts are lines of a known_hosts file (sshd(8)). A host that is not in them is refused.
	// Default: none, and SSH is refused with ErrNoCredentials.
	KnownHosts []byte

	// CABundle are certificates in PEM that HTTPS trusts besides the system's. Default: none.
	CABundle []byte

	// ClientCertificate and ClientKey are a certificate (with those that lead to its root) and its
	// key in PEM, for servers of HTTPS that ask for one. Default: none.
	ClientCertificate, ClientKey []byte

	// Proxy is the URL of what all connections go through: http and https (the method CONNECT, for
	// HTTPS, SSH and git), and socks5, where the proxy looks the names up. It may hold a user and a
	// password. Default: for HTTP, what Options.Transport says, which is the environment's; for the
	// others none.
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

// Error says what failed, in the words of Options.Auth.
func (e *authError) Error() string { return fmt.Sprintf("getting credentials: %v", e.err) }

// Unwrap returns the error of Options.Auth.
func (e *authError) Unwrap() error { return e.err }

// identity tells credentials apart without holding them: equal credentials of one process have
// one. It is keyed, so that it is of no use to guess a password with.
type identity [sha256.Size]byte

var identityKey = func() (key [32]byte) {
	_, _ = rand.Read(key[:]) // it never fails
	return key
}()

// identify is the identity of credentials at a repository, whose URL may name a user.
func identify(repository string, a Auth) identity {
	user := ""
	if ep, err := transport.NewEndpoint(repository); err == nil {
		user = ep.User
	}
	h := sha256.New()
	h.Write(identityKey[:])
	for _, field := range [][]byte{
		[]byte(user), []byte(a.Username), []byte(a.Password), []byte(a.BearerToken), a.SSHPrivateKey, []byte(a.SSHPassphrase),
		a.KnownHosts, a.CABundle, a.ClientCertificate, a.ClientKey, []byte(a.Proxy),
	} {
		_ = binary.Write(h, binary.BigEndian, int64(len(field)))
		h.Write(field)
	}
	return identity(h.Sum(nil))
}
