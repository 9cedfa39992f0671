package queuetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// togetherChecks are about calls that come at the same time.
var togetherChecks = []check{
	{
		name:    "in a storm of producers, failing workers and restarts nothing is lost, doubled or out of order",
		promise: "All methods of Queue, Lease and Runner may be called by any number of goroutines.",
		run: func(e *env) error {
			s := &storm{keys: 20, objects: 3, events: 2000, producers: 4, workers: 8, seed: 1}
			return s.rage(e, e.open(s.options(e)))
		},
	},
	{
		name:    "in a storm every event is kept if that is asked for",
		promise: "With Options.KeepEvery changes are not coalesced",
		run: func(e *env) error {
			s := &storm{keys: 10, objects: 3, events: 1000, producers: 4, workers: 8, seed: 2, keep: true}
			return s.rage(e, e.open(s.options(e), func(o *queue.Options) { o.KeepEvery = true }))
		},
	},
}

// storm puts events of many keys in at once, while workers take, fail, put back, die and come
// again, and writes down what happens. Each object has its versions counted up by one producer. The
// record is judged afterwards.
type storm struct {
	keys, objects, events int // objects of each key, events in all
	producers, workers    int
	seed                  uint64
	keep                  bool // every version must be handed out
	pause                 time.Duration

	mu      sync.Mutex
	record  []entry
	batches int32
}

type happening uint8

const (
	handed   happening = iota // written down after Next has returned
	finished                  // before Done: nobody else can be handed what is not settled yet
	putBack                   // before Retry
)

// entry is what happened to a version of an object.
type entry struct {
	what    happening
	batch   int32
	key     int32
	object  int32
	version int32
}

var errDied = errors.New("the worker died")

func (s *storm) options(e *env) func(o *queue.Options) {
	s.pause = e.tick / 4
	return func(o *queue.Options) {
		o.Window = queue.Window{Debounce: e.tick / 20, MaxWait: e.tick / 4, Bytes: 200}
		o.MinBackoff, o.MaxBackoff = e.tick/10, e.tick/2
		o.MaxEventsPerKey, o.MaxEvents = 50, 20*s.keys
	}
}

func (s *storm) to(key int) destination.Destination {
	return dst(fmt.Sprint("repo", key%100), strconv.Itoa(key))
}

