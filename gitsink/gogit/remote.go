package gogit

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// remote is the way to a lane's branch on its server. Who made it holds the lane.
type remote struct {
	sink *Sink
	lane *lane
	dst  destination.Destination // for whom
	ref  plumbing.ReferenceName
	auth func(context.Context) (Auth, error) // what the next connection shows
	// The repository is where its URL says, and each exchange is a request of its own: a fetch need
	// not ask first what the server offers.
	repeats bool
	mustAsk bool  // it has failed for one that did not; so it ends, whatever others learn meanwhile
	seat    *seat // among those who got the last answer together; nil: alone

	secrets []string // of every connection so far: no error may hold one
	// Commits that came with fetches: they are in the history of the branch.
	fetched map[object.ID]bool
}

func newRemote(s *Sink, l *lane, d destination.Destination) *remote {
	return &remote{
		sink: s, lane: l, dst: d, ref: plumbing.NewBranchReferenceName(d.Branch), fetched: map[object.ID]bool{},
	}
}

// session is a conversation with one service of the remote's repository.
type session struct {
	*smart.Session
	who     identity // under whose credentials it was opened
	assumed bool     // nobody has asked the server what it advertises; see openUpload
	guessed bool     // nor has anybody before; see smart.Usual
}

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
func (r *remote) open(ctx context.Context, which smart.Service) (*session, error) {
	opened, err := bounded(ctx, r.sink.opts.StepTimeout, func(ctx context.Context) (*session, error) {
		w, who, err := r.connect(ctx, which)
		if err != nil {
			return nil, err
		}
		return r.greet(ctx, w, who, which)
	})
	if errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE) {
		r.sink.https.CloseIdle() // or what nobody uses would keep everybody else from connecting
	}
	return opened, err
}

// greet reads what the service on a new connection advertises.
func (r *remote) greet(ctx context.Context, w smart.Conn, who identity, which smart.Service) (*session, error) {
	begun, err := r.begin(ctx, w, who, which)
	if err != nil {
		return nil, err
	}
	s := &session{Session: begun, who: who}
	if which == smart.UploadPack && !s.Refs.Empty { // an empty one is asked again
		r.learn(s)
	}
	return s, nil
}

// connect speaks the protocol of the URL, with fresh credentials.
func (r *remote) connect(ctx context.Context, which smart.Service) (smart.Conn, identity, error) {
	ep, err := transport.NewEndpoint(r.dst.Repository)
	if err != nil {
		return nil, identity{}, fmt.Errorf("%w: the URL of the repository cannot be parsed", destination.ErrInvalid)
	}
	auth, err := r.auth(ctx)
	if err != nil {
		return nil, identity{}, err
	}
	shown := smart.Credentials(auth)
	r.secrets = append(r.secrets, shown.Secrets(ep)...)
	w, err := r.dial(ctx, ep, shown, which)
	if err == nil {
		w = r.sink.meters.counters().Counted(w, which)
	}
	return w, identify(r.dst.Repository, auth), err
}

func (r *remote) dial(ctx context.Context, ep *transport.Endpoint, shown smart.Credentials, which smart.Service) (smart.Conn, error) {
	switch ep.Protocol {
	case "http", "https":
		return r.sink.https.Conn(ep, shown, which)
	case "ssh":
		return smart.DialSSH(ctx, ep, shown, which)
	case "git":
		return smart.DialDaemon(ctx, ep, shown, which)
	case "file":
		return smart.StartProcess(ep, which, r.sink.opts.AllowedLocalFolders)
	}
	return nil, fmt.Errorf("%w: the protocol %q is not spoken", destination.ErrInvalid, ep.Protocol)
}

// fail makes the error of an operation, without the credentials of all connections so far.
func (r *remote) fail(ctx context.Context, op string, err error, words string, classes ...error) error {
	return fail(ctx, r.dst, r.secrets, op, err, words, classes...)
}

// show returns a text for errors and logs, without the credentials of all connections so far.
func (r *remote) show(text string) string { return show(text, r.secrets) }
