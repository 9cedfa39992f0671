package gogit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/sideband"
	"github.com/go-git/go-git/v5/plumbing/transport"

	"github.com/kubescribe/kubescribe/gitsink"
)

// leastIncrement is what an incremental fetch may always receive before a fresh one is cheaper.
const leastIncrement = 1 << 20

// checkout brings the lane's store to the branch's newest commit. tip is what the server has just advertised for a push:
// if the store is there already, nothing is fetched.
func (c *call) checkout(ctx context.Context, tip plumbing.Hash) (base, error) {
	if tip.IsZero() || tip != c.lane.store.tip {
		var err error
		if tip, err = c.update(ctx); err != nil {
			return base{}, err
		}
	}
	b := base{old: tip, commit: c.lane.store.tip, root: c.lane.store.root}
	var err error
	b.folder, err = c.lane.store.folder(b.root, c.dst.BaseFolder)
	if err != nil {
		return base{}, err
	}
	if last, ok := c.lane.seen[c.dst.BaseFolder]; ok && b.folder != last.is && b.folder != last.maybe {
		c.result.Foreign = true
	}
	return b, nil
}

// update fetches the branch's tip, or the default branch's if there is no such branch, and returns the branch's tip. It
// believes the advertisement of this service, which may be newer than that of the other.
func (c *call) update(ctx context.Context) (plumbing.Hash, error) {
	sender, err := c.open(ctx, uploadPack)
	if errors.Is(err, transport.ErrEmptyRemoteRepository) {
		c.lane.store = newStore()
		return plumbing.ZeroHash, nil
	}
	if err != nil {
		return plumbing.ZeroHash, err
	}
	defer sender.close()
	tip := sender.tip(c.ref)
	want := tip
	if want.IsZero() && sender.refs.Head != nil {
		want = *sender.refs.Head
	}
	switch {
	case want.IsZero():
		c.lane.store = newStore()
		return tip, nil
	case want == c.lane.store.tip:
		return tip, nil
	case !c.lane.store.tip.IsZero():
		err := c.increment(ctx, sender, want)
		if err == nil {
			return tip, nil
		}
		c.sink.opts.Logger.V(1).Info("cache dropped", "destination", c.dst, "reason", c.redact(err.Error()))
		c.lane.store = newStore()
		if ctx.Err() != nil || errors.Is(err, errNoAnswer) {
			return plumbing.ZeroHash, err
		}
		return c.update(ctx) // without a cache there is no second time
	}
	return tip, c.fresh(ctx, sender, want)
}

// fresh fetches all trees of one commit.
func (c *call) fresh(ctx context.Context, sender *session, want plumbing.Hash) error {
	c.lane.store = newStore()
	limit := c.sink.opts.MaxPackBytes
	got, shallows, err := c.fetch(ctx, sender, fetchRequest{wants: []plumbing.Hash{want}, depth: 1, limit: limit})
	if errors.Is(err, errTooMuch) && !sender.refs.Capabilities.Supports(capability.Filter) {
		return fmt.Errorf("%w: %w of %d bytes: the server offers no partial fetch; set uploadpack.allowFilter there, or raise MaxPackBytes", gitsink.ErrTooLarge, err, limit)
	}
	if errors.Is(err, errTooMuch) {
		return fmt.Errorf("%w: %w of %d bytes: raise MaxPackBytes", gitsink.ErrTooLarge, err, limit)
	}
	if err == nil {
		c.lane.store.shallows = shallows
		err = c.take(want, got)
	}
	if err != nil {
		c.lane.store = newStore()
	}
	return err
}

// increment fetches what is new since the store's tip. A depth would make the server send everything again. When the old tip
// is gone from the server, or the branch has another history now, the server may send years of commits: then a fresh
// fetch is cheaper, and the increment is given up as soon as it is larger than the store.
func (c *call) increment(ctx context.Context, sender *session, want plumbing.Hash) error {
	s := c.lane.store
	got, _, err := c.fetch(ctx, sender, fetchRequest{
		wants: []plumbing.Hash{want}, haves: []plumbing.Hash{s.tip}, shallows: slices.Clone(s.shallows),
		limit: min(c.sink.opts.MaxPackBytes, max(leastIncrement, s.size)),
	})
	if err != nil {
		return err
	}
	for _, w := range c.pending {
		if _, ok := got.commits[w.tip()]; ok {
			c.result.Commits = append(c.result.Commits, w.hashes()...)
			c.pending = nil
			break
		}
	}
	return c.take(want, got)
}

