package smart

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"golang.org/x/crypto/ssh"
)

// DialSSH logs in and starts the service. Nothing of the machine's own SSH configuration is used.
func DialSSH(ctx context.Context, ep *transport.Endpoint, auth Credentials, which Service) (Conn, error) {
	addr := address(ep, 22)
	config, err := auth.sshConfig(cmp.Or(ep.User, defaultUser), addr)
	if err != nil {
		return nil, err
	}
	raw, err := dial(ctx, auth.Proxy, addr)
	if err != nil {
		return nil, err
	}
	cut := func() { _ = raw.Close() }
	stop := context.AfterFunc(ctx, cut) // x/crypto/ssh knows no context
	defer stop()
	conn, channels, requests, err := ssh.NewClientConn(raw, addr, config)
	if other := (*ssh.AlgorithmNegotiationError)(nil); errors.As(err, &other) && other.What == "host key" {
		err = fmt.Errorf("known_hosts: KnownHosts has keys of %s for %s only, which has %s: add one of those",
			addr, strings.Join(other.SupportedAlgorithms, ", "), strings.Join(other.RequestedAlgorithms, ", "))
	}
	if err != nil {
		cut()
		return nil, err
	}
	client := ssh.NewClient(conn, channels, requests)
	s, err := startSSH(client, fmt.Sprintf("%s %s", which, shellQuote(ep.Path)))
	if err != nil {
		_ = client.Close()
		_ = client.Wait()
		return nil, err
	}
	return s, nil
}

func startSSH(client *ssh.Client, command string) (Conn, error) {
	session, err := client.NewSession()
	if refused := (*ssh.OpenChannelError)(nil); errors.As(err, &refused) {
		return nil, &RemoteError{fmt.Errorf("%w: %w", ErrRefused, err), refused.Message}
	}
	if err != nil {
		return nil, err
	}
	words := &lockedBuffer{}
	session.Stderr = words
	in, err := session.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := session.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := session.Start(command); err != nil {
		// x/crypto/ssh, when an answer has come: it gives it no type.
		if strings.HasPrefix(err.Error(), "ssh: command ") {
			return nil, fmt.Errorf("%w: starting %q: %w", ErrRefused, command, err)
		}
		return nil, fmt.Errorf("starting %q: %w", command, err)
	}
	return &pipeConn{
		in: in, out: out, words: words,
		// Wait returns when the command has ended and all it said to stderr has come.
		wait: func() bool {
			var exit *ssh.ExitError
			// Rather than lost or killed.
			return errors.As(session.Wait(), &exit) && exit.Signal() == ""
		},
		cut: func() {
			_ = client.Close()
			_ = client.Wait()
		},
	}, nil
}

// shellQuote is for a shell, and for what Git hosts have in its place.
func shellQuote(path string) string { return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'" }
