package queue

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// found is what a listing has found, with a condition.
func found(c event.Precondition, name, content string) event.Event {
	e := conditional(c, name, content)
	e.Listed = true
	return e
}

func TestWhatIsPutBackStandsWhereItBelongsByItself(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, conditional(event.IfPresent, "a", "1"), found(event.IfAbsent, "a", "2"))
		b := next(t, q)
		require.Equal(t, []string{"a=1", "a=2"}, texts(b.Events))
		add(t, q, write(prod, "b", "1"))
		retry(t, b, errPush, b.Events[1])
		require.Equal(t, []string{"b=1", "a=2"}, texts(next(t, q).Events), "what was listed goes behind what is live")
	})
}

func TestTwoListedEventsOfAnObjectStayBehindLiveOnes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, found(event.IfPresent, "a", "1"), found(event.IfAbsent, "a", "2"), write(prod, "b", "1"))
		b := next(t, q)
		require.Equal(t, []string{"b=1", "a=1", "a=2"}, texts(b.Events))
		done(t, b)
		add(t, q, found(event.IfPresent, "a", "1"))
		b = next(t, q)
		add(t, q, found(event.IfAbsent, "a", "2"), write(prod, "b", "1"))
		retry(t, b, errPush)
		require.Equal(t, []string{"b=1", "a=1", "a=2"}, texts(next(t, q).Events))
	})
}

func TestARetryThatNamesAnotherEventFailsAlsoWhereAllWasForgotten(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		require.NoError(t, q.Forget(t.Context(), prod))
		require.ErrorContains(t, b.Retry(t.Context(), errPush, write(prod, "b", "1")), "not of the batch")
		drained(t, q)
	})
}

func TestALineIsShownAsParkedOnlyWhileItBacksOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(dev, "a", "1"))
		retry(t, next(t, q), errPush)
		retry(t, next(t, q), errPush)
		require.Equal(t, 2, q.Stats().Parked)
		q.Wake(dev)
		woken, _ := q.Line(dev)
		require.Zero(t, woken.Parked)
		require.Equal(t, 1, q.Stats().Parked)
		time.Sleep(time.Minute)
		line, _ := q.Line(prod)
		require.Zero(t, line.Parked, "its time has come, though nobody has asked for a batch")
		require.Equal(t, 1, line.Attempts)
		require.Zero(t, q.Stats().Parked)
	})
}

func TestTheOldestOfALineMayBeWhatWasListed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		began := time.Now()
		add(t, q, listed(prod, "a", "1"))
		time.Sleep(time.Millisecond)
		add(t, q, write(prod, "b", "1"))
		line, _ := q.Line(prod)
		require.Equal(t, began, line.Oldest)
		require.Equal(t, began, q.Snapshot()[prod].Oldest)
	})
}

func TestErrorsOfTheQueueShowTheirCause(t *testing.T) {
	require.ErrorIs(t, &PartialError{Err: errPush}, errPush)
	require.ErrorIs(t, &RemainingError{Err: errPush}, errPush)
	require.Equal(t, outcomePanicked, outcome(t.Context(), Batch{}, errGoexit))
	require.Equal(t, outcomePanicked, outcome(t.Context(), Batch{}, errPanic))
}

func TestDrainIsAskedOnlyWhenTheContextHasEnded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		asked := false
		_, result := start(t, q, func(context.Context, Batch) error { return nil }, &RunOptions{Drain: func() bool { asked = true; return false }})
		synctest.Wait()
		require.NoError(t, q.Shutdown(t.Context()))
		require.NoError(t, <-result)
		require.False(t, asked)
	})
}

func TestABlockedAddOfAnotherDestinationGoesIntoTheSharedLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Key: ByRepository, MaxEventsPerKey: 2, Window: Window{Bytes: 1}})
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		added := make(chan error, 1)
		go func() { added <- q.Add(t.Context(), write(dev, "c", "1")) }()
		synctest.Wait()
		done(t, next(t, q))
		require.NoError(t, <-added)
		require.Equal(t, 1, q.Stats().Lines)
		done(t, next(t, q))
		b := next(t, q)
		require.Equal(t, ByRepository(dev), b.Key)
		done(t, b)
		drained(t, q)
	})
}

func TestARoomThatGivesUpNamesItsDestination(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEventsPerKey: 1})
		add(t, q, write(prod, "a", "1"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := q.Room(ctx, prod)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, prod.Ref.String())
	})
}

