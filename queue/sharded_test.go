package queue

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func TestByDestinationDiffersWhenAnyFieldDiffers(t *testing.T) {
	base := destination.Destination{
		Ref:           destination.Ref{Namespace: "a", Name: "b"},
		RepositoryRef: destination.Ref{Namespace: "c", Name: "d"},
		Repository:    "https://token@git.example.com/repo",
		Branch:        "main",
		BaseFolder:    "folder",
	}
	seen := map[string]bool{ByDestination(base): true}
	for _, field := range []func(*destination.Destination) *string{
		func(d *destination.Destination) *string { return &d.Ref.Namespace },
		func(d *destination.Destination) *string { return &d.Ref.Name },
		func(d *destination.Destination) *string { return &d.RepositoryRef.Namespace },
		func(d *destination.Destination) *string { return &d.RepositoryRef.Name },
		func(d *destination.Destination) *string { return &d.Repository },
		func(d *destination.Destination) *string { return &d.Branch },
		func(d *destination.Destination) *string { return &d.BaseFolder },
	} {
		d := base
		*field(&d) += "x"
		require.False(t, seen[ByDestination(d)], "%+v", d)
		seen[ByDestination(d)] = true
	}
	for key := range seen {
		require.NotContains(t, key, "token")
	}
}

func TestByRepositoryIsTheSameForEverySpellingOfARepository(t *testing.T) {
	a, b := dst("repo", "a"), dst("repo.git", "b")
	b.Branch = "dev"
	require.Equal(t, ByRepository(a), ByRepository(b))
	require.NotEqual(t, ByRepository(a), ByRepository(dst("other", "a")))
}

func TestShardedRefusesAnIncompleteEventAlsoForADestinationItKnows(t *testing.T) {
	q := NewSharded(nil)
	add(t, q, write(prod, "known", "1"))
	for name, change := range map[string]func(e *event.Event){
		"destination":  func(e *event.Event) { e.Destination.Branch = "" },
		"operation":    func(e *event.Event) { e.Operation = "PATCH" },
		"resource":     func(e *event.Event) { e.Resource.Resource = "" },
		"name":         func(e *event.Event) { e.Resource.Name = "" },
		"content":      func(e *event.Event) { e.Content = nil },
		"live":         func(e *event.Event) { e.Inventory = noLive{} },
		"precondition": func(e *event.Event) { e.Precondition = -1 },
		"sync":         func(e *event.Event) { *e = seedSync(prod); e.Inventory = nil },
		"sync content": func(e *event.Event) { *e = seedSync(prod); e.Content = event.NewContent([]byte("x")) },
		"sync of":      func(e *event.Event) { *e = seedSync(prod); e.Resource.Kind = "ConfigMap" },
		"delete":       func(e *event.Event) { *e = remove(prod, "a"); e.Content = event.NewContent([]byte("x")) },
		"delete of":    func(e *event.Event) { *e = remove(prod, "") },
		"delete type":  func(e *event.Event) { *e = remove(prod, "a"); e.Resource.Resource = "" },
		"delete live":  func(e *event.Event) { *e = remove(prod, "a"); e.Inventory = noLive{} },
	} {
		e := write(prod, "a", "1")
		change(&e)
		require.ErrorIs(t, e.Validate(), event.ErrIncomplete, name)
		require.ErrorIs(t, q.TryAdd(e), event.ErrIncomplete, name)
		require.ErrorIs(t, q.Add(t.Context(), e), event.ErrIncomplete, name)
	}
	require.Equal(t, 1, q.Stats().Waiting)
	require.ErrorIs(t, q.Room(t.Context(), destination.Destination{}), event.ErrIncomplete)
}

func TestShardedHandsOutTheNewestOfAnObjectAtTheTail(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"), write(prod, "a", "2"), remove(prod, "c"), write(prod, "b", "2"), write(prod, "c", "1"))
		b := next(t, q)
		require.Equal(t, []string{"a=2", "b=2", "c=1"}, texts(b.Events))
		require.Equal(t, 1, b.Attempt)
		require.Equal(t, ByDestination(prod), b.Key)
		done(t, b)
		drained(t, q)
	})
}

