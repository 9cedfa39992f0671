package gogit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// leastIncrement is what an incremental fetch may always receive before a fresh one is cheaper.
const leastIncrement = 1 << 20

// fresh fetches all trees of one commit.
func (r *remote) fresh(ctx context.Context, sender *session, want object.ID) error {
	r.lane.store = object.NewStore()
	limit := r.sink.opts.MaxPackBytes
	got, shallows, err := r.fetch(ctx, sender, fetchRequest{
		FetchRequest: smart.FetchRequest{Wants: []object.ID{want}, Depth: 1}, together: true, limit: limit,
	})
	if err == nil {
		r.lane.store.Shallows = shallows
		err = r.take(want, got)
	}
	if err != nil {
		r.lane.store = object.NewStore()
	}
	return err
}

// increment fetches what is new since the store's tip. A depth would make the server send
// everything again. When the old tip is gone from the server, or the branch has another history
// now, the server may send years of commits: then a fresh fetch is cheaper, and the increment is
// given up as soon as it is larger than the store.
func (r *remote) increment(ctx context.Context, sender *session, want object.ID) error {
	s := r.lane.store
	got, _, err := r.fetch(ctx, sender, fetchRequest{
		FetchRequest: smart.FetchRequest{Wants: []object.ID{want}, Haves: []object.ID{s.Tip}, Shallows: slices.Clone(s.Shallows)},
		limit:        min(r.sink.opts.MaxPackBytes, max(leastIncrement, s.Size)),
	})
	if err != nil {
		return err
	}
	for hash := range got.Commits.All() {
		r.fetched[hash] = true
	}
	return r.take(want, got)
}

func (r *remote) take(commit object.ID, got object.Unpacked) error {
	text, _ := got.Commits.Get(commit)
	root, err := object.RootOf(commit.Format(), text)
	if err != nil {
		return fmt.Errorf("commit %s: %w", commit, err)
	}
	if err := r.lane.store.Receive(commit, root, &got.Trees); err != nil {
		return err
	}
	return r.lane.store.Within(r.sink.opts.MaxHeldBytes)
}

// blobs returns the contents of files that are not too large, from the cache or in one request.
// What the server does not have is absent.
func (r *remote) blobs(ctx context.Context, wanted []object.ID) (map[object.ID]string, error) {
	found := make(map[object.ID]string, len(wanted))
	var missing []object.ID
	for _, hash := range wanted {
		if data, ok := r.lane.store.Blobs.Get(hash); ok {
			found[hash] = data
		} else {
			missing = append(missing, hash)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	limit := r.sink.opts.MaxPackBytes
	got, err := r.request(ctx, fetchRequest{FetchRequest: smart.FetchRequest{Wants: missing}, keepBlobs: true, limit: limit})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNoAnswer) && !errors.Is(err, object.ErrTooMuch) {
		// The server refuses what it does not advertise: without allowAnySHA1InWant there are only
		// whole commits.
		whole := fetchRequest{
			FetchRequest: smart.FetchRequest{Wants: []object.ID{r.lane.store.Tip}, Depth: 1}, keepBlobs: true, limit: limit,
		}
		got, err = r.request(ctx, whole)
	}
	if errors.Is(err, object.ErrTooMuch) && !errors.As(err, new(*object.LimitError)) {
		return nil, fmt.Errorf("%w: %w of %d bytes: set uploadpack.allowAnySHA1InWant at the server, or raise MaxPackBytes", gitsink.ErrTooLarge, err, limit)
	}
	if err != nil {
		return nil, err
	}
	for _, hash := range missing {
		if data, ok := got.Blobs.Get(hash); ok {
			found[hash] = data
			r.lane.store.Blobs.Put(hash, data)
		}
	}
	return found, nil
}

// request is fetch on a session of its own.
func (r *remote) request(ctx context.Context, req fetchRequest) (object.Unpacked, error) {
	sender, err := r.openUpload(ctx, r.lane.store.Tip)
	if err != nil {
		return object.Unpacked{}, err
	}
	r.seat.leave() // the others want something else
	got, _, err := r.fetch(ctx, sender, req)
	sender.Close()
	if err != nil && r.outdated(ctx, sender, err) {
		return r.request(ctx, req)
	}
	return got, err
}

// fetchRequest is what to ask for, and what is taken of the answer.
type fetchRequest struct {
	smart.FetchRequest
	keepBlobs bool // else none are sent where the server offers a filter, and none are kept
	together  bool // with others, where nothing is had; see fetchTogether
	limit     int64
}

func (r *remote) fetch(ctx context.Context, sender *session, req fetchRequest) (object.Unpacked, []object.ID, error) {
	limits := object.Limits{Receive: req.limit, Hold: r.sink.opts.MaxHeldBytes}
	if req.keepBlobs {
		limits.Hold /= 2 // who asked for the files gets a copy
	} else if req.Filter == "" {
		req.Filter = packp.FilterBlobNone()
	}
	ask := func(ctx context.Context, wants []object.ID) (got fetchAnswer, err error) {
		asked := req.FetchRequest
		asked.Wants = wants
		got.shallows, err = sender.Fetch(ctx, asked, func(pack io.Reader) (err error) {
			got.Unpacked, err = object.Unpack(sender.Refs.Format, pack, limits, req.keepBlobs)
			return err
		})
		return got, err
	}
	got, err := bounded(ctx, r.sink.opts.TransferTimeout, func(ctx context.Context) (fetchAnswer, error) {
		if req.together && sender.Repeats() {
			return r.fetchTogether(ctx, sender, req, ask)
		}
		return ask(ctx, req.Wants)
	})
	return got.Unpacked, got.shallows, err
}

// historyDepth is how far ancestors looks back. Between a push whose answer was lost and the next
// look at the branch lie a few commits of others.
const historyDepth = 1000

// ancestors returns which of the wanted commits are among the last commits of tip. A server
// without filter sends along all that these commits hold; it is dropped as it arrives.
func (r *remote) ancestors(ctx context.Context, tip object.ID, wanted []object.ID) (map[object.ID]bool, error) {
	got, err := r.request(ctx, fetchRequest{
		FetchRequest: smart.FetchRequest{Wants: []object.ID{tip}, Depth: historyDepth, Filter: packp.FilterTreeDepth(0)},
		limit:        r.sink.opts.MaxPackBytes,
	})
	found := map[object.ID]bool{}
	for _, hash := range wanted {
		if _, ok := got.Commits.Get(hash); ok {
			found[hash] = true
		}
	}
	return found, err
}
