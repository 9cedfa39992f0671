package queue

import (
	"context"
	"time"

	"github.com/kubescribe/kubescribe/event"
)

// Next implements Consumer.
func (q *Sharded) Next(ctx context.Context) (Batch, error) {
	b, size, waited, err := q.next(ctx)
	if err == nil {
		q.meters.handed(ctx, size, waited)
	}
	return b, err
}

func (q *Sharded) next(ctx context.Context) (b Batch, size load, waited time.Duration, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	// this call may have taken the token of another, or there is more to take
	defer q.scheduler.signal()
	for {
		if err := ctx.Err(); err != nil {
			return Batch{}, load{}, 0, err
		}
		if l := q.scheduler.pick(q.now()); l != nil {
			b, size, waited = q.hand(l)
			return b, size, waited, nil
		}
		select {
		case <-q.drained:
			return Batch{}, load{}, 0, ErrShutdown
		default:
		}
		q.scheduler.sleep(ctx, q.now(), &q.mu, q.drained)
	}
}

// hand leases the line and takes a batch from it. It returns the batch, its size, and the time that
// its oldest event has waited.
func (q *Sharded) hand(l *line) (b Batch, size load, waited time.Duration) {
	l.lease = &lease{q: q, line: l, last: q.closing}
	aged := l.dueNow || q.now() >= min(l.first+l.window.MaxWait, l.last+l.window.Debounce)
	size = q.cut(l, &l.lease.hand)
	q.inHand += size.events
	l.inHand.add(size)
	// the remainder of a batch that age made due; after one that size made due, it waits for its
	// window
	l.dueNow = aged && l.waiting.events > 0
	b = Batch{Key: l.key, Attempt: 1, Lease: l.lease, Events: make([]event.Event, 0, size.events)}
	if l.failure != nil {
		b.Attempt += l.failure.attempts
	}
	now := q.now()
	for e := l.lease.hand.front; e != nil; e = e.next {
		b.Events = append(b.Events, e.event)
		e.flow.inHand++
		waited = max(waited, now-e.arrived)
	}
	return b, size, waited
}

// cut moves up to Window.Bytes of the waiting events to hand: live changes first, unless they were
// first maxLiveInRow times.
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
	seeds := l.skippedBatches >= maxLiveInRow && take(&l.seeds)
	take(&l.live)
	if seeds = take(&l.seeds) || seeds; !seeds && l.seeds.front != nil {
		l.skippedBatches++
	} else {
		l.skippedBatches = 0
	}
	if l.waiting.events == 0 {
		l.index = nil
	}
	return size
}

// unchain appends an item and what is chained behind it, oldest first, and takes the chain apart.
func unchain(hand *fifo, e *item) {
	if e.before != nil {
		unchain(hand, e.before)
		e.before = nil
	}
	hand.pushBack(e)
}
