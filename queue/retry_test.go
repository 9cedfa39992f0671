package queue

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func TestRetryPutsEventsBackInFrontWithoutWhatWasSuperseded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"), remove(prod, "c"), listed(prod, "d", "1"), seedSync(prod))
		b := next(t, q)
		add(t, q, write(prod, "e", "1"), write(prod, "a", "2"), seedSync(prod), conditional(event.IfAbsent, "c", "1"))
		retry(t, b, errPush)
		b = next(t, q)
		require.Equal(t, []string{"b=1", "-c", "c=1", "e=1", "a=2", "d=1", "sync"}, texts(b.Events))
		require.Equal(t, 2, b.Attempt)
		done(t, b)
		drained(t, q)
	})
}

func TestRetryNeverPutsAnObjectsEventsInTheWrongOrderWhereTheyChangedBetweenListedAndLive(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		was := conditional(event.IfPresent, "a", "1")
		was.Listed = true
		add(t, q, listed(prod, "b", "1"), was)
		b := next(t, q)
		add(t, q, conditional(event.IfAbsent, "a", "2"), write(prod, "c", "1"))
		retry(t, b, errPush)
		require.Equal(t, []string{"a=1", "a=2", "c=1", "b=1"}, texts(next(t, q).Events))
	})
}

func TestRetryOfSomeEventsIsDoneForTheRest(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"), write(prod, "c", "1"), remove(prod, "d"))
		b := next(t, q)
		retry(t, b, errPush, b.Events[3], b.Events[1])
		line, ok := q.Line(prod)
		require.True(t, ok)
		require.Equal(t, 2, line.Waiting)
		require.False(t, line.Parked.IsZero(), "the key backs off")
		b = next(t, q)
		require.Equal(t, []string{"b=1", "-d"}, texts(b.Events), "in the order of the batch")
		done(t, b)
		drained(t, q)
	})
}

func TestRetryOfAnEventThatIsNotOfTheBatchLosesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		b := next(t, q)
		require.ErrorContains(t, b.Retry(t.Context(), errPush, b.Events[0], write(prod, "b", "1")), "not of the batch")
		require.Equal(t, []string{"a=1", "b=1"}, texts(next(t, q).Events))
	})
}

func TestAHandlerThatChangesItsBatchDoesNotChangeTheLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		b := next(t, q)
		slices.Reverse(b.Events)
		b.Events[0] = event.Event{}
		retry(t, b, errPush)
		require.Equal(t, []string{"a=1", "b=1"}, texts(next(t, q).Events))
	})
}

func TestAFailingKeyBacksOffExponentiallyWithJitterAndDoneEndsIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		jitter := map[time.Duration]bool{}
		b := next(t, q)
		for attempt := 1; attempt <= 12; attempt++ {
			require.Equal(t, attempt, b.Attempt)
			retry(t, b, errPush)
			full := min(5*time.Minute, time.Second<<(attempt-1))
			line, _ := q.Line(prod)
			pause := line.Until.Sub(line.Parked)
			require.Equal(t, time.Until(line.Until), pause)
			require.GreaterOrEqual(t, pause, full/2)
			require.LessOrEqual(t, pause, full)
			require.Equal(t, attempt, line.Attempts)
			require.ErrorIs(t, line.Err, errPush)
			require.False(t, line.Permanent)
			require.Equal(t, 1, q.Stats().Parked)
			jitter[full-pause] = true
			add(t, q, write(prod, "b", fmt.Sprint(attempt)))
			require.Equal(t, pause, since(func() { b = next(t, q) }), "new events do not end a backoff")
			require.Zero(t, q.Stats().Parked)
		}
		require.Greater(t, len(jitter), 1)
		add(t, q, write(prod, "c", "1"))
		done(t, b)
		line, _ := q.Line(prod)
		require.Equal(t, KeyStats{Waiting: 1, Bytes: 1, Oldest: line.Oldest}, line)
		require.Equal(t, 1, next(t, q).Attempt)
	})
}

func TestAParkedKeyHoldsUpNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		retry(t, next(t, q), ErrPermanent)
		add(t, q, write(dev, "a", "1"))
		require.Equal(t, time.Second, since(func() { require.Equal(t, dev, next(t, q).Events[0].Destination) }))
	})
}

