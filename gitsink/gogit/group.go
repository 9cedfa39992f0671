package gogit

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// pushGroup is the calls that go into one push: those of a lane that wait when it becomes free,
// and have one key. It is the worker's.
type pushGroup struct {
	remote  *remote
	callers *refCountedContext // ends when all callers have left
	key     groupKey
	limit   RateLimit
	calls   []*call // in order; what is over is not in it
	closed  bool    // nobody joins: it is a part of a group that was refused

	next      *session // what the next attempt begins with; nil: it has to look itself
	tries     int
	pushes    int
	unsettled int   // pushes in a row whose outcome is unknown and that did not move the branch
	refetched bool  // the cache turned out damaged once
	changed   *call // has to speak for the group, and has other credentials by now
}

// keep holds a session for the next attempt, and closes the one it held. The sink looks at the
// branch to learn what has become of a push; where others have won the race, every request until
// the next push lets them win again.
func (g *pushGroup) keep(s *session) {
	if g.next != nil {
		g.next.Close()
	}
	g.next = s
}

// join takes in the calls that wait by now.
func (g *pushGroup) join() {
	if g.closed {
		return
	}
	g.callers.mu.Lock()
	defer g.callers.mu.Unlock()
	if g.callers.ctx.Err() != nil && g.remote.sink.closing.Err() == nil {
		// Nobody was left, and what is under way ends: the next group is for those that come now.
		return
	}
	for _, c := range g.remote.sink.lanes.take(g.remote.lane, g.key) {
		g.calls = append(g.calls, c)
		c.stop = g.callers.hold(c.ctx)
	}
}

// release ends the hold of a call on the group's context.
func (g *pushGroup) release(c *call) {
	if c.stop() {
		g.callers.leave()
	}
}

// drop ends the calls for which fault returns an error.
func (g *pushGroup) drop(fault func(*call) error) {
	g.calls = slices.DeleteFunc(g.calls, func(c *call) bool {
		err := fault(c)
		if err != nil {
			g.release(c)
			c.finish(err)
		}
		return err != nil
	})
}

// failure is the error of a call: with its own destination and context, without anybody's
// credentials. A server that wants to be left alone is.
func (g *pushGroup) failure(c *call, op string, err error, words string, classes ...error) error {
	if status := smart.StatusOf(err); status != nil && status.RetryAfter > 0 {
		g.remote.sink.limits.blockUntil(g.account(), time.Now().Add(status.RetryAfter), time.Now())
	}
	r := *g.remote
	r.dst = c.dst
	return r.fail(c.ctx, op, err, words, classes...)
}

func (g *pushGroup) failAll(op string, err error, words string, classes ...error) {
	g.drop(func(c *call) error { return g.failure(c, op, err, words, classes...) })
}

// succeed ends all calls well: the branch is at tip (zero: there is none) and has what the stack
// holds.
func (g *pushGroup) succeed(ch *pushStack, tip object.ID) {
	commits := map[*call][]builtCommit{}
	for _, p := range ch.parts {
		commits[p.call] = p.commits
	}
	for _, c := range g.calls {
		folder, err := object.FolderIn(ch, ch.root, c.dst.BaseFolder)
		if err == nil {
			g.remote.lane.seen[c.dst.BaseFolder] = lastSeenFolder{is: folder, maybe: folder}
		}
		for _, m := range commits[c] {
			c.result.Commits = append(c.result.Commits, m.hash.String())
		}
		if !tip.IsZero() {
			c.result.Tip = tip.String()
		}
		delete(g.remote.lane.landed, c.dst.BaseFolder)
		g.release(c)
		c.finish(nil)
	}
	g.calls = nil
}

func (g *pushGroup) account() account {
	return account{g.remote.lane.key.Repository, g.key.who, g.key.limit}
}

// postpone lets calls wait for another push.
func (g *pushGroup) postpone(calls []*call) {
	for _, c := range calls {
		g.release(c)
	}
	g.remote.sink.lanes.putBack(g.remote.lane, calls)
}

// refCountedContext is a context that ends when the last of its holders has gone. Without that, a
// push for which nobody waits any more would go on.
type refCountedContext struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu   sync.Mutex // guards what follows
	refs int        // holders whose own context has not ended
}

// hold makes somebody whose own context is ctx a holder until that ends. stop is
// context.AfterFunc's: if it returns true, the holder has to leave. The caller holds mu.
func (r *refCountedContext) hold(ctx context.Context) (stop func() bool) {
	r.refs++
	return context.AfterFunc(ctx, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.refs--; r.refs == 0 {
			r.cancel()
		}
	})
}

// enter makes somebody a holder, unless the last holder has gone.
func (r *refCountedContext) enter(ctx context.Context) (stop func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return nil
	}
	return r.hold(ctx)
}

// quit is leave where nobody can come any more: the last one ends the shared context.
func (r *refCountedContext) quit() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.refs--; r.refs == 0 {
		r.cancel()
	}
}

// count is the number of holders.
func (r *refCountedContext) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.refs
}

// leave takes a holder away whose own context has not ended. The shared context goes on even
// without holders: others may come.
func (r *refCountedContext) leave() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refs--
}
