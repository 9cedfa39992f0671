package queue

import (
	"context"
	"fmt"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// TryAdd implements Producer.
func (q *Sharded) TryAdd(e event.Event) error {
	hash := q.flows.hash(&e.Destination)
	q.mu.Lock()
	defer q.mu.Unlock()
	t, err := q.admit(&e, hash)
	if err != nil {
		return err
	}
	if !q.offer(t, &e, true) {
		q.counts.Refused++
		t.line.refused = q.need(&e, nil, nil)
		return (*noRoom)(t)
	}
	return nil
}

// Add implements Producer.
func (q *Sharded) Add(ctx context.Context, e event.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("queue: %s: %w", e, err)
	}
	hash := q.flows.hash(&e.Destination)
	q.mu.Lock()
	t, err := q.admit(&e, hash)
	if err != nil || q.offer(t, &e, true) {
		q.mu.Unlock()
		return err
	}
	return q.wait(ctx, t.line, &waiter{key: t.line.key, hash: hash, dst: &e.Destination, event: &e, done: make(chan error, 1)})
}

// admit checks an event and returns its flow, made if there was none. To check a destination and to
// make its key takes longer than all the rest. So both are done only for a destination of which the
// queue holds nothing, and without the lock, since Options.Key is not ours.
func (q *Sharded) admit(e *event.Event, hash uint64) (*flow, error) {
	f := q.flows.find(hash, &e.Destination)
	if f == nil || e.ValidateChange() != nil {
		q.mu.Unlock()
		key, err := "", e.Validate()
		if err == nil {
			key = q.opts.Key(e.Destination)
		}
		q.mu.Lock()
		if err != nil {
			return nil, err
		}
		if !q.closing {
			f = q.flowOf(key, hash, &e.Destination)
		}
	}
	if q.closing {
		return nil, ErrShutdown
	}
	return f, nil
}

// offer puts e into its line if there is room. A newcomer does not pass the calls of Add that wait.
func (q *Sharded) offer(t *flow, e *event.Event, newcomer bool) bool {
	l := t.line
	var old, kept *item // the newest in e's slot, and what of it e does not supersede
	if q.coalesces(e) {
		old = l.find(objectKey{t, e.Resource.ID})
		for kept = old; kept != nil && supersedes(e, &kept.event); {
			kept = kept.before
		}
	}
	n, now := q.need(e, old, kept), q.now()
	if newcomer && n.freed.bytes < n.size.bytes && slices.ContainsFunc(l.waiters, (*waiter).isAdd) || !q.fits(l, n) {
		l.dueNow = true // what makes room must not wait for more
		q.schedule(l, now)
		q.release(t)
		return false
	}
	if l.waiting.events == 0 {
		l.first, l.window = now, q.window(e.Destination)
	}
	l.last = now
	if old != nil {
		l.unlink(old)
	}
	added := &item{event: *e, flow: t, arrived: now, before: kept}
	added.seed = !isLive(e) && !q.opts.KeepEvery && (kept == nil || kept.seed)
	q.bytes += q.contents.add(e)
	q.counts.Coalesced += q.discard(old, kept)
	q.counts.Added++
	q.enwait(added)
	l.link(added, false)
	l.refused = need{}
	q.schedule(l, now)
	return true
}

// coalesces reports whether a newer event may take the place of e.
func (q *Sharded) coalesces(e *event.Event) bool {
	return !q.opts.KeepEvery || e.Operation == event.SeedSync
}

func (q *Sharded) window(d destination.Destination) *Window {
	if q.opts.WindowFor == nil {
		return &q.opts.Window
	}
	w := q.opts.WindowFor(d).or(q.opts.Window)
	return &w
}