func TestAPermanentFailureParksForTheLongestTimeAtOnceAndShows(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		retry(t, next(t, q), fmt.Errorf("credentials: %w", ErrPermanent))
		line, ok := q.Line(prod)
		require.True(t, ok)
		require.True(t, line.Permanent)
		require.Equal(t, 1, line.Waiting)
		require.GreaterOrEqual(t, time.Until(line.Until), 150*time.Second)
		require.LessOrEqual(t, time.Until(line.Until), 5*time.Minute)
	})
}

// busy is the error of a server that says when to come back.
type busy time.Duration

func (b busy) Error() string             { return "busy" }
func (b busy) RetryDelay() time.Duration { return time.Duration(b) }

func TestAFailureThatSaysWhenToComeBackIsNotTriedBefore(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		retry(t, next(t, q), fmt.Errorf("push: %w", busy(10*time.Minute)))
		line, _ := q.Line(prod)
		require.GreaterOrEqual(t, time.Until(line.Until), 10*time.Minute)
		require.Less(t, time.Until(line.Until), 10*time.Minute+time.Second)
		q.Wake(prod)
		retry(t, next(t, q), busy(time.Nanosecond))
		line, _ = q.Line(prod)
		require.GreaterOrEqual(t, time.Until(line.Until), time.Second, "the backoff is the least")
	})
}

func TestWakeEndsABackoff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		q.Wake(prod) // of which there is nothing
		add(t, q, write(prod, "a", "1"))
		retry(t, next(t, q), ErrPermanent)
		q.Wake(prod)
		require.Zero(t, q.Stats().Parked)
		require.Zero(t, since(func() { require.Equal(t, 2, next(t, q).Attempt) }))
	})
}

func TestAWakeDuringATryMeansItsRetryToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		q.Wake(prod)
		retry(t, b, ErrPermanent)
		require.Zero(t, since(func() { b = next(t, q) }))
		retry(t, b, ErrPermanent)
		require.Equal(t, 1, q.Stats().Parked, "but only that one")
	})
}

func TestWakeMakesALineDueThatIsNotParked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		q.Wake(prod)
		require.Zero(t, since(func() { next(t, q) }))
	})
}

func TestALiveChangeThatIsPutBackIsLiveAlsoWhereAListedOneFollowsIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, conditional(event.IfPresent, "a", "1"))
		b := next(t, q)
		found := conditional(event.IfAbsent, "a", "2")
		found.Listed = true
		add(t, q, found, write(prod, "b", "1"), listed(prod, "c", "1"))
		retry(t, b, errPush)
		require.Equal(t, []string{"a=1", "a=2", "b=1", "c=1"}, texts(next(t, q).Events), "in front of all that waits")
	})
}

func TestABackoffStaysTheLongestHoweverOftenALineFails(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		for range 100 {
			q.Wake(prod)
			retry(t, next(t, q), errPush)
		}
		line, _ := q.Line(prod)
		require.GreaterOrEqual(t, time.Until(line.Until), 150*time.Second)
		require.LessOrEqual(t, time.Until(line.Until), 5*time.Minute)
	})
}

func TestRetryTellsApartEventsThatDifferInOneThing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{KeepEvery: true, Key: ByRepository})
		first := write(prod, "a", "1")
		all := []event.Event{first}
		for _, change := range []func(e *event.Event){
			func(e *event.Event) { e.Operation = event.Create },
			func(e *event.Event) { e.Precondition = event.IfAbsent },
			func(e *event.Event) { e.Destination = dev },
			func(e *event.Event) { e.Resource.Name = "b" },
			func(e *event.Event) { e.Content = event.NewContent([]byte("1")) },
		} {
			e := first
			change(&e)
			all = append(all, e)
		}
		add(t, q, all...)
		b := next(t, q)
		require.Len(t, b.Events, len(all))
		retry(t, b, errPush, b.Events[0])
		require.Equal(t, 1, q.Stats().Waiting)
	})
}

func TestARetryThatNamesAnotherEventFailsAlsoInALineThatWasWoken(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		q.Wake(prod)
		require.ErrorContains(t, b.Retry(t.Context(), errPush, write(prod, "b", "1")), "not of the batch")
	})
}

func TestWhatWasSupersededInHandCountsAsCoalescedAndNotAsRetried(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		b := next(t, q)
		add(t, q, write(prod, "a", "2"))
		retry(t, b, errPush)
		require.Equal(t, Counts{Added: 3, Coalesced: 1, Retried: 1}, q.Stats().Counts)
	})
}
