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

// lease is the Lease of a Sharded. Nothing ends it but Done and Retry.
type lease struct {
	q    *Sharded
	line *line
	// hand has what was handed out, in order; it is empty once settled. Batch.Events is a copy:
	// what a handler does to it does not reach the line.
	hand fifo
	last bool // handed out after Shutdown began: the last try
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

// Retry implements Lease. It settles also if ctx has ended. An event is recognised by its
// destination, operation, ID and Precondition, and by its Content, of which an equal one is
// another. If one of them is not of the batch, the whole batch is put back and an error says so.
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
	content   *event.Content
}

func identify(e *event.Event) identity {
	return identity{e.Destination, e.Operation, e.Resource.ID, e.Precondition, e.Content}
}

// choose marks those items in hand that are to be put back: these events, or all if there are none.
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

// empty ends the lease of everything in hand: a marked item goes back into the line, any other is
// done. It reports whether an item went back or was superseded; otherwise all are done or
// forgotten.
func (q *Sharded) empty(le *lease) (back bool) {
	for e := le.hand.back; e != nil; {
		before, size := e.prev, loadOf(&e.event)
		q.inHand--
		le.line.inHand.sub(size)
		e.flow.inHand--
		switch {
		case !e.again:
			q.bytes -= q.contents.remove(&e.event)
			q.counts.Done++
		case e.forgotten:
			q.bytes -= q.contents.remove(&e.event)
			q.counts.Forgotten++
		default:
			e.again = false
			q.putBack(e)
			back = true
		}
		q.release(e.flow)
		e = before
	}
	le.hand = fifo{}
	return back
}

// putBack puts an item in front of what waits, unless it was superseded. If a newer event of its
// object waits that does not supersede it, the two come to the front together.
func (q *Sharded) putBack(e *item) {
	l := e.flow.line
	e.seed = !isLive(&e.event) && !q.opts.KeepEvery
	var newer *item
	if q.coalesces(&e.event) {
		newer = l.find(objectKey{e.flow, e.event.Resource.ID})
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
		q.bytes -= q.contents.remove(&e.event)
		q.counts.Coalesced++
		return
	}
	q.counts.Retried++
}

// fail counts a failed try, and makes the line back off.
func (q *Sharded) fail(le *lease, cause error) {
	l := le.line
	if l.failure == nil {
		l.failure = &failure{}
	}
	f := l.failure
	f.attempts++
	f.err, f.permanent = cause, errors.Is(cause, ErrPermanent)
	l.dueNow = true
	if le.last && !l.lastTryFailed {
		l.lastTryFailed = true
		q.lastTriesFailed++
	}
	if !l.woken && !q.closing {
		q.scheduler.park(l, q.now(), q.opts.backoff(f))
	}
}

// backoff returns the time that a line is not tried after a failure.
func (o *Options) backoff(f *failure) time.Duration {
	d := o.MinBackoff
	for i := 1; i < f.attempts && d < o.MaxBackoff; i++ {
		d *= 2
	}
	if f.permanent || d > o.MaxBackoff {
		d = o.MaxBackoff
	}
	d -= rand.N(d/2 + 1)
	if says := RetryDelayer(nil); errors.As(f.err, &says) && says.RetryDelay() > d {
		d = says.RetryDelay() + rand.N(o.MinBackoff)
	}
	return d
}

// settle ends the lease of a line. Its hand is empty.
func (q *Sharded) settle(l *line, f *failure) {
	l.lease, l.woken, l.failure = nil, false, f
	q.serveAll()
	q.schedule(l, q.now())
	q.checkDrained()
}
