package gogit

import (
	"context"
	"errors"
	"sync"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// cachedCaps is what the services upload-pack have said of themselves. With it, a fetch over HTTP
// goes without asking first if the wanted commit is known from the other service: the writer that
// has lost a race needs no request more than that one. It may be used concurrently.
type cachedCaps struct {
	mu  sync.Mutex             // guards all
	all map[capsKey]*knownCaps // nil: it has to be asked
}

// capsKey is a repository, and who has asked: a server may say something else to others.
type capsKey struct {
	url string // as it is dialled
	who identity
}

type knownCaps struct {
	caps     *capability.List
	multiAck bool
	format   object.Format
}

// maxCachedCaps bounds the services of which something is known. One takes some 2 kB.
const maxCachedCaps = 1024

// get returns what is known of a service. asked: it has been asked before.
func (c *cachedCaps) get(key capsKey) (known *knownCaps, asked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	known, asked = c.all[key]
	return known, asked
}

// set notes what is known of a service; nil: it has to be asked the next time.
func (c *cachedCaps) set(key capsKey, known *knownCaps) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.all[key]; !ok && len(c.all) >= maxCachedCaps {
		for one := range c.all {
			delete(c.all, one)
			break
		}
	}
	c.all[key] = known
}

// learn remembers what the server offers, if asking again would be a request of its own.
func (r *remote) learn(s *session) {
	if s.Repeats() {
		r.sink.caps.set(capsKey{r.dst.Repository, s.who}, &knownCaps{s.Refs.Capabilities, s.Refs.MultiAck, s.Refs.Format})
	}
}

// openUpload is open for upload-pack, without a request if tip is known, and so is what the server
// offers, or it was never asked: then it is taken to offer what is usual. tip is what the branch is
// at, as far as anybody knows; zero: unknown. What fails in an assumed session may do in a real
// one: see outdated.
func (r *remote) openUpload(ctx context.Context, tip object.ID) (*session, error) {
	if tip.IsZero() || !r.repeats || r.mustAsk {
		return r.open(ctx, smart.UploadPack)
	}
	return bounded(ctx, r.sink.opts.StepTimeout, func(ctx context.Context) (*session, error) {
		w, who, err := r.connect(ctx, smart.UploadPack)
		if err != nil {
			return nil, err
		}
		known, asked := r.sink.caps.get(capsKey{r.dst.Repository, who})
		var refs *smart.Advertisement
		switch {
		case !asked:
			refs = smart.Usual(tip.Format())
		case known == nil || known.format != tip.Format():
			return r.greet(ctx, w, who, smart.UploadPack)
		default:
			refs = &smart.Advertisement{Capabilities: known.caps, MultiAck: known.multiAck, Format: known.format}
		}
		refs.Refs = map[string]object.ID{r.ref.String(): tip}
		return &session{Session: smart.Assume(w, refs), who: who, assumed: true, guessed: !asked}, nil
	})
}

// outdated reports whether a fetch may have failed because the server was not asked first. It is
// asked the next time. Where an object is missing, asking does not help, and what was received is
// not to be built upon: see store.receive. Nor does it help where too much came, unless it was
// only guessed that the server can leave out files: then it can say that it cannot.
func (r *remote) outdated(ctx context.Context, s *session, err error) bool {
	r.sink.caps.set(capsKey{r.dst.Repository, s.who}, nil)
	r.mustAsk = true
	switch {
	case !s.assumed, ctx.Err() != nil, errors.Is(err, errNoAnswer), errors.Is(err, object.ErrIncomplete):
		return false
	case errors.Is(err, object.ErrTooMuch):
		return s.guessed && !errors.As(err, new(*object.LimitError))
	}
	return true
}
