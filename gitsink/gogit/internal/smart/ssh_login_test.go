package smart

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

// sshScript is what a server does with a command.
type sshScript struct {
	noChannel string // says why there is none
	noCommand bool
	leaves    bool // without an answer to the command
	status    int  // below zero: it does not say
	signal    string
}

// scriptedSSH is a server that lets every key in, and says which commands it got.
func scriptedSSH(t *testing.T, script *sshScript, config *ssh.ServerConfig) (ep *transport.Endpoint, auth Credentials, commands chan string) {
	t.Helper()
	host, _ := gogittest.HostKeys(t)
	config.PublicKeyCallback = func(ssh.ConnMetadata, ssh.PublicKey) (*ssh.Permissions, error) { return nil, nil }
	config.AddHostKey(host)
	commands = make(chan string, 8)
	name, port := listening(t, func(raw net.Conn) {
		conn, channels, requests, err := ssh.NewServerConn(raw, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for wanted := range channels {
			if script.noChannel != "" {
				_ = wanted.Reject(ssh.ResourceShortage, script.noChannel)
				continue
			}
			if channel, requests, err := wanted.Accept(); err == nil {
				script.run(conn, channel, requests, commands)
			}
		}
	})
	key, _ := sshKey(t, newEd25519(t), "")
	known := knownhosts.Line([]string{knownhosts.Normalize(net.JoinHostPort(name, fmt.Sprint(port)))}, host.PublicKey())
	return &transport.Endpoint{Protocol: "ssh", Host: name, Port: port, Path: "/it's"}, Credentials{SSHPrivateKey: key, KnownHosts: []byte(known)}, commands
}

func (s *sshScript) run(conn ssh.Conn, channel ssh.Channel, requests <-chan *ssh.Request, commands chan<- string) {
	for req := range requests {
		var payload struct{ Command string }
		_ = ssh.Unmarshal(req.Payload, &payload)
		commands <- conn.User() + ": " + payload.Command
		if s.leaves {
			_ = conn.Close()
			return
		}
		_ = req.Reply(!s.noCommand, nil)
		if s.noCommand {
			continue
		}
		_, _ = io.WriteString(channel, "refs")
		_, _ = io.WriteString(channel.Stderr(), "words\n")
		switch {
		case s.signal != "":
			_, _ = channel.SendRequest("exit-signal", false, ssh.Marshal(struct {
				Signal      string
				Core        bool
				Error, Lang string
			}{Signal: s.signal}))
		case s.status >= 0:
			_, _ = channel.SendRequest("exit-status", false, ssh.Marshal(struct{ Status uint32 }{uint32(s.status)}))
		}
		_ = channel.Close()
	}
}

func TestOnlyACommandThatEndsByItselfRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script sshScript
		no     bool
	}{
		"success":                 {sshScript{}, false},
		"a status":                {sshScript{status: 128}, true},
		"a signal":                {sshScript{signal: "KILL"}, false},
		"nobody knows how it was": {sshScript{status: -1}, false},
	} {
		ep, auth, commands := scriptedSSH(t, &c.script, &ssh.ServerConfig{})
		w, err := DialSSH(t.Context(), ep, auth, ReceivePack)
		require.NoError(t, err, name)
		require.Equal(t, `git: git-receive-pack '/it'\''s'`, <-commands, name)
		answer, err := w.Advertise(t.Context())
		require.NoError(t, err, name)
		text, err := io.ReadAll(answer)
		require.NoError(t, err, name)
		require.Equal(t, "refs", string(text), name)
		require.NoError(t, answer.Close())
		err = w.Explain(io.EOF)
		require.Equal(t, "words", Words(err), name)
		require.ErrorIs(t, err, io.EOF, name)
		require.Equal(t, c.no, strings.HasPrefix(err.Error(), ErrRefused.Error()), name)
		w.Close()
	}
}

