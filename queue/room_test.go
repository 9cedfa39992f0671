package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func TestALineIsBoundedByBytesAndCountWithWhatIsInHand(t *testing.T) {
	for name, opts := range map[string]Options{
		"bytes": {MaxBytesPerKey: 40, Window: Window{Bytes: 20}},
		"count": {MaxEventsPerKey: 4, Window: Window{Bytes: 20}},
	} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&opts)
			for i := range 4 {
				add(t, q, write(prod, fmt.Sprint(i), "0123456789"))
			}
			b := next(t, q)
			require.Len(t, b.Events, 2, name)
			require.ErrorIs(t, q.TryAdd(write(prod, "more", "0123456789")), ErrFull, name)
			require.Equal(t, Stats{Lines: 1, Waiting: 2, InHand: 2, Bytes: 40, Counts: Counts{Added: 4, Refused: 1}}, q.Stats())
			add(t, q, write(dev, "more", "0123456789"))
			done(t, b)
			add(t, q, write(prod, "more", "0123456789"), write(prod, "more2", "0123456789"))
			require.ErrorIs(t, q.TryAdd(write(prod, "more3", "0123456789")), ErrFull, name)
		})
	}
}

func TestTheQueueIsBoundedByBytesAndCount(t *testing.T) {
	for name, opts := range map[string]Options{"bytes": {MaxBytes: 1000}, "count": {MaxEvents: 100}} {
		q := NewSharded(&opts)
		for range 100 {
			for i := range 10 {
				for j := range 10 {
					_ = q.TryAdd(write(dst("repo", fmt.Sprint(i)), fmt.Sprint("o", j, q.Stats().Waiting), "0123456789"))
				}
			}
		}
		require.LessOrEqual(t, q.Stats().Waiting, 100, name)
		require.Greater(t, q.Stats().Waiting, 80, name)
	}
}

func TestLinesThatCannotBeEmptiedLeaveTheOthersRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 800_000, MaxBytes: 3_200_000})
		kb := strings.Repeat("x", 1000)
		fill := func(lines int) {
			for i := range lines {
				for j := 0; q.TryAdd(write(dst("hung", fmt.Sprint(i)), fmt.Sprint(j), kb)) == nil; j++ {
				}
			}
		}
		fill(4) // would take up all, were it not for the share of what is free
		for i := range 150 {
			add(t, q, write(prod, fmt.Sprint(i), kb))
		}
		fill(100)
		require.LessOrEqual(t, q.Stats().Bytes, int64(3_200_000+100*1000), "at most an event for each line above the total")
		add(t, q, write(dev, "a", kb))
	})
}

func TestAnEmptyLineTakesAnEventHoweverLarge(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 10, MaxBytes: 20})
		add(t, q, write(prod, "a", strings.Repeat("x", 100)), write(dev, "a", strings.Repeat("x", 100)))
		require.ErrorIs(t, q.TryAdd(write(prod, "b", "1")), ErrFull)
		b := next(t, q)
		require.ErrorIs(t, q.TryAdd(write(b.Events[0].Destination, "b", "1")), ErrFull, "in hand, it is not empty")
		done(t, b)
		add(t, q, write(b.Events[0].Destination, "b", "1"))
	})
}

func TestEventsWithoutContentAreBoundedToo(t *testing.T) {
	q := NewSharded(&Options{MaxBytesPerKey: 3 * bareBytes})
	add(t, q, remove(prod, "a"), remove(prod, "b"), seedSync(prod))
	require.ErrorIs(t, q.TryAdd(remove(prod, "c")), ErrFull)
}

func TestAReplacedEventGivesItsRoomBack(t *testing.T) {
	q := NewSharded(&Options{MaxBytesPerKey: 100, MaxEventsPerKey: 3})
	add(t, q, write(prod, "a", strings.Repeat("x", 60)), write(prod, "b", strings.Repeat("x", 40)))
	require.ErrorIs(t, q.TryAdd(write(prod, "c", "1")), ErrFull)
	add(t, q, write(prod, "a", strings.Repeat("y", 60)), write(prod, "a", strings.Repeat("y", 20)), write(prod, "c", "1"))
	require.ErrorIs(t, q.TryAdd(write(prod, "d", "1")), ErrFull)
	add(t, q, write(prod, "c", "2"))
}

func TestALineThatRefusedAnEventIsDueAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEventsPerKey: 1})
		add(t, q, listed(prod, "a", "1"))
		require.Error(t, q.TryAdd(listed(prod, "b", "1")))
		require.Zero(t, since(func() { next(t, q) }))
	})
}

func TestAddBlocksUntilThereIsRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEventsPerKey: 1})
		add(t, q, write(prod, "a", "1"))
		order := make(chan int, 10)
		for i := range 10 {
			go func() {
				if q.Add(t.Context(), write(prod, fmt.Sprint("b", i), "1")) == nil {
					order <- i
				}
			}()
			synctest.Wait()
		}
		for i := range 10 {
			b := next(t, q)
			require.ErrorIs(t, q.TryAdd(write(prod, "barges in", "1")), ErrFull)
			done(t, b)
			synctest.Wait()
			require.Len(t, order, 1)
			require.Equal(t, i, <-order, "first come, first served")
			require.ErrorIs(t, q.TryAdd(write(prod, "barges in", "1")), ErrFull)
		}
		done(t, next(t, q))
		drained(t, q)
	})
}

func TestAnAddThatGivesUpLeavesItsPlaceToTheNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 10})
		add(t, q, write(prod, "a", "12345"))
		ctx, cancel := context.WithCancel(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		go func() { large <- q.Add(ctx, write(prod, "b", "1234567890")) }()
		synctest.Wait()
		go func() { small <- q.Add(t.Context(), write(prod, "c", "1")) }()
		synctest.Wait()
		require.Empty(t, small)
		cancel()
		require.ErrorIs(t, <-large, context.Canceled)
		require.NoError(t, <-small)
		require.Equal(t, []string{"a=12345", "c=1"}, texts(next(t, q).Events))
		require.ErrorIs(t, q.Add(ctx, write(prod, "d", "1")), context.Canceled)
		require.ErrorIs(t, q.Room(ctx, prod), context.Canceled)
	})
}

func TestBlockedCallsAreServedWhereverRoomBecomesFree(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, q *Sharded) (free func()){
		"done": func(t *testing.T, q *Sharded) func() {
			b := next(t, q)
			return func() { done(t, b) }
		},
		"forget": func(t *testing.T, q *Sharded) func() {
			return func() { require.NoError(t, q.Forget(t.Context(), dev)) }
		},
		"superseded": func(t *testing.T, q *Sharded) func() {
			b := next(t, q)
			add(t, q, write(dev, "a", "1"))
			return func() { retry(t, b, errPush) }
		},
	} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&Options{Key: ByRepository, MaxBytesPerKey: 120})
			add(t, q, write(dev, "a", strings.Repeat("x", 100)))
			free := prepare(t, q)
			added, room := make(chan error, 1), make(chan error, 1)
			blocked := write(prod, "b", strings.Repeat("x", 50))
			require.ErrorIs(t, q.TryAdd(blocked), ErrFull)
			go func() { room <- q.Room(t.Context(), prod) }()
			synctest.Wait()
			go func() { added <- q.Add(t.Context(), blocked) }()
			synctest.Wait()
			require.Empty(t, room, name)
			require.Empty(t, added, name)
			free()
			synctest.Wait()
			require.Len(t, room, 1, name)
			require.Len(t, added, 1, name)
		})
	}
}

func TestRoomWaitsUntilWhatWasRefusedWouldFit(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 100, Window: Window{Bytes: 30}})
		require.NoError(t, q.Room(t.Context(), prod))
		for i := range 3 {
			add(t, q, write(prod, fmt.Sprint(i), strings.Repeat("x", 30)))
		}
		require.NoError(t, q.Room(t.Context(), prod))
		refused := write(prod, "a", strings.Repeat("x", 50))
		require.ErrorIs(t, q.TryAdd(refused), ErrFull)
		room := make(chan error, 1)
		go func() { room <- q.Room(t.Context(), prod) }()
		done(t, next(t, q))
		synctest.Wait()
		require.Empty(t, room, "30 bytes became free, 50 are wanted")
		done(t, next(t, q))
		require.NoError(t, <-room)
		add(t, q, refused)
	})
}

func TestForgetDropsWhatWaitsAndMakesTheRetryOfWhatIsInHandDone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		require.NoError(t, q.Forget(t.Context(), prod))
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		b := next(t, q)
		add(t, q, write(prod, "c", "1"))
		require.NoError(t, q.Forget(t.Context(), prod))
		line, ok := q.Line(prod)
		require.True(t, ok)
		require.Equal(t, KeyStats{InHand: 2}, line)
		add(t, q, write(prod, "d", "1"))
		retry(t, b, errPush)
		b = next(t, q)
		require.Equal(t, []string{"d=1"}, texts(b.Events), "what came in after Forget is kept")
		require.Equal(t, 1, b.Attempt)
		require.NoError(t, q.Forget(t.Context(), prod))
		done(t, b)
		_, ok = q.Line(prod)
		require.False(t, ok)
		drained(t, q)
	})
}

func TestForgetOfAParkedLineLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		for i := range 50 {
			add(t, q, write(prod, fmt.Sprint(i), "1"))
		}
		add(t, q, remove(prod, "a"), conditional(event.IfAbsent, "a", "1"))
		retry(t, next(t, q), ErrPermanent)
		require.NoError(t, q.Forget(t.Context(), prod))
		drained(t, q)
	})
}

func TestForgetLeavesTheOtherDestinationsOfALine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Key: ByRepository})
		add(t, q, write(prod, "a", "1"), write(dev, "b", "1"))
		b := next(t, q)
		add(t, q, write(prod, "c", "1"), write(dev, "d", "1"))
		require.NoError(t, q.Forget(t.Context(), prod))
		retry(t, b, errPush)
		line, _ := q.Line(dev)
		require.Equal(t, 2, line.Waiting)
		require.False(t, line.Parked.IsZero())
		_, ok := q.Line(prod)
		require.False(t, ok)
		b = next(t, q)
		require.Equal(t, []string{"b=1", "d=1"}, texts(b.Events))
		done(t, b)
		drained(t, q)
	})
}

func TestLineTellsSinceWhenItsOldestEventWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		start := time.Now()
		add(t, q, write(prod, "a", "1"))
		time.Sleep(300 * time.Millisecond)
		add(t, q, write(prod, "b", "1"))
		line, _ := q.Line(prod)
		require.Equal(t, KeyStats{Waiting: 2, Bytes: 2, Oldest: line.Oldest}, line)
		require.True(t, start.Equal(line.Oldest))
		b := next(t, q)
		add(t, q, write(prod, "c", "1"))
		retry(t, b, errPush)
		line, _ = q.Line(prod)
		require.True(t, start.Equal(line.Oldest), "a Retry does not make it younger")
	})
}

func TestAnEventThatSupersedesNothingNeedsRoomOfItsOwn(t *testing.T) {
	q := NewSharded(&Options{MaxEventsPerKey: 3})
	add(t, q, remove(prod, "a"), conditional(event.IfAbsent, "a", "1"), write(prod, "b", "1"))
	require.ErrorIs(t, q.TryAdd(conditional(event.IfPresent, "a", "2")), ErrFull)
	add(t, q, conditional(event.IfAbsent, "a", "3"))
}

// A listing that is larger than the room is refused object by object, for each destination anew.
func TestRefusingForWantOfRoomCostsNothing(t *testing.T) {
	q := NewSharded(&Options{MaxEvents: 1})
	add(t, q, write(prod, "a", "1"))
	e := write(prod, "b", "1")
	var err error
	require.Zero(t, testing.AllocsPerRun(100, func() { err = q.TryAdd(e) }))
	require.ErrorIs(t, err, ErrFull)
	require.ErrorContains(t, err, prod.Ref.String())
}

func TestNobodyPassesACallThatWaitsForRoom(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxBytesPerKey: 10})
		add(t, q, write(prod, "a", "123456"))
		results := make(chan string, 2)
		go func() {
			_ = q.Add(t.Context(), write(prod, "large", "12345678"))
			results <- "add"
		}()
		synctest.Wait()
		require.ErrorIs(t, q.TryAdd(write(prod, "small", "1")), ErrFull)
		go func() {
			_ = q.Room(t.Context(), prod)
			results <- "room"
		}()
		synctest.Wait()
		require.Empty(t, results)
		done(t, next(t, q))
		require.ElementsMatch(t, []string{"add", "room"}, []string{<-results, <-results})
	})
}

func TestAFullLineHasNoRoomBeforeAnythingWasRefused(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEventsPerKey: 1})
		add(t, q, write(prod, "a", "1"), write(dev, "a", "1"))
		room := make(chan error, 1)
		go func() { room <- q.Room(t.Context(), prod) }()
		synctest.Wait()
		b := next(t, q)
		other := next(t, q)
		if b.Events[0].Destination == prod {
			b, other = other, b
		}
		done(t, b)
		synctest.Wait()
		require.Empty(t, room, "another line was emptied")
		done(t, other)
		require.NoError(t, <-room)
	})
}

func TestABlockedAddGoesIntoTheLineThatIsThere(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{MaxEventsPerKey: 2, Window: Window{Bytes: 1}})
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		added := make(chan error, 1)
		go func() { added <- q.Add(t.Context(), write(prod, "c", "1")) }()
		synctest.Wait()
		done(t, next(t, q))
		require.NoError(t, <-added)
		line, _ := q.Line(prod)
		require.Equal(t, 2, line.Waiting)
		done(t, next(t, q))
		done(t, next(t, q))
		drained(t, q)
	})
}