func (c *call) take(commit plumbing.Hash, got unpacked) error {
	root, err := rootOf(got.commits[commit])
	if err != nil {
		return fmt.Errorf("commit %s: %w", commit, err)
	}
	return c.lane.store.receive(commit, root, got.trees)
}

// rootOf reads the tree from the first line of a commit.
func rootOf(commit []byte) (plumbing.Hash, error) {
	line, _, _ := bytes.Cut(commit, []byte("\n"))
	hash, ok := bytes.CutPrefix(line, []byte("tree "))
	if !ok || !plumbing.IsHash(string(hash)) {
		return plumbing.ZeroHash, errIncomplete
	}
	return plumbing.NewHash(string(hash)), nil
}

// blobs returns the contents of files that are not too large, from the cache or in one request. What the server does not
// have is absent.
func (c *call) blobs(ctx context.Context, wanted []plumbing.Hash) (map[plumbing.Hash][]byte, error) {
	found := make(map[plumbing.Hash][]byte, len(wanted))
	var missing []plumbing.Hash
	for _, hash := range wanted {
		if data, ok := c.lane.store.blobs.get(hash); ok {
			found[hash] = data
		} else {
			missing = append(missing, hash)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	limit := c.sink.opts.MaxPackBytes
	got, err := c.request(ctx, fetchRequest{wants: missing, keepBlobs: true, limit: limit})
	if err != nil && ctx.Err() == nil && !errors.Is(err, errNoAnswer) && !errors.Is(err, errTooMuch) {
		// The server refuses what it does not advertise: without allowAnySHA1InWant there are only whole commits.
		whole := fetchRequest{wants: []plumbing.Hash{c.lane.store.tip}, depth: 1, keepBlobs: true, limit: limit}
		got, err = c.request(ctx, whole)
	}
	if errors.Is(err, errTooMuch) {
		return nil, fmt.Errorf("%w: %w of %d bytes: set uploadpack.allowAnySHA1InWant at the server, or raise MaxPackBytes", gitsink.ErrTooLarge, err, limit)
	}
	if err != nil {
		return nil, err
	}
	for _, hash := range missing {
		if data, ok := got.blobs[hash]; ok {
			found[hash] = data
			c.lane.store.blobs.put(hash, data)
		}
	}
	return found, nil
}

// request is fetch on a session of its own.
func (c *call) request(ctx context.Context, r fetchRequest) (unpacked, error) {
	sender, err := c.open(ctx, uploadPack)
	if err != nil {
		return unpacked{}, err
	}
	defer sender.close()
	got, _, err := c.fetch(ctx, sender, r)
	return got, err
}

// fetchRequest is what to ask of git-upload-pack (gitprotocol-pack(5)).
type fetchRequest struct {
	wants, haves, shallows []plumbing.Hash
	depth                  int
	keepBlobs              bool
	limit                  int64
}

func (c *call) fetch(ctx context.Context, sender *session, r fetchRequest) (unpacked, []plumbing.Hash, error) {
	type answer struct {
		unpacked
		shallows []plumbing.Hash
	}
	got, err := ask(ctx, sender, c.sink.opts.TransferTimeout, func(ctx context.Context) (answer, error) {
		response, err := sender.upload.UploadPack(ctx, r.encode(sender.refs.Capabilities))
		if err != nil {
			return answer{}, err
		}
		defer func() { _ = response.Close() }()
		got, err := unpack(demultiplex(response, sender.refs.Capabilities), r.limit, r.keepBlobs)
		return answer{got, response.Shallows}, err
	})
	return got.unpacked, got.shallows, err
}

func (r fetchRequest) encode(offered *capability.List) *packp.UploadPackRequest {
	req := packp.NewUploadPackRequestFromCapabilities(offered)
	set := func(c capability.Capability) bool { return offered.Supports(c) && req.Capabilities.Set(c) == nil }
	set(capability.NoProgress)
	req.Wants, req.Haves = r.wants, r.haves
	if (r.depth > 0 || len(r.shallows) > 0) && set(capability.Shallow) {
		req.Depth, req.Shallows = packp.DepthCommits(r.depth), r.shallows
	}
	if !r.keepBlobs && set(capability.Filter) {
		req.Filter = packp.FilterBlobNone()
	}
	return req
}

func demultiplex(r io.Reader, offered *capability.List) io.Reader {
	switch {
	case offered.Supports(capability.Sideband64k):
		return sideband.NewDemuxer(sideband.Sideband64k, r)
	case offered.Supports(capability.Sideband):
		return sideband.NewDemuxer(sideband.Sideband, r)
	}
	return r
}
