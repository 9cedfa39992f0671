package gitservertest_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestPushAndFetchOverSSH(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	needSSH(t)
	server := gitservertest.NewSSHServer(t, nil)
	repo := server.NewRepo("team/app.git")
	repo.Hook("post-receive", "echo hello")
	c := newClient(t, server.Env())
	want := c.commit("a", "1")
	out, err := c.push(repo.SSHURL())
	require.NoError(t, err, out)
	require.Contains(t, out, "remote: hello")
	tip, _ := repo.Tip("main")
	require.Equal(t, want, tip)

	repo.Commit("main", map[string]gitservertest.File{"b": {Content: "2"}}, "outside")
	c.must("-c", "protocol.version=2", "clone", "--quiet", "--depth=1", repo.SSHURL(), "copy")
	content, err := os.ReadFile(filepath.Join(c.dir, "copy", "b"))
	require.NoError(t, err)
	require.Equal(t, "2", string(content))

	repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return os.ErrPermission })
	out, err = c.run("push", "--force", repo.SSHURL(), "main")
	require.Error(t, err)
	require.Contains(t, out, "remote: permission denied")
	out, err = c.run("ls-remote", repo.SSHURL()+"-missing")
	require.Error(t, err)
	require.Contains(t, out, "no such command or repository")
}

func TestSSHSpeaksProtocolVersion2WhenAsked(t *testing.T) {
	t.Parallel()
	needSSH(t)
	server := gitservertest.NewSSHServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, append(server.Env(), "GIT_TRACE_PACKET=1"))
	out := c.must("-c", "protocol.version=2", "ls-remote", repo.SSHURL())
	require.Contains(t, out, "< version 2")
}

func TestSSHAdmitsAuthorizedKeysOnlyAndShowsItsHostKey(t *testing.T) {
	t.Parallel()
	other := gitservertest.NewSSHServer(t, nil)
	friend, err := ssh.ParsePrivateKey(other.ClientKeyPEM())
	require.NoError(t, err)
	server := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{
		Server: gitservertest.NewServer(t, nil), AuthorizedKeys: []ssh.PublicKey{friend.PublicKey()},
	})
	stranger, err := ssh.ParsePrivateKey(gitservertest.NewSSHServer(t, nil).ClientKeyPEM())
	require.NoError(t, err)
	hosts := filepath.Join(t.TempDir(), "known_hosts")
	require.NoError(t, os.WriteFile(hosts, []byte(server.KnownHosts()), 0o600))
	known, err := knownhosts.New(hosts)
	require.NoError(t, err)
	dial := func(addr string, key ssh.Signer, check ssh.HostKeyCallback) error {
		conn, err := ssh.Dial("tcp", addr, &ssh.ClientConfig{
			User: "git", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: check,
		})
		if err == nil {
			err = conn.Close()
		}
		return err
	}
	require.NoError(t, dial(server.Addr(), friend, known))
	require.NoError(t, dial(server.Addr(), friend, ssh.FixedHostKey(server.HostKey())))
	require.ErrorContains(t, dial(server.Addr(), stranger, known), "unable to authenticate")
	require.Error(t, dial(other.Addr(), friend, known))
}

func TestASilentSSHServerNeverSpeaksUntilTheTestEnds(t *testing.T) {
	t.Parallel()
	var conn net.Conn
	t.Run("test", func(t *testing.T) {
		server := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Silent: true})
		var err error
		conn, err = net.Dial("tcp", server.Addr())
		require.NoError(t, err)
		_, err = conn.Write([]byte("SSH-2.0-test\r\n"))
		require.NoError(t, err)
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(50*time.Millisecond)))
		_, err = conn.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	})
	require.NoError(t, conn.SetReadDeadline(time.Time{}))
	_, err := conn.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, conn.Close())
}

func TestAnSSHServerThatIsDownResetsConnections(t *testing.T) {
	t.Parallel()
	needSSH(t)
	server := gitservertest.NewSSHServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	server.Down()
	_, err := c.run("ls-remote", repo.SSHURL())
	require.Error(t, err)
	server.Up()
	c.must("ls-remote", repo.SSHURL())
}

// needSSH skips a test on a machine without an SSH client, which git does not bring along.
func needSSH(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("ssh"); err != nil {
		t.Skip("git needs the ssh command for this")
	}
}
