package queue

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheRunnerLeavesBehindWhatIgnoresTheEndOfItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		release := make(chan struct{})
		stop, result := start(t, q, func(context.Context, Batch) error { <-release; return nil },
			&RunOptions{DrainTimeout: time.Minute, EndTimeout: 4 * time.Second})
		time.Sleep(2 * time.Second)
		stop()
		require.Equal(t, time.Minute+4*time.Second, since(func() {
			err := <-result
			require.ErrorIs(t, err, ErrLeftBehind)
			require.ErrorContains(t, err, prod.Ref.String())
			require.ErrorAs(t, err, new(*RemainingError))
		}))
		close(release)
	})
}

func TestNoAnswerToTheQuestionWhetherToDrainIsANo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		release := make(chan struct{})
		stop, result := start(t, q, func(ctx context.Context, _ Batch) error { <-ctx.Done(); return ctx.Err() },
			&RunOptions{DrainTimeout: time.Minute, Drain: func() bool { <-release; return true }})
		time.Sleep(2 * time.Second)
		stop()
		require.Equal(t, drainAnswer, since(func() { require.ErrorAs(t, <-result, new(*RemainingError)) }))
		close(release)
	})
}

// deafQueue is a Queue that knows no context.
type deafQueue struct {
	*Sharded
	release chan struct{}
}

func (q deafQueue) Shutdown(context.Context) error { <-q.release; return nil }

func TestTheRunnerLeavesBehindAQueueThatDoesNotShutDown(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := deafQueue{NewSharded(nil), make(chan struct{})}
		stop, result := start(t, q, func(context.Context, Batch) error { return nil }, &RunOptions{DrainTimeout: time.Second, EndTimeout: time.Second})
		stop()
		require.Equal(t, 2*time.Second, since(func() { require.ErrorIs(t, <-result, ErrLeftBehind) }))
		close(q.release)
	})
}