func TestShardedKeepsTheOrderOfTheOthersWhenManyWait(t *testing.T) {
	bubble(t, func(t *testing.T) { // far more than indexFrom
		q := NewSharded(nil)
		var want []string
		for i := range 200 {
			add(t, q, write(prod, fmt.Sprint("o", i), "1"))
		}
		for i := range 200 {
			if i%3 == 0 {
				add(t, q, write(prod, fmt.Sprint("o", i), "2"))
			} else {
				want = append(want, fmt.Sprint("o", i, "=1"))
			}
		}
		for i := 0; i < 200; i += 3 {
			want = append(want, fmt.Sprint("o", i, "=2"))
		}
		b := next(t, q)
		require.Equal(t, want, texts(b.Events))
		done(t, b)
		drained(t, q)
	})
}

func TestShardedKeepsTheSameObjectOfTwoDestinationsApart(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Key: ByRepository})
		add(t, q, write(prod, "a", "1"), write(dev, "a", "2"), seedSync(prod), seedSync(dev))
		b := next(t, q)
		require.Equal(t, []string{"a=1", "a=2", "sync", "sync"}, texts(b.Events))
		require.Equal(t, ByRepository(prod), b.Key)
	})
}

func TestShardedKeepsTheNewestSeedSyncOfADestination(t *testing.T) {
	for _, keep := range []bool{false, true} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(&Options{KeepEvery: keep})
			add(t, q, seedSync(prod), listed(prod, "a", "1"), seedSync(prod))
			require.Equal(t, []string{"a=1", "sync"}, texts(next(t, q).Events))
		})
	}
}

func TestShardedNeverLaysAConditionalWriteOverWhatItDependsOn(t *testing.T) {
	always, absent, present := event.Always, event.IfAbsent, event.IfPresent
	for _, c := range []struct {
		events []event.Event
		want   []string
	}{
		{[]event.Event{remove(prod, "a"), conditional(absent, "a", "1")}, []string{"-a", "a=1"}},
		{[]event.Event{remove(prod, "a"), conditional(present, "a", "1")}, []string{"-a", "a=1"}},
		{[]event.Event{conditional(always, "a", "1"), conditional(absent, "a", "2")}, []string{"a=1", "a=2"}},
		{[]event.Event{conditional(present, "a", "1"), conditional(absent, "a", "2")}, []string{"a=1", "a=2"}},
		{[]event.Event{conditional(absent, "a", "1"), conditional(present, "a", "2")}, []string{"a=1", "a=2"}},
		{[]event.Event{conditional(absent, "a", "1"), conditional(absent, "a", "2")}, []string{"a=2"}},
		{[]event.Event{conditional(present, "a", "1"), conditional(present, "a", "2")}, []string{"a=2"}},
		{[]event.Event{conditional(absent, "a", "1"), conditional(always, "a", "2")}, []string{"a=2"}},
		{[]event.Event{remove(prod, "a"), conditional(absent, "a", "1"), conditional(absent, "a", "2")}, []string{"-a", "a=2"}},
		{[]event.Event{remove(prod, "a"), conditional(absent, "a", "1"), remove(prod, "a")}, []string{"-a"}},
		{[]event.Event{remove(prod, "a"), conditional(absent, "a", "1"), conditional(always, "a", "2")}, []string{"a=2"}},
	} {
		bubble(t, func(t *testing.T) {
			q := NewSharded(nil)
			add(t, q, c.events...)
			add(t, q, write(prod, "b", "1"))
			b := next(t, q)
			require.Equal(t, append(c.want, "b=1"), texts(b.Events))
			retry(t, b, errPush)
			b = next(t, q)
			require.Equal(t, append(c.want, "b=1"), texts(b.Events), "after a Retry")
			done(t, b)
			drained(t, q)
		})
	}
}

func TestShardedHandsOutWhatDependsOnEachOtherInOneBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 300}})
		add(t, q, write(prod, "b", "1"), remove(prod, "a"), conditional(event.IfAbsent, "a", strings.Repeat("x", 100)))
		b := next(t, q)
		require.Equal(t, []string{"b=1"}, texts(b.Events))
		done(t, b)
		require.Len(t, next(t, q).Events, 2)
	})
}

