package gogit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// redirector sends every advertisement to another server.
func redirector(t *testing.T, to string, status int, seen *atomic.Int32) *httptest.Server {
	t.Helper()
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		http.Redirect(w, r, to+r.URL.RequestURI(), status)
	}))
	t.Cleanup(front.Close)
	return front
}

func TestAnAdvertisementThatHasMovedIsFollowed(t *testing.T) {
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var seen atomic.Int32
	front := redirector(t, server.URL(), http.StatusMovedPermanently, &seen)
	s := newSink(t, nil)
	repo.Commit("main", files("a", "1"), "start")
	d := target(front.URL+"/app", "main", "")
	apply(t, s, d, put("a", "2"))
	require.Equal(t, map[string]string{"a": "2"}, repo.Tree("main"))
	require.EqualValues(t, 2, seen.Load(), "the requests after an advertisement go where it came from")
}

func TestCredentialsGoNowhereElse(t *testing.T) {
	for name, auth := range map[string]Auth{
		"basic": {Username: "bot", Password: "s3cret-word"}, "bearer": {BearerToken: "s3cret-word"},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			server.OnRequest(func(gitservertest.Request) { t.Error("a request came") })
			var seen atomic.Int32
			front := redirector(t, server.URL(), http.StatusFound, &seen)
			s := newSink(t, &Options{Auth: fixed(auth)})
			e := refuse(t, s, target(front.URL+"/app", "main", ""), put("a", "1"), gitsink.ErrNotFound)
			require.ErrorIs(t, e, queue.ErrPermanent)
			require.ErrorContains(t, e, "it has moved to "+repo.URL()+", where its credentials are not sent: change its URL")
		})
	}
}

func TestARedirectThatGoesInCirclesOrElsewhereIsNotFound(t *testing.T) {
	for name, to := range map[string]string{"in circles": "", "to a page": "/login", "of a push": "/push"} {
		t.Run(name, func(t *testing.T) {
			front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch {
				case to == "":
					http.Redirect(w, r, r.URL.RequestURI(), http.StatusFound)
				case to == "/login" && r.URL.Path != to:
					http.Redirect(w, r, to, http.StatusFound)
				case to == "/login":
					w.Header().Set("Content-Type", "text/html")
				case r.Method == http.MethodPost:
					http.Redirect(w, r, r.URL.RequestURI(), http.StatusPermanentRedirect)
				default:
					w.Header().Set("Content-Type", "application/x-git-receive-pack-advertisement")
					_, _ = io.WriteString(w, "001f# service=git-receive-pack\n0000"+
						"0058"+strings.Repeat("0", 40)+" capabilities^{}\x00report-status side-band-64k"+"0000")
				}
			}))
			defer front.Close()
			s := newSink(t, nil)
			_ = refuse(t, s, target(front.URL+"/app", "main", ""), put("a", "1"), gitsink.ErrNotFound)
		})
	}
}

func TestAPageInPlaceOfGitIsNotFound(t *testing.T) {
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "<html>sign in</html>")
	}))
	defer front.Close()
	s := newSink(t, nil)
	e := refuse(t, s, target(front.URL+"/app", "main", ""), put("a", "1"), gitsink.ErrNotFound)
	require.ErrorContains(t, e, "check the URL and the credentials")
}

func TestAServerThatWantsToBeLeftAloneIs(t *testing.T) {
	testsize.Sampled(t)
	const rest = 30 * time.Minute // long beside what the test may take
	until := time.Now().Add(rest)
	for name, fault := range map[string]gitservertest.Fault{
		"429": {Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"1800"}}},
		"503": {Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {until.UTC().Format(http.TimeFormat)}}},
		"403, GitHub": {Status: http.StatusForbidden, Header: http.Header{
			"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {strconv.FormatInt(until.Unix(), 10)},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo, other := server.NewRepo("app"), server.NewRepo("other")
			server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
				if r.Repo == "app" {
					return fault
				}
				return gitservertest.Fault{}
			})
			s := newSink(t, nil)
			e := refuse(t, s, target(repo.URL(), "main", ""), put("a", "1"), gitsink.ErrUnavailable)
			require.InDelta(t, rest.Seconds(), e.RetryDelay().Seconds(), 120)
			require.NotErrorIs(t, e, queue.ErrPermanent)
			before := server.Count(gitservertest.ReceivePack, gitservertest.Advertisement).Requests
			e = refuse(t, s, target(repo.URL(), "other", "dir"), put("a", "1"), gitsink.ErrUnavailable)
			require.InDelta(t, rest.Seconds(), e.RetryDelay().Seconds(), 120)
			require.ErrorContains(t, e, "the server wants no request for another")
			require.Equal(t, before, server.Count(gitservertest.ReceivePack, gitservertest.Advertisement).Requests)
			// Nobody has asked to leave this one alone.
			apply(t, s, target(other.URL(), "main", ""), put("a", "1"))
			server.Intercept(nil)
			d := target(repo.URL(), "main", "")
			// The time is over.
			s.limits.blockUntil(account{repository: d.RemoteBranch().Repository, who: identify(d.Repository, Auth{})}, time.Now(), time.Now())
			apply(t, s, d, put("a", "1"))
		})
	}
}

