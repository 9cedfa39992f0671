package queue

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// bulkRig runs handlers that hang until they are let go, one for each destination.
type bulkRig struct {
	q       *Sharded
	mu      sync.Mutex
	running map[string]chan struct{} // closed to let one go
}

func bulked(t *testing.T, maxBytes int64, f func(t *testing.T, r *bulkRig)) {
	bubble(t, func(t *testing.T) {
		r := &bulkRig{q: NewSharded(&Options{Window: Window{Debounce: time.Nanosecond, Bytes: 1 << 20}}), running: map[string]chan struct{}{}}
		runner := NewRunner(r.q, func(ctx context.Context, b Batch) error {
			end := make(chan struct{})
			r.mu.Lock()
			r.running[b.Events[0].Destination.Ref.Name] = end
			r.mu.Unlock()
			select {
			case <-end:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}, &RunOptions{MaxBytes: maxBytes, DrainTimeout: time.Nanosecond})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- runner.Start(ctx) }()
		f(t, r)
		cancel()
		if err := <-ended; err != nil {
			t.Log(err)
		}
	})
}

// add has a batch of a size for a destination, and returns the number of handlers that have begun.
func (r *bulkRig) add(t *testing.T, i, size int) int {
	t.Helper()
	e := write(dst("repo", fmt.Sprint("d", i)), "a", "x")
	e.Content = event.NewContent(make([]byte, size))
	add(t, r.q, e)
	return r.began()
}

// end lets a handler go.
func (r *bulkRig) end(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	close(r.running[name])
}

func (r *bulkRig) began() int {
	time.Sleep(time.Millisecond)
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running)
}

func TestLargeBatchesBeginWhenThereIsRoomForThem(t *testing.T) {
	bulked(t, 1<<20, func(t *testing.T, r *bulkRig) {
		require.Equal(t, 1, r.add(t, 0, 600<<10))
		require.Equal(t, 1, r.add(t, 1, 600<<10))
		require.Equal(t, 1, r.add(t, 2, 300<<10), "first come, first served")
		require.Equal(t, 2, r.add(t, 3, bulkFrom-1), "a small one passes")
		r.end("d0")
		require.Equal(t, 4, r.began(), "both have room")
		require.Contains(t, r.running, "d1")
		require.Contains(t, r.running, "d2")
	})
}

func TestABatchThatTakesLongHoldsNobodyUp(t *testing.T) {
	bulked(t, 1<<20, func(t *testing.T, r *bulkRig) {
		require.Equal(t, 1, r.add(t, 0, 900<<10))
		require.Equal(t, 1, r.add(t, 1, 900<<10))
		time.Sleep(bulkTime)
		require.Equal(t, 2, r.began())
		r.end("d0") // counted once
		require.Equal(t, 2, r.add(t, 2, 900<<10))
		time.Sleep(bulkTime)
		require.Equal(t, 3, r.began())
	})
}

func TestABatchLargerThanTheBoundRunsAlone(t *testing.T) {
	bulked(t, 300<<10, func(t *testing.T, r *bulkRig) {
		require.Equal(t, 1, r.add(t, 0, 900<<10))
		require.Equal(t, 1, r.add(t, 1, 900<<10))
		r.end("d0")
		require.Equal(t, 2, r.began())
	})
}

func TestWhoWaitsForRoomAmongLargeBatchesLeavesWithItsContext(t *testing.T) {
	b := bulk{limit: 1}
	batch := Batch{Events: []event.Event{{Content: event.NewContent(make([]byte, bulkFrom))}}}
	leave, err := b.enter(t.Context(), &batch)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = b.enter(ctx, &batch)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, b.waiting)
	leave()
	leave()
	require.Zero(t, b.held)
}
