package queue

import (
	"context"
	"time"

	"github.com/kubescribe/kubescribe/destination"
)

// Forget implements Lines. It never blocks, and succeeds also if ctx has ended. Calls of Add that are blocked are not
// concerned: their events come in afterwards.
func (q *Sharded) Forget(_ context.Context, d destination.Destination) error {
	hash := q.targets.hash(&d)
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.targets.find(hash, &d)
	if t == nil {
		return nil
	}
	l := t.line
	for _, f := range []*fifo{&l.live, &l.seeds} {
		for e := f.front; e != nil; {
			next := e.next
			if e.to == t {
				l.unlink(e)
				q.counts.Forgotten += q.unwait(e, nil)
			}
			e = next
		}
	}
	if l.lease != nil {
		for e := l.lease.hand.front; e != nil; e = e.next {
			e.forgotten = e.forgotten || e.to == t
		}
	}
	q.release(t)
	q.serveAll()
	q.schedule(l, q.now())
	q.checkDrained()
	return nil
}

// Wake implements Lines. While a batch of the line is in hand, it means its Retry too: a try that began before what was
// wrong was mended says nothing about the next.
func (q *Sharded) Wake(d destination.Destination) {
	hash := q.targets.hash(&d)
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.targets.find(hash, &d)
	if t == nil {
		return
	}
	l := t.line
	l.overdue = true
	l.woken = l.lease != nil
	q.unpark(l)
	q.schedule(l, q.now())
}

// Line implements Lines. Where destinations share a line, the numbers of events are d's own, and the rest is the line's.
func (q *Sharded) Line(d destination.Destination) (LineStats, bool) {
	hash := q.targets.hash(&d)
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.targets.find(hash, &d)
	if t == nil {
		return LineStats{}, false
	}
	s := LineStats{Waiting: t.waiting.events, Bytes: t.waiting.bytes, InHand: t.inHand}
	if oldest, ok := t.oldest(); ok {
		s.Oldest = q.epoch.Add(oldest)
	}
	if f := t.line.failure; f != nil {
		s.Attempts, s.Permanent, s.Err = f.attempts, f.permanent, f.err
		if f.parked && f.until > q.now() {
			s.Parked, s.Until = q.epoch.Add(f.since), q.epoch.Add(f.until)
		}
	}
	return s, true
}

// oldest looks through the line: what was put back and what hangs below a newer event stands out of order.
func (t *target) oldest() (oldest time.Duration, ok bool) {
	for _, f := range []*fifo{&t.line.live, &t.line.seeds} {
		for top := f.front; top != nil; top = top.next {
			for e := top; e != nil && e.to == t; e = e.before {
				if !ok || e.arrived < oldest {
					oldest, ok = e.arrived, true
				}
			}
		}
	}
	return oldest, ok
}

// Stats implements Lines.
func (q *Sharded) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.promote() // whose backoff has passed is not parked
	return Stats{
		Lines:   len(q.lines.entries),
		Waiting: q.waiting.events,
		InHand:  q.inHand.events,
		Bytes:   q.waiting.bytes + q.inHand.bytes,
		Parked:  q.parked,
		Counts:  q.counts,
	}
}
