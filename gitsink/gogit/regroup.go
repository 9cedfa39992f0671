package gogit

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// errCredentialsChanged means that a call which has to speak for its group does not belong to it
// any more.
var errCredentialsChanged = errors.New("the credentials have changed")

// credentials are what a connection of the group shows: what Auth says at this moment of the call
// that came first. If that is not what the group was formed by, there is no connection: see
// astray.
func (g *pushGroup) credentials(ctx context.Context) (Auth, error) {
	members := slices.DeleteFunc(slices.Clone(g.calls), func(c *call) bool { return c.over })
	if len(members) == 0 {
		return Auth{}, context.Canceled // nobody is left to connect for
	}
	lead := members[0]
	if held := lead.held; held != nil {
		lead.held = nil
		return *held, nil
	}
	auth, err := g.remote.sink.asker.askAuth(ctx, lead.dst)
	if len(members) == 1 {
		if err == nil { // its own credentials may change at any time
			g.key.who = identify(lead.dst.Repository, auth)
			lead.key = g.key
		}
		return auth, err
	}
	if ctx.Err() != nil {
		return Auth{}, context.Cause(ctx)
	}
	if err != nil || identify(lead.dst.Repository, auth) != g.key.who {
		g.changed = lead
		return Auth{}, errCredentialsChanged
	}
	return auth, nil
}

// anybody is credentials for a look at what has become of a push. All calls have a part in it, so
// it may be made for any of them, each with its own.
func (g *pushGroup) anybody(ctx context.Context) (auth Auth, err error) {
	err = errCredentialsChanged
	for _, c := range g.calls {
		if auth, err = g.remote.sink.asker.askAuth(ctx, c.dst); err == nil || ctx.Err() != nil {
			return auth, err
		}
	}
	return Auth{}, err
}

// regroup asks again for all calls, since the credentials of one have changed, and lets those go
// that do not belong together any more.
func (g *pushGroup) regroup() (again bool) {
	g.readmit(g.calls)
	if c := g.changed; slices.Contains(g.calls, c) {
		// It has come back meanwhile, and could do so for ever.
		g.calls = slices.DeleteFunc(g.calls, func(other *call) bool { return other == c })
		g.move(c)
	}
	g.changed = nil
	return len(g.calls) > 0
}

// renew asks again for the calls of whom nothing has been heard for a while; for all of them
// before a push that is made in place of another. A call that is alone is asked for by its
// connection.
func (g *pushGroup) renew() {
	if len(g.calls) == 1 && g.next == nil {
		return
	}
	var old []*call
	for _, c := range g.calls {
		if g.tries > 0 || time.Since(c.asked) > g.remote.sink.freshFor {
			old = append(old, c)
		}
	}
	g.readmit(old)
}

// readmit asks for some calls of the group. Who gets an error is left out, and who gets other
// credentials, or another RateLimit, goes into another group.
func (g *pushGroup) readmit(calls []*call) {
	answers, faults := g.askAll(calls)
	var moved []*call
	g.drop(func(c *call) error {
		if err := faults[c]; err != nil {
			return c.refusal(err)
		}
		if got, ok := answers[c]; ok {
			c.held = nil
			c.take(got)
			if c.key != g.key {
				moved = append(moved, c)
			}
		}
		return nil
	})
	g.calls = slices.DeleteFunc(g.calls, func(c *call) bool { return slices.Contains(moved, c) })
	g.move(moved...)
}

// move lets calls wait for another group.
func (g *pushGroup) move(calls ...*call) {
	for _, c := range calls {
		if c.moves++; c.moves > maxMoves {
			c.key.alone = c
		}
	}
	g.postpone(calls)
}

// askAll asks for several calls at once: one that is slow delays the others by itself, not by
// their number.
func (g *pushGroup) askAll(calls []*call) (map[*call]answer, map[*call]error) {
	answers, faults := make(map[*call]answer, len(calls)), make(map[*call]error)
	var mu sync.Mutex // guards both
	var asking sync.WaitGroup
	places := make(chan struct{}, maxAsking)
	for _, c := range calls {
		places <- struct{}{}
		asking.Go(func() {
			defer func() { <-places }()
			got, err := g.remote.sink.asker.ask(g.callers.ctx, c.dst)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				faults[c] = err
				return
			}
			got.auth = Auth{}
			answers[c] = got
		})
	}
	asking.Wait()
	return answers, faults
}
