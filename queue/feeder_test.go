package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// informed is a source of one's own: a store, the handlers of which offer each change.
type informed struct {
	*queue.Feeder
	lines *queue.Sharded

	mu       sync.Mutex
	store    map[event.ID]string
	ifAbsent bool
	reads    int
	fail     error  // of the Reader
	poison   string // an object that is never read
	during   func() // is called when an object was read and not yet sent
}

// feeding runs a Feeder to a queue with room for a few events.
func feeding(t *testing.T, room int, do func(t *testing.T, s *informed)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := &informed{
			lines: queue.NewSharded(&queue.Options{MaxEventsPerKey: room, Window: queue.Window{Debounce: time.Millisecond}}),
			store: map[event.ID]string{},
		}
		s.Feeder = queue.NewFeeder(s.lines, s.read, nil)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		do(t, s)
		cancel()
		require.NoError(t, <-ended)
	})
}

func fed(name string) destination.Destination {
	return destination.Destination{Ref: destination.Ref{Namespace: "default", Name: name}, Repository: "https://git.example/r", Branch: name}
}

func (s *informed) read(_ context.Context, d destination.Destination, id event.ID) (event.Event, error) {
	s.mu.Lock()
	s.reads++
	e, err, during := s.event(d, id), s.fail, s.during
	if id.Name == s.poison {
		err = errors.New("never")
	}
	s.during = nil
	s.mu.Unlock()
	if during != nil {
		during()
	}
	return e, err
}

func (s *informed) event(d destination.Destination, id event.ID) event.Event {
	e := event.Event{Destination: d, Operation: event.Delete, Resource: event.Resource{ID: id, Version: "v1", Kind: "ConfigMap"}}
	if content, lives := s.store[id]; lives {
		e.Operation, e.Content = event.Update, event.NewContent([]byte(content))
		if s.ifAbsent {
			e.Precondition = event.IfAbsent
		}
	}
	return e
}

// set changes an object, or deletes it if the content is empty, and tells the handler.
func (s *informed) set(t *testing.T, d destination.Destination, name, content string) {
	t.Helper()
	id := event.ID{Resource: "configmaps", Namespace: "default", Name: name}
	s.mu.Lock()
	if s.store[id] = content; content == "" {
		delete(s.store, id)
	}
	e := s.event(d, id)
	s.mu.Unlock()
	require.NoError(t, s.Offer(e))
}

// take does what a batch says to files, and returns the operations.
func (s *informed) take(t *testing.T, files map[string]string) (operations []event.Operation) {
	t.Helper()
	b, err := s.lines.Next(t.Context())
	require.NoError(t, err)
	for _, e := range b.Events {
		operations = append(operations, e.Operation)
		name := e.Resource.ID.Name
		_, exists := files[name]
		switch {
		case e.Operation == event.Delete:
			delete(files, name)
		case e.Writes() && !(exists && e.Precondition == event.IfAbsent):
			files[name] = string(e.Content.Bytes())
		}
	}
	require.NoError(t, b.Done(t.Context()))
	return operations
}

var none = event.NewInventory(nil, func(event.Collection) ([]event.Resource, error) { return nil, nil })

func TestWhatFindsNoRoomIsReadAgainAsItIsWhenThereIs(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		d, files := fed("prod"), map[string]string{}
		s.set(t, d, "a", "1")
		s.set(t, d, "b", "1")
		require.NoError(t, s.Offer(event.NewSeedSync(d, none)))
		objects, seed := s.Waiting(d)
		require.Equal(t, 1, objects)
		require.True(t, seed)
		s.set(t, d, "b", "2")
		s.set(t, d, "b", "3")
		var all []event.Operation
		for len(all) == 0 || all[len(all)-1] != event.SeedSync {
			all = append(all, s.take(t, files)...)
		}
		require.Equal(t, []event.Operation{event.Update, event.Update, event.SeedSync}, all, "the SeedSync follows what it covers")
		require.Equal(t, map[string]string{"a": "1", "b": "3"}, files)
		objects, seed = s.Waiting(d)
		require.Zero(t, objects)
		require.False(t, seed)
	})
}

func TestADestinationThatHangsHoldsUpNoOtherFeeding(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		hangs, goesOn := fed("hangs"), fed("goes-on")
		for i := range 5 {
			s.set(t, hangs, fmt.Sprint("a", i), "1")
		}
		held, err := s.lines.Next(t.Context())
		require.NoError(t, err)
		files := map[string]string{}
		for i := range 5 {
			s.set(t, goesOn, fmt.Sprint("b", i), "1")
		}
		for len(files) < 5 {
			s.take(t, files)
		}
		waiting, _ := s.Waiting(hangs)
		require.Equal(t, 4, waiting)
		s.Forget(hangs)
		require.NoError(t, held.Done(t.Context()))
		synctest.Wait()
		waiting, _ = s.Waiting(hangs)
		require.Zero(t, waiting)
		require.Zero(t, s.lines.Stats().Waiting, "nothing of it comes in")
	})
}

