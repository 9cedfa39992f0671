package testenv

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

const sshdConfig = "sshd_config"

// SSHDOptions configure a start. Nil and the zero value mean the defaults.
type SSHDOptions struct {
	// AuthorizedKeys may log in, to git-shell(1) alone. Default: none.
	AuthorizedKeys []ssh.PublicKey

	// Config are more lines of sshd_config(5); of a keyword that comes twice the first counts, and
	// these come first. Default: none.
	Config string
}

// SSHD is a running sshd(8) of OpenSSH, at which the user of the test logs in.
type SSHD struct {
	dir     string
	program string
	options SSHDOptions
	user    string
	hostKey ssh.PublicKey
	port    int
	proc    *process
}

// StartSSHD starts an sshd and stops it when the test is over. It skips the test if there is none
// in PATH and in /usr/sbin, and if it cannot run: as root it wants a user named sshd and a folder
// /run/sshd.
func StartSSHD(t testing.TB, options *SSHDOptions) *SSHD {
	t.Helper()
	program, err := exec.LookPath("sshd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/sshd")
	}
	if err != nil {
		t.Skip("needs sshd of OpenSSH, in PATH or in /usr/sbin: install openssh-server")
	}
	s := &SSHD{dir: t.TempDir(), program: program}
	if options != nil {
		s.options = *options
	}
	if err := s.prepare(); err != nil {
		t.Fatal(err)
	}
	if out, err := s.command(t.Context(), "-t").CombinedOutput(); err != nil && strings.Contains(string(out), "rivilege separation") {
		t.Skipf("sshd of OpenSSH cannot run on this machine: %s", out)
	}
	if err := onFreePort(func(port int) error { return s.run(t.Context(), port) }); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		showLogs(t, s.proc.log)
		s.proc.stop(stopGrace)
	})
	return s
}

// URL is the address with the user; the absolute path of a repository comes after it.
func (s *SSHD) URL() string { return "ssh://" + s.user + "@" + address(s.port) }

// KnownHosts is the line of a known_hosts file for the server.
func (s *SSHD) KnownHosts() string {
	return knownhosts.Line([]string{knownhosts.Normalize(address(s.port))}, s.hostKey) + "\n"
}

func (s *SSHD) prepare() error {
	account, err := user.Current()
	if err != nil {
		return err
	}
	s.user = account.Username
	if s.program, err = filepath.Abs(s.program); err != nil {
		return err // sshd starts itself again by this path
	}
	if s.hostKey, err = writeHostKey(s.file(hostKeyFile)); err != nil {
		return err
	}
	var keys strings.Builder
	for _, key := range s.options.AuthorizedKeys {
		fmt.Fprintf(&keys, `restrict,command="git-shell -c \"$SSH_ORIGINAL_COMMAND\"" %s`, ssh.MarshalAuthorizedKey(key))
	}
	if err := os.WriteFile(s.file("authorized_keys"), []byte(keys.String()), 0o600); err != nil {
		return err
	}
	return s.configure(firstPort)
}

func (s *SSHD) configure(port int) error {
	s.port = port
	config := fmt.Sprintf(`%s
Port %d
ListenAddress %s
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
PasswordAuthentication no
KbdInteractiveAuthentication no
AcceptEnv GIT_PROTOCOL
SetEnv GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=%s LC_ALL=C
`, s.options.Config, port, loopback, s.file(hostKeyFile), s.file("authorized_keys"), os.DevNull)
	return os.WriteFile(s.file(sshdConfig), []byte(config), 0o600)
}

func (s *SSHD) run(ctx context.Context, port int) error {
	if err := s.configure(port); err != nil {
		return err
	}
	proc, err := startProcessWith(s.env(), s.program, s.dir, "-D", "-e", "-f", s.file(sshdConfig))
	if err != nil {
		return err
	}
	if err := proc.waitReady(ctx, func(ctx context.Context) error { return speaksSSH(ctx, address(port)) }); err != nil {
		proc.stop(stopGrace)
		return err
	}
	s.proc = proc
	return nil
}

func (s *SSHD) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, s.program, append(args, "-f", s.file(sshdConfig))...)
	cmd.Dir, cmd.Env = s.dir, s.env()
	return cmd
}

func (s *SSHD) env() []string { return []string{"PATH=" + os.Getenv("PATH")} }

func (s *SSHD) file(name string) string { return filepath.Join(s.dir, name) }
