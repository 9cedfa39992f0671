package gogit

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/queue"
)

// eavesdropper is a network that every name leads to. It answers with what the server has, and
// notes what it heard.
type eavesdropper struct {
	heard     atomic.Int32 // requests, or connections where no request was made
	server    string       // host:port
	transport *http.Transport
}

func newEavesdropper(t *testing.T, server *gitservertest.Server) *eavesdropper {
	e := &eavesdropper{server: strings.TrimPrefix(server.URL(), "http://")}
	e.transport = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		e.heard.Add(1)
		return (&net.Dialer{}).DialContext(ctx, network, e.server)
	}}
	t.Cleanup(e.transport.CloseIdleConnections)
	return e
}

func TestCredentialsNeverGoInPlainTextUnlessTheHostIsAllowed(t *testing.T) {
	t.Parallel()
	password, bearer := Auth{Username: "bot", Password: "s3cret-word"}, Auth{BearerToken: "s3cret-word"}
	through := func(a Auth, proxy string) Auth { a.Proxy = proxy; return a }
	for name, c := range map[string]struct {
		url     string
		auth    Auth
		hosts   []string
		refused string // the host that the error names; "": nothing is refused
	}{
		"a password":                       {"http://git.example/app", password, nil, "git.example"},
		"a token":                          {"http://git.example:3000/app", bearer, nil, "git.example"},
		"a protocol in capitals":           {"HTTP://git.example/app", bearer, nil, "git.example"},
		"a user name alone":                {"http://git.example/app", Auth{Username: "s3cret-word"}, nil, "git.example"},
		"a user in the URL":                {"http://s3cret-word@git.example/app", Auth{}, nil, "git.example"},
		"a certificate":                    {"http://git.example/app", Auth{ClientCertificate: []byte("pem")}, nil, "git.example"},
		"an address":                       {"http://192.0.2.1/app", password, nil, "192.0.2.1"},
		"another machine's zero":           {"http://0.0.0.0/app", password, nil, "0.0.0.0"},
		"a name like this machine's":       {"http://localhost.git.example/app", password, nil, "localhost.git.example"},
		"a name below this machine's":      {"http://a.localhost/app", password, nil, "a.localhost"},
		"this machine as a number":         {"http://2130706433/app", password, nil, "2130706433"},
		"this machine in short":            {"http://127.1/app", password, nil, "127.1"},
		"an allowance for another":         {"http://git.example/app", password, []string{"example", "*", "git.example:80", "http://git.example", ""}, "git.example"},
		"a proxy's password":               {"https://git.example/app", Auth{Proxy: "http://me:s3cret-word@proxy.example"}, nil, "proxy.example"},
		"a proxy's name alone":             {"https://git.example/app", Auth{Proxy: "http://s3cret-word@proxy.example"}, nil, "proxy.example"},
		"a proxy's password by SOCKS":      {"ssh://git@git.example/app", Auth{Proxy: "socks5://me:s3cret-word@proxy.example"}, nil, "proxy.example"},
		"a proxy's password for git":       {"git://git.example/app", Auth{Proxy: "socks5h://me:s3cret-word@proxy.example"}, nil, "proxy.example"},
		"a proxy of a host that is named":  {"http://git.example/app", through(password, "http://proxy.example"), []string{"git.example"}, "proxy.example"},
		"a proxy's own idea of localhost":  {"http://localhost/app", through(password, "http://127.0.0.1:1"), nil, "localhost"},
		"a proxy's own loopback":           {"http://127.0.0.1/app", through(password, "https://proxy.example"), nil, "127.0.0.1"},
		"nothing to show":                  {"http://git.example/app", Auth{}, nil, ""},
		"a key for SSH only":               {"http://git.example/app", Auth{SSHPrivateKey: []byte("pem"), CABundle: []byte("pem")}, nil, ""},
		"https":                            {"https://git.example/app", password, nil, ""},
		"ssh":                              {"ssh://git@git.example/app", password, nil, ""},
		"git, which shows nothing":         {"git://git.example/app", password, nil, ""},
		"a file":                           {"file:///srv/app", through(password, "http://me:x@proxy.example"), nil, ""},
		"a loopback address":               {"http://127.8.9.1:3000/app", password, nil, ""},
		"a loopback address of IPv6":       {"http://[::1]:3000/app", password, nil, ""},
		"localhost":                        {"http://LocalHost:3000/app", password, nil, ""},
		"a host that is named":             {"http://git.example:3000/app", password, []string{"other", "GIT.example"}, ""},
		"an address that is named":         {"http://[2001:db8::1]/app", password, []string{"2001:DB8:0::1"}, ""},
		"a proxy without a password":       {"https://git.example/app", through(password, "http://proxy.example"), nil, ""},
		"a proxy with TLS":                 {"https://git.example/app", Auth{Proxy: "https://me:s3cret-word@proxy.example"}, nil, ""},
		"a proxy that is named":            {"https://git.example/app", Auth{Proxy: "http://me:s3cret-word@proxy.example"}, []string{"proxy.example"}, ""},
		"a proxy on this machine":          {"https://git.example/app", Auth{Proxy: "http://me:s3cret-word@127.0.0.1:3128"}, nil, ""},
		"a proxy and a host that are both": {"http://git.example/app", through(password, "http://me:x@proxy.example"), []string{"proxy.example", "git.example"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			opts := &Options{AllowedPlainTextHosts: c.hosts}
			err := opts.checkPlainText(c.url, c.auth)
			if c.refused == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, gitsink.ErrPlainText)
			require.ErrorContains(t, err, "to "+c.refused)
			require.ErrorContains(t, err, "allow that host (Options.AllowedPlainTextHosts)")
			require.NotContains(t, err.Error(), "s3cret")
		})
	}
}

