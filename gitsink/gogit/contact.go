package gogit

import (
	"context"
	"errors"
	"net/http"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// contactKey is what those share beside a round who ask what a service advertises. Without who,
// one would see what only another's credentials may.
type contactKey struct {
	url     string // as it is dialled
	who     identity
	service smart.Service
}

// fetchKey is what those share beside a round who fetch without having anything.
type fetchKey struct {
	url     string
	who     identity
	format  object.Format
	assumed bool
	depth   int
	filter  packp.Filter
}

type fetchAnswer struct {
	object.Unpacked
	shallows []object.ID
	several  bool // it holds what others wanted, too
}

// contacts are the requests that lanes of one repository make together.
type contacts struct {
	greetings *rounds[contactKey, plumbing.ReferenceName, *smart.Session]
	fetches   *rounds[fetchKey, []object.ID, fetchAnswer]
}

// patienceShare is the part of the time for a request that one waits for an answer to several. It
// leaves enough to ask alone.
const patienceShare = 4

func newContacts(o *Options, start func(func())) contacts {
	return contacts{
		greetings: newRounds[contactKey, plumbing.ReferenceName, *smart.Session](o.StepTimeout/patienceShare, start),
		fetches:   newRounds[fetchKey, []object.ID, fetchAnswer](o.TransferTimeout/patienceShare, start),
	}
}

// begin reads what a service advertises, together with all who ask it the same under equal
// credentials.
func (r *remote) begin(ctx context.Context, w smart.Conn, who identity, which smart.Service) (*smart.Session, error) {
	if !smart.Shares(w) {
		return smart.Begin(ctx, w, r.ref)
	}
	theirs := smart.Twin(w)
	ask := func(ctx context.Context, refs []plumbing.ReferenceName) (*smart.Session, error) {
		return smart.Begin(ctx, theirs, refs...)
	}
	begun, seat, err := r.sink.contacts.greetings.join(ctx, contactKey{r.dst.Repository, who, which}, r.ref, r.seat, ask)
	r.seat = seat
	switch {
	case errors.Is(err, errAlone):
		r.seat.leave() // it may come late, or not at all
		return smart.Begin(ctx, w, r.ref)
	case err != nil:
		r.seat.leave()
		return nil, err
	}
	return begun.For(r.ref), nil
}

// fetchTogether is a fetch of who has nothing, together with all who want something of the same
// kind under equal credentials. Where that fails in a session that was assumed, the server is
// asked first what it offers, and not by each of them.
func (r *remote) fetchTogether(
	ctx context.Context, sender *session, req fetchRequest, ask func(context.Context, []object.ID) (fetchAnswer, error),
) (fetchAnswer, error) {
	key := fetchKey{r.dst.Repository, sender.who, sender.Refs.Format, sender.assumed, req.Depth, req.Filter}
	got, seat, err := r.sink.contacts.fetches.join(ctx, key, req.Wants, r.seat, func(ctx context.Context, wants [][]object.ID) (fetchAnswer, error) {
		got, err := ask(ctx, slices.Concat(wants...))
		got.several = len(wants) > 1
		return got, err
	})
	r.seat = seat
	switch {
	case errors.Is(err, errAlone) && !sender.assumed:
		r.seat.leave()
		return ask(ctx, req.Wants)
	case err == nil && got.several:
		got.Unpacked = got.Of(req.Wants)
		// Of others' commits nothing is here: nor does it matter where their history ends.
		got.shallows = slices.DeleteFunc(slices.Clone(got.shallows), func(id object.ID) bool { return !slices.Contains(req.Wants, id) })
	}
	return got, err
}

// everybodys reports whether a failure is the server's answer to all who ask with these
// credentials. To ask again would not help them, and a server that wants to be left alone is.
func everybodys(err error) bool {
	if status := smart.StatusOf(err); status != nil {
		return status.Status < http.StatusInternalServerError || status.RetryAfter > 0
	}
	return errors.Is(err, gitsink.ErrNotFound) || errors.Is(err, gitsink.ErrUnsupported) || errors.Is(err, gitsink.ErrTooLarge)
}