// rage runs the storm until everything is done and the queue shut down, and judges it.
func (s *storm) rage(e *env, q queue.Queue) error {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	var workers, producers sync.WaitGroup
	faults := make(chan error, s.workers+s.producers)
	for i := range s.workers {
		workers.Go(func() { faults <- s.supervise(ctx, q, rand.New(rand.NewPCG(s.seed, uint64(i)))) })
	}
	last := make([]int32, s.keys*s.objects) // the newest version of each object
	for i := range s.producers {
		producers.Go(func() { faults <- s.produce(ctx, q, i, last) })
	}
	producers.Wait()
	// what fails its last try in a shutdown would be left
	if err := e.before(e.patience, func() error {
		if st := q.Stats(); st.Waiting+st.InHand > 0 {
			return fmt.Errorf("%d events wait and %d are in hand although workers are there", st.Waiting, st.InHand)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := q.Shutdown(ctx); err != nil {
		return fmt.Errorf("Shutdown: %w", err)
	}
	workers.Wait()
	close(faults)
	err := s.judge(last)
	for fault := range faults {
		err = errors.Join(err, fault)
	}
	return err
}

// produce adds the events of every object whose number leaves i when divided by the producers.
func (s *storm) produce(ctx context.Context, q queue.Queue, i int, last []int32) error {
	rnd := rand.New(rand.NewPCG(s.seed, uint64(1000+i)))
	for range s.events / s.producers {
		if rnd.IntN(20) == 0 {
			time.Sleep(time.Duration(rnd.Int64N(int64(s.pause))))
		}
		object := rnd.IntN(len(last)/s.producers)*s.producers + i
		last[object]++
		ev := write(s.to(object/s.objects), strconv.Itoa(object%s.objects), strconv.Itoa(int(last[object])))
		ev.Listed = rnd.IntN(4) == 0 && !s.keep
		if err := q.Add(ctx, ev); err != nil {
			return fmt.Errorf("Add: %w", err)
		}
	}
	return nil
}

// supervise starts a worker again whenever it dies.
func (s *storm) supervise(ctx context.Context, q queue.Queue, rnd *rand.Rand) error {
	for {
		var err error
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			err = s.work(ctx, q, rnd)
		}()
		<-ended
		if !errors.Is(err, errDied) {
			return err
		}
	}
}

// work takes batches until the queue is drained, an error or its death.
func (s *storm) work(ctx context.Context, q queue.Queue, rnd *rand.Rand) error {
	for {
		b, err := q.Next(ctx)
		switch {
		case errors.Is(err, queue.ErrShutdown):
			return nil
		case err != nil:
			return fmt.Errorf("Next: %w", err)
		}
		if err := s.write(handed, b.Events); err != nil {
			return err
		}
		time.Sleep(time.Duration(rnd.Int64N(int64(s.pause))))
		switch fate := rnd.IntN(20); {
		case fate < 14:
			if err = s.write(finished, b.Events); err == nil {
				err = b.Done(ctx)
			}
		case fate < 17 && len(b.Events) > 1:
			n := 1 + rnd.IntN(len(b.Events)-1)
			if err = errors.Join(s.write(finished, b.Events[:n]), s.write(putBack, b.Events[n:])); err == nil {
				err = b.Retry(ctx, errPush, b.Events[n:]...)
			}
		default:
			if err = s.write(putBack, b.Events); err == nil {
				err = b.Retry(ctx, errPush)
			}
			if err == nil && fate == 19 {
				return errDied
			}
		}
		if err != nil {
			return fmt.Errorf("settling: %w", err)
		}
	}
}

func (s *storm) write(what happening, events []event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if what == handed {
		s.batches++
	}
	for _, ev := range events {
		key, err := strconv.Atoi(ev.Destination.Ref.Name)
		object, err2 := strconv.Atoi(ev.Resource.Name)
		version, err3 := strconv.Atoi(string(ev.Content.Bytes()))
		if err := errors.Join(err, err2, err3); err != nil {
			return err
		}
		s.record = append(s.record, entry{what, s.batches, int32(key), int32(key*s.objects + object), int32(version)}) //nolint:gosec // small numbers
	}
	return nil
}

// judge reads the record: one holder for each key, versions in order, none after its Done, and the
// last one done last.
func (s *storm) judge(last []int32) error {
	type state struct {
		inHand       int   // versions of it
		latest, done int32 // versions; 0: none
	}
	objects := make([]state, len(last))
	type holder struct{ batch, events int32 }
	holders := make([]holder, s.keys)
	for _, r := range s.record {
		o, h := &objects[r.object], &holders[r.key]
		fault := func(format string, args ...any) error {
			return fmt.Errorf("object %d, version %d: "+format, append([]any{r.object, r.version}, args...)...)
		}
		if r.what != handed {
			if o.inHand == 0 {
				return fault("settled although it was not in hand")
			}
			o.inHand--
			h.events--
			if r.what == finished {
				o.done = r.version
			} else if s.keep {
				o.latest = o.done
			}
			continue
		}
		switch {
		case h.events > 0 && h.batch != r.batch, o.inHand > 0 && !s.keep:
			return fault("handed out while its key was in hand")
		case r.version <= o.done:
			return fault("handed out after version %d was done", o.done)
		case r.version < o.latest:
			return fault("handed out after version %d", o.latest)
		case s.keep && r.version != o.latest+1:
			return fault("handed out after version %d, and none between", o.latest)
		}
		o.inHand++
		o.latest = r.version
		*h = holder{r.batch, h.events + 1}
	}
	for object, version := range last {
		if o := objects[object]; o.done != version {
			return fmt.Errorf("object %d: the last version is %d, done is %d", object, version, o.done)
		}
	}
	return nil
}
