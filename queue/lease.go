package queue

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// lease is the Lease of a Sharded. It is lost only by being settled.
type lease struct {
	q    *Sharded
	line *line
	// hand is what was handed out, in order; empty once settled. Batch.Events is a copy: what a handler does to it does not
	// reach the line.
	hand fifo
	last bool // handed out after Shutdown began: the last try
}

// hand leases the line, taking a batch from it, and says how large that is and how long its oldest event has waited.
func (q *Sharded) hand(l *line) (b Batch, size load, waited time.Duration) {
	q.unschedule(l)
	l.lease = &lease{q: q, line: l, last: q.closing}
	aged := l.overdue || q.now() >= min(l.first+l.window.MaxWait, l.last+l.window.Debounce)
	size = q.cut(l, &l.lease.hand)
	q.inHand.add(size)
	l.inHand.add(size)
	l.overdue = aged && l.waiting.events > 0 // the rest of a batch that was due by its age; by its size, the rest is none
	b = Batch{Key: l.key, Attempt: 1, Lease: l.lease, Events: make([]event.Event, 0, size.events)}
	if l.failure != nil {
		b.Attempt += l.failure.attempts
	}
	now := q.now()
	for e := l.lease.hand.front; e != nil; e = e.next {
		b.Events = append(b.Events, e.event)
		e.to.inHand++
		waited = max(waited, now-e.arrived)
	}
	return b, size, waited
}

// cut moves a batch of up to Window.Bytes of what waits to hand, live changes first, unless they were first too often.
func (q *Sharded) cut(l *line, hand *fifo) (size load) {
	take := func(f *fifo) (taken bool) {
		for e := f.front; e != nil; e = f.front {
			next := e.load()
			if size.events > 0 && size.bytes+next.bytes > l.window.Bytes {
				break
			}
			size.add(next)
			l.unlink(e)
			q.unwait(e, nil)
			unchain(hand, e)
			taken = true
		}
		return taken
	}
	seeds := l.passed >= seedTurn && take(&l.seeds)
	take(&l.live)
	if seeds = take(&l.seeds) || seeds; !seeds && l.seeds.front != nil {
		l.passed++
	} else {
		l.passed = 0
	}
	if l.waiting.events == 0 {
		l.index = nil
	}
	return size
}

// unchain appends an entry and what hangs below it, oldest first, and takes them apart.
func unchain(hand *fifo, e *entry) {
	if e.before != nil {
		unchain(hand, e.before)
		e.before = nil
	}
	hand.pushBack(e)
}

// Held implements Lease.
func (l *lease) Held(ctx context.Context) bool {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	return l.hand.front != nil && ctx.Err() == nil
}

// Done implements Lease. It settles also if ctx has ended.
func (l *lease) Done(context.Context) error {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	if l.hand.front == nil {
		return ErrLeaseLost
	}
	l.q.empty(l)
	l.q.settle(l.line, nil)
	return nil
}

// Retry implements Lease. It settles also if ctx has ended. Events are known by destination, operation, ID, Precondition and
// the Content's place in memory. If one of them is not of the batch, all of the batch is put back and an error says so.
func (l *lease) Retry(_ context.Context, cause error, events ...event.Event) error {
	f, err := l.retry(cause, events)
	if f != nil {
		l.q.opts.Logger.V(1).Info("Line backs off", "key", l.line.key, "attempts", f.attempts,
			"for", (f.until - f.since).String(), "reason", fmt.Sprint(cause))
	}
	return err
}

// retry returns a copy of the failure if the line backs off.
func (l *lease) retry(cause error, events []event.Event) (*failure, error) {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	if l.hand.front == nil {
		return nil, ErrLeaseLost
	}
	err := l.choose(events)
	if !l.q.empty(l) {
		l.q.settle(l.line, nil)
		return nil, err
	}
	l.q.fail(l, cause)
	f := *l.line.failure
	l.q.settle(l.line, l.line.failure)
	if !f.parked {
		return nil, err
	}
	return &f, err
}

// identity tells the events of a batch apart.
type identity struct {
	dst       destination.Destination
	operation event.Operation
	id        event.ID
	condition event.Precondition
	content   *byte
}

