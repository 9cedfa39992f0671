package gitservertest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

func TestTheExamplesHold(t *testing.T) {
	t.Parallel()
	aTest(t)
	aTestOfABusyServer(t)
}

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// guarded is a value that callbacks share with the test.
type guarded[T any] struct {
	mu    sync.Mutex
	value T
}

func (g *guarded[T]) set(value T) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.value = value
}

func (g *guarded[T]) get() T {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.value
}

// client is the git command line as a user has it.
type client struct {
	t   *testing.T
	dir string
	env []string
}

func newClient(t *testing.T, env []string, options ...string) *client {
	t.Helper()
	c := &client{t: t, dir: t.TempDir(), env: env}
	c.must(append([]string{"init", "--quiet", "--initial-branch=main"}, options...)...)
	return c
}

func (c *client) run(args ...string) (string, error) {
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = c.dir, c.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (c *client) must(args ...string) string {
	c.t.Helper()
	out, err := c.run(args...)
	require.NoError(c.t, err, "git %v: %s", args, out)
	return strings.TrimSpace(out)
}

// commit writes a file, commits it and returns the hash of the commit.
func (c *client) commit(name, content string) string {
	c.t.Helper()
	require.NoError(c.t, os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o600))
	c.must("add", ".")
	c.must("commit", "--quiet", "--message", "write "+name)
	return c.must("rev-parse", "HEAD")
}

func (c *client) push(url string, options ...string) (string, error) {
	return c.run(append(options, "push", url, "main")...)
}

// recorder is a testing.TB that survives Fatalf and remembers what it said.
type recorder struct {
	testing.TB
	fatal string
}

type fatality struct{}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	panic(fatality{})
}

// requireVerdict demands that f ends the test with these words; none means that it does not end it.
func (r *recorder) requireVerdict(t *testing.T, want string, f func()) {
	t.Helper()
	func() {
		defer func() {
			if e := recover(); e != nil && e != any(fatality{}) {
				panic(e)
			}
		}()
		r.fatal = ""
		f()
	}()
	if want == "" {
		require.Empty(t, r.fatal)
	}
	require.Contains(t, r.fatal, want)
}

// reply is a response that was read to its end, or as far as it came.
type reply struct {
	status int
	header http.Header
	body   string
}

// get asks for an advertisement on a connection of its own.
func get(t *testing.T, repo *gitservertest.Repo, service gitservertest.Service) (reply, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, repo.URL()+"/info/refs?service="+string(service), nil)
	require.NoError(t, err)
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return reply{}, err
	}
	body, err := io.ReadAll(resp.Body)
	return reply{resp.StatusCode, resp.Header, string(body)}, errors.Join(err, resp.Body.Close())
}
