package e2e

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// wholeQueue fails the test if an event lacks any part of its destination, on the way in or out.
type wholeQueue struct {
	queue.Queue
	t    *testing.T
	seen atomic.Int64
}

func (q *wholeQueue) check(e event.Event) {
	q.seen.Add(1)
	if err := e.Validate(); err != nil {
		q.t.Errorf("%v", err)
	}
	if e.Destination.Branch == "" || e.Destination.BaseFolder == "" || e.Destination.Repository == "" || e.Destination.RepositoryRef.Name == "" {
		q.t.Errorf("%s: its destination is not whole: %s", e, e.Destination)
	}
}

func (q *wholeQueue) Add(ctx context.Context, e event.Event) error {
	q.check(e)
	return q.Queue.Add(ctx, e)
}

func (q *wholeQueue) TryAdd(e event.Event) error {
	q.check(e)
	return q.Queue.TryAdd(e)
}

func (q *wholeQueue) Next(ctx context.Context) (queue.Batch, error) {
	b, err := q.Queue.Next(ctx)
	for _, e := range b.Events {
		q.check(e)
	}
	return b, err
}

// countingQueue counts what was accepted.
type countingQueue struct {
	queue.Queue
	writes atomic.Int64
}

func (q *countingQueue) TryAdd(e event.Event) error {
	err := q.Queue.TryAdd(e)
	if err == nil && e.Writes() {
		q.writes.Add(1)
	}
	return err
}
