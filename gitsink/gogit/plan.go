package gogit

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// maxPush bounds the objects of one push, before compression: they are held in memory, and a
// server may have a limit of its own. A plan that makes more goes alone.
const maxPush = 32 << 20

// plan checks the branch out and runs the plans, each on what those before have made. A plan that
// fails is left out.
func (g *pushGroup) plan(receiver *session) (*pushStack, error) {
	tip, err := g.catchUp(receiver)
	if err == nil {
		err = g.settleUnknown(tip)
	}
	if err != nil {
		return nil, err
	}
	ch := newPushStack(receiver.Refs.Format, g.remote.lane.store, tip)
	var left []*call
	for i, c := range g.calls {
		d, err := g.runAndBuild(ch, c)
		switch {
		case errors.Is(err, object.ErrIncomplete):
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

// catchUp brings the store to the branch's newest commit, and returns the branch's tip. A
// repository without any reference is empty: there is nothing to ask for.
func (g *pushGroup) catchUp(receiver *session) (object.ID, error) {
	defer func() { g.remote.seat.leave() }() // nobody need wait for what this one fetches
	if receiver.Refs.Empty {
		g.remote.lane.store = object.NewStore()
		return object.ID{}, nil
	}
	if old := g.remote.lane.store.Tip; !old.IsZero() && old.Format() != receiver.Refs.Format {
		g.remote.lane.store = object.NewStore() // another repository has its place now
	}
	g.remote.repeats = receiver.Repeats()
	folders := make([]string, 0, len(g.calls))
	for _, c := range g.calls {
		folders = append(folders, c.dst.BaseFolder)
	}
	return g.remote.checkout(g.callers.ctx, receiver.Tip(g.remote.ref), folders)
}

// full reports whether built commits have to wait for another push.
func (g *pushGroup) full(ch *pushStack, d *builtCommits) bool {
	n := ch.commits()
	if n == 0 || len(d.commits) == 0 {
		return false
	}
	size := int64(0)
	for _, o := range d.objects {
		size += int64(len(o.Data))
	}
	return g.limit.MaxCommits > 0 && n+len(d.commits) > g.limit.MaxCommits || ch.size+size > maxPush
}

// runAndBuild runs one plan and makes its commits. An error that matches errIncomplete is the
// cache's, all others are the call's.
func (g *pushGroup) runAndBuild(ch *pushStack, c *call) (*builtCommits, error) {
	folder, err := g.folder(ch, c)
	if errors.Is(err, object.ErrIncomplete) {
		return nil, err
	}
	if err != nil {
		return nil, g.failure(c, opFetch, err, "")
	}
	r := *g.remote
	r.dst, r.auth = c.dst, func(ctx context.Context) (Auth, error) { return g.remote.sink.asker.askAuth(ctx, c.dst) }
	files := newView(&r, ch, folder)
	commits, err := c.run(g.remote.sink, files)
	broken := files.end()
	g.remote.secrets = r.secrets
	switch {
	case errors.Is(broken, object.ErrIncomplete):
		return nil, broken
	case broken != nil:
		return nil, g.failure(c, opPlan, broken, "")
	case err != nil:
		return nil, &gitsink.Error{Op: opPlan, Destination: c.dst, Err: err}
	}
	commits, err = g.withoutLanded(ch, c, commits)
	if err != nil {
		return nil, g.failure(c, opCommit, err, "")
	}
	d, err := ch.build(c.dst.BaseFolder, commits, g.encoder(c))
	unsigned := (*signError)(nil)
	switch {
	case errors.Is(err, object.ErrIncomplete):
		return nil, err
	case errors.As(err, &unsigned):
		return nil, g.failure(c, opCommit, err, "", unsigned.err)
	case err != nil:
		return nil, g.failure(c, opCommit, err, "")
	}
	return d, nil
}

// folder finds a call's base folder, as the stack leaves it, and notes whether somebody else has
// changed it.
func (g *pushGroup) folder(ch *pushStack, c *call) (object.ID, error) {
	before, err := object.FolderIn(ch.store, ch.store.Root, c.dst.BaseFolder)
	if err != nil {
		return object.ID{}, err
	}
	if last, ok := g.remote.lane.seen[c.dst.BaseFolder]; ok && before != last.is && before != last.maybe {
		c.result.Foreign = true
	}
	return object.FolderIn(ch, ch.root, c.dst.BaseFolder)
}

// encoder writes the commit objects of a call, signed with its own key if they have to be.
func (g *pushGroup) encoder(c *call) encoder {
	return func(root, parent object.ID, commit gitsink.Commit, now time.Time) ([]byte, error) {
		data := object.EncodeCommit(root, parent, commit, g.remote.sink.opts.Committer, now)
		if c.signer == Unsigned {
			return data, nil
		}
		signed, err := await(g.callers.ctx, g.remote.sink.asker, c.dst.Ref, "Signer.Sign", func(ctx context.Context) ([]byte, error) { return sign(ctx, root.Format(), c.signer, data) })
		if err != nil {
			return nil, &signError{err}
		}
		return signed, nil
	}
}
