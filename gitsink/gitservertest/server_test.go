package gitservertest_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestAPushByTheGitCommandArrivesAndIsFetchedBack(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("team/app.git")
	c := newClient(t, server.Env())
	want := c.commit("a.yaml", "kind: A\n")
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)

	tip, ok := repo.Tip("main")
	require.True(t, ok)
	require.Equal(t, want, tip)
	repo.Fsck()
	for _, url := range []string{repo.URL(), repo.FileURL()} {
		c.must("clone", "--quiet", url, "copy")
		content, err := os.ReadFile(filepath.Join(c.dir, "copy", "a.yaml"))
		require.NoError(t, err)
		require.Equal(t, "kind: A\n", string(content))
		require.NoError(t, os.RemoveAll(filepath.Join(c.dir, "copy")))
	}
}

func TestAChunkedPushOfMoreThanAMegabyteArrives(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.must("config", "core.compression", "0")
	var chunked guarded[bool]
	server.OnRequest(func(r gitservertest.Request) {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && r.Header.Get("Content-Length") == "" {
			chunked.set(true)
		}
	})
	c.commit("big", strings.Repeat("0123456789abcdef", 1<<17))
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)
	require.True(t, chunked.get())
	require.Greater(t, server.Count(gitservertest.ReceivePack, gitservertest.RPC).In, int64(2<<20))
	repo.Fsck()
}

func TestOnlyValidCredentialsGetThrough(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{
		Credentials: gitservertest.Credentials{User: "bot", Password: "secret", Token: "t0ken"},
	})
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	basic := func(pair string) string {
		return "http.extraHeader=Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
	}
	for _, refused := range []string{"http.extraHeader=", basic("bot:wrong"), basic("other:secret"), basic(":"),
		"http.extraHeader=Authorization: Bearer wrong"} {
		_, err := c.push(repo.URL(), "-c", refused)
		require.Error(t, err, refused)
	}
	require.Zero(t, server.Total().Requests)
	require.GreaterOrEqual(t, server.Unauthorized(), 5)

	out, err := c.push(strings.Replace(repo.URL(), "://", "://bot:secret@", 1))
	require.NoError(t, err, out)
	c.must("-c", "http.extraHeader=Authorization: Bearer t0ken", "ls-remote", "--exit-code", repo.URL(), "main")

	refused, err := get(t, repo, gitservertest.UploadPack)
	require.NoError(t, err)
	require.Equal(t, http.StatusUnauthorized, refused.status)
	require.Len(t, refused.header.Values("WWW-Authenticate"), 2)

	server.SetCredentials(gitservertest.Credentials{Token: "rotated"})
	_, err = c.run("-c", "http.extraHeader=Authorization: Bearer t0ken", "ls-remote", repo.URL())
	require.Error(t, err)
	c.must("-c", "http.extraHeader=Authorization: Bearer rotated", "ls-remote", repo.URL())
}

func TestTheUserOfHTTPBasicReachesTheHook(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "bot", Password: "x"}})
	repo := server.NewRepo("app")
	repo.Hook("post-receive", `echo "hello $REMOTE_USER"`)
	c := newClient(t, server.Env())
	c.commit("a", "1")
	out, err := c.push(strings.Replace(repo.URL(), "://", "://bot:x@", 1))
	require.NoError(t, err, out)
	require.Contains(t, out, "remote: hello bot")
}

func TestTLSIsTrustedThroughItsCAOnly(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{TLS: true})
	repo := server.NewRepo("app")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	require.NoError(t, os.WriteFile(ca, server.CAPEM(), 0o600))
	c := newClient(t, server.Env())
	c.commit("a", "1")
	_, err := c.push(repo.URL())
	require.Error(t, err)
	out, err := c.push(repo.URL(), "-c", "http.sslCAInfo="+ca)
	require.NoError(t, err, out)
	require.Nil(t, gitservertest.NewServer(t, nil).CAPEM())
}

func TestAClientCertificateIsDemanded(t *testing.T) {
	t.Parallel()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, &x509.Certificate{}, public, private)
	require.NoError(t, err)
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	authorities, roots := x509.NewCertPool(), x509.NewCertPool()
	authorities.AddCert(certificate)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{TLS: true, ClientCAs: authorities})
	repo := server.NewRepo("app")
	require.True(t, roots.AppendCertsFromPEM(server.CAPEM()))
	ask := func(certificates ...tls.Certificate) error {
		transport := &http.Transport{TLSClientConfig: &tls.Config{
			RootCAs: roots, Certificates: certificates, MinVersion: tls.VersionTLS12,
		}}
		defer transport.CloseIdleConnections()
		resp, err := (&http.Client{Transport: transport}).Get(repo.URL() + "/info/refs?service=git-upload-pack")
		if err == nil {
			err = resp.Body.Close()
		}
		return err
	}
	require.ErrorContains(t, ask(), "certificate required")
	require.NoError(t, ask(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}))
}

