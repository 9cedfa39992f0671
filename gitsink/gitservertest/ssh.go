package gitservertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink/internal/loopback"
)

// SSHOptions configure an [SSHServer]. Nil and the zero value mean the defaults.
type SSHOptions struct {
	// Server is the one whose repositories are served. Default: a server of its own.
	Server *Server

	// HostKey is the server's. Default: a new key.
	HostKey ssh.Signer

	// AuthorizedKeys may log in, beside the key of [SSHServer.ClientKeyPEM]. Default: none.
	AuthorizedKeys []ssh.PublicKey

	// Exec runs a session's command, such as "git-upload-pack '/app.git'", and returns its exit
	// status. It is called on a goroutine of the session, and must return when the channel ends.
	// Default: Git runs it.
	Exec func(channel ssh.Channel, command string) (status uint32)

	// Silent accepts connections and never says a word. Default: it speaks SSH.
	Silent bool
}

// SSHServer is a real SSH server on the loopback interface that runs git-upload-pack and
// git-receive-pack, for the duration of one test. Any user name may log in, by public key only.
// Faults, counts and credentials of the [Server] do not apply; hooks do.
type SSHServer struct {
	server    *Server
	opts      SSHOptions
	gate      *loopback.Gate
	clientPEM []byte
	allowed   [][]byte // marshalled public keys
}

// NewSSHServer starts an SSH server and closes it at the end of the test. Nil options mean the
// defaults. A [Server] has at most one, which [Repo.SSHURL] names.
func NewSSHServer(t testing.TB, opts *SSHOptions) *SSHServer {
	t.Helper()
	s := &SSHServer{}
	if opts != nil {
		s.opts = *opts
	}
	if s.server = s.opts.Server; s.server == nil {
		s.server = NewServer(t, nil)
	}
	if s.opts.HostKey == nil {
		s.opts.HostKey, _ = newKey(t)
	}
	var client ssh.Signer
	client, s.clientPEM = newKey(t)
	for _, key := range append([]ssh.PublicKey{client.PublicKey()}, s.opts.AuthorizedKeys...) {
		s.allowed = append(s.allowed, key.Marshal())
	}
	s.server.setSSH(s)
	s.gate = loopback.Serve(t, s.converse)
	return s
}

func newKey(t testing.TB) (ssh.Signer, []byte) {
	t.Helper()
	signer, private, err := loopback.NewSSHKey()
	if err != nil {
		t.Fatalf("gitservertest: ssh key: %v", err)
	}
	return signer, private
}

// NewRepo makes a repository on the server behind; see [Server.NewRepo].
func (s *SSHServer) NewRepo(name string) *Repo {
	s.server.t.Helper()
	return s.server.NewRepo(name)
}

// Addr returns the address of the server, such as "127.0.0.1:41234".
func (s *SSHServer) Addr() string { return s.gate.Addr().String() }

// HostKey returns the server's public key.
func (s *SSHServer) HostKey() ssh.PublicKey { return s.opts.HostKey.PublicKey() }

// KnownHosts returns the line of a known_hosts file for the server.
func (s *SSHServer) KnownHosts() string {
	return knownhosts.Line([]string{knownhosts.Normalize(s.Addr())}, s.HostKey()) + "\n"
}

// ClientKeyPEM returns a private key in OpenSSH's format that may log in.
func (s *SSHServer) ClientKeyPEM() []byte { return bytes.Clone(s.clientPEM) }

// Down takes the server off the network as [Server.Down] does.
func (s *SSHServer) Down() { s.gate.Shut() }

// Up ends [SSHServer.Down].
func (s *SSHServer) Up() { s.gate.Open() }

