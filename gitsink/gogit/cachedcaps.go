package gogit

import (
	"context"
	"errors"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// openUpload is open for upload-pack, without a request if the server is known. tip is what the
// branch is at, as far as anybody knows; zero: unknown. What fails in an assumed session may do
// in a real one: see outdated.
func (r *remote) openUpload(ctx context.Context, tip object.ID) (*session, error) {
	known := r.lane.caps
	if known == nil || known.repository != r.dst.Repository || tip.IsZero() || tip.Format() != known.format {
		return r.open(ctx, smart.UploadPack)
	}
	return bounded(ctx, r.sink.opts.StepTimeout, func(ctx context.Context) (*session, error) {
		w, who, err := r.connect(ctx, smart.UploadPack)
		if err != nil {
			return nil, err
		}
		if who != known.who {
			return r.greet(ctx, w, who, smart.UploadPack)
		}
		refs := &smart.Advertisement{
			Capabilities: known.caps, MultiAck: known.multiAck, Format: known.format, Refs: map[string]object.ID{r.ref.String(): tip},
		}
		return &session{Session: smart.Assume(w, refs), who: who, assumed: true}, nil
	})
}

// outdated reports whether a fetch may have failed because the server was not asked first. It is
// asked the next time. Where an object is missing, asking does not help, and what was received is
// not to be built upon: see store.receive.
func (r *remote) outdated(ctx context.Context, s *session, err error) bool {
	r.lane.caps = nil
	return s.assumed && ctx.Err() == nil && !errors.Is(err, errNoAnswer) && !errors.Is(err, object.ErrTooMuch) && !errors.Is(err, object.ErrIncomplete)
}
