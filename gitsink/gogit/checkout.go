package gogit

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// checkout brings the lane's store to the branch's newest commit, with all trees on the way to
// the folders and below them, and returns the branch's tip: zero if there is no such branch; the
// store is then at the default branch's newest commit, or empty. tip is what the server has just
// advertised for a push: if the store has all of it already, nothing is fetched.
//
// What the server offers decides how. With filter and wants by hash, only the trees of the
// folders are fetched (scope.go). With filter alone, all trees of the commit; without, the whole
// commit, of which the files are dropped as they arrive; without shallow, either with all of the
// history. The latter three are kept up to date by what is new since (increment).
func (r *remote) checkout(ctx context.Context, tip object.ID, folders []string) (object.ID, error) {
	if !tip.IsZero() && tip == r.lane.store.Tip && r.lane.store.Covers(folders) {
		return tip, nil
	}
	return r.update(ctx, tip, folders)
}

// errHidden means that the two services of a server contradict each other, as those of a replica
// that lags behind do. A branch that began at nothing for it would stand beside the history that
// is there.
var errHidden = errors.New("the server shows references to who pushes, and none to who fetches")

// update fetches what is missing of the branch's tip, or of the default branch's if there is no
// such branch, and returns the branch's tip. The repository is known to have references. If this
// service is asked for them, its answer counts, which may be newer than that of the other.
func (r *remote) update(ctx context.Context, known object.ID, folders []string) (object.ID, error) {
	sender, err := r.openUpload(ctx, known)
	if err != nil {
		return object.ID{}, err
	}
	defer sender.Close()
	if sender.Refs.Empty {
		return object.ID{}, errHidden
	}
	tip := sender.Tip(r.ref)
	want := tip
	if want.IsZero() {
		want = sender.Refs.Head
	}
	if want.IsZero() {
		r.lane.store = object.NewStore()
		return tip, nil
	}
	first := r.lane.store.Tip.IsZero() // so it cannot fail for what we had
	fresh, err := r.advance(ctx, sender, want, folders)
	if err == nil {
		return tip, nil
	}
	again := r.outdated(ctx, sender, err)
	if !again && fresh {
		return object.ID{}, r.tooLarge(sender, err)
	}
	if !again {
		r.sink.opts.Logger.V(1).Info("cache dropped", "destination", r.dst, "reason", r.show(err.Error()))
		r.lane.store = object.NewStore()
		if ctx.Err() != nil || errors.Is(err, errNoAnswer) || errors.Is(err, object.ErrTooMuch) && first {
			return object.ID{}, r.tooLarge(sender, err)
		}
		r.lane.noScope = r.lane.noScope || first
	}
	return r.update(ctx, known, folders)
}

// advance brings the store to the wanted commit. fresh: nothing that was known before had a part
// in it.
func (r *remote) advance(ctx context.Context, sender *session, want object.ID, folders []string) (fresh bool, err error) {
	switch s := r.lane.store; {
	case want == s.Tip && s.Covers(folders):
		return false, nil
	case r.scoped(sender, folders):
		return false, r.scope(ctx, sender, want, folders)
	case s.Tip.IsZero() || !s.Complete:
		return true, r.fresh(ctx, sender, want)
	default:
		return false, r.increment(ctx, sender, want)
	}
}

// tooLarge says what to do about a fetch that was larger than allowed.
func (r *remote) tooLarge(sender *session, err error) error {
	switch limit := r.sink.opts.MaxPackBytes; {
	case !errors.Is(err, object.ErrTooMuch), errors.As(err, new(*object.LimitError)):
		return err
	case sender.Refs.Capabilities.Supports(capability.Filter):
		return fmt.Errorf("%w: %w of %d bytes: raise MaxPackBytes", gitsink.ErrTooLarge, err, limit)
	default:
		return fmt.Errorf("%w: %w of %d bytes: the server offers no partial fetch; set uploadpack.allowFilter there, or raise MaxPackBytes",
			gitsink.ErrTooLarge, err, limit)
	}
}

// scoped reports whether only the trees of the folders are to be fetched. A store that has all
// trees already goes on with what is new.
func (r *remote) scoped(sender *session, folders []string) bool {
	offered := sender.Refs.Capabilities
	return !r.lane.noScope && !r.lane.store.Complete && !slices.Contains(folders, "") && offered.Supports(capability.Filter) &&
		(offered.Supports(capability.AllowTipSHA1InWant) || offered.Supports(capability.AllowReachableSHA1InWant))
}
