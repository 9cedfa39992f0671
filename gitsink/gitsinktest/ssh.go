package gitsinktest

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// SSHOptions configure an [SSHServer]. Nil and the zero value mean the defaults.
type SSHOptions struct {
	// Server is the one whose repositories are served. Default: a server of its own.
	Server *Server

	// AuthorizedKeys may log in, beside the key of [SSHServer.ClientKeyPEM]. Default: none.
	AuthorizedKeys []ssh.PublicKey

	// Silent accepts connections and never says a word. Default: it speaks SSH.
	Silent bool
}

// SSHServer is a real SSH server on the loopback interface that runs git-upload-pack and git-receive-pack, for the
// duration of one test. Any user name may log in, by public key only. Faults, counts and credentials of the [Server] do
// not apply; hooks do.
type SSHServer struct {
	server    *Server
	opts      SSHOptions
	gate      *gate
	hostKey   ssh.Signer
	clientPEM []byte
	allowed   [][]byte                                                         // marshalled public keys
	run       func(channel ssh.Channel, line, protocol string) (status uint32) // what a session asks for
	running   sync.WaitGroup
}

// NewSSHServer starts an SSH server and closes it at the end of the test. Nil options mean the defaults. A [Server] has at
// most one, which [Repo.SSHURL] names.
func NewSSHServer(t testing.TB, opts *SSHOptions) *SSHServer {
	t.Helper()
	s := &SSHServer{}
	if opts != nil {
		s.opts = *opts
	}
	if s.server = s.opts.Server; s.server == nil {
		s.server = NewServer(t, nil)
	}
	hostKey, _, err := newKey()
	if err != nil {
		t.Fatalf("gitsinktest: ssh host key: %v", err)
	}
	clientKey, clientPEM, err := newKey()
	if err != nil {
		t.Fatalf("gitsinktest: ssh client key: %v", err)
	}
	s.hostKey, s.clientPEM, s.run = hostKey, clientPEM, s.exec
	for _, key := range append([]ssh.PublicKey{clientKey.PublicKey()}, s.opts.AuthorizedKeys...) {
		s.allowed = append(s.allowed, key.Marshal())
	}
	s.server.setSSH(s)
	s.listen(t)
	return s
}

// listen serves until the end of the test.
func (s *SSHServer) listen(t testing.TB) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("gitsinktest: ssh: %v", err)
	}
	s.gate = newGate(listener)
	s.running.Go(s.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		s.gate.shut()
		s.running.Wait()
	})
}

func newKey() (ssh.Signer, []byte, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	block, err := ssh.MarshalPrivateKey(private, "gitsinktest")
	if err != nil {
		return nil, nil, err
	}
	signer, err := ssh.NewSignerFromKey(private)
	return signer, pem.EncodeToMemory(block), err
}

// NewRepo makes a repository on the server behind; see [Server.NewRepo].
func (s *SSHServer) NewRepo(name string) *Repo {
	s.server.t.Helper()
	return s.server.NewRepo(name)
}

// Addr is the address of the server, such as "127.0.0.1:41234".
func (s *SSHServer) Addr() string { return s.gate.Addr().String() }

// HostKey is the server's public key.
func (s *SSHServer) HostKey() ssh.PublicKey { return s.hostKey.PublicKey() }

// KnownHosts is the line of a known_hosts file for the server.
func (s *SSHServer) KnownHosts() string {
	return knownhosts.Line([]string{knownhosts.Normalize(s.Addr())}, s.HostKey()) + "\n"
}

// ClientKeyPEM is a private key in OpenSSH's format that may log in.
func (s *SSHServer) ClientKeyPEM() []byte { return bytes.Clone(s.clientPEM) }

// Down takes the server off the net as [Server.Down] does.
func (s *SSHServer) Down() { s.gate.shut() }

// Up ends [SSHServer.Down].
func (s *SSHServer) Up() { s.gate.open() }