func TestAClientCertificateOpensAServer(t *testing.T) {
	pool, certificate, key := gogittest.ClientCertificate(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{TLS: true, ClientCAs: pool})
	repo := server.NewRepo("app")
	d := target(repo.URL(), "main", "")
	without := newSink(t, &Options{Auth: fixed(Auth{CABundle: server.CAPEM()})})
	_ = refuse(t, without, d, put("a", "1"), gitsink.ErrAuth)
	wrong := newSink(t, &Options{Auth: fixed(Auth{CABundle: server.CAPEM(), ClientCertificate: certificate, ClientKey: []byte("none")})})
	require.ErrorContains(t, refuse(t, wrong, d, put("a", "1"), gitsink.ErrAuth), "ClientKey")
	s := newSink(t, &Options{Auth: fixed(Auth{CABundle: server.CAPEM(), ClientCertificate: certificate, ClientKey: key})})
	apply(t, s, d, put("a", "1"))
	require.Equal(t, map[string]string{"a": "1"}, repo.Tree("main"))
}

// Nothing is read from or written to disk but the repositories of file URLs.
func TestNothingButTheNetworkIsNeeded(t *testing.T) {
	testsize.Sampled(t)
	ssh := gitservertest.NewSSHServer(t, nil)
	repo := ssh.NewRepo("app")
	home := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(home, ".ssh"), 0o700))
	trap := "Host *\n  Hostname 127.0.0.2\n  Port 1\n  User nobody\n"
	require.NoError(t, os.WriteFile(filepath.Join(home, ".ssh", "config"), []byte(trap), 0o600))
	t.Setenv("HOME", home)
	t.Setenv("TMPDIR", "/nonexistent")
	t.Setenv("PATH", "/nonexistent")
	s := newSink(t, &Options{Auth: fixed(Auth{SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte(ssh.KnownHosts())})})
	for i, url := range []string{repo.SSHURL(), repo.URL(), repo.SSHURL(), repo.URL()} {
		apply(t, s, target(url, "main", ""), counting(fmt.Sprint(i)))
	}
	require.Len(t, repo.Tree("main"), 4)
}

func TestAPathIsSentAsItIs(t *testing.T) {
	server := gitservertest.NewServer(t, nil)
	ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: server})
	repo := server.NewRepo("a repo%41")
	s := newSink(t, &Options{Auth: fixed(Auth{SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte(ssh.KnownHosts())})})
	for i, url := range []string{"ssh://git@" + ssh.Addr() + "/a%20repo%2541", repo.Dir()} {
		apply(t, s, target(url, "main", ""), counting(fmt.Sprint(i)))
	}
	require.Len(t, repo.Tree("main"), 2)
}

// stall passes bytes to a server until it has sent so many, and then holds both ways without a
// word.
func stall(t *testing.T, to string, after int64) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var running sync.WaitGroup
	t.Cleanup(func() {
		_ = listener.Close()
		running.Wait()
	})
	running.Go(func() {
		for {
			here, err := listener.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				_ = here.Close()
				continue
			}
			running.Go(func() {
				_, _ = io.Copy(there, here) // until the client has gone
				_ = there.Close()
				_ = here.Close()
			})
			running.Go(func() { _, _ = io.CopyN(here, there, after) })
		}
	})
	return listener.Addr().String()
}

// Wherever a server falls silent, Apply returns in time, and TestMain finds no goroutine that is
// left.
func TestAServerMayFallSilentAnywhere(t *testing.T) {
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: server})
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1"), "start")
	_, port, err := net.SplitHostPort(ssh.Addr())
	require.NoError(t, err)
	for _, protocol := range []string{"http", "ssh"} {
		silences := 0
		const never = 1 << 30
		for _, after := range []int64{0, 1, 30, 200, 700, 1200, 1900, 2200, 2600, 3000, 3400, never} {
			to := strings.TrimPrefix(server.URL(), "http://")
			if protocol == "ssh" {
				to = ssh.Addr()
			}
			addr := stall(t, to, after)
			_, stalled, err := net.SplitHostPort(addr)
			require.NoError(t, err)
			opts := &Options{StepTimeout: 300 * time.Millisecond, TransferTimeout: 400 * time.Millisecond}
			if after == never {
				opts = &Options{} // a busy machine takes its time
			}
			opts.Auth = fixed(Auth{
				SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte(strings.ReplaceAll(ssh.KnownHosts(), port, stalled)),
			})
			s := newSink(t, opts)
			url := map[string]string{"http": "http://" + addr + "/app", "ssh": "ssh://git@" + addr + "/app"}[protocol]
			began := time.Now()
			_, err = s.Apply(t.Context(), target(url, "main", protocol), put(fmt.Sprint(after), "1"))
			require.Less(t, time.Since(began), 30*time.Second)
			if err == nil {
				continue
			}
			require.NotEqualValues(t, never, after)
			silences++
			if !errors.Is(err, gitsink.ErrUnavailable) && !errors.Is(err, gitsink.ErrUnknown) {
				require.NoError(t, err)
			}
		}
		require.NotZero(t, silences)
	}
}

func TestACallEndsWithItsContextWhereverTheServerFallsSilent(t *testing.T) {
	ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Silent: true})
	repo := ssh.NewRepo("app")
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) {
		return Auth{SSHPrivateKey: ssh.ClientKeyPEM(), KnownHosts: []byte(ssh.KnownHosts())}, nil
	}})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Apply(ctx, target(repo.SSHURL(), "main", ""), put("a", "1"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}
