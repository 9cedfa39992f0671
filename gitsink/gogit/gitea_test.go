package gogit

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
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
	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/queue"
)

// forge is a Gitea, which nobody here has written. `make gitea-test` builds it; without it the
// tests that ask it are skipped.
var forge testenv.SharedGitea

// gitea is a client of its API.
type gitea struct {
	*testenv.Gitea
	admin *giteaUser
}

// giteaUser may log in by HTTP and by SSH.
type giteaUser struct {
	name, password, email string
	key                   []byte // in PEM
	public                string // in one line
}

// giteaRepo is a repository.
type giteaRepo struct {
	g           *gitea
	owner, name string
}

func startGitea(t *testing.T) *gitea {
	t.Helper()
	g := &gitea{Gitea: forge.Start(t)}
	name, password := g.Admin()
	g.admin = &giteaUser{name: name, password: password}
	return g
}

// unique makes a name that no other test has.
func unique(name string) string { return name + "-" + strings.ToLower(rand.Text()[:10]) }

// ask sends a request as a user and returns the status and what was said.
func (g *gitea) ask(t *testing.T, as *giteaUser, method, path string, body any) (int, []byte) {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, g.URL()+"/api/v1/"+path, bytes.NewReader(data))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(as.name, as.password)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, said
}

// call does what must be possible, and reads the answer into out, if that is not nil.
func (g *gitea) call(t *testing.T, as *giteaUser, method, path string, body, out any) {
	t.Helper()
	status, said := g.ask(t, as, method, path, body)
	require.Less(t, status, 300, "%s %s: %s", method, path, said)
	if out != nil {
		require.NoError(t, json.Unmarshal(said, out), "%s", said)
	}
}

// user makes an account with a key of SSH.
func (g *gitea) user(t *testing.T, name string) *giteaUser {
	t.Helper()
	name = unique(name)
	return g.userOf(t, name, name+"@example.com")
}

func (g *gitea) userOf(t *testing.T, name, email string) *giteaUser {
	t.Helper()
	u := &giteaUser{name: name, password: rand.Text(), email: email}
	u.key, u.public = newSSHKey(t)
	g.call(t, g.admin, http.MethodPost, "admin/users", map[string]any{
		"username": u.name, "email": u.email, "password": u.password, "must_change_password": false,
	}, nil)
	g.call(t, u, http.MethodPost, "user/keys", map[string]any{"title": "test", "key": u.public}, nil)
	return u
}

func newSSHKey(t *testing.T) (private []byte, public string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	private, line := sshKey(t, key, "")
	return private, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line)))
}

// repo makes a repository. The settings are those of the API; without any it is empty.
func (g *gitea) repo(t *testing.T, owner *giteaUser, settings map[string]any) *giteaRepo {
	t.Helper()
	all := map[string]any{"name": unique("app"), "default_branch": "main"}
	for name, value := range settings {
		all[name] = value
	}
	g.call(t, owner, http.MethodPost, "user/repos", all, nil)
	return &giteaRepo{g, owner.name, all["name"].(string)}
}

func (r *giteaRepo) path() string { return "repos/" + r.owner + "/" + r.name }

// change changes settings of the repository.
func (r *giteaRepo) change(t *testing.T, settings map[string]any) {
	t.Helper()
	r.g.call(t, r.g.admin, http.MethodPatch, r.path(), settings, nil)
}

// admit lets somebody else in, who may "read" or "write".
func (r *giteaRepo) admit(t *testing.T, who *giteaUser, permission string) {
	t.Helper()
	r.g.call(t, r.g.admin, http.MethodPut, r.path()+"/collaborators/"+who.name, map[string]any{"permission": permission}, nil)
}

func (r *giteaRepo) protect(t *testing.T, rule map[string]any) {
	t.Helper()
	r.g.call(t, r.g.admin, http.MethodPost, r.path()+"/branch_protections", rule, nil)
}

