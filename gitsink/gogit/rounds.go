package gogit

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"time"
)

// rounds lets those who want something of a server at the same time ask for it together: the first
// contact of many lanes with one repository is a request for all of them, not one for each.
//
// A round takes in who comes with its key until it departs. It does so at once if nobody is
// expected; else when those have come who are, or after the time to gather. Nobody joins later: so
// what a round brings was asked for after all of them had come. A round goes on as long as one of
// them is there, and is nobody's fault: who gets nothing from it asks alone.
type rounds[K comparable, W, V any] struct {
	gather   time.Duration // the longest wait for others
	patience time.Duration // with a round of several; then each asks alone
	start    func(func())  // starts a goroutine whose end its owner waits for

	mu       sync.Mutex         // guards what follows, and the wants of what is open
	open     map[K]*round[W, V] // can be joined
	underWay map[K]*round[W, V] // the one that departed last
}

// round is one question.
type round[W, V any] struct {
	callers *refCountedContext // ends when all have left
	// wants has that of each who came. It changes no more once the round has departed.
	wants    []W
	departed chan struct{} // closed when it has
	ended    chan struct{} // closed when what follows is set
	value    V
	err      error
	peers    *peers
}

// errAlone is all that one hears of a round that failed: a fault of the one request may be none of
// the repository's. An answer that the server would give to each of them is another matter; see
// everybodys.
var errAlone = errors.New("asking together has brought nothing")

func newRounds[K comparable, W, V any](patience time.Duration, start func(func())) *rounds[K, W, V] {
	return &rounds[K, W, V]{
		gather: gatherTime, patience: patience, start: start, open: map[K]*round[W, V]{}, underWay: map[K]*round[W, V]{},
	}
}

// gatherTime is short beside a request to a server far away, and so is the wait of who turns out to
// be alone.
const gatherTime = 50 * time.Millisecond

// join asks together with all who want something by the same key now, and returns the answer to all
// of them, and a place among those who got it. seat is the place among those who got the last one;
// nil: alone. ask is called with the wants of all; it may go on after join has returned, and must
// not use what ends with the caller. Where others were in the round and it brought nothing, the
// error is errAlone.
func (rs *rounds[K, W, V]) join(ctx context.Context, key K, want W, last *seat, ask func(context.Context, []W) (V, error)) (V, *seat, error) {
	var none V
	r, stop := rs.enter(ctx, key, want, last, ask)
	last.leave()
	departed, patience := r.departed, time.NewTimer(rs.patience)
	patience.Stop()
	defer patience.Stop()
	for {
		select {
		case <-departed:
			// Who is alone has asked alone already: to ask once more would help nobody.
			if departed = nil; len(r.wants) > 1 {
				patience.Reset(rs.patience)
			}
		case <-r.ended:
			if stop() {
				r.callers.leave()
			}
			return r.value, r.peers.seat(), r.err
		case <-ctx.Done():
			return none, nil, ctx.Err()
		case <-patience.C:
			if stop() {
				r.callers.quit()
			}
			return none, nil, errAlone
		}
	}
}

// enter finds the round that can be joined, or opens one.
func (rs *rounds[K, W, V]) enter(ctx context.Context, key K, want W, last *seat, ask func(context.Context, []W) (V, error)) (r *round[W, V], stop func() bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if r = rs.open[key]; r != nil {
		if stop = r.callers.enter(ctx); stop != nil {
			r.wants = append(r.wants, want)
			return r, stop
		}
	}
	shared, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r = &round[W, V]{callers: &refCountedContext{ctx: shared, cancel: cancel}, wants: []W{want}, departed: make(chan struct{}), ended: make(chan struct{})}
	stop = r.callers.enter(ctx)
	var expected <-chan struct{}
	if last != nil {
		expected = last.others()
	} else if ahead := rs.underWay[key]; ahead != nil {
		expected = ahead.ended
	}
	rs.open[key] = r
	rs.start(func() { rs.run(key, r, expected, ask) })
	return r, stop
}

// run is a round from its opening to its end.
func (rs *rounds[K, W, V]) run(key K, r *round[W, V], expected <-chan struct{}, ask func(context.Context, []W) (V, error)) {
	defer r.callers.cancel()
	if expected == nil {
		runtime.Gosched() // who is about to come may do so: lanes often begin together
	} else {
		timer := time.NewTimer(rs.gather)
		defer timer.Stop()
		select {
		case <-expected:
		case <-timer.C:
		case <-r.callers.ctx.Done():
		}
	}
	wants := rs.depart(key, r)
	if r.err = r.callers.ctx.Err(); r.err == nil {
		r.value, r.err = ask(r.callers.ctx, wants)
	}
	if r.err != nil && len(wants) > 1 && !everybodys(r.err) {
		r.err = errAlone
	}
	r.peers = newPeers(r.callers.count())
	rs.end(key, r)
}

// depart closes a round to others.
func (rs *rounds[K, W, V]) depart(key K, r *round[W, V]) []W {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if rs.open[key] == r {
		delete(rs.open, key)
	}
	close(r.departed)
	rs.underWay[key] = r
	return r.wants
}

// end tells the callers what the round has brought.
func (rs *rounds[K, W, V]) end(key K, r *round[W, V]) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	close(r.ended)
	if rs.underWay[key] == r {
		delete(rs.underWay, key)
	}
}

// peers are those who got an answer together, and so may want the next thing together, too.
type peers struct {
	size int
	mu   sync.Mutex    // guards left
	left int           // of whom nobody knows yet what they want next
	none chan struct{} // closed when left is zero
}

func newPeers(n int) *peers {
	return &peers{size: n, left: n, none: make(chan struct{})}
}

// seat is the place of one of the peers.
type seat struct {
	peers *peers
	once  sync.Once
}

// seat is nil for who got the answer alone.
func (p *peers) seat() *seat {
	if p.size < 2 {
		return nil
	}
	return &seat{peers: p}
}

// others is closed when it is known of all peers what they want.
func (s *seat) others() <-chan struct{} { return s.peers.none }

// leave says that nobody need wait for this one any more: it has joined the next round, or wants
// nothing.
func (s *seat) leave() {
	if s == nil {
		return
	}
	s.once.Do(func() {
		s.peers.mu.Lock()
		defer s.peers.mu.Unlock()
		if s.peers.left--; s.peers.left == 0 {
			close(s.peers.none)
		}
	})
}
