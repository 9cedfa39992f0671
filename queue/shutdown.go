package queue

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
)

// maxCauses bounds the number of failures that a RemainingError names.
const maxCauses = 10

// Shutdown implements Queue. A try that is under way when it is first called is not the last one:
// if it fails, another follows at once. If nothing is left, Shutdown returns nil even if ctx has
// ended.
func (q *Sharded) Shutdown(ctx context.Context) error {
	q.mu.Lock()
	if !q.closing {
		q.close()
	}
	q.mu.Unlock()
	select {
	case <-q.drained:
		// Without the lock: whoever collects the metrics holds one of its own, and asks for ours.
		if err := q.meters.end(); err != nil {
			q.opts.Logger.Error(err, "Metrics are not unregistered")
		}
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.remaining(ctx)
}

func (q *Sharded) close() {
	q.closing = true
	for _, l := range q.blocked {
		for _, w := range l.waiters {
			w.done <- ErrShutdown
		}
	}
	q.blocked = nil
	now := q.now()
	for _, l := range q.lines.entries {
		l.dueNow = true
		q.scheduler.unpark(l)
		q.schedule(l, now)
	}
	q.checkDrained()
}

// checkDrained must be called when the last event of a line may be gone, or its last try may be
// over.
func (q *Sharded) checkDrained() {
	if !q.closing || len(q.lines.entries) != q.lastTriesFailed {
		return
	}
	select {
	case <-q.drained:
	default:
		close(q.drained)
	}
}

// remaining returns what is left as a *RemainingError, or nil.
func (q *Sharded) remaining(ctx context.Context) error {
	if len(q.lines.entries) == 0 {
		return nil
	}
	left := map[destination.Ref]int{}
	q.flows.all(func(t *flow) { left[t.dst.Ref] += t.waiting.events + t.inHand })
	var causes []error
	select {
	case <-q.drained:
	default:
		causes = append(causes, ctx.Err())
	}
	for _, key := range slices.Sorted(maps.Keys(q.lines.entries)) {
		if f := q.lines.entries[key].failure; f != nil && f.err != nil && len(causes) < maxCauses {
			causes = append(causes, fmt.Errorf("%s: %w", key, f.err))
		}
	}
	return &RemainingError{Lines: left, Err: errors.Join(causes...)}
}
