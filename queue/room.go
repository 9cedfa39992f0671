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
	case l == nil || len(l.waiters) == 0 && q.fits(l, load{1, l.refusedBy}, load{}):
		q.mu.Unlock()
		return nil
	}
	return q.wait(ctx, l, &waiter{dst: &d, done: make(chan error, 1)})
}

// fits reports whether a line has room for size if it gives up freed. An event that makes the line
// no larger always fits.
func (q *Sharded) fits(l *line, size, freed load) bool {
	held, total := l.waiting, q.waiting
	held.add(l.inHand)
	held.sub(freed)
	total.add(q.inHand)
	total.sub(freed)
	if held.events == 0 || freed.events > 0 && size.bytes <= freed.bytes {
		return true
	}
	return held.events+size.events <= min(q.opts.MaxEventsPerKey, q.opts.MaxEvents-total.events) &&
		held.bytes+size.bytes <= min(q.opts.MaxBytesPerKey, q.opts.MaxBytes-total.bytes)
}

// noRoom is ErrFull for a flow. A listing that is larger than the room is refused object by object,
// once for each destination, so a refusal must cost nothing: its text is made when somebody reads
// it.
type noRoom flow

func (r *noRoom) Error() string {
	return fmt.Sprintf("%v: no room for an event for %s", ErrFull, r.dst.Ref)
}
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
	} else if !q.fits(l, load{1, l.refusedBy}, load{}) {
		return false
	}
	w.done <- nil
	return true
}
