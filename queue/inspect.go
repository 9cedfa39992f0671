package queue

import (
	"context"
	"time"

	"github.com/kubescribe/kubescribe/destination"
)

// Forget implements Inspector. It never blocks, and succeeds also if ctx has ended. The event of a
// blocked Add comes in afterwards and stays.
func (q *Sharded) Forget(_ context.Context, d destination.Destination) error {
	if waited, inHand := q.forget(d); waited+inHand > 0 {
		q.opts.Logger.V(1).Info("Line forgotten", "destination", d, "dropped", waited, "inHand", inHand)
	}
	return nil
}

// forget returns the number of events that were dropped, and of those that are in hand.
func (q *Sharded) forget(d destination.Destination) (waited, inHand int) {
	hash := q.flows.hash(&d)
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.flows.find(hash, &d)
	if t == nil {
		return 0, 0
	}
	waited, inHand = t.waiting.events, t.inHand
	l := t.line
	for _, f := range []*fifo{&l.live, &l.seeds} {
		for e := f.front; e != nil; {
			next := e.next
			if e.flow == t {
				l.unlink(e)
				q.counts.Forgotten += q.discard(e, nil)
			}
			e = next
		}
	}
	if l.lease != nil {
		for e := l.lease.hand.front; e != nil; e = e.next {
			e.forgotten = e.forgotten || e.flow == t
		}
	}
	q.release(t)
	q.serveAll()
	q.schedule(l, q.now())
	q.checkDrained()
	return waited, inHand
}

// Wake implements Inspector. While a batch of the line is in hand, Wake speaks for its Retry too: a
// try that began before the cause was mended says nothing about the next.
func (q *Sharded) Wake(d destination.Destination) {
	hash := q.flows.hash(&d)
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.flows.find(hash, &d)
	if t == nil {
		return
	}
	l := t.line
	l.dueNow = true
	l.woken = l.lease != nil
	q.scheduler.unpark(l)
	q.schedule(l, q.now())
}

// Line implements Inspector. Where destinations share a line, the numbers of events are those of d,
// and the rest is that of the line.
func (q *Sharded) Line(d destination.Destination) (KeyStats, bool) {
	hash := q.flows.hash(&d)
	q.mu.Lock()
	defer q.mu.Unlock()
	t := q.flows.find(hash, &d)
	if t == nil {
		return KeyStats{}, false
	}
	s := q.stats(t, q.now())
	for e := range t.line.waits() {
		if e.flow == t {
			s.Oldest = q.older(s.Oldest, e)
		}
	}
	return s, true
}

// Snapshot describes the lines of all destinations of which the queue holds something, for a status
// page. It looks at every waiting event with the queue locked: that takes some milliseconds for
// 100,000 events.
func (q *Sharded) Snapshot() map[destination.Destination]KeyStats {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	all := make(map[destination.Destination]KeyStats, q.flows.len)
	q.flows.all(func(t *flow) { all[t.dst] = q.stats(t, now) })
	for _, l := range q.lines.entries {
		oldest := map[*flow]time.Time{}
		for e := range l.waits() {
			oldest[e.flow] = q.older(oldest[e.flow], e)
		}
		for t, at := range oldest {
			s := all[t.dst]
			s.Oldest = at
			all[t.dst] = s
		}
	}
	return all
}

// stats returns the KeyStats of a flow, but for Oldest.
func (q *Sharded) stats(t *flow, now time.Duration) KeyStats {
	s := KeyStats{Waiting: t.waiting.events, Bytes: t.waiting.bytes, InHand: t.inHand}
	if f := t.line.failure; f != nil {
		s.Attempts, s.Permanent, s.Err = f.attempts, f.permanent, f.err
		if f.parked && f.until > now {
			s.Parked, s.Until = q.epoch.Add(f.since), q.epoch.Add(f.until)
		}
	}
	return s
}

func (q *Sharded) older(than time.Time, e *item) time.Time {
	if at := q.epoch.Add(e.arrived); than.IsZero() || at.Before(than) {
		return at
	}
	return than
}

// oldest returns the age of the oldest waiting event. It looks only at the front of each line: an
// event that was put back behind a newer one of its object may be a little older.
func (q *Sharded) oldest() time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	var age time.Duration
	for _, l := range q.lines.entries {
		for _, e := range [...]*item{l.live.front, l.seeds.front} {
			if e != nil {
				age = max(age, now-e.oldest().arrived)
			}
		}
	}
	return age
}

// Stats implements Inspector.
func (q *Sharded) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.scheduler.promote(q.now()) // whose backoff has passed is not parked
	return Stats{
		Lines:   len(q.lines.entries),
		Waiting: q.waiting,
		InHand:  q.inHand,
		Bytes:   q.bytes,
		Parked:  q.scheduler.parked,
		Counts:  q.counts,
	}
}