// Env returns [Server.Env] with a GIT_SSH_COMMAND that logs in and knows the host.
func (s *SSHServer) Env() []string {
	s.server.t.Helper()
	key, hosts := filepath.Join(s.server.home, "id_ed25519"), filepath.Join(s.server.home, "known_hosts")
	err := errors.Join(os.WriteFile(key, s.clientPEM, 0o600), os.WriteFile(hosts, []byte(s.KnownHosts()), 0o600))
	if err != nil {
		s.server.t.Fatalf("gitservertest: ssh: %v", err)
	}
	return append(s.server.Env(), fmt.Sprintf(
		"GIT_SSH_COMMAND=ssh -F %s -i %s -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s",
		os.DevNull, shellQuote(key), shellQuote(hosts)))
}

// SSHURL returns the URL of the repository on the [SSHServer] of its server. Without one the test
// ends.
func (r *Repo) SSHURL() string {
	r.server.t.Helper()
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if r.server.ssh == nil {
		r.server.t.Fatalf("gitservertest: repository %s: its server has no SSHServer", r.name)
	}
	return "ssh://git@" + r.server.ssh.Addr() + "/" + r.name
}

func (s *Server) setSSH(server *SSHServer) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ssh != nil {
		s.t.Fatalf("gitservertest: the server has an SSHServer already")
	}
	s.ssh = server
}

func (s *SSHServer) authorize(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	offered := key.Marshal()
	if !slices.ContainsFunc(s.allowed, func(allowed []byte) bool { return bytes.Equal(allowed, offered) }) {
		return nil, errors.New("unknown public key")
	}
	return &ssh.Permissions{}, nil
}

// converse serves one connection, and waits for all that it has begun.
func (s *SSHServer) converse(raw *loopback.Conn) {
	if s.opts.Silent {
		_, _ = io.Copy(io.Discard, raw)
		return
	}
	var running sync.WaitGroup
	defer running.Wait()
	config := &ssh.ServerConfig{PublicKeyCallback: s.authorize}
	config.AddHostKey(s.opts.HostKey)
	conn, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	running.Go(func() { ssh.DiscardRequests(requests) })
	for offer := range channels {
		if offer.ChannelType() != "session" {
			_ = offer.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		if channel, asked, err := offer.Accept(); err == nil {
			running.Go(func() { s.session(&running, channel, asked) })
		}
	}
}

// session serves the requests of one channel (RFC 4254, sections 6.4 and 6.5): GIT_PROTOCOL, then
// one command.
func (s *SSHServer) session(running *sync.WaitGroup, channel ssh.Channel, requests <-chan *ssh.Request) {
	defer func() { _ = channel.Close() }()
	protocol := ""
	for request := range requests {
		var payload struct{ First, Second string }
		switch request.Type {
		case "env":
			err := ssh.Unmarshal(request.Payload, &payload)
			ok := err == nil && payload.First == "GIT_PROTOCOL"
			if ok {
				protocol = payload.Second
			}
			_ = request.Reply(ok, nil)
		case "exec":
			var command struct{ Line string }
			err := ssh.Unmarshal(request.Payload, &command)
			_ = request.Reply(err == nil, nil)
			running.Go(func() { ssh.DiscardRequests(requests) })
			var status struct{ Code uint32 }
			if s.opts.Exec != nil {
				status.Code = s.opts.Exec(channel, command.Line)
			} else {
				status.Code = s.exec(running, channel, command.Line, protocol)
			}
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
			return
		default:
			_ = request.Reply(false, nil)
		}
	}
}

// exec runs a line such as "git-upload-pack '/app.git'" and returns the exit status.
func (s *SSHServer) exec(running *sync.WaitGroup, channel ssh.Channel, line, protocol string) uint32 {
	name, path, _ := strings.Cut(line, " ")
	repo := s.server.repo(strings.Trim(path, "'/"))
	if service := Service(name); repo == nil || service != UploadPack && service != ReceivePack {
		_, _ = fmt.Fprintf(channel.Stderr(), "no such command or repository: %s\n", line)
		return 128
	}
	git := exec.Command(s.server.git, strings.TrimPrefix(name, "git-"), repo.dir)
	git.Env = append(s.server.Env(), "GIT_PROTOCOL="+protocol)
	return loopback.RunGit(running, git, channel, channel, channel.Stderr())
}

func (s *Server) repo(name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[name]
}
