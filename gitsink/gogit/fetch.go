package gogit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink"
)

// leastIncrement is what an incremental fetch may always receive before a fresh one is cheaper.
const leastIncrement = 1 << 20

// fresh fetches all trees of one commit.
func (r *remote) fresh(ctx context.Context, sender *session, want plumbing.Hash) error {
	r.lane.store = newStore()
	limit := r.sink.opts.MaxPackBytes
	got, shallows, err := r.fetch(ctx, sender, fetchRequest{wants: []plumbing.Hash{want}, depth: 1, limit: limit})
	if err == nil {
		r.lane.store.shallows = shallows
		err = r.take(want, got)
	}
	if err != nil {
		r.lane.store = newStore()
	}
	return err
}

// increment fetches what is new since the store's tip. A depth would make the server send everything again. When the old tip
// is gone from the server, or the branch has another history now, the server may send years of commits: then a fresh
// fetch is cheaper, and the increment is given up as soon as it is larger than the store.
func (r *remote) increment(ctx context.Context, sender *session, want plumbing.Hash) error {
	s := r.lane.store
	got, _, err := r.fetch(ctx, sender, fetchRequest{
		wants: []plumbing.Hash{want}, haves: []plumbing.Hash{s.tip}, shallows: slices.Clone(s.shallows),
		limit: min(r.sink.opts.MaxPackBytes, max(leastIncrement, s.size)),
	})
	if err != nil {
		return err
	}
	for hash := range got.commits {
		r.fetched[hash] = true
	}
	return r.take(want, got)
}

func (r *remote) take(commit plumbing.Hash, got unpacked) error {
	root, err := rootOf(got.commits[commit])
	if err != nil {
		return fmt.Errorf("commit %s: %w", commit, err)
	}
	if err := r.lane.store.receive(commit, root, got.trees); err != nil {
		return err
	}
	return r.lane.store.within(r.sink.opts.MaxHeldBytes)
}

// blobs returns the contents of files that are not too large, from the cache or in one request. What the server does not
// have is absent.
func (r *remote) blobs(ctx context.Context, wanted []plumbing.Hash) (map[plumbing.Hash]string, error) {
	found := make(map[plumbing.Hash]string, len(wanted))
	var missing []plumbing.Hash
	for _, hash := range wanted {
		if data, ok := r.lane.store.blobs.get(hash); ok {
			found[hash] = data
		} else {
			missing = append(missing, hash)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	limit := r.sink.opts.MaxPackBytes
	got, err := r.request(ctx, fetchRequest{wants: missing, keepBlobs: true, limit: limit})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNoAnswer) && !errors.Is(err, errTooMuch) {
		// The server refuses what it does not advertise: without allowAnySHA1InWant there are only whole commits.
		whole := fetchRequest{wants: []plumbing.Hash{r.lane.store.tip}, depth: 1, keepBlobs: true, limit: limit}
		got, err = r.request(ctx, whole)
	}
	if errors.Is(err, errTooMuch) && !errors.As(err, new(*limitError)) {
		return nil, fmt.Errorf("%w: %w of %d bytes: set uploadpack.allowAnySHA1InWant at the server, or raise MaxPackBytes", gitsink.ErrTooLarge, err, limit)
	}
	if err != nil {
		return nil, err
	}
	for _, hash := range missing {
		if data, ok := got.blobs[hash]; ok {
			found[hash] = data
			r.lane.store.blobs.put(hash, data)
		}
	}
	return found, nil
}

// request is fetch on a session of its own.
func (r *remote) request(ctx context.Context, req fetchRequest) (unpacked, error) {
	sender, err := r.openUpload(ctx, r.lane.store.tip)
	if err != nil {
		return unpacked{}, err
	}
	got, _, err := r.fetch(ctx, sender, req)
	sender.close()
	if err != nil && r.outdated(ctx, sender, err) {
		return r.request(ctx, req)
	}
	return got, err
}

// fetchRequest is what to ask of git-upload-pack (gitprotocol-pack(5)).
type fetchRequest struct {
	wants, haves, shallows []plumbing.Hash
	depth                  int
	filter                 packp.Filter // where the server offers it; "": all but the blobs
	keepBlobs              bool
	limit                  int64
}

func (r *remote) fetch(ctx context.Context, sender *session, req fetchRequest) (unpacked, []plumbing.Hash, error) {
	limits := packLimits{receive: req.limit, hold: r.sink.opts.MaxHeldBytes}
	if req.keepBlobs {
		limits.hold /= 2 // who asked for the files gets a copy
	}
	type answer struct {
		unpacked
		shallows []plumbing.Hash
	}
	got, err := bounded(ctx, r.sink.opts.TransferTimeout, func(ctx context.Context) (got answer, err error) {
		got.shallows, err = sender.upload(ctx, req.encode(sender), func(pack io.Reader) (err error) {
			got.unpacked, err = unpack(pack, limits, req.keepBlobs)
			return err
		})
		return got, err
	})
	return got.unpacked, got.shallows, err
}

func (r fetchRequest) encode(s *session) *packp.UploadPackRequest {
	offered := s.refs.capabilities
	req := packp.NewUploadPackRequestFromCapabilities(offered)
	set := func(c capability.Capability) bool { return offered.Supports(c) && req.Capabilities.Set(c) == nil }
	set(capability.NoProgress)
	if s.multiAck {
		// Azure DevOps refuses who does not ask for it. It changes nothing here: all haves are followed by "done" at once.
		_ = req.Capabilities.Set(capability.MultiACK)
	}
	req.Wants, req.Haves = r.wants, r.haves
	if (r.depth > 0 || len(r.shallows) > 0) && set(capability.Shallow) {
		req.Depth, req.Shallows = packp.DepthCommits(r.depth), r.shallows
	}
	if !r.keepBlobs && set(capability.Filter) {
		req.Filter = r.filter
		if req.Filter == "" {
			req.Filter = packp.FilterBlobNone()
		}
	}
	return req
}
