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
	// hand is what was handed out, in order; nil once settled. Batch.Events is a copy: what a handler does to it does not
	// reach the line.
	hand []*entry
	last bool // handed out after Shutdown began: the last try
}

// hand leases the line, taking a batch from it.
func (q *Sharded) hand(l *line) Batch {
	q.unschedule(l)
	l.lease = &lease{q: q, line: l, hand: q.cut(l), last: q.closing}
	l.overdue = l.waiting.events > 0 // the rest of a batch that was due
	b := Batch{Key: l.key, Attempt: 1, Lease: l.lease, Events: make([]event.Event, len(l.lease.hand))}
	if l.failure != nil {
		b.Attempt += l.failure.attempts
	}
	for i, e := range l.lease.hand {
		b.Events[i] = e.event
		size := loadOf(&e.event)
		q.inHand.add(size)
		l.inHand.add(size)
		e.to.inHand++
	}
	return b
}

// cut takes a batch of up to Window.Bytes from what waits, live changes first, unless they were first too often.
func (q *Sharded) cut(l *line) []*entry {
	var batch []*entry
	var size int64
	take := func(f *fifo) int {
		before := len(batch)
		for e := f.front; e != nil; e = f.front {
			next := e.load().bytes
			if len(batch) > 0 && size+next > l.window.Bytes {
				break
			}
			size += next
			l.unlink(e)
			q.unwait(e, nil)
			batch = unchain(batch, e)
		}
		return len(batch) - before
	}
	seeds := 0
	if l.passed >= seedTurn {
		seeds = take(&l.seeds)
	}
	take(&l.live)
	if seeds += take(&l.seeds); seeds == 0 && l.seeds.front != nil {
		l.passed++
	} else {
		l.passed = 0
	}
	if l.waiting.events == 0 {
		l.index = nil
	}
	return batch
}

// unchain appends an entry and what hangs below it, oldest first, and takes them apart.
func unchain(batch []*entry, e *entry) []*entry {
	if e.before != nil {
		batch = unchain(batch, e.before)
		e.before = nil
	}
	return append(batch, e)
}

// Held implements Lease.
func (l *lease) Held(ctx context.Context) bool {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	return l.hand != nil && ctx.Err() == nil
}

// Done implements Lease. It settles also if ctx has ended.
func (l *lease) Done(context.Context) error {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	if l.hand == nil {
		return ErrLeaseLost
	}
	l.q.settle(l, nil)
	return nil
}

// Retry implements Lease. It settles also if ctx has ended. Events are known by destination, operation, ID, Condition and
// the Content's place in memory. If one of them is not of the batch, all of the batch is put back and an error says so.
func (l *lease) Retry(_ context.Context, cause error, events ...event.Event) error {
	l.q.mu.Lock()
	defer l.q.mu.Unlock()
	if l.hand == nil {
		return ErrLeaseLost
	}
	back, err := l.choose(events)
	now := l.q.now()
	failed := false
	for i := len(back) - 1; i >= 0; i-- {
		failed = l.q.putBack(back[i], now) || failed
	}
	if failed {
		l.q.fail(l, cause, now)
		l.q.settle(l, l.line.failure)
	} else {
		l.q.settle(l, nil)
	}
	return err
}

// identity tells the events of a batch apart.
type identity struct {
	dst       destination.Destination
	operation event.Operation
	id        event.ID
	condition event.Condition
	content   *byte
}

func identify(e *event.Event) identity {
	i := identity{dst: e.Destination, operation: e.Operation, id: e.Resource.ID, condition: e.Condition}
	if len(e.Content) > 0 {
		i.content = &e.Content[0]
	}
	return i
}

// choose returns the entries in hand of these events, in the order of the batch.
func (l *lease) choose(events []event.Event) ([]*entry, error) {
	if len(events) == 0 {
		return l.hand, nil
	}
	wanted := make(map[identity]bool, len(events)) // true once found
	for i := range events {
		wanted[identify(&events[i])] = false
	}
	var chosen []*entry
	for _, e := range l.hand {
		id := identify(&e.event)
		if _, ok := wanted[id]; ok {
			wanted[id] = true
			chosen = append(chosen, e)
		}
	}
	for i := range events {
		if !wanted[identify(&events[i])] {
			return l.hand, fmt.Errorf("queue: Retry of %s, which is not of the batch: all of it is put back", events[i])
		}
	}
	return chosen, nil
}

// putBack puts an entry in hand in front of what waits, unless it was superseded. An entry goes where a newer one of its
// object waits, which comes to the front with it. False: it was forgotten.
func (q *Sharded) putBack(e *entry, now time.Duration) bool {
	if e.forgotten {
		return false
	}
	l := e.to.line
	if l.waiting.events == 0 {
		l.first, l.last = now, now
	}
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
	}
	return true
}

// fail counts a failed try and parks the line.
func (q *Sharded) fail(le *lease, cause error, now time.Duration) {
	l := le.line
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

// settle ends a lease: what was in hand and was not put back is gone.
func (q *Sharded) settle(le *lease, f *failure) {
	l := le.line
	for _, e := range le.hand {
		size := loadOf(&e.event)
		q.inHand.sub(size)
		l.inHand.sub(size)
		e.to.inHand--
		q.release(e.event.Destination, e.to)
	}
	le.hand, l.lease, l.woken, l.failure = nil, nil, false, f
	q.serveAll()
	q.schedule(l, q.now())
	q.checkDrained()
}