// Whoever listens hears nothing, on the first connection and on every later one, and a word from
// the administrator opens the way.
func TestNothingIsSentWhereCredentialsWouldBeReadable(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "bot", Password: "s3cret-word"}})
	repo := server.NewRepo("app")
	network := newEavesdropper(t, server)
	s := newSink(t, &Options{Auth: fixed(Auth{Username: "bot", Password: "s3cret-word"}), Transport: network.transport})
	d := target("http://git.example/app", "main", "")
	e := refuse(t, s, d, put("a", "1"), gitsink.ErrPlainText)
	require.ErrorIs(t, e, queue.ErrPermanent)
	require.NotErrorIs(t, e, gitsink.ErrUnavailable)
	require.ErrorContains(t, e, "would be sent in plain text to git.example: use https://")
	require.NotContains(t, e.Error(), "s3cret")
	require.Zero(t, network.heard.Load())

	allowed := newSink(t, &Options{
		Auth: fixed(Auth{Username: "bot", Password: "s3cret-word"}), Transport: network.transport, AllowedPlainTextHosts: []string{"git.example"},
	})
	apply(t, allowed, d, put("a", "1"))
	require.Equal(t, map[string]string{"a": "1"}, repo.Tree("main"))
}

// A call is refused also where its credentials come later than its place in a lane: each
// connection asks.
func TestCredentialsThatAppearLaterAreNotSentInPlainTextEither(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	// A second connection fetches it.
	server.NewRepo("app").Commit("main", files("a", "0"), "start")
	network := newEavesdropper(t, server)
	var asked atomic.Int32
	s := newSink(t, &Options{Transport: network.transport, Auth: func(context.Context, destination.Destination) (Auth, error) {
		if asked.Add(1) == 1 {
			return Auth{}, nil
		}
		return Auth{BearerToken: "s3cret-word"}, nil
	}})
	server.OnRequest(func(gitservertest.Request) {
		if asked.Load() > 1 {
			t.Error("a request came with credentials")
		}
	})
	d := target("http://git.example/app", "main", "")
	_ = refuse(t, s, d, put("a", "1"), gitsink.ErrPlainText)
	require.EqualValues(t, 2, asked.Load())
	require.EqualValues(t, 1, network.heard.Load())
}

// A fixed key of a Secret that says to trust whoever answers is none that is heeded.
func TestNoSecretSwitchesOffWhatASinkChecks(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"insecure", "insecureIgnoreHostKey", "insecureSkipTLSVerify", "insecure-skip-tls-verify"} {
		auth, err := AuthFromSecret(map[string][]byte{"password": []byte("p"), "sshPrivateKey": []byte("key"), key: []byte("true")})
		require.NoError(t, err)
		require.Equal(t, Auth{Password: "p", SSHPassphrase: "p", SSHPrivateKey: []byte("key")}, auth)
		require.Empty(t, auth.KnownHosts, "without any, SSH is refused")
	}
}
