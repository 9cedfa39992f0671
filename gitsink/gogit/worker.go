package gogit

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

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

// waitForRateLimit waits until RateLimit allows a push. Meanwhile others may come; if all have
// gone, it returns false.
func (g *pushGroup) waitForRateLimit(lead *call) bool {
	wait := g.remote.sink.limits.reserve(g.account(), time.Now())
	if wait > 0 {
		lead.held = nil
	}
	began, timer := time.Now(), time.NewTimer(wait)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			if wait > 0 {
				g.remote.sink.meters.rested(g.callers.ctx, time.Since(began))
			}
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

// attempt fetches, plans, commits and pushes once. again: the branch is not what it was, so plan
// on what it is.
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

// pause waits a random time that grows with the tries, so that two writers of one branch get out
// of step. Not before the second, and never for long: the writer that lost needs more requests
// for its next try than the one that won. What was seen of the branch before is old by then.
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
