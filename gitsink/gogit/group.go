package gogit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// maxPush bounds the objects of one push, before compression: they are held in memory, and a server may have a limit of its
// own. A plan that makes more goes alone.
const maxPush = 32 << 20

// group is the calls that go into one push: those of a lane that wait when it becomes free, and have one key.
// It is the worker's.
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

// serve is a lane's worker. It ends when nobody waits.
func (s *Sink) serve(l *lane) {
	for {
		lead := s.lanes.next(l)
		if lead == nil {
			return
		}
		s.serveGroup(l, lead)
	}
}

func (s *Sink) serveGroup(l *lane, lead *call) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(lead.ctx))
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()
	g := &pushGroup{
		remote: newRemote(s, l, lead.dst), callers: &refCountedContext{ctx: ctx, cancel: cancel},
		key: lead.key, limit: lead.key.limit,
	}
	g.remote.auth = g.credentials
	if left := s.limits.blockedFor(g.account(), time.Now()); left > 0 {
		g.join()
		g.failAll(opFetch, &restError{left}, "")
		return
	}
	if !g.waitForRateLimit(lead) {
		return
	}
	g.run()
	g.keep(nil)
	l.forgetCalls()
	if g.pushes == 0 && g.limit.Interval > 0 {
		s.limits.cancel(g.account())
	}
}

// waitForTurn waits until the pace allows a push. Meanwhile others may come; if all have gone, it returns false.
func (g *pushGroup) waitForRateLimit(lead *call) bool {
	wait := g.remote.sink.limits.reserve(g.account(), time.Now())
	if wait > 0 {
		lead.held = nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-g.remote.lane.withdrawn:
			if g.remote.sink.lanes.waits(g.remote.lane, g.key) {
				continue
			}
		case <-g.remote.sink.closing.Done():
			return true // to tell the callers
		}
		g.remote.sink.limits.cancel(g.account())
		return false
	}
}

// run tries until all calls are over.
func (g *pushGroup) run() {
	for {
		again := g.attempt()
		g.drop(func(c *call) error {
			if !again || c.result.Attempts < g.remote.sink.opts.MaxAttempts {
				return nil
			}
			return g.failure(c, opPush, fmt.Errorf("the branch moved during each of %d attempts", c.result.Attempts), "", gitsink.ErrConflict)
		})
		if !again || len(g.calls) == 0 {
			return
		}
		g.tries++
		g.pause()
	}
}

// attempt fetches, plans, commits and pushes once. again: the branch is not what it was, so plan on what it is.
func (g *pushGroup) attempt() (again bool) {
	g.join()
	g.renew()
	if len(g.calls) == 0 {
		return false
	}
	receiver, err := g.receiver()
	if errors.Is(err, errCredentialsChanged) {
		return g.regroup()
	}
	if err != nil {
		g.failAll(opFetch, err, smart.Words(err))
		return false
	}
	defer receiver.Close()
	g.join() // who came meanwhile need not wait for another push
	g.renew()
	ch, err := g.plan(receiver)
	switch {
	case errors.Is(err, errCredentialsChanged):
		return g.regroup()
	case errors.Is(err, object.ErrIncomplete) && !g.refetched:
		g.remote.sink.opts.Logger.V(1).Info("cache dropped", "destination", g.remote.dst, "reason", g.remote.show(err.Error()))
		g.refetched = true
		g.remote.lane.store = object.NewStore()
		return true
	case err != nil:
		g.failAll(opFetch, err, smart.Words(err))
		return false
	case len(g.calls) == 0:
		return false
	case ch.empty():
		g.succeed(ch, ch.old)
		return false
	}
	return g.push(receiver, ch)
}

// receiver is a session for a push: what the last attempt has seen, or a new one.
func (g *pushGroup) receiver() (*session, error) {
	s := g.next
	if g.next = nil; s != nil && s.who == g.key.who {
		return s, nil
	}
	if s != nil {
		s.Close()
	}
	return g.remote.open(g.callers.ctx, smart.ReceivePack)
}

// keep holds a session for the next attempt, and closes the one it held. The sink looks at the branch to learn what has
// become of a push; where others have won the race, every request until the next push lets them win again.
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
		return // nobody was left, and what is under way ends: the next group is for those that come now
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

// failure is the error of a call: with its own destination and context, without anybody's credentials. A server that wants
// to be left alone is.
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

// settled ends all calls well: the branch is at tip (zero: there is none) and has what the chain holds.
func (g *pushGroup) succeed(ch *pushStack, tip plumbing.Hash) {
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

// pause waits a random time that grows with the tries, so that two writers of one branch get out of step. Not before the
// second, and never for long: the writer that lost needs more requests for its next try than the one that won. What was
// seen of the branch before is old by then.
func (g *pushGroup) pause() {
	if g.tries < 2 {
		return
	}
	g.keep(nil)
	timer := time.NewTimer(rand.N(min(25*time.Millisecond<<min(g.tries, 10), 300*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.callers.ctx.Done():
	}
}
