package queue

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Room implements Producer. There is room if the last event that TryAdd refused for this line would
// fit. An invalid destination has none: Room returns event.ErrIncomplete.
func (q *Sharded) Room(ctx context.Context, d destination.Destination) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("queue: room for %s: %w", d.Ref, err)
	}
	if err := d.Validate(); err != nil {
		return fmt.Errorf("%w: %w", event.ErrIncomplete, err)
	}
	key := q.opts.Key(d)
	q.mu.Lock()
	l := q.lines.entries[key]
	switch {
	case q.closing:
		q.mu.Unlock()
		return ErrShutdown
	case l == nil || len(l.waiters) == 0 && q.fits(l, l.wanted()):
		q.mu.Unlock()
		return nil
	}
	return q.wait(ctx, l, &waiter{dst: &d, done: make(chan error, 1)})
}

// need is the room that an event takes: its size in the line, and what the line gives up for it.
// The total grows by other bytes than the line does, since it counts shared content once.
type need struct {
	size, freed load
	grows       int64 // at most 0: the total does not grow
}

// wanted is what Room waits for: the last event that was refused, or at least one byte.
func (l *line) wanted() need {
	if l.refused == (need{}) {
		return need{size: load{1, 1}, grows: 1}
	}
	return l.refused
}

// need returns the need of e if it takes the place of old, up to but without kept.
func (q *Sharded) need(e *event.Event, old, kept *item) need {
	n := need{size: loadOf(e), grows: q.contents.adds(e)}
	for ; old != kept; old = old.before {
		n.freed.add(loadOf(&old.event))
		n.grows -= q.contents.removes(&old.event)
	}
	return n
}

// fits reports whether a line has room. An event that makes the line no larger needs none in it,
// but it does in total if what it replaces is shared: else lines that each replace what they share
// would fill the memory without bound. An event that makes the total no larger needs none of its
// bytes.
func (q *Sharded) fits(l *line, n need) bool {
	held := l.waiting
	held.add(l.inHand)
	held.sub(n.freed)
	if held.events == 0 {
		return true
	}
	bytes := q.bytes + n.grows
	if n.freed.events == 0 || n.size.bytes > n.freed.bytes {
		events := q.waiting + q.inHand - n.freed.events
		if held.events+n.size.events > min(q.opts.MaxEventsPerKey, q.opts.MaxEvents-events) || held.bytes+n.size.bytes > q.opts.MaxBytesPerKey {
			return false
		}
		bytes += held.bytes // a line holds at most what is left for others
	}
	return n.grows <= 0 || bytes <= q.opts.MaxBytes
}

// noRoom is ErrFull for a flow. A listing that is larger than the room is refused object by object,
// once for each destination, so a refusal must cost nothing: its text is made when somebody reads
// it.
type noRoom flow

// Error implements error.
func (r *noRoom) Error() string {
	return fmt.Sprintf("%v: no room for an event for %s", ErrFull, r.dst.Ref)
}

// Unwrap lets errors.Is see ErrFull.
func (r *noRoom) Unwrap() error { return ErrFull }

// waiter is a blocked Add, or a Room if it has no event.
type waiter struct {
	key   string
	hash  uint64 // of dst
	dst   *destination.Destination
	event *event.Event
	done  chan error // has room for the one answer
}

func (w *waiter) isAdd() bool { return w.event != nil }

// wait blocks until serve has served w, or ctx ends. The caller holds the lock; wait returns
// without it.
func (q *Sharded) wait(ctx context.Context, l *line, w *waiter) error {
	if len(l.waiters) == 0 {
		q.blocked = append(q.blocked, l)
	}
	l.waiters = append(l.waiters, w)
	q.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(l.waiters, w)
	if i < 0 { // served at the same moment
		return <-w.done
	}
	l.waiters = slices.Delete(l.waiters, i, i+1)
	q.serveAll() // the one behind may fit where this one did not
	return fmt.Errorf("queue: waiting for room for %s: %w", w.dst.Ref, ctx.Err())
}

// serveAll must be called whenever room became free. It puts the events of blocked calls in.
func (q *Sharded) serveAll() {
	q.blocked = slices.DeleteFunc(q.blocked, func(l *line) bool {
		for len(l.waiters) > 0 && q.serve(l, l.waiters[0]) {
			l.waiters = slices.Delete(l.waiters, 0, 1)
		}
		return len(l.waiters) == 0
	})
}

func (q *Sharded) serve(l *line, w *waiter) bool {
	if w.isAdd() {
		if !q.offer(q.flowOf(w.key, w.hash, w.dst), w.event, false) {
			return false
		}
	} else if !q.fits(l, l.wanted()) {
		return false
	}
	w.done <- nil
	return true
}
