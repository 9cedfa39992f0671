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

// group is the calls that go into one push: those of a lane that wait when it becomes free, and share their credentials.
// It is the worker's.
type group struct {
	*remote
	*crowd
	key    groupKey
	pace   Pace
	calls  []*call // in order; what is over is not in it
	closed bool    // nobody joins: it is a part of a group that was refused

	next      *session // what the next attempt begins with; nil: it has to look itself
	tries     int
	pushes    int
	unsettled int                                 // pushes in a row whose outcome is unknown and that did not move the branch
	refetched bool                                // the cache turned out damaged once
	signer    func(commit []byte) ([]byte, error) // of the group; nil until it is needed
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
		key: lead.key(), pace: s.opts.Pace(lead.dst).withDefaults(l.key.Repository),
	}
	if left := s.paces.refused(l.key.Repository, time.Now()); left > 0 {
		g.join()
		g.failAll(opFetch, &restError{left}, "")
		return
	}
	if !g.waitForTurn() {
		return
	}
	g.run()
	g.keep(nil)
	l.forgetCalls()
	if g.pushes == 0 && g.pace.Interval > 0 {
		s.paces.back(l.key.Repository, g.pace)
	}
}

// waitForTurn waits until the pace allows a push. Meanwhile others may come; if all have gone, it returns false.
func (g *group) waitForTurn() bool {
	repository := g.lane.key.Repository
	timer := time.NewTimer(g.sink.paces.turn(repository, g.pace, time.Now()))
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
		g.sink.paces.back(repository, g.pace)
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
	if len(g.calls) == 0 {
		return false
	}
	receiver, err := g.receiver()
	if err != nil {
		g.failAll(opFetch, err, serverWords(err))
		return false
	}
	defer receiver.close()
	g.join() // who came meanwhile need not wait for another push
	ch, err := g.plan(receiver)
	switch {
	case errors.Is(err, errIncomplete) && !g.refetched:
		g.sink.opts.Logger.V(1).Info("cache dropped", "destination", g.dst, "reason", err.Error())
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
	if s := g.next; s != nil {
		g.next = nil
		return s, nil
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
		g.sink.paces.refuse(g.lane.key.Repository, time.Now().Add(status.after), time.Now())
	}
	r := *g.remote
	r.dst = c.dst
	return r.fail(c.ctx, op, err, words, classes...)
}

func (g *group) failAll(op string, err error, words string, classes ...error) {
	g.drop(func(c *call) error { return g.failure(c, op, err, words, classes...) })
}

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
	if len(receiver.refs.References) == 0 {
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
	r.dst = c.dst
	files := &view{remote: &r, chain: ch, folder: folder}
	commits, err := c.run(files)
	g.secrets = r.secrets
	switch {
	case errors.Is(files.err, errIncomplete):
		return nil, files.err
	case files.err != nil:
		return nil, g.failure(c, opPlan, files.err, "")
	case err != nil:
		return nil, &gitsink.Error{Op: opPlan, Destination: c.dst, Err: err}
	}
	commits, err = g.withoutFound(ch, c, commits)
	if err != nil {
		return nil, g.failure(c, opCommit, err, "")
	}
	d, err := ch.draft(c.dst.BaseFolder, commits, g.encode)
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

// encode writes a commit object, signed if it has to be.
func (g *group) encode(root, parent plumbing.Hash, commit gitsink.Commit, now time.Time) ([]byte, error) {
	if g.signer == nil {
		ctx, cancel := context.WithTimeout(g.ctx, g.sink.opts.StepTimeout)
		defer cancel()
		signer, err := g.sink.opts.Signer(ctx, g.dst)
		if err != nil {
			return nil, &signError{fmt.Errorf("getting the signer: %w", err)}
		}
		g.signer = func(data []byte) ([]byte, error) {
			return bounded(g.ctx, g.sink.opts.StepTimeout, func(ctx context.Context) ([]byte, error) { return sign(ctx, signer, data) })
		}
	}
	data, err := g.signer(encodeCommit(root, parent, commit, g.sink.opts.Committer, now))
	if err != nil {
		return nil, &signError{err}
	}
	return data, nil
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
