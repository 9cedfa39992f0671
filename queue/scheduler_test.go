package queue

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// order hands out n batches, each done at once, and names their first events.
func order(t *testing.T, q *Sharded, n int) (firsts []string) {
	t.Helper()
	for range n {
		b := next(t, q)
		firsts = append(firsts, b.Events[0].Destination.Ref.Name+" "+texts(b.Events)[0])
		done(t, b)
	}
	return firsts
}

func TestEveryFifthBatchOfALineBeginsWithItsListing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 1}})
		for i := range 3 {
			add(t, q, listed(prod, fmt.Sprint("s", i), "1"))
		}
		for i := range 9 {
			add(t, q, write(prod, fmt.Sprint("l", i), "1"))
		}
		require.Equal(t, []string{
			"prod l0=1", "prod l1=1", "prod l2=1", "prod l3=1", "prod s0=1",
			"prod l4=1", "prod l5=1", "prod l6=1", "prod l7=1", "prod s1=1", "prod l8=1", "prod s2=1",
		}, order(t, q, 12))
	})
}

func TestAListingThatAlwaysComesAlongGoesNeverFirst(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 2}})
		for i := range 20 {
			add(t, q, listed(prod, fmt.Sprint("s", i), "1"))
		}
		for i := range 2 * maxLiveInRow {
			add(t, q, write(prod, fmt.Sprint("l", i), "1"))
			b := next(t, q)
			require.Equal(t, []string{fmt.Sprint("l", i, "=1"), fmt.Sprint("s", i, "=1")}, texts(b.Events))
			done(t, b)
		}
	})
}

func TestEveryFifthTurnIsThatOfALineWithAListing(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Count: 1}})
		line := func(name string, i int) destination.Destination { return dst("repo", fmt.Sprint(name, i)) }
		for i := range 2 {
			add(t, q, listed(line("seed", i), "a", "1"))
		}
		time.Sleep(time.Minute)
		for i := range 9 {
			add(t, q, write(line("live", i), "a", "1"))
		}
		require.Equal(t, []string{
			"live0 a=1", "live1 a=1", "live2 a=1", "live3 a=1", "seed0 a=1",
			"live4 a=1", "live5 a=1", "live6 a=1", "live7 a=1", "seed1 a=1", "live8 a=1",
		}, order(t, q, 11))
	})
}

func TestALineThatIsDueKeepsItsTurnWhenMoreComes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Count: 1}})
		add(t, q, write(prod, "a", "1"), write(dev, "a", "1"), write(prod, "b", "1"))
		require.Equal(t, []string{"prod a=1", "dev a=1"}, order(t, q, 2))
	})
}

func TestWhatWasListedGoesWithTheLiveChangeThatItDependsOn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		found := conditional(event.IfAbsent, "a", "2")
		found.Listed = true
		add(t, q, listed(prod, "b", "1"), conditional(event.IfPresent, "a", "1"), found)
		require.Equal(t, []string{"a=1", "a=2", "b=1"}, texts(next(t, q).Events))
	})
}

func TestALineThatHasBecomeShortStillCoalesces(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 10}})
		for i := range 4 * indexFrom {
			add(t, q, write(prod, fmt.Sprint(i), "1"))
		}
		for q.Stats().Waiting >= indexFrom {
			done(t, next(t, q))
		}
		require.NotZero(t, q.Stats().Waiting)
		add(t, q, write(prod, "new", "1"), write(prod, "new", "2"))
		require.EqualValues(t, 1, q.Stats().Counts.Coalesced)
	})
}

func TestANewEventOfAnObjectInHandIsKeptAlsoInALongLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 10}})
		for i := range 4 * indexFrom {
			add(t, q, write(prod, fmt.Sprint(i), "1"))
		}
		b := next(t, q)
		require.Len(t, b.Events, 10)
		add(t, q, write(prod, "0", "2"))
		require.Zero(t, q.Stats().Counts.Coalesced)
		done(t, b)
		handed := 0
		for q.Stats().Waiting > 0 {
			b = next(t, q)
			handed += len(b.Events)
			done(t, b)
		}
		require.Equal(t, 4*indexFrom-10+1, handed)
		require.Equal(t, "0=2", texts(b.Events)[len(b.Events)-1])
		drained(t, q)
	})
}

func TestTheRestOfABatchThatWasDueIsDueAlsoWhenMoreComes(t *testing.T) {
	for name, wake := range map[string]bool{"by its age": false, "woken": true} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&Options{Window: Window{Bytes: 1 << 10, MaxWait: time.Hour, Debounce: time.Minute}})
			add(t, q, write(prod, "a", strings.Repeat("x", 600)), remove(prod, "b"), remove(prod, "c"))
			if wake {
				q.Wake(prod)
			} else {
				time.Sleep(time.Minute) // nobody takes what is due by its bytes
			}
			b := next(t, q)
			require.Len(t, b.Events, 2, name)
			add(t, q, write(prod, "d", "1"))
			done(t, b)
			require.Zero(t, since(func() { b = next(t, q) }), name)
			add(t, q, write(prod, "e", "1"))
			done(t, b)
			require.Equal(t, time.Minute, since(func() { next(t, q) }), "%s: of that one nothing was left", name)
		})
	}
}

func TestABatchTellsForHowLongItsOldestEventHasWaited(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		time.Sleep(time.Hour)
		add(t, q, write(prod, "a", "1"))
		_, size, waited, err := q.next(t.Context())
		require.NoError(t, err)
		require.Equal(t, load{1, 1}, size)
		require.Equal(t, time.Second, waited)
	})
}

func TestOnlyLiveEventsThatWaitCountForTheWindow(t *testing.T) {
	for name, first := range map[string]event.Event{"live": write(prod, "a", "1"), "listed": listed(prod, "a", "1")} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&Options{Window: Window{Count: 2}})
			add(t, q, first)
			b := next(t, q)
			add(t, q, write(prod, "b", "1")) // so that the line stays
			done(t, b)
			require.Equal(t, time.Second, since(func() { b = next(t, q) }), name)
			add(t, q, listed(prod, "c", "1"))
			done(t, b)
			b = next(t, q)
			add(t, q, write(prod, "d", "1"), write(prod, "e", "1"))
			done(t, b)
			require.Zero(t, since(func() { b = next(t, q) }), name)
		})
	}
}

func TestSupersedesSaysWhetherAFileEndsTheSame(t *testing.T) {
	with := func(c event.Precondition, e event.Event) event.Event { e.Precondition = c; return e }
	w, d := write(prod, "a", "1"), remove(prod, "a")
	for _, c := range []struct {
		newer, older event.Event
		want         bool
	}{
		{w, w, true}, {w, d, true}, {d, w, true}, {d, d, true},
		{with(event.IfPresent, d), w, true}, // a delete that somebody gave a condition is a delete
		{with(event.IfAbsent, w), w, false}, {with(event.IfPresent, w), d, false},
		{with(event.IfAbsent, w), with(event.IfAbsent, w), true}, {with(event.IfAbsent, w), with(event.IfPresent, w), false},
		{with(event.IfAbsent, w), with(event.IfAbsent, d), false},
	} {
		require.Equal(t, c.want, supersedes(&c.newer, &c.older), "%v before %v", c.newer, c.older)
	}
}