// git asks the judge.
func (r *giteaRepo) git(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = r.g.RepositoryDir(r.owner, r.name)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// pushes counts what arrives from now on, whatever Gitea then makes of it.
func (r *giteaRepo) pushes(t *testing.T) func() int {
	t.Helper()
	folder := r.g.RepositoryDir(r.owner, r.name)
	hooks := filepath.Join(folder, "hooks", "pre-receive.d")
	require.NoError(t, os.MkdirAll(hooks, 0o700))
	// It comes before Gitea's own, and runs in the repository.
	require.NoError(t, os.WriteFile(filepath.Join(hooks, "a-count"), []byte("#!/bin/sh\necho push >>pushes\n"), 0o700))
	count := func() int {
		data, err := os.ReadFile(filepath.Join(folder, "pushes"))
		if !os.IsNotExist(err) {
			require.NoError(t, err)
		}
		return bytes.Count(data, []byte("\n"))
	}
	before := count()
	return func() int { return count() - before }
}

// giteaWay is a transport.
type giteaWay struct {
	name string
	g    *gitea
}

const bySSHWay = "ssh"

// each runs the test by HTTP and by SSH.
func (g *gitea) each(t *testing.T, test func(t *testing.T, by giteaWay)) {
	t.Helper()
	for _, name := range []string{"http", bySSHWay} {
		t.Run(name, func(t *testing.T) { test(t, giteaWay{name, g}) })
	}
}

func (w giteaWay) url(owner, repo string) string {
	if w.name == bySSHWay {
		return w.g.SSHURL() + "/" + owner + "/" + repo + ".git"
	}
	return w.g.URL() + "/" + owner + "/" + repo + ".git"
}

func (w giteaWay) of(r *giteaRepo) string { return w.url(r.owner, r.name) }

func (w giteaWay) auth(u *giteaUser) Auth {
	if w.name == bySSHWay {
		return Auth{SSHPrivateKey: u.key, KnownHosts: []byte(w.g.KnownHosts())}
	}
	return Auth{Username: u.name, Password: u.password}
}

// sink makes one with the credentials of a user.
func (w giteaWay) sink(t *testing.T, u *giteaUser) *Sink {
	t.Helper()
	return newSink(t, &Options{Auth: fixed(w.auth(u))})
}

// requireRefused checks the class of what Gitea has said, that it stays if it should, and that
// nothing leaks. It returns the text.
func requireRefused(t *testing.T, err, class error, u *giteaUser) string {
	t.Helper()
	require.ErrorIs(t, err, class)
	require.NotErrorIs(t, err, gitsink.ErrUnavailable)
	if class != gitsink.ErrRefused { //nolint:errorlint // as it stands in a table
		require.ErrorIs(t, err, queue.ErrPermanent)
	}
	require.NotContains(t, err.Error(), u.password)
	require.NotContains(t, err.Error(), base64.StdEncoding.EncodeToString([]byte(u.name+":"+u.password)))
	var e *gitsink.Error
	require.ErrorAs(t, err, &e)
	require.NotContains(t, e.Server, u.password)
	t.Log(err)
	return err.Error()
}

// nine lets nine calls wait for one lane, each with a folder of its own, and then go together.
func nine(t *testing.T, s *Sink, url, branch string) []error {
	t.Helper()
	reached, release := make(chan struct{}), make(chan struct{})
	held := func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		close(reached)
		<-release
		return nil, nil
	}
	var running sync.WaitGroup
	running.Go(func() {
		if _, err := s.Apply(t.Context(), target(url, branch, "held"), held); err != nil {
			t.Errorf("who holds the lane: %v", err)
		}
	})
	<-reached
	faults := make([]error, 9)
	for i := range faults {
		d := target(url, branch, fmt.Sprint("folder", i))
		d.Ref.Name = fmt.Sprint("dest", i)
		d.RepositoryRef = destination.Ref{Namespace: "team", Name: "repo"}
		running.Go(func() { _, faults[i] = s.Apply(t.Context(), d, put("a", "1")) })
	}
	lane := target(url, branch, "").RemoteBranch()
	require.Eventually(t, func() bool { return waiting(s, lane) == len(faults) }, lookTimeout, 1e5)
	close(release)
	running.Wait()
	return faults
}
