package gitservertest

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/kubescribe/kubescribe/gitsink/internal/loopback"
)

// ServerOptions configure a [Server]. Nil and the zero value mean the defaults.
type ServerOptions struct {
	// Credentials that a client must show. Default: none, everybody may read and write.
	Credentials Credentials

	// TLS makes it an HTTPS server; see [Server.CAPEM]. Default: plain HTTP.
	TLS bool

	// ClientCAs, with TLS, makes the server demand a client certificate that one of them signed.
	// Default: no client certificate is asked for.
	ClientCAs *x509.CertPool

	// DenyFilter unsets uploadpack.allowFilter: no partial fetch. Default: allowed.
	DenyFilter bool

	// DenyAnySHA1InWant unsets uploadpack.allowAnySHA1InWant: no fetch of an object by its hash.
	// Protocol version 2 allows it all the same, and stateless HTTP does for a commit that a
	// reference reaches. Default: allowed.
	DenyAnySHA1InWant bool

	// HideCapabilities are left out of what the server advertises, such as "shallow". Git still
	// serves a client that uses one unasked. Default: none.
	HideCapabilities []string

	// RequireMultiAck makes the server answer 400 to a fetch that does not ask for multi_ack, as
	// Azure DevOps does. Default: false.
	RequireMultiAck bool

	// ObjectFormat is the hash that names the objects of new repositories, as in git init
	// --object-format: "sha1" or "sha256". Default: "sha1".
	ObjectFormat string

	// SkipFsck unsets receive.fsckObjects: the server accepts damaged objects. Default: it refuses
	// them.
	SkipFsck bool
}

// Credentials are what a client must show to a [Server]: the user and password of HTTP Basic, or
// the token of HTTP Bearer. If both are set, either will do. The zero value asks for nothing.
type Credentials struct {
	User, Password string
	Token          string
}

func (c Credentials) accepts(r *http.Request) bool {
	if c == (Credentials{}) {
		return true
	}
	if c.Token != "" && r.Header.Get("Authorization") == "Bearer "+c.Token {
		return true
	}
	user, password, ok := r.BasicAuth()
	return ok && c.User+c.Password != "" && user == c.User && password == c.Password
}

// Server is a real Git server that lives for one test. Make one with [NewServer].
type Server struct {
	t    testing.TB
	opts ServerOptions
	git  string // absolute path of the git command
	// path of git-http-backend(1): without git before it, a request takes one process less
	smart  string
	root   string // GIT_PROJECT_ROOT
	home   string
	http   *httptest.Server
	gate   *loopback.Gate
	closed chan struct{} // closed at the end of the test, which ends held requests

	mu          sync.Mutex // guards what follows
	repos       map[string]*Repo
	ssh         *SSHServer
	credentials Credentials
	onRequest   func(Request)
	intercept   func(Request) Fault
	meter       meter
}

// programs remembers what programsOf has found, by the path of git.
var programs sync.Map

// programsOf returns the folder of git's own programs.
func programsOf(git string) (string, error) {
	if known, ok := programs.Load(git); ok {
		return known.(string), nil
	}
	out, err := exec.Command(git, "--exec-path").Output()
	if err != nil {
		return "", err
	}
	folder := strings.TrimSpace(string(out))
	programs.Store(git, folder)
	return folder, nil
}

// NewServer starts a server on a free port of the loopback interface, and closes it at the end of
// the test. Nil options mean the defaults.
func NewServer(t testing.TB, opts *ServerOptions) *Server {
	t.Helper()
	if opts == nil {
		opts = &ServerOptions{}
	}
	if f := opts.ObjectFormat; f != "" && f != "sha1" && f != "sha256" {
		t.Fatalf("gitservertest: ObjectFormat %q: want sha1 or sha256", f)
	}
	git, err := exec.LookPath("git")
	if err == nil {
		git, err = filepath.Abs(git)
	}
	own := ""
	if err == nil {
		own, err = programsOf(git)
	}
	if err != nil {
		t.Fatalf("gitservertest: the judge is the git command: %v", err)
	}
	s := &Server{
		t: t, opts: *opts, git: git, smart: filepath.Join(own, "git-http-backend"), root: t.TempDir(), home: t.TempDir(),
		closed: make(chan struct{}), repos: map[string]*Repo{}, credentials: opts.Credentials, meter: newMeter(),
	}
	s.http = httptest.NewUnstartedServer(s)
	s.http.Config.ErrorLog = log.New(testLog{t}, "", 0)
	s.gate = loopback.NewGate(s.http.Listener)
	s.http.Listener = s.gate
	if opts.TLS {
		s.http.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
		if opts.ClientCAs != nil {
			s.http.TLS.ClientAuth, s.http.TLS.ClientCAs = tls.RequireAndVerifyClientCert, opts.ClientCAs
		}
		s.http.StartTLS()
	} else {
		s.http.Start()
	}
	t.Cleanup(s.close)
	return s
}

// close ends held requests and connections first, since httptest waits for both. It ends the
// callbacks of hooks last, since a push that is still running may call them.
func (s *Server) close() {
	close(s.closed)
	s.gate.Shut()
	s.http.Close()
	s.mu.Lock()
	repos := slices.Collect(maps.Values(s.repos))
	s.mu.Unlock()
	for _, r := range repos {
		r.callbacks.stop()
	}
}

// URL returns the server's address without a trailing slash, such as "http://127.0.0.1:41234".
func (s *Server) URL() string { return s.http.URL }

// CAPEM returns the certificate in PEM that a client of an HTTPS server must trust; nil without
// TLS.
func (s *Server) CAPEM() []byte {
	certificate := s.http.Certificate()
	if certificate == nil {
		return nil
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})
}

// SetCredentials replaces the credentials that clients must show, from the next request on.
func (s *Server) SetCredentials(c Credentials) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.credentials = c
}

// Down takes the server off the network: open connections are reset, and so is each new one. Git
// finishes what it has begun. The server keeps its port, so that [Server.Up] can bring it back.
func (s *Server) Down() { s.gate.Shut() }

// Up ends [Server.Down].
func (s *Server) Up() { s.gate.Open() }

// Env returns the environment in which the server and the judge run git: no configuration but the
// repository's own, an empty HOME, English messages, no prompts, and an identity for commits. A
// test can run a client's git process in it too.
func (s *Server) Env() []string {
	path := []string{filepath.Dir(s.git), "/usr/local/bin", "/usr/bin", "/bin"}
	return []string{
		"PATH=" + strings.Join(path, string(filepath.ListSeparator)),
		"HOME=" + s.home, "XDG_CONFIG_HOME=" + s.home,
		"GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"LC_ALL=C", "TZ=UTC",
		"GIT_AUTHOR_NAME=" + outsiderName, "GIT_AUTHOR_EMAIL=" + outsiderEmail,
		"GIT_COMMITTER_NAME=" + outsiderName, "GIT_COMMITTER_EMAIL=" + outsiderEmail,
	}
}
