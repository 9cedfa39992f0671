package gogit

import (
	"context"
	"errors"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
)

// offers is what a server has said of its service upload-pack. With it, a fetch over HTTP goes without asking first if the
// wanted commit is known from the other service: the writer that has lost a race needs no request more than that one.
type offers struct {
	repository string
	who        identity // who has asked: a server may say something else to others
	offered    *capability.List
	multiAck   bool
}

// openUpload is open for upload-pack, without a request if the server is known. tip is what the branch is at, as far as
// anybody knows; zero: unknown. What fails in an assumed session may do in a real one: see outdated.
func (r *remote) openUpload(ctx context.Context, tip plumbing.Hash) (*session, error) {
	known := r.lane.offers
	if known == nil || known.repository != r.dst.Repository || tip.IsZero() {
		return r.open(ctx, uploadPack)
	}
	return bounded(ctx, r.sink.opts.StepTimeout, func(ctx context.Context) (*session, error) {
		w, who, err := r.connect(ctx, uploadPack)
		if err != nil {
			return nil, err
		}
		if who != known.who {
			return r.begin(ctx, &session{wire: w, who: who}, uploadPack)
		}
		refs := &advertisement{capabilities: known.offered, refs: map[string]plumbing.Hash{r.ref.String(): tip}}
		return &session{wire: w, who: who, refs: refs, multiAck: known.multiAck, assumed: true}, nil
	})
}

// learn remembers what the server offers, if asking again would be a request of its own. Where a repository has moved to is
// asked each time: it is not for everybody's credentials.
func (r *remote) learn(s *session) {
	if w, ok := s.wire.(*httpWire); ok && !w.moved {
		r.lane.offers = &offers{r.dst.Repository, s.who, s.refs.capabilities, s.multiAck}
	}
}

// outdated reports whether a fetch may have failed because the server was not asked first. It is asked the next time. Where
// an object is missing, asking does not help, and what was received is not to be built upon: see store.receive.
func (r *remote) outdated(ctx context.Context, s *session, err error) bool {
	r.lane.offers = nil
	return s.assumed && ctx.Err() == nil && !errors.Is(err, errNoAnswer) && !errors.Is(err, errTooMuch) && !errors.Is(err, errIncomplete)
}