func identify(e *event.Event) identity {
	i := identity{dst: e.Destination, operation: e.Operation, id: e.Resource.ID, condition: e.Precondition}
	if len(e.Content) > 0 {
		i.content = &e.Content[0]
	}
	return i
}

// choose marks the entries in hand of these events, or all if there are none.
func (l *lease) choose(events []event.Event) error {
	wanted := make(map[identity]bool, len(events)) // true once found
	for i := range events {
		wanted[identify(&events[i])] = false
	}
	for e := l.hand.front; e != nil; e = e.next {
		id := identify(&e.event)
		if _, e.again = wanted[id]; e.again {
			wanted[id] = true
		}
	}
	var err error
	for i := range events {
		if !wanted[identify(&events[i])] {
			err = fmt.Errorf("queue: Retry of %s, which is not of the batch: all of it is put back", events[i])
			break
		}
	}
	for e := l.hand.front; e != nil; e = e.next {
		e.again = e.again || err != nil || len(events) == 0
	}
	return err
}

// empty takes everything out of hand: what is marked goes back into the line, the rest is done. True: an event is back, or
// was superseded; false: all are done or forgotten.
func (q *Sharded) empty(le *lease) (back bool) {
	for e := le.hand.back; e != nil; {
		before, size := e.prev, loadOf(&e.event)
		q.inHand.sub(size)
		le.line.inHand.sub(size)
		e.to.inHand--
		switch {
		case !e.again:
			q.counts.Done++
		case e.forgotten:
			q.counts.Forgotten++
		default:
			e.again = false
			q.putBack(e)
			back = true
		}
		q.release(e.to)
		e = before
	}
	le.hand = fifo{}
	return back
}

// putBack puts an entry in front of what waits, unless it was superseded. An entry goes where a newer one of its object
// waits, which comes to the front with it.
func (q *Sharded) putBack(e *entry) {
	l := e.to.line
	e.seed = !isLive(&e.event) && !q.opts.KeepEvery
	var newer *entry
	if q.coalesces(&e.event) {
		newer = l.find(slot{e.to, e.event.Resource.ID})
	}
	switch {
	case newer == nil:
		q.enwait(e)
		l.link(e, true)
	case !supersedes(&newer.oldest().event, &e.event):
		q.enwait(e)
		l.unlink(newer)
		newer.oldest().before = e
		newer.seed = newer.seed && e.seed
		l.link(newer, true)
	default:
		q.counts.Coalesced++
		return
	}
	q.counts.Retried++
}

// fail counts a failed try and parks the line.
func (q *Sharded) fail(le *lease, cause error) {
	l, now := le.line, q.now()
	if l.failure == nil {
		l.failure = &failure{}
	}
	f := l.failure
	f.attempts++
	f.err, f.permanent = cause, errors.Is(cause, ErrPermanent)
	l.overdue = true
	if le.last && !l.spent {
		l.spent = true
		q.spent++
	}
	if !l.woken && !q.closing {
		f.parked, f.since, f.until = true, now, now+q.backoff(f)
		q.parked++
	}
}

func (q *Sharded) backoff(f *failure) time.Duration {
	d := q.opts.MinBackoff
	for i := 1; i < f.attempts && d < q.opts.MaxBackoff; i++ {
		d *= 2
	}
	if f.permanent || d > q.opts.MaxBackoff {
		d = q.opts.MaxBackoff
	}
	d -= rand.N(d/2 + 1)
	if says := RetryDelayer(nil); errors.As(f.err, &says) && says.RetryDelay() > d {
		d = says.RetryDelay() + rand.N(q.opts.MinBackoff)
	}
	return d
}

// unpark ends a backoff.
func (q *Sharded) unpark(l *line) {
	if l.failure != nil && l.failure.parked {
		l.failure.parked = false
		q.parked--
	}
}

// settle ends the lease of a line, whose hand is empty.
func (q *Sharded) settle(l *line, f *failure) {
	l.lease, l.woken, l.failure = nil, false, f
	q.serveAll()
	q.schedule(l, q.now())
	q.checkDrained()
}
