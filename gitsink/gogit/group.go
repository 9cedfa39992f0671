package gogit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/gitsink"
)

// maxPush bounds the objects of one push, before compression: they are held in memory, and a server may have a limit of its
// own. A plan that makes more goes alone.
const maxPush = 32 << 20

// group is the calls that go into one push: those of a lane that wait when it becomes free, and have one key.
// It is the worker's.
type group struct {
	*remote
	*crowd
	key    groupKey
	pace   RateLimit
	calls  []*call // in order; what is over is not in it
	closed bool    // nobody joins: it is a part of a group that was refused

	next      *session // what the next attempt begins with; nil: it has to look itself
	tries     int
	pushes    int
	unsettled int   // pushes in a row whose outcome is unknown and that did not move the branch
	refetched bool  // the cache turned out damaged once
	strayed   *call // has to speak for the group, and has other credentials by now
}

// crowd ends a context when nobody waits for the group any more.
type crowd struct {
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex // guards what follows
	alive int        // calls whose own context has not ended
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
	g := &group{
		remote: newRemote(s, l, lead.dst), crowd: &crowd{ctx: ctx, cancel: cancel},
		key: lead.key, pace: lead.key.pace,
	}
	g.auth = g.credentials
	if left := s.paces.refused(g.account(), time.Now()); left > 0 {
		g.join()
		g.failAll(opFetch, &restError{left}, "")
		return
	}
	if !g.waitForTurn(lead) {
		return
	}
	g.run()
	g.keep(nil)
	l.forgetCalls()
	if g.pushes == 0 && g.pace.Interval > 0 {
		s.paces.back(g.account())
	}
}

// waitForTurn waits until the pace allows a push. Meanwhile others may come; if all have gone, it returns false.
func (g *group) waitForTurn(lead *call) bool {
	wait := g.sink.paces.turn(g.account(), time.Now())
	if wait > 0 {
		lead.held = nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return true
		case <-g.lane.less:
			if g.sink.lanes.waits(g.lane, g.key) {
				continue
			}
		case <-g.sink.closing.Done():
			return true // to tell the callers
		}
		g.sink.paces.back(g.account())
		return false
	}
}

// run tries until all calls are over.
func (g *group) run() {
	for {
		again := g.attempt()
		g.drop(func(c *call) error {
			if !again || c.result.Attempts < g.sink.opts.MaxAttempts {
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
func (g *group) attempt() (again bool) {
	g.join()
	g.renew()
	if len(g.calls) == 0 {
		return false
	}
	receiver, err := g.receiver()
	if errors.Is(err, errStrayed) {
		return g.astray()
	}
	if err != nil {
		g.failAll(opFetch, err, serverWords(err))
		return false
	}
	defer receiver.close()
	g.join() // who came meanwhile need not wait for another push
	g.renew()
	ch, err := g.plan(receiver)
	switch {
	case errors.Is(err, errStrayed):
		return g.astray()
	case errors.Is(err, errIncomplete) && !g.refetched:
		g.sink.opts.Logger.V(1).Info("cache dropped", "destination", g.dst, "reason", g.show(err.Error()))
		g.refetched = true
		g.lane.store = newStore()
		return true
	case err != nil:
		g.failAll(opFetch, err, serverWords(err))
		return false
	case len(g.calls) == 0:
		return false
	case ch.nothing():
		g.settled(ch, ch.old)
		return false
	}
	return g.push(receiver, ch)
}

// receiver is a session for a push: what the last attempt has seen, or a new one.
func (g *group) receiver() (*session, error) {
	s := g.next
	if g.next = nil; s != nil && s.who == g.key.who {
		return s, nil
	}
	if s != nil {
		s.close()
	}
	return g.open(g.ctx, receivePack)
}

// keep holds a session for the next attempt, and closes the one it held. The sink looks at the branch to learn what has
// become of a push; where others have won the race, every request until the next push lets them win again.
func (g *group) keep(s *session) {
	if g.next != nil {
		g.next.close()
	}
	g.next = s
}

// join takes in the calls that wait by now.
func (g *group) join() {
	if g.closed {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.ctx.Err() != nil && g.sink.closing.Err() == nil {
		return // nobody was left, and what is under way ends: the next group is for those that come now
	}
	for _, c := range g.sink.lanes.take(g.lane, g.key) {
		g.calls = append(g.calls, c)
		g.alive++
		c.stop = context.AfterFunc(c.ctx, func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.alive--; g.alive == 0 {
				g.cancel()
			}
		})
	}
}

// release takes a call out of the crowd.
func (g *group) release(c *call) {
	if c.stop() {
		g.mu.Lock()
		g.alive--
		g.mu.Unlock()
	}
}

// drop ends the calls for which fault returns an error.
func (g *group) drop(fault func(*call) error) {
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
func (g *group) failure(c *call, op string, err error, words string, classes ...error) error {
	if status := asStatus(err); status != nil && status.after > 0 {
		g.sink.paces.refuse(g.account(), time.Now().Add(status.after), time.Now())
	}
	r := *g.remote
	r.dst = c.dst
	return r.fail(c.ctx, op, err, words, classes...)
}

func (g *group) failAll(op string, err error, words string, classes ...error) {
	g.drop(func(c *call) error { return g.failure(c, op, err, words, classes...) })
}

// settled ends all calls well: the branch is at tip (zero: there is none) and has what the chain holds.
func (g *group) settled(ch *chain, tip plumbing.Hash) {
	commits := map[*call][]made{}
	for _, p := range ch.parts {
		commits[p.call] = p.commits
	}
	for _, c := range g.calls {
		folder, err := folderIn(ch, ch.root, c.dst.BaseFolder)
		if err == nil {
			g.lane.seen[c.dst.BaseFolder] = sighting{is: folder, maybe: folder}
		}
		for _, m := range commits[c] {
			c.result.Commits = append(c.result.Commits, m.hash.String())
		}
		if !tip.IsZero() {
			c.result.Tip = tip.String()
		}
		delete(g.lane.found, c.dst.BaseFolder)
		g.release(c)
		c.finish(nil)
	}
	g.calls = nil
}

// pause waits a random time that grows with the tries, so that two writers of one branch get out of step. Not before the
// second, and never for long: the writer that lost needs more requests for its next try than the one that won. What was
// seen of the branch before is old by then.
func (g *group) pause() {
	if g.tries < 2 {
		return
	}
	g.keep(nil)
	timer := time.NewTimer(rand.N(min(25*time.Millisecond<<min(g.tries, 10), 300*time.Millisecond)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-g.ctx.Done():
	}
}