func TestAKeyIsAskedForOnlyOfWhatIsValid(t *testing.T) {
	asked := 0
	q := NewSharded(&Options{Key: func(d destination.Destination) string { asked++; return ByDestination(d) }})
	bad := write(prod, "a", "1")
	bad.Destination.Branch = ""
	require.ErrorIs(t, q.TryAdd(bad), event.ErrIncomplete)
	require.Zero(t, asked)
	add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
	require.Equal(t, 1, asked)
}

func TestWhatReplacesAnotherNeedsOnlyTheDifference(t *testing.T) {
	bytes := func(n int) string { return strings.Repeat("x", n) }
	for name, opts := range map[string]Options{"of a line": {MaxBytesPerKey: 10}, "of all": {MaxBytes: 20}} {
		q := NewSharded(&opts)
		add(t, q, write(prod, "a", bytes(3)), write(prod, "b", bytes(3)))
		require.ErrorIs(t, q.TryAdd(write(prod, "a", bytes(100))), ErrFull, name)
		add(t, q, write(prod, "a", bytes(5)))
	}
	q := NewSharded(&Options{MaxBytesPerKey: 10, MaxBytes: 20})
	add(t, q, write(prod, "a", bytes(6)), write(prod, "b", bytes(4)), write(dev, "a", bytes(100)))
	require.ErrorIs(t, q.TryAdd(write(prod, "c", "1")), ErrFull, "an empty line took more than there was room for")
	add(t, q, write(prod, "a", bytes(6)), write(prod, "a", bytes(5)))
	require.ErrorIs(t, q.TryAdd(write(prod, "a", bytes(6))), ErrFull)
}

func TestWhatIsInHandCountsForTheTotal(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEvents: 4, Window: Window{Count: 2}})
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		b := next(t, q)
		add(t, q, write(dev, "a", "1"))
		require.ErrorIs(t, q.TryAdd(write(dev, "b", "1")), ErrFull)
		done(t, b)
		add(t, q, write(dev, "b", "1"))
	})
}

func TestWhoWaitsForRoomIsNotHeldUpByAnUpdateThatNeedsNone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 10})
		add(t, q, write(prod, "a", "123456"))
		added := make(chan error, 1)
		go func() { added <- q.Add(t.Context(), write(prod, "b", "12345678")) }()
		synctest.Wait()
		add(t, q, write(prod, "a", "654321"))
		require.ErrorIs(t, q.TryAdd(write(prod, "a", "7654321")), ErrFull)
		done(t, next(t, q))
		require.NoError(t, <-added)
	})
}

func TestRoomForgetsWhatWasRefusedOnceSomethingWasTaken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 10})
		add(t, q, write(prod, "a", "1234"))
		require.ErrorIs(t, q.TryAdd(write(prod, "b", "12345678")), ErrFull)
		add(t, q, write(prod, "c", "12"))
		require.Zero(t, since(func() { require.NoError(t, q.Room(t.Context(), prod)) }))
	})
}

func TestAFailureWithoutACauseIsNoCause(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		result := shutdown(t.Context(), q)
		retry(t, next(t, q), nil)
		err := <-result
		require.ErrorContains(t, err, "1 events of 1 destinations left")
		require.NotContains(t, err.Error(), "%!")
	})
}

func TestAListingThatGrowsKeepsItsTurn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, listed(prod, "a", "1"), listed(dev, "a", "1"))
		q.Wake(prod)
		q.Wake(dev)
		add(t, q, listed(prod, "b", "1"))
		require.Equal(t, []string{"prod a=1", "dev a=1"}, order(t, q, 2))
	})
}

func TestALineThatWasDueStaysDueWhenMoreComes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		time.Sleep(time.Second)
		q.Stats() // gives it its turn
		add(t, q, write(prod, "b", "1"))
		require.Zero(t, since(func() { done(t, next(t, q)) }))
		drained(t, q)
	})
}

func TestALineThatIsDueBeforeAllOthersWakesWhoSleeps(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{WindowFor: func(d destination.Destination) Window {
			if d == dev {
				return Window{Debounce: time.Hour, MaxWait: time.Hour}
			}
			return Window{}
		}})
		add(t, q, write(dev, "a", "1"))
		began := time.Now()
		took := make(chan time.Duration, 2)
		for range 2 {
			go func() {
				b := next(t, q)
				took <- time.Since(began)
				done(t, b)
			}()
		}
		synctest.Wait()
		add(t, q, write(prod, "a", "1"))
		require.Equal(t, time.Second, <-took)
		require.Equal(t, time.Hour, <-took)
	})
}
