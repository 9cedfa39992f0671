package gogit

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/destination"
)

const (
	lookTimeout  = 10 * time.Second // for a look at the branch after the caller's context has ended
	closeTimeout = 5 * time.Second  // for a server to take its leave
)

// service is one of git's two.
type service string

const (
	uploadPack  service = transport.UploadPackServiceName
	receivePack service = transport.ReceivePackServiceName
)

// wire carries what client and service say to each other. Every call ends soon after its ctx, and so does reading what it
// returned; it leaves no goroutine behind. It is not safe for concurrent use.
type wire interface {
	// advertise returns what the service says of itself.
	advertise(ctx context.Context) (io.ReadCloser, error)
	// exchange sends a request and returns the answer. The parts must not be changed until that is closed.
	exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error)
	// explain adds what else the server has said to a failure.
	explain(err error) error
	close()
}

// session is a conversation with one service of a repository that has advertised its references.
type session struct {
	wire
	refs     *advertisement
	who      identity // under whose credentials it was opened
	multiAck bool     // the server knows it
	assumed  bool     // nobody has asked the server for refs; see offers
}

// errNoAnswer means that a step took longer than it may.
var errNoAnswer = errors.New("no answer")

// bounded runs f with a bound on its time. What has been cut off fails with the reason for that.
func bounded[T any](ctx context.Context, limit time.Duration, f func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w from the server within %s", errNoAnswer, limit))
	defer cancel()
	value, err := f(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return value, err
}

// open connects with fresh credentials and reads the advertisement.
func (r *remote) open(ctx context.Context, which service) (*session, error) {
	opened, err := bounded(ctx, r.sink.opts.StepTimeout, func(ctx context.Context) (*session, error) {
		w, who, err := r.connect(ctx, which)
		if err != nil {
			return nil, err
		}
		return r.begin(ctx, &session{wire: w, who: who}, which)
	})
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		r.sink.https.closeIdle() // or what nobody uses would keep everybody else from connecting
	}
	return opened, err
}

// begin reads the advertisement of a session that has just been connected.
func (r *remote) begin(ctx context.Context, s *session, which service) (*session, error) {
	if err := s.greet(ctx, r.ref); err != nil {
		err = s.explain(err)
		s.close()
		return nil, err
	}
	if which == uploadPack && !s.refs.empty { // or it would not be asked again, when it knows of some
		r.learn(s)
	}
	return s, nil
}

// connect speaks the protocol of the URL, with fresh credentials.
func (r *remote) connect(ctx context.Context, which service) (wire, identity, error) {
	ep, err := transport.NewEndpoint(r.dst.Repository)
	if err != nil {
		return nil, identity{}, fmt.Errorf("%w: the URL of the repository cannot be parsed", destination.ErrInvalid)
	}
	auth, err := r.auth(ctx)
	if err != nil {
		return nil, identity{}, err
	}
	r.secrets = append(r.secrets, auth.secrets(ep)...)
	w, err := r.dial(ctx, ep, auth, which)
	return w, identify(r.dst.Repository, auth), err
}

func (r *remote) dial(ctx context.Context, ep *transport.Endpoint, auth Auth, which service) (wire, error) {
	switch ep.Protocol {
	case "http", "https":
		return r.sink.https.wire(ep, auth, which)
	case "ssh":
		return dialSSH(ctx, ep, auth, which)
	case "git":
		return dialDaemon(ctx, ep, auth, which)
	case "file":
		return startProcess(ep, which, r.sink.opts.AllowedLocalFolders)
	}
	return nil, fmt.Errorf("%w: the protocol %q is not spoken", destination.ErrInvalid, ep.Protocol)
}

// greet reads the advertisement (gitprotocol-pack(5)), as far as it matters to a branch.
func (s *session) greet(ctx context.Context, branch plumbing.ReferenceName) error {
	answer, err := s.advertise(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Close() }()
	if s.refs, err = readAdvertisement(answer, branch); err != nil {
		return fmt.Errorf("reading what the server advertises: %w", err)
	}
	s.multiAck = s.refs.capabilities.Supports(capability.MultiACK)
	transport.FilterUnsupportedCapabilities(s.refs.capabilities)
	return nil
}

func (s *session) tip(ref plumbing.ReferenceName) plumbing.Hash {
	return s.refs.refs[ref.String()]
}

// upload asks the service upload-pack for a pack, which take reads.
func (s *session) upload(ctx context.Context, req *packp.UploadPackRequest, take func(pack io.Reader) error) ([]plumbing.Hash, error) {
	var request bytes.Buffer
	if err := req.UploadRequest.Encode(&request); err != nil {
		return nil, err
	}
	if err := req.UploadHaves.Encode(&request, false); err != nil {
		return nil, err
	}
	request.WriteString("0009done\n")
	answer, err := s.exchange(ctx, request.Bytes())
	if err != nil {
		return nil, s.explain(err)
	}
	defer func() { _ = answer.Close() }()
	reader := bufio.NewReader(answer)
	shallows, err := readNegotiation(reader, !req.Depth.IsZero())
	if err != nil {
		return nil, s.explain(fmt.Errorf("reading the answer to a fetch: %w", err))
	}
	sent := demultiplex(s.refs.capabilities, reader, io.Discard, noLimit) // the limit of a pack is that of take
	if err := take(sent); err != nil {
		return nil, s.explain(err)
	}
	return shallows, nil
}

// receive sends the commands and the pack to the service receive-pack, and returns its report: nil if none came, for which
// there is an error then. words is what hooks and the like said.
func (s *session) receive(ctx context.Context, req *packp.ReferenceUpdateRequest, pack []byte) (report *packp.ReportStatus, words string, err error) {
	var commands bytes.Buffer
	if err := req.Encode(&commands); err != nil {
		return nil, "", err
	}
	answer, err := s.exchange(ctx, commands.Bytes(), pack)
	if err != nil {
		return nil, "", s.explain(err)
	}
	defer func() { _ = answer.Close() }()
	said := &wordBuffer{}
	sent := demultiplex(s.refs.capabilities, answer, said, maxAnswer)
	report, err = readReport(sent, req.Commands)
	if err == nil {
		// To the end, as git does: hooks that run after the update may still be talking.
		_, _ = io.CopyN(io.Discard, sent, maxAnswer)
		return report, said.String(), nil
	}
	if d, ok := sent.(*demultiplexer); ok && errors.Is(d.err, io.EOF) && errors.Is(err, io.ErrUnexpectedEOF) {
		err = malformed("the report of a push ends in the middle")
	}
	return nil, said.String(), s.explain(fmt.Errorf("reading the answer to a push: %w", err))
}

// wordBuffer keeps the beginning of what is written to it.
type wordBuffer struct{ bytes.Buffer }

func (b *wordBuffer) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(maxWords-b.Len(), 0))])
	return len(p), nil
}

// saidError is a failure that the server has put into words.
type saidError struct {
	err   error
	words string
}

func (e *saidError) Error() string { return e.err.Error() }
func (e *saidError) Unwrap() error { return e.err }
