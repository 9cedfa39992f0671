package queue

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
)

// shutdown calls Shutdown and returns where its result comes.
func shutdown(ctx context.Context, q *Sharded) <-chan error {
	result := make(chan error, 1)
	go func() { result <- q.Shutdown(ctx) }()
	synctest.Wait()
	return result
}

func TestShutdownOfAnEmptyQueueSucceeds(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, q.Shutdown(ended))
		require.ErrorIs(t, q.TryAdd(write(prod, "a", "1")), ErrShutdown)
		require.ErrorIs(t, q.Add(t.Context(), write(prod, "a", "1")), ErrShutdown)
		require.ErrorIs(t, q.Room(t.Context(), prod), ErrShutdown)
		_, err := q.Next(t.Context())
		require.ErrorIs(t, err, ErrShutdown)
		drained(t, q)
	})
}

func TestShutdownMakesEveryLineDueAtOnceParkedOnesTooAndWaitsForAll(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 1}})
		add(t, q, write(prod, "a", "1"))
		retry(t, next(t, q), ErrPermanent)
		add(t, q, write(dev, "a", "1"), write(dev, "b", "1"))
		first, second := shutdown(t.Context(), q), shutdown(t.Context(), q)
		require.ErrorIs(t, q.TryAdd(write(dev, "c", "1")), ErrShutdown)
		require.Zero(t, since(func() {
			for range 3 {
				b := next(t, q)
				synctest.Wait()
				require.Empty(t, first)
				done(t, b)
			}
		}))
		require.NoError(t, <-first)
		require.NoError(t, <-second)
		_, err := q.Next(t.Context())
		require.ErrorIs(t, err, ErrShutdown)
		drained(t, q)
	})
}

func TestShutdownTriesEachLineOnceMoreAndTellsWhatIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 2}})
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"), write(prod, "c", "1"), write(dev, "a", "1"))
		under := next(t, q)
		require.Equal(t, prod, under.Events[0].Destination)
		result := shutdown(t.Context(), q)
		done(t, next(t, q))
		retry(t, under, errPush)
		require.Empty(t, result, "that try began before")
		b := next(t, q)
		require.Equal(t, 2, b.Attempt)
		retry(t, b, errPush)
		err := <-result
		var remaining *RemainingError
		require.ErrorAs(t, err, &remaining)
		require.Equal(t, map[destination.Ref]int{prod.Ref: 3}, remaining.Lines)
		require.ErrorIs(t, err, errPush)
		q.Wake(prod)
		_, err = q.Next(t.Context())
		require.ErrorIs(t, err, ErrShutdown, "not handed out again")
		require.ErrorAs(t, q.Shutdown(t.Context()), &remaining)
		require.NoError(t, q.Forget(t.Context(), prod))
		require.NoError(t, q.Shutdown(t.Context()))
		drained(t, q)
	})
}

func TestShutdownReturnsWhenItsContextEndsAndMayBeCalledAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(dev, "a", "1"))
		b := next(t, q)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		var remaining *RemainingError
		require.Equal(t, time.Minute, since(func() { require.ErrorAs(t, q.Shutdown(ctx), &remaining) }))
		require.Equal(t, map[destination.Ref]int{prod.Ref: 1, dev.Ref: 1}, remaining.Lines)
		require.ErrorIs(t, remaining, context.DeadlineExceeded)
		done(t, b)
		done(t, next(t, q))
		require.NoError(t, q.Shutdown(ctx))
	})
}

func TestShutdownEndsBlockedCalls(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEventsPerKey: 1})
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		results := make(chan error, 3)
		go func() { results <- q.Add(t.Context(), write(prod, "b", "1")) }()
		go func() { results <- q.Room(t.Context(), prod) }()
		go func() {
			_, err := q.Next(t.Context())
			results <- err
		}()
		synctest.Wait()
		end := shutdown(t.Context(), q)
		require.Len(t, results, 2, "Next may still get what is put back")
		done(t, b)
		require.NoError(t, <-end)
		for range 3 {
			require.ErrorIs(t, <-results, ErrShutdown)
		}
	})
}

func TestARemainingErrorTellsAFewCauses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"} {
			add(t, q, write(dst("repo", name), "a", "1"))
		}
		result := shutdown(t.Context(), q)
		for range 12 {
			retry(t, next(t, q), errors.New("refused"))
		}
		err := <-result
		require.ErrorContains(t, err, "12 events of 12 destinations left")
		require.Equal(t, maxCauses, strings.Count(err.Error(), "refused"))
	})
}

func TestATryThatFailsDuringAShutdownIsFollowedByItsLastAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		result := shutdown(t.Context(), q)
		retry(t, b, errPush)
		require.Zero(t, q.Stats().Parked)
		require.Zero(t, since(func() { b = next(t, q) }), "whoever shuts down has no time for a backoff")
		done(t, b)
		require.NoError(t, <-result)
	})
}

func TestShutdownDoesNotWaitForAWindow(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Debounce: time.Hour, MaxWait: time.Hour}})
		add(t, q, write(prod, "a", "1"))
		result := shutdown(t.Context(), q)
		require.Zero(t, since(func() { done(t, next(t, q)) }))
		require.NoError(t, <-result)
	})
}

func TestShutdownEndsWhenTheLastOfItIsForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		result := shutdown(t.Context(), q)
		require.NoError(t, q.Forget(t.Context(), prod))
		require.NoError(t, <-result)
	})
}

func TestALineThatIsForgottenAfterItsLastTryDoesNotStandForAnother(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		result := shutdown(t.Context(), q)
		q.closing = false // one that comes in at the last moment
		add(t, q, write(dev, "a", "1"))
		q.closing = true
		b := next(t, q)
		require.Equal(t, prod, b.Events[0].Destination)
		retry(t, b, errPush)
		require.NoError(t, q.Forget(t.Context(), prod))
		synctest.Wait()
		require.Empty(t, result, "dev has still to be tried")
		done(t, next(t, q))
		require.NoError(t, <-result)
	})
}
