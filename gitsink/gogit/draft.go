package gogit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// plan checks the branch out and runs the plans, each on what those before have made. A plan that fails is left out.
func (g *group) plan(receiver *session) (*chain, error) {
	tip, err := g.catchUp(receiver)
	if err == nil {
		err = g.settleDoubts(tip)
	}
	if err != nil {
		return nil, err
	}
	ch := newChain(g.lane.store, tip)
	var left []*call
	for i, c := range g.calls {
		d, err := g.draft(ch, c)
		switch {
		case errors.Is(err, errIncomplete):
			return nil, err
		case err != nil:
			g.release(c)
			c.finish(err)
		case g.full(ch, d):
			g.calls = slices.Concat(left, g.calls[i:])
			g.postpone(g.calls[len(left):])
			g.calls = left
			return ch, nil
		default:
			ch.add(c, d)
			left = append(left, c)
		}
	}
	g.calls = left
	return ch, nil
}

// catchUp brings the store to the branch's newest commit, and returns the branch's tip. A repository without any reference
// is empty: there is nothing to ask for.
func (g *group) catchUp(receiver *session) (plumbing.Hash, error) {
	if receiver.refs.empty {
		g.lane.store = newStore()
		return plumbing.ZeroHash, nil
	}
	folders := make([]string, 0, len(g.calls))
	for _, c := range g.calls {
		folders = append(folders, c.dst.BaseFolder)
	}
	return g.checkout(g.ctx, receiver.tip(g.ref), folders)
}

// full tells whether a draft has to wait for another push.
func (g *group) full(ch *chain, d *draft) bool {
	n := ch.commits()
	if n == 0 || len(d.commits) == 0 {
		return false
	}
	size := int64(0)
	for _, o := range d.objects {
		size += int64(len(o.data))
	}
	return g.pace.MaxCommits > 0 && n+len(d.commits) > g.pace.MaxCommits || ch.size+size > maxPush
}

// postpone lets calls wait for another push.
func (g *group) postpone(calls []*call) {
	for _, c := range calls {
		g.release(c)
	}
	g.sink.lanes.putBack(g.lane, calls)
}

// draft runs one plan and makes its commits. An error that matches errIncomplete is the cache's, all others are the call's.
func (g *group) draft(ch *chain, c *call) (*draft, error) {
	folder, err := g.folder(ch, c)
	if errors.Is(err, errIncomplete) {
		return nil, err
	}
	if err != nil {
		return nil, g.failure(c, opFetch, err, "")
	}
	r := *g.remote
	r.dst, r.auth = c.dst, func(ctx context.Context) (Auth, error) { return g.sink.askAuth(ctx, c.dst) }
	files := &view{remote: &r, chain: ch, folder: folder}
	commits, err := c.run(g.sink, files)
	broken := files.end()
	g.secrets = r.secrets
	switch {
	case errors.Is(broken, errIncomplete):
		return nil, broken
	case broken != nil:
		return nil, g.failure(c, opPlan, broken, "")
	case err != nil:
		return nil, &gitsink.Error{Op: opPlan, Destination: c.dst, Err: err}
	}
	commits, err = g.withoutFound(ch, c, commits)
	if err != nil {
		return nil, g.failure(c, opCommit, err, "")
	}
	d, err := ch.draft(c.dst.BaseFolder, commits, g.encoder(c))
	unsigned := (*signError)(nil)
	switch {
	case errors.Is(err, errIncomplete):
		return nil, err
	case errors.As(err, &unsigned):
		return nil, g.failure(c, opCommit, err, "", unsigned.err)
	case err != nil:
		return nil, g.failure(c, opCommit, err, "")
	}
	return d, nil
}

// folder finds a call's base folder, as the chain leaves it, and notes whether somebody else has changed it.
func (g *group) folder(ch *chain, c *call) (plumbing.Hash, error) {
	before, err := folderIn(ch.store, ch.store.root, c.dst.BaseFolder)
	if err != nil {
		return plumbing.ZeroHash, err
	}
	if last, ok := g.lane.seen[c.dst.BaseFolder]; ok && before != last.is && before != last.maybe {
		c.result.Foreign = true
	}
	return folderIn(ch, ch.root, c.dst.BaseFolder)
}

// encoder writes the commit objects of a call, signed with its own key if they have to be.
func (g *group) encoder(c *call) encoder {
	return func(root, parent plumbing.Hash, commit gitsink.Commit, now time.Time) ([]byte, error) {
		data := encodeCommit(root, parent, commit, g.sink.opts.Committer, now)
		if c.signer == Unsigned {
			return data, nil
		}
		signed, err := attend(g.ctx, g.sink, c.dst.Ref, "Signer.Sign", func(ctx context.Context) ([]byte, error) { return sign(ctx, c.signer, data) })
		if err != nil {
			return nil, &signError{err}
		}
		return signed, nil
	}
}
