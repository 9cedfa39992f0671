package smart

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/format/pktline"
	"github.com/go-git/go-git/v5/plumbing/transport"
)

// pipeConn is a connection in both directions: SSH, git's own protocol, or a process
// (gitprotocol-pack(5)). A service hears one request on it at most.
type pipeConn struct {
	in  io.WriteCloser
	out io.Reader
	cut func() // ends the connection at once; may be called at any time, more than once
	// wait waits until the other side has gone, with all it had to say, and reports whether it went
	// because it refused. cut ends that.
	wait  func() bool
	words *lockedBuffer // said beside the protocol
	asked bool          // there was a request
	over  bool          // nothing more will come
	no    bool          // the other side has refused
}

func (s *pipeConn) Advertise(ctx context.Context) (io.ReadCloser, error) {
	return &pipeAnswer{s.out, context.AfterFunc(ctx, s.cut), nil}, nil
}

// Exchange sends while the answer is read: a service may speak before it has heard everything,
// and then wait to be heard.
func (s *pipeConn) Exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error) {
	s.asked = true
	stop := context.AfterFunc(ctx, s.cut)
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		in := bufio.NewWriterSize(s.in, 32<<10) // a pack has many short parts
		for _, part := range parts {
			_, _ = in.Write(part)
		}
		_ = in.Flush() // the answer says why one of them failed
		_ = s.in.Close()
	}()
	return &pipeAnswer{s.out, stop, func() {
		select {
		case <-sent:
		default: // nobody reads the answer any more, so the service may never hear the rest
			s.cut()
			<-sent
		}
	}}, nil
}

// pipeAnswer is what a stream says until it is closed.
type pipeAnswer struct {
	io.Reader
	stop   func() bool
	finish func()
}

func (a *pipeAnswer) Close() error {
	if a.finish != nil {
		a.finish()
	}
	a.stop()
	return nil
}

// Explain waits for the last words, such as the reason why there is no repository.
func (s *pipeConn) Explain(err error) error {
	s.hangUp()
	if s.no && !errors.Is(err, ErrRefused) {
		err = fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if words := strings.TrimSpace(s.words.String()); words != "" {
		return &RemoteError{err, words}
	}
	return err
}

func (s *pipeConn) hangUp() {
	if s.over {
		return
	}
	s.over = true
	if !s.asked {
		_, _ = io.WriteString(s.in, "0000") // nothing is wanted
		_ = s.in.Close()
	}
	ctx, cancel := context.WithTimeout(context.Background(), CloseTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, s.cut)()
	if n, _ := io.CopyN(io.Discard, s.out, maxRemainder); n == maxRemainder {
		s.cut() // it would go on for long
	}
	s.no = s.wait()
}

func (s *pipeConn) Close() {
	s.hangUp()
	s.cut()
}

// lockedBuffer is a wordBuffer that is written to while it is read.
type lockedBuffer struct {
	mu     sync.Mutex // guards what follows
	buffer wordBuffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}

// DialDaemon speaks to git-daemon(1), without authentication and encryption.
func DialDaemon(ctx context.Context, ep *transport.Endpoint, auth Credentials, which Service) (Conn, error) {
	conn, err := dial(ctx, auth.Proxy, address(ep, 9418))
	if err != nil {
		return nil, err
	}
	cut := func() { _ = conn.Close() }
	stop := context.AfterFunc(ctx, cut)
	defer stop()
	if err := pktline.NewEncoder(conn).Encodef("%s %s\x00host=%s\x00", which, ep.Path, ep.Host); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	// The connection stays open in both directions until the answer is there: a daemon may take a
	// closed one for a client that has left.
	return &pipeConn{in: keepOpen{conn}, out: conn, cut: cut, wait: func() bool { return false }, words: &lockedBuffer{}}, nil
}

type keepOpen struct{ io.Writer }

func (keepOpen) Close() error { return nil }
