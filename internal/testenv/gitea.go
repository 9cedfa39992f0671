package testenv

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

const (
	giteaVariable = "KUBESCRIBE_GITEA"

	giteaAdmin   = "keeper" // "admin" and "root" are names that Gitea keeps for itself
	giteaSSHUser = "git"
	giteaConfig  = "app.ini"
	hostKeyFile  = "host_key"
)

// Gitea is a running forge: by HTTP and by its own SSH server, on loopback, with SQLite. It may
// mirror repositories of loopback, and runs no jobs at set times.
type Gitea struct {
	dir      string
	programs string
	password string
	hostKey  ssh.PublicKey
	web, ssh int // ports
	proc     *process
}

// SharedGitea is one Gitea for the tests of a package, as Shared is one API server.
type SharedGitea struct{ only only[*Gitea] }

// Main returns a Runner that runs the tests of m and then stops the server.
func (s *SharedGitea) Main(m Runner) Runner { return runnerThen{m, s.only.stop} }

// Start returns the server, and skips the test if KUBESCRIBE_GITEA is unset. It starts the server
// once: if that fails, every test that asks for it fails.
func (s *SharedGitea) Start(t testing.TB) *Gitea {
	t.Helper()
	programs := giteaPrograms(t)
	g, err := s.only.start(func() (*Gitea, error) { return startGitea(context.WithoutCancel(t.Context()), programs) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { showLogs(t, g.proc.log) })
	return g
}

// URL is the address of the server, without a slash at the end.
func (g *Gitea) URL() string { return "http://" + address(g.web) }

// SSHURL is the same by SSH, with the user.
func (g *Gitea) SSHURL() string { return "ssh://" + giteaSSHUser + "@" + address(g.ssh) }

// KnownHosts is the line of a known_hosts file for its SSH server.
func (g *Gitea) KnownHosts() string {
	return knownhosts.Line([]string{knownhosts.Normalize(address(g.ssh))}, g.hostKey) + "\n"
}

// Admin returns the name and the password of an administrator.
func (g *Gitea) Admin() (name, password string) { return giteaAdmin, g.password }

// RepositoryDir returns the folder of a repository, whose hooks are in hooks/NAME.d.
func (g *Gitea) RepositoryDir(owner, name string) string {
	return filepath.Join(g.file("repositories"), strings.ToLower(owner), strings.ToLower(name)+".git")
}

func giteaPrograms(t testing.TB) string {
	t.Helper()
	folder := os.Getenv(giteaVariable)
	if folder == "" {
		t.Skipf("needs a real Gitea and %s is unset: run `make gitea-test`", giteaVariable)
	}
	folder, err := filepath.Abs(folder)
	for _, name := range []string{"gitea", "templates", "options", "public"} {
		_, statErr := os.Stat(filepath.Join(folder, name))
		err = errors.Join(err, statErr)
	}
	if err != nil {
		t.Fatal(fmt.Errorf("testenv: %s must be a folder that `make gitea` has made: %w", giteaVariable, err))
	}
	return folder
}

func startGitea(ctx context.Context, programs string) (_ *Gitea, err error) {
	g := &Gitea{programs: programs, password: rand.Text()}
	defer func() {
		if err != nil {
			g.stop()
		}
	}()
	if g.dir, err = os.MkdirTemp("", "testenv-gitea-"); err != nil {
		return nil, err
	}
	if g.hostKey, err = writeHostKey(g.file(hostKeyFile)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(g.file("tmp"), 0o700); err != nil {
		return nil, err
	}
	err = onFreePort(func(web int) error {
		return onFreePort(func(ssh int) error {
			g.web, g.ssh = web, ssh
			return g.run(ctx)
		})
	})
	if err != nil {
		return nil, err
	}
	return g, g.createAdmin(ctx)
}

func (g *Gitea) run(ctx context.Context) error {
	if err := os.WriteFile(g.file(giteaConfig), []byte(g.config()), 0o600); err != nil {
		return err
	}
	proc, err := startProcessWith(g.env(), filepath.Join(g.programs, "gitea"), g.dir, "--config", g.file(giteaConfig), "web")
	if err != nil {
		return err
	}
	if err := proc.waitReady(ctx, g.ready); err != nil {
		proc.stop(stopGrace)
		return err
	}
	g.proc = proc
	return nil
}

func (g *Gitea) stop() {
	if g.proc != nil {
		g.proc.stop(stopGrace)
	}
	_ = os.RemoveAll(g.dir)
}

// config is an app.ini. What asks for time and is no part of Git is switched off.
func (g *Gitea) config() string {
	return fmt.Sprintf(`APP_NAME = testenv
I_AM_BEING_UNSAFE_RUNNING_AS_ROOT = true
WORK_PATH = %[1]s

[server]
PROTOCOL = http
HTTP_ADDR = %[2]s
HTTP_PORT = %[3]d
DOMAIN = %[2]s
ROOT_URL = %[4]s/
STATIC_ROOT_PATH = %[5]s
OFFLINE_MODE = true
LFS_START_SERVER = true
START_SSH_SERVER = true
SSH_DOMAIN = %[2]s
SSH_LISTEN_HOST = %[2]s
SSH_PORT = %[6]d
SSH_LISTEN_PORT = %[6]d
SSH_ROOT_PATH = %[1]s/ssh
SSH_SERVER_HOST_KEYS = %[7]s
BUILTIN_SSH_SERVER_USER = %[8]s

[database]
DB_TYPE = sqlite3
PATH = %[1]s/gitea.db
SQLITE_JOURNAL_MODE = WAL

[repository]
ROOT = %[1]s/repositories
DEFAULT_BRANCH = main

[security]
INSTALL_LOCK = true
SECRET_KEY = %[9]s
PASSWORD_HASH_ALGO = pbkdf2$1000$50

[log]
MODE = console
LEVEL = warn

[queue]
TYPE = channel

[indexer]
ISSUE_INDEXER_TYPE = db

[migrations]
ALLOW_LOCALNETWORKS = true

[actions]
ENABLED = false

[packages]
ENABLED = false

[cron]
ENABLED = false
`, g.dir, loopback, g.web, g.URL(), g.programs, g.ssh, g.file(hostKeyFile), giteaSSHUser, rand.Text())
}

// env is enough to find git and bash, which its hooks are written for; Git's own configuration is
// Gitea's.
func (g *Gitea) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + g.dir, "TMPDIR=" + g.file("tmp"), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
}

func (g *Gitea) createAdmin(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(g.programs, "gitea"), "--config", g.file(giteaConfig), "admin", "user", "create", "--admin",
		"--username", giteaAdmin, "--password", g.password, "--email", giteaAdmin+"@example.com", "--must-change-password=false")
	cmd.Dir, cmd.Env = g.dir, g.env()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("testenv: creating Gitea's administrator: %w\n%s", err, out)
	}
	return nil
}

// ready is nil when both servers answer, of which SSH is the one that starts last.
func (g *Gitea) ready(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.URL()+"/api/healthz", nil)
	if err != nil {
		return err
	}
	request.Close = true // leaves no connection, and so no goroutine, behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("testenv: Gitea's health is %s", response.Status)
	}
	return speaksSSH(ctx, address(g.ssh))
}

func (g *Gitea) file(name string) string { return filepath.Join(g.dir, name) }

// speaksSSH is nil when a server of SSH greets at the address.
func speaksSSH(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	greeting := make([]byte, len("SSH-2.0-"))
	if err := conn.SetDeadline(deadline); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, greeting); err != nil {
		return err
	}
	if string(greeting) != "SSH-2.0-" {
		return fmt.Errorf("testenv: %s greets with %q", address, greeting)
	}
	return nil
}

// writeHostKey makes a private key and returns the public one.
func writeHostKey(path string) (ssh.PublicKey, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "testenv")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return nil, err
	}
	return ssh.NewPublicKey(private.Public())
}