func TestALoginThatFailsSaysWhy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		script sshScript
		no     bool
		says   string
		words  string
	}{
		"no channel": {sshScript{noChannel: "too many of them"}, true, "too many of them", "too many of them"},
		"no command": {sshScript{noCommand: true}, true, "starting \"git-upload-pack '/it", ""},
		"it leaves":  {sshScript{leaves: true}, false, "starting \"git-upload-pack '/it", ""},
	} {
		ep, auth, _ := scriptedSSH(t, &c.script, &ssh.ServerConfig{})
		ep.User = "me"
		w, err := DialSSH(t.Context(), ep, auth, UploadPack)
		require.Nil(t, w, name)
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, c.words, Words(err), name)
		require.Equal(t, c.no, strings.HasPrefix(err.Error(), ErrRefused.Error()), name)
	}
	ep, auth, _ := scriptedSSH(t, &sshScript{}, &ssh.ServerConfig{})
	ep.User = "me"
	config, err := auth.sshConfig("me", address(ep, 22))
	require.NoError(t, err)
	client, err := ssh.Dial("tcp", address(ep, 22), config)
	require.NoError(t, err)
	require.NoError(t, client.Close())
	_ = client.Wait()
	w, err := startSSH(client, "x")
	require.Error(t, err, "the connection is lost")
	require.NotErrorIs(t, err, ErrRefused)
	require.Nil(t, w)

	_, err = DialSSH(t.Context(), ep, Credentials{KnownHosts: auth.KnownHosts}, UploadPack)
	require.ErrorIs(t, err, gitsink.ErrAuth)
	nobody := *ep
	nobody.Host, nobody.Port = closedPort(t)
	known := knownhosts.Normalize(address(&nobody, 22)) + string(auth.KnownHosts[strings.Index(string(auth.KnownHosts), " "):])
	_, err = DialSSH(t.Context(), &nobody, Credentials{SSHPrivateKey: auth.SSHPrivateKey, KnownHosts: []byte(known)}, UploadPack)
	require.ErrorContains(t, err, "refused")
}

func TestWhatTwoSidesOfSSHDoNotHaveInCommonIsNamed(t *testing.T) {
	t.Parallel()
	_, ec := gogittest.HostKeys(t)
	ep, auth, _ := scriptedSSH(t, &sshScript{}, &ssh.ServerConfig{})
	host, _, _ := strings.Cut(string(auth.KnownHosts), " ")
	other := auth
	other.KnownHosts = []byte(knownhosts.Line([]string{host}, ec.PublicKey()))
	_, err := DialSSH(t.Context(), ep, other, UploadPack)
	require.ErrorContains(t, err, "known_hosts: KnownHosts has keys of "+address(ep, 22)+" for ecdsa-sha2-nistp256 only, which has ssh-ed25519: add one of those")

	old := &ssh.ServerConfig{}
	old.Ciphers = []string{ssh.InsecureCipherAES128CBC}
	ep, auth, _ = scriptedSSH(t, &sshScript{}, old)
	_, err = DialSSH(t.Context(), ep, auth, UploadPack)
	require.NotContains(t, err.Error(), "KnownHosts")
	require.ErrorContains(t, err, "ssh: no common algorithm")
}

func TestAnAddressHasItsOwnPortOrTheUsualOne(t *testing.T) {
	t.Parallel()
	require.Equal(t, "git.example:22", address(&transport.Endpoint{Host: "git.example"}, 22))
	require.Equal(t, "git.example:2222", address(&transport.Endpoint{Host: "git.example", Port: 2222}, 22))
	require.Equal(t, "[::1]:9418", address(&transport.Endpoint{Host: "[::1]"}, 9418))
}

// A stand-in for git shows what a process gets, and how it may end.
func TestAProcessGetsNothingButWhatItNeeds(t *testing.T) {
	folder, bin := t.TempDir(), t.TempDir()
	for _, name := range []string{"objects", "refs"} {
		require.NoError(t, os.Mkdir(filepath.Join(folder, name), 0o700))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "HEAD"), nil, 0o600))
	t.Setenv("PATH", bin+":/usr/bin:/bin")
	t.Setenv("TOKEN", "s3cret")
	ep := &transport.Endpoint{Protocol: "file", Path: folder}
	for script, no := range map[string]bool{
		"env; echo words >&2; exit 3":       true,
		"env; echo words >&2; kill -9 $$":   false,
		"env; echo words >&2; cat; exit 0 ": false,
	} {
		require.NoError(t, os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\necho $*\n"+script), 0o700))
		w, err := StartProcess(ep, UploadPack, []string{folder})
		require.NoError(t, err)
		if !strings.Contains(script, "cat") {
			answer, err := w.Advertise(t.Context())
			require.NoError(t, err)
			text, err := io.ReadAll(answer)
			require.NoError(t, err)
			require.Contains(t, string(text), "upload-pack "+folder+"\n")
			require.Contains(t, string(text), "LC_ALL=C\n")
			require.NotContains(t, string(text), "s3cret")
		}
		err = w.Explain(io.EOF)
		require.Equal(t, "words", Words(err), script)
		require.Equal(t, no, strings.HasPrefix(err.Error(), ErrRefused.Error()), script)
		w.Close()
	}
	_, err := StartProcess(ep, UploadPack, nil)
	require.Error(t, err, "it is in no allowed folder")
	t.Setenv("PATH", folder)
	w, err := StartProcess(ep, UploadPack, []string{folder})
	require.ErrorContains(t, err, "needs the git command")
	require.Nil(t, w)

	env := processEnv(func(name string) (string, bool) { return "of " + name, name == "PATH" || name == "HOME" })
	require.Equal(t, []string{"LC_ALL=C", "PATH=of PATH", "HOME=of HOME"}, env)
}