func TestAnObjectThatCannotBeReadIsTriedAgain(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		d, files := fed("prod"), map[string]string{}
		s.fail = errors.New("no answer")
		s.set(t, d, "a", "1")
		s.set(t, d, "b", "1")
		s.take(t, files)
		time.Sleep(10 * time.Minute)
		s.mu.Lock()
		reads := s.reads
		s.fail = nil
		s.mu.Unlock()
		require.Positive(t, reads)
		require.Less(t, reads, 20, "with growing pauses")
		s.take(t, files)
		require.Equal(t, map[string]string{"a": "1", "b": "1"}, files)
	})
}

func TestAnObjectThatIsNeverReadHoldsUpNoOther(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		d, files := fed("prod"), map[string]string{}
		s.poison = "bad"
		s.set(t, d, "first", "1")
		s.set(t, d, "bad", "1")
		s.take(t, files)
		time.Sleep(10 * time.Minute) // its pause is a minute by now
		for i := range 5 {
			s.set(t, d, fmt.Sprint("o", i), "1")
		}
		began := time.Now()
		for len(files) < 6 {
			s.take(t, files)
		}
		require.Less(t, time.Since(began), time.Second)
		waiting, _ := s.Waiting(d)
		require.Equal(t, 1, waiting)
	})
}

func TestAnObjectThatChangesWhileItIsReadIsReadOnceMore(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		d, files := fed("prod"), map[string]string{}
		s.set(t, d, "a", "1")
		s.set(t, d, "b", "1")
		s.mu.Lock()
		s.during = func() { s.set(t, d, "b", "2") }
		s.mu.Unlock()
		for files["b"] != "2" {
			s.take(t, files)
		}
	})
}

func TestASeedSyncFollowsWhatWaitsThoughThereIsRoom(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		d, files := fed("prod"), map[string]string{}
		s.mu.Lock()
		s.fail = errors.New("no answer")
		s.mu.Unlock()
		s.set(t, d, "a", "1")
		s.set(t, d, "b", "1")
		require.Equal(t, []event.Operation{event.Update}, s.take(t, files))
		require.NoError(t, s.Offer(event.NewSeedSync(d, none)))
		synctest.Wait()
		require.Zero(t, s.lines.Stats().Waiting)
		s.mu.Lock()
		s.fail = nil
		s.mu.Unlock()
		require.Equal(t, []event.Operation{event.Update}, s.take(t, files))
		require.Equal(t, []event.Operation{event.SeedSync}, s.take(t, files))
	})
}

func TestWhatIsForgottenWhileItIsReadIsNotSent(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		d, files := fed("prod"), map[string]string{}
		s.set(t, d, "a", "1")
		s.set(t, d, "b", "1")
		s.mu.Lock()
		s.during = func() { s.Forget(d) }
		s.mu.Unlock()
		s.take(t, files)
		synctest.Wait()
		require.Zero(t, s.lines.Stats().Waiting)
	})
}

func TestAnEventThatNoQueueTakesIsAnErrorAtOnce(t *testing.T) {
	feeding(t, 1, func(t *testing.T, s *informed) {
		require.ErrorIs(t, s.Offer(event.Event{Destination: fed("prod"), Operation: event.Update}), event.ErrIncomplete)
		waiting, _ := s.Waiting(fed("prod"))
		require.Zero(t, waiting)
	})
}

// Whatever comes in whatever order, the files end as the store.
func TestAFeederEndsAsTheStoreDoes(t *testing.T) {
	for seed := range uint64(200) {
		feeding(t, 1+int(seed%3), func(t *testing.T, s *informed) {
			s.ifAbsent = seed%2 == 1
			chance := rand.New(rand.NewPCG(seed, 0))
			d, files := fed("prod"), map[string]string{}
			for step := range 60 {
				content := fmt.Sprint(step)
				name := fmt.Sprint("o", chance.IntN(4))
				_, lives := s.store[event.ID{Resource: "configmaps", Namespace: "default", Name: name}]
				// What is there is not written again.
				if chance.IntN(3) == 0 || s.ifAbsent && lives {
					content = ""
				}
				s.set(t, d, name, content)
				if chance.IntN(2) == 0 {
					synctest.Wait()
				}
				if chance.IntN(3) == 0 && s.lines.Stats().Waiting > 0 {
					s.take(t, files)
				}
			}
			for synctest.Wait(); ; synctest.Wait() {
				if waiting, _ := s.Waiting(d); waiting == 0 && s.lines.Stats().Waiting == 0 {
					break
				}
				s.take(t, files)
			}
			want := map[string]string{}
			for id, content := range s.store {
				want[id.Name] = content
			}
			require.Equal(t, want, files, "seed %d", seed)
		})
	}
}