func TestShardedKeepsEveryEventIfAsked(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{KeepEvery: true})
		var want []string
		for i := range 50 {
			add(t, q, write(prod, "a", fmt.Sprint(i)))
			want = append(want, fmt.Sprint("a=", i))
		}
		add(t, q, listed(prod, "b", "1"), remove(prod, "a"), remove(prod, "a"))
		b := next(t, q)
		require.Equal(t, append(want, "b=1", "-a", "-a"), texts(b.Events), "first in, first out")
		add(t, q, write(prod, "a", "last"))
		retry(t, b, errPush, b.Events[3], b.Events[1])
		b = next(t, q)
		require.Equal(t, []string{"a=1", "a=3", "a=last"}, texts(b.Events))
		done(t, b)
		drained(t, q)
	})
}

func TestShardedKeepsAnEventThatArrivesDuringThePush(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		b := next(t, q)
		add(t, q, write(prod, "a", "2"))
		done(t, b)
		b = next(t, q)
		require.Equal(t, []string{"a=2"}, texts(b.Events))
		done(t, b)
		drained(t, q)
	})
}

func TestShardedLeasesAKeyToOneHolder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		add(t, q, write(prod, "b", "1"))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := q.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		done(t, b)
		require.Equal(t, []string{"b=1"}, texts(next(t, q).Events))
	})
}

func TestALeaseIsSettledOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		b := next(t, q)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.True(t, b.Held(t.Context()))
		require.False(t, b.Held(ended))
		require.NoError(t, b.Done(ended), "settles whatever became of the context")
		require.False(t, b.Held(t.Context()))
		require.ErrorIs(t, b.Done(t.Context()), ErrLeaseLost)
		require.ErrorIs(t, b.Retry(t.Context(), errPush), ErrLeaseLost)
		drained(t, q)
	})
}

func TestABatchIsDueAfterAQuietTime(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, write(prod, "a", "1"))
		time.Sleep(700 * time.Millisecond)
		add(t, q, write(prod, "b", "1"))
		require.Equal(t, time.Second, since(func() { next(t, q) }))
	})
}

func TestABatchIsDueAfterTheLongestWaitHoweverOftenAnObjectChanges(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		ticker := time.NewTicker(300 * time.Millisecond)
		defer ticker.Stop()
		add(t, q, write(prod, "a", "1"))
		go func() {
			for range 100 {
				select {
				case <-ticker.C:
					_ = q.TryAdd(write(prod, "a", "1"))
				case <-t.Context().Done():
					return
				}
			}
		}()
		synctest.Wait()
		require.Equal(t, 5*time.Second, since(func() { done(t, next(t, q)) }))
	})
}

func TestABatchIsDueAtACountOfLiveEventsOrItsBytes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Count: 3, Bytes: 100}})
		for i := range 5 {
			add(t, q, listed(prod, fmt.Sprint(i), "1"))
		}
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		require.Equal(t, time.Second, since(func() { done(t, next(t, q)) }), "listed events do not count")
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"), write(prod, "c", "1"))
		require.Zero(t, since(func() { done(t, next(t, q)) }))
		add(t, q, listed(prod, "a", strings.Repeat("x", 100)))
		require.Zero(t, since(func() { done(t, next(t, q)) }))
	})
}

func TestABatchIsCutAtItsBytesAndTheRestOfOneThatWasOldIsDueAtOnce(t *testing.T) {
	large := func(name string, bytes int) event.Event { return write(prod, name, strings.Repeat("x", bytes)) }
	took := func(t *testing.T, q *Sharded, names string) time.Duration {
		t.Helper()
		return since(func() {
			b := next(t, q)
			got := ""
			for _, e := range b.Events {
				got += e.Resource.Name
			}
			require.Equal(t, names, got)
			done(t, b)
		})
	}
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 100, Debounce: time.Second, MaxWait: 10 * time.Second}})
		add(t, q, large("a", 60), large("b", 40), large("c", 500), write(prod, "d", "1"))
		require.Zero(t, took(t, q, "ab"))
		require.Zero(t, took(t, q, "c"))
		require.Equal(t, time.Second, took(t, q, "d"), "what is beyond a full batch may become a full one")
		drained(t, q)

		add(t, q, large("a", 60), write(prod, "b", "1"))
		time.Sleep(10 * time.Second) // nobody asks for it
		add(t, q, large("c", 60))
		require.Zero(t, took(t, q, "ab"))
		require.Zero(t, took(t, q, "c"), "it was its turn to be pushed")
		drained(t, q)
	})
}

