package sinkproof

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// cutTransports are the ways to a repository, all of which lead through a cutter.
var cutTransports = map[string]func(t *testing.T, s *gitservertest.Server) (*cutter, func(*gitservertest.Repo) access){
	"http": cutHTTP, "ssh": cutSSH, "git": cutDaemon, "file": cutFile,
}

func cutHTTP(t *testing.T, s *gitservertest.Server) (*cutter, func(*gitservertest.Repo) access) {
	server, err := url.Parse(s.URL())
	require.NoError(t, err)
	c := newCutter(t, dialing(server.Host))
	return c, func(r *gitservertest.Repo) access {
		return access{URL: strings.Replace(r.URL(), server.Host, c.addr(), 1)}
	}
}

func cutSSH(t *testing.T, s *gitservertest.Server) (*cutter, func(*gitservertest.Repo) access) {
	server := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: s})
	c := newCutter(t, dialing(server.Addr()))
	hosts := knownhosts.Line([]string{knownhosts.Normalize(c.addr())}, server.HostKey())
	return c, func(r *gitservertest.Repo) access {
		return access{
			URL: strings.Replace(r.SSHURL(), server.Addr(), c.addr(), 1),
			Key: server.ClientKeyPEM(), KnownHosts: []byte(hosts),
		}
	}
}

// cutDaemon serves each connection with a git-daemon(1) of its own.
func cutDaemon(t *testing.T, s *gitservertest.Server) (*cutter, func(*gitservertest.Repo) access) {
	git, err := exec.LookPath("git")
	require.NoError(t, err)
	c := newCutter(t, func(net.Conn) (io.ReadWriteCloser, error) {
		return startUpstream(s.Env(), git, "daemon", "--inetd", "--export-all", "--enable=receive-pack")
	})
	return c, func(r *gitservertest.Repo) access {
		return access{URL: "git://" + c.addr() + filepath.ToSlash(r.Dir())}
	}
}

// cutFile puts a program in the place of git that leads through the cutter: see shimMain.
func cutFile(t *testing.T, s *gitservertest.Server) (*cutter, func(*gitservertest.Repo) access) {
	git, err := exec.LookPath("git")
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	bin := t.TempDir()
	require.NoError(t, os.Symlink(self, filepath.Join(bin, shim)))
	c := newCutter(t, func(client net.Conn) (io.ReadWriteCloser, error) {
		line, err := readLine(client)
		if err != nil {
			return nil, err
		}
		return startUpstream(s.Env(), git, strings.Split(line, "\x00")...)
	})
	t.Setenv("PATH", bin) // the only one of these variables that the sink passes on
	require.NoError(t, os.WriteFile(filepath.Join(bin, shimAddress), []byte(c.addr()), 0o600))
	return c, func(r *gitservertest.Repo) access { return access{URL: r.FileURL()} }
}

func dialing(address string) func(net.Conn) (io.ReadWriteCloser, error) {
	return func(net.Conn) (io.ReadWriteCloser, error) { return net.Dial("tcp", address) }
}

// readLine reads byte by byte: what follows is for others.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); ; line = append(line, b[0]) {
		if _, err := io.ReadFull(r, b); err != nil {
			return "", err
		}
		if b[0] == '\n' {
			return string(line), nil
		}
	}
}

// upstream is a process as a server.
type upstream struct {
	io.Reader
	io.WriteCloser
	cmd *exec.Cmd
}

func startUpstream(env []string, name string, args ...string) (io.ReadWriteCloser, error) {
	cmd := exec.Command(name, args...)
	cmd.Env = env
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	return &upstream{out, in, cmd}, cmd.Start()
}

func (u *upstream) CloseWrite() error { return u.WriteCloser.Close() }

// Close takes the process's input and output away, which ends it, and waits for it.
func (u *upstream) Close() error {
	return errors.Join(u.WriteCloser.Close(), u.cmd.Wait())
}

const (
	shim        = "git"     // the name under which the test binary is a shim
	shimAddress = "address" // the file beside it with the address of its cutter
)

// shimMain is git as far as the sink knows: it passes its arguments and its input on, and what
// comes back.
func shimMain() int {
	address, err := os.ReadFile(filepath.Join(os.Getenv("PATH"), shimAddress))
	if err != nil {
		return 1
	}
	conn, err := net.Dial("tcp", string(address))
	if err != nil {
		return 1
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, strings.Join(os.Args[1:], "\x00")+"\n"); err != nil {
		return 1
	}
	go func() {
		_, _ = io.Copy(conn, bufio.NewReader(os.Stdin))
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	if _, err := io.Copy(os.Stdout, conn); err != nil {
		return 1
	}
	return 0
}