func TestCapabilitiesAreThoseOfTheOptions(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	open := gitservertest.NewServer(t, nil).NewRepo("app")
	closed := gitservertest.NewServer(t, &gitservertest.ServerOptions{DenyFilter: true, DenyAnySHA1InWant: true}).NewRepo("app")
	for _, repo := range []*gitservertest.Repo{open, closed} {
		repo.Commit("main", map[string]gitservertest.File{"a": {Content: "1"}}, "first")
		got, err := get(t, repo, gitservertest.UploadPack)
		require.NoError(t, err)
		require.Contains(t, got.body, "multi_ack")
		require.Equal(t, repo == open, strings.Contains(got.body, " filter"))
		require.Equal(t, repo == open, strings.Contains(got.body, " allow-reachable-sha1-in-want"))
	}
}

func TestADamagedTreeIsRefusedUnlessFsckIsSkipped(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for _, skip := range []bool{false, true} {
		server := gitservertest.NewServer(t, &gitservertest.ServerOptions{SkipFsck: skip})
		repo := server.NewRepo("app")
		c := newClient(t, server.Env())
		c.commit("a", "1")
		blob := c.must("rev-parse", "HEAD:a")
		require.NoError(t, os.WriteFile(filepath.Join(c.dir, "listing"), []byte("100644 blob "+blob+"\t.git\n"), 0o600))
		tree := c.must("-c", "alias.mk=!git mktree <listing", "mk")
		c.must("update-ref", "refs/heads/main", c.must("commit-tree", "-m", "damaged", tree))
		out, err := c.push(repo.URL())
		require.Equal(t, skip, err == nil, out)
		require.Equal(t, !skip, strings.Contains(out, "hasDotgit"), out)
	}
}

func TestTheServerIgnoresAmbientConfiguration(t *testing.T) {
	testsize.Sampled(t)
	ambient := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(ambient, []byte(
		"[init]\n\tdefaultBranch = ambient\n[receive]\n\tdenyCurrentBranch = refuse\n[transfer]\n\thideRefs = refs/heads\n"+
			"[core]\n\thooksPath = /nonexistent\n[commit]\n\tgpgSign = true\n"), 0o600))
	t.Setenv("GIT_CONFIG_GLOBAL", ambient)
	t.Setenv("GIT_DIR", "/nonexistent")
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Hook("post-receive", "echo the hook ran")
	require.Equal(t, "refs/heads/main", repo.Git("symbolic-ref", "HEAD"))
	c := newClient(t, server.Env())
	c.commit("a", "1")
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)
	require.Contains(t, out, "the hook ran")
	c.must("ls-remote", "--exit-code", repo.URL(), "main")
}

func TestDownCutsEverythingAndUpBringsTheSamePortBack(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	url := repo.URL()
	reached := make(chan struct{})
	server.Intercept(func(gitservertest.Request) gitservertest.Fault {
		close(reached)
		return gitservertest.Fault{Hold: make(chan struct{})}
	})
	open := make(chan error, 1)
	go func() {
		resp, err := http.Get(url + "/info/refs?service=git-receive-pack")
		if err == nil {
			err = resp.Body.Close()
		}
		open <- err
	}()
	<-reached
	server.Down()
	require.Error(t, <-open)
	server.Intercept(nil)
	_, err := get(t, repo, gitservertest.ReceivePack)
	require.Error(t, err)
	server.Up()
	_, err = get(t, repo, gitservertest.ReceivePack)
	require.NoError(t, err)
	require.Equal(t, url, repo.URL())
}

func TestRequestsAndBytesAreCountedByServiceAndPhase(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	var last guarded[gitservertest.Request]
	server.OnRequest(func(r gitservertest.Request) { last.set(r) })
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)

	require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.Advertisement).Requests)
	rpc := server.Count(gitservertest.ReceivePack, gitservertest.RPC)
	require.Equal(t, 1, rpc.Requests)
	require.Positive(t, rpc.In)
	require.Positive(t, rpc.Out)
	require.Zero(t, server.Count(gitservertest.UploadPack, gitservertest.RPC))
	require.Equal(t, 2, server.Total().Requests)
	seen := last.get()
	require.Equal(t, []any{"app", gitservertest.ReceivePack, gitservertest.RPC, 1, 2},
		[]any{seen.Repo, seen.Service, seen.Phase, seen.N, seen.Seq})

	server.ResetCounts()
	require.Zero(t, server.Total())
}