func TestTheWindowIsThatOfTheDestinationWhenTheLineWasEmpty(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{WindowFor: func(d destination.Destination) Window {
			if d == dev {
				return Window{Debounce: time.Minute, MaxWait: time.Hour}
			}
			return Window{}
		}})
		add(t, q, write(dev, "a", "1"))
		require.Equal(t, time.Minute, since(func() { next(t, q) }))
		add(t, q, write(prod, "a", "1"))
		require.Equal(t, time.Second, since(func() { next(t, q) }))
	})
}

func TestLiveChangesGoBeforeAListingOfTheirOwnAndOfOtherLines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, listed(dev, "a", "1"), listed(prod, "a", "1"), listed(prod, "b", "1"), seedSync(prod), write(prod, "c", "1"), write(prod, "a", "2"))
		time.Sleep(time.Minute)
		b := next(t, q)
		require.Equal(t, []string{"c=1", "a=2", "b=1", "sync"}, texts(b.Events))
		require.Equal(t, []string{"a=1"}, texts(next(t, q).Events))
	})
}

func TestALineThatGetsALiveChangeMovesAheadOfListings(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		add(t, q, listed(dev, "a", "1"), listed(prod, "a", "1"))
		time.Sleep(time.Minute)
		q.Stats() // gives both their turns
		add(t, q, write(prod, "b", "1"))
		require.Equal(t, prod, next(t, q).Events[0].Destination)
	})
}

func TestAListingIsNotStarvedByLiveChangesOfOtherLines(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Count: 1}})
		add(t, q, listed(dev, "a", "1"))
		time.Sleep(time.Minute)
		turns := 0
		for {
			for i := range 9 {
				add(t, q, write(dst("repo", fmt.Sprint("d", i)), "a", "1"))
			}
			b := next(t, q)
			if b.Events[0].Destination == dev {
				break
			}
			done(t, b)
			turns++
			require.LessOrEqual(t, turns, maxLiveInRow)
		}
	})
}

func TestAListingIsNotStarvedByLiveChangesOfItsLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 10}})
		add(t, q, listed(prod, "a", "1"))
		for batches := 0; ; batches++ {
			require.LessOrEqual(t, batches, maxLiveInRow)
			add(t, q, write(prod, "b", "0123456789"))
			b := next(t, q)
			done(t, b)
			if b.Events[0].Listed {
				break
			}
		}
	})
}

func TestKeysTakeTurns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(&Options{Window: Window{Bytes: 1}})
		for i := range 3 {
			add(t, q, write(prod, fmt.Sprint(i), "1"), write(dev, fmt.Sprint(i), "1"))
		}
		last := destination.Destination{}
		for range 6 {
			b := next(t, q)
			require.NotEqual(t, last, b.Events[0].Destination)
			last = b.Events[0].Destination
			done(t, b)
		}
		drained(t, q)
	})
}

func TestEveryWaitingConsumerGetsABatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		q := NewSharded(nil)
		keys := make(chan string, 20)
		for range 20 {
			go func() {
				b, err := q.Next(t.Context())
				if err == nil {
					keys <- b.Key
				}
			}()
		}
		ctx, cancel := context.WithCancel(t.Context())
		for range 20 { // these may eat a wake-up and must pass it on
			go func() { _, _ = q.Next(ctx) }()
		}
		synctest.Wait()
		for i := range 20 {
			add(t, q, write(dst("repo", fmt.Sprint(i)), "a", "1"))
		}
		cancel()
		time.Sleep(time.Second)
		synctest.Wait()
		require.Len(t, keys, 20)
	})
}