// Env is [Server.Env] with a GIT_SSH_COMMAND that logs in and knows the host.
func (s *SSHServer) Env() []string {
	s.server.t.Helper()
	key, hosts := filepath.Join(s.server.home, "id_ed25519"), filepath.Join(s.server.home, "known_hosts")
	err := errors.Join(os.WriteFile(key, s.clientPEM, 0o600), os.WriteFile(hosts, []byte(s.KnownHosts()), 0o600))
	if err != nil {
		s.server.t.Fatalf("gitsinktest: ssh: %v", err)
	}
	return append(s.server.Env(), fmt.Sprintf(
		"GIT_SSH_COMMAND=ssh -F %s -i %s -o IdentitiesOnly=yes -o BatchMode=yes -o StrictHostKeyChecking=yes -o UserKnownHostsFile=%s",
		os.DevNull, shellQuote(key), shellQuote(hosts)))
}

// SSHURL is where clients find the repository on the [SSHServer] of its server.
func (r *Repo) SSHURL() string {
	r.server.t.Helper()
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if r.server.ssh == nil {
		r.server.t.Fatalf("gitsinktest: repository %s: its server has no SSHServer", r.name)
	}
	return "ssh://git@" + r.server.ssh.Addr() + "/" + r.name
}

func (s *Server) setSSH(server *SSHServer) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ssh != nil {
		s.t.Fatalf("gitsinktest: the server has an SSHServer already")
	}
	s.ssh = server
}

func (s *SSHServer) accept() {
	config := &ssh.ServerConfig{PublicKeyCallback: s.authorize}
	config.AddHostKey(s.hostKey)
	for {
		conn, err := s.gate.Accept()
		if err != nil {
			return
		}
		if !s.opts.Silent { // a silent connection stays open until the test ends
			s.running.Go(func() { s.converse(conn, config) })
		}
	}
}

func (s *SSHServer) authorize(_ ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
	offered := key.Marshal()
	if !slices.ContainsFunc(s.allowed, func(allowed []byte) bool { return bytes.Equal(allowed, offered) }) {
		return nil, errors.New("unknown public key")
	}
	return &ssh.Permissions{}, nil
}

func (s *SSHServer) converse(raw net.Conn, config *ssh.ServerConfig) {
	defer func() { _ = raw.Close() }()
	conn, channels, requests, err := ssh.NewServerConn(raw, config)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	s.running.Go(func() { ssh.DiscardRequests(requests) })
	for offer := range channels {
		if offer.ChannelType() != "session" {
			_ = offer.Reject(ssh.UnknownChannelType, "sessions only")
			continue
		}
		if channel, asked, err := offer.Accept(); err == nil {
			s.running.Go(func() { s.session(channel, asked) })
		}
	}
}

// session serves the requests of one channel (RFC 4254, sections 6.4 and 6.5): GIT_PROTOCOL, then one command.
func (s *SSHServer) session(channel ssh.Channel, requests <-chan *ssh.Request) {
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
			s.running.Go(func() { ssh.DiscardRequests(requests) })
			status := struct{ Code uint32 }{s.run(channel, command.Line, protocol)}
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(status))
			return
		default:
			_ = request.Reply(false, nil)
		}
	}
}

// exec runs a line such as "git-upload-pack '/app.git'" and returns the exit status.
func (s *SSHServer) exec(channel ssh.Channel, line, protocol string) uint32 {
	name, path, _ := strings.Cut(line, " ")
	repo := s.server.repo(strings.Trim(path, "'/"))
	if service := Service(name); repo == nil || service != UploadPack && service != ReceivePack {
		_, _ = fmt.Fprintf(channel.Stderr(), "no such command or repository: %s\n", line)
		return 128
	}
	return runGit(&s.running, repo, Service(name), protocol, channel, channel, channel.Stderr())
}

// runGit runs a service on what a client says, and returns the exit status.
func runGit(copying *sync.WaitGroup, repo *Repo, service Service, protocol string, in io.Reader, out, words io.Writer) uint32 {
	cmd := exec.Command(repo.server.git, strings.TrimPrefix(string(service), "git-"), repo.dir)
	cmd.Env = append(repo.server.Env(), "GIT_PROTOCOL="+protocol)
	cmd.Stdout, cmd.Stderr = out, words
	stdin, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_, _ = fmt.Fprintln(words, err)
		return 126
	}
	// Not for Cmd to wait for: a client may keep its side open until it has read the exit status.
	copying.Go(func() {
		_, _ = io.Copy(stdin, in)
		_ = stdin.Close()
	})
	if err := cmd.Wait(); err != nil {
		return uint32(max(cmd.ProcessState.ExitCode(), 1))
	}
	return 0
}

func (s *Server) repo(name string) *Repo {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[name]
}
