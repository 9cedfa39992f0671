package smart

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// Session is a conversation with one service of a repository that has advertised its references.
type Session struct {
	conn Conn
	Refs *Advertisement
}

// Begin reads what the service on a connection advertises, as far as it matters to some branches.
// The session is one for the first of them; see For. On an error the connection is closed.
func Begin(ctx context.Context, conn Conn, branches ...plumbing.ReferenceName) (*Session, error) {
	s := &Session{conn: conn}
	if err := s.greet(ctx, branches); err != nil {
		err = conn.Explain(err)
		conn.Close()
		return nil, err
	}
	return s, nil
}

// Assume returns a session with a service that is not asked what it advertises.
func Assume(conn Conn, refs *Advertisement) *Session {
	return &Session{conn: conn, Refs: refs}
}

// For returns the session for another of the branches that it was begun for. Where the connection
// Shares, both may be used, also concurrently.
func (s *Session) For(branch plumbing.ReferenceName) *Session {
	return &Session{conn: s.conn, Refs: s.Refs.of(branch)}
}

// Close ends the conversation.
func (s *Session) Close() { s.conn.Close() }

// Repeats reports whether the next connection to the service would be a request only to hear what
// is known already: that is so over HTTP. Where a repository has moved to is asked each time: it
// is not for everybody's credentials.
func (s *Session) Repeats() bool {
	w, ok := overHTTP(s.conn)
	return ok && !w.moved
}

// greet reads the advertisement (gitprotocol-pack(5)), as far as it matters to the branches.
func (s *Session) greet(ctx context.Context, branches []plumbing.ReferenceName) error {
	answer, err := s.conn.Advertise(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	if s.Refs, err = readAdvertisement(answer, branches...); err != nil {
		return fmt.Errorf("reading what the server advertises: %w", err)
	}
	s.Refs.MultiAck = s.Refs.Capabilities.Supports(capability.MultiACK)
	transport.FilterUnsupportedCapabilities(s.Refs.Capabilities)
	return nil
}

// Tip returns where the branch is; zero: there is no such branch.
func (s *Session) Tip(ref plumbing.ReferenceName) object.ID {
	return s.Refs.Refs[ref.String()]
}

// Fetch asks the service upload-pack for a pack, which take reads, and returns where the history
// in it ends.
func (s *Session) Fetch(ctx context.Context, req FetchRequest, take func(pack io.Reader) error) ([]object.ID, error) {
	request, deepens, err := req.encode(s.Refs)
	if err != nil {
		return nil, err
	}
	answer, err := s.conn.Exchange(ctx, request)
	if err != nil {
		return nil, s.conn.Explain(err)
	}
	defer func() { _ = answer.Close() }()
	reader := bufio.NewReader(answer)
	shallows, err := readNegotiation(s.Refs.Format, reader, deepens)
	if err != nil {
		return nil, s.conn.Explain(fmt.Errorf("reading the answer to a fetch: %w", err))
	}
	sent := demultiplex(s.Refs.Capabilities, reader, io.Discard, noLimit) // take has its own
	if err := take(sent); err != nil {
		return nil, s.conn.Explain(err)
	}
	return shallows, nil
}

// Push sends an update and a pack to the service receive-pack, and returns its report: nil if
// none came, for which there is an error then. words is what hooks and the like said.
func (s *Session) Push(ctx context.Context, u Update, pack ...[]byte) (report *packp.ReportStatus, words string, err error) {
	answer, err := s.conn.Exchange(ctx, append([][]byte{u.encode(s.Refs)}, pack...)...)
	if err != nil {
		return nil, "", s.conn.Explain(err)
	}
	defer func() { _ = answer.Close() }()
	said := &wordBuffer{}
	sent := demultiplex(s.Refs.Capabilities, answer, said, maxAnswer)
	report, err = readReport(sent, u.Ref)
	if err == nil {
		// To the end, as git does: hooks that run after the update may still be talking.
		_, _ = io.CopyN(io.Discard, sent, maxAnswer)
		return report, said.String(), nil
	}
	if d, ok := sent.(*demultiplexer); ok && errors.Is(d.err, io.EOF) && errors.Is(err, io.ErrUnexpectedEOF) {
		err = Malformed("the report of a push ends in the middle")
	}
	return nil, said.String(), s.conn.Explain(fmt.Errorf("reading the answer to a push: %w", err))
}
