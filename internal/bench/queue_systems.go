package main

import (
	"context"
	"fmt"
	"sync"

	"k8s.io/client-go/util/workqueue"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

// The systems of the command queue.
const (
	systemSharded   = "kubescribe"
	systemRunner    = "runner"
	systemWorkqueue = "workqueue"
	systemChannels  = "channels"
	systemPool      = "pool of 64"
)

// lineup is what events wait in.
type lineup interface {
	add(e event.Event)
	drain(n int) // handles so many, which have been added
	hold()       // nothing is handled from now on
	// take takes what is next, for one worker: the events, and what says that they are dealt with.
	// nil: it is closed.
	take() (events []event.Event, done func())
	close()
}

type lineupMaker struct {
	name string
	make func(keys int) lineup
}

func lineups() []lineupMaker {
	return []lineupMaker{{systemSharded, newSharded}, {systemWorkqueue, newWorkqueue}, {systemChannels, newChannels}}
}

// queueEvents are so many events for each of so many destinations, in turns, with one content for
// all, of a byte: a batch holds all that its key has.
func queueEvents(keys, each int) []event.Event {
	events := make([]event.Event, 0, keys*each)
	content := event.NewContent([]byte("x"))
	for i := range each {
		for k := range keys {
			e := queueEvent(fmt.Sprint("repository", k/10), fmt.Sprint("destination", k), fmt.Sprint("object", i))
			e.Content = content
			events = append(events, e)
		}
	}
	return events
}

func queueEvent(repository, name, object string) event.Event {
	return event.Event{
		Destination: destination.Destination{
			Ref: destination.Ref{Namespace: "team", Name: name}, Repository: "https://git.example.com/" + repository, Branch: "main", BaseFolder: name,
		},
		Operation: event.Update,
		Resource:  event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "shop", Name: object}, Version: "v1", Kind: "ConfigMap"},
		Content:   event.NewContent([]byte("x")),
	}
}

// sharded is queue.Sharded, whose batches are due at three events and hold at most 100.
type sharded struct {
	q      *queue.Sharded
	ctx    context.Context //nolint:containedctx // of the whole lineup, ends in close
	cancel context.CancelFunc
}

func newSharded(int) lineup { return shardedWith(nil) }

func (s *sharded) add(e event.Event) {
	if err := s.q.Add(s.ctx, e); err != nil && s.ctx.Err() == nil {
		panic(err)
	}
}

func (s *sharded) drain(n int) {
	for n > 0 {
		events, done := s.take()
		n -= len(events)
		done()
	}
}

func (s *sharded) take() ([]event.Event, func()) {
	b, err := s.q.Next(s.ctx)
	if err != nil {
		return nil, nil
	}
	return b.Events, func() {
		if err := b.Done(s.ctx); err != nil {
			panic(err)
		}
	}
}

func (s *sharded) hold()  {}
func (s *sharded) close() { s.cancel() }

// keyed is client-go's workqueue of keys beside a map of what waits for each key: all of it is
// taken at once.
type keyed struct {
	q       workqueue.TypedInterface[destination.Destination]
	mu      sync.Mutex
	waiting map[destination.Destination][]event.Event
}

func newWorkqueue(int) lineup {
	return &keyed{q: workqueue.NewTyped[destination.Destination](), waiting: map[destination.Destination][]event.Event{}}
}

func (k *keyed) add(e event.Event) {
	k.mu.Lock()
	k.waiting[e.Destination] = append(k.waiting[e.Destination], e)
	k.mu.Unlock()
	k.q.Add(e.Destination)
}

func (k *keyed) drain(n int) {
	for n > 0 {
		events, done := k.take()
		n -= len(events)
		done()
	}
}

func (k *keyed) take() ([]event.Event, func()) {
	d, shutdown := k.q.Get()
	if shutdown {
		return nil, nil
	}
	k.mu.Lock()
	events := k.waiting[d]
	delete(k.waiting, d)
	k.mu.Unlock()
	return events, func() { k.q.Done(d) }
}

func (k *keyed) hold()  {}
func (k *keyed) close() { k.q.ShutDown() }

// channels is a channel and a goroutine for each key, which are never given back, and one place for
// whoever works.
type channels struct {
	mu      sync.Mutex
	byKey   map[destination.Destination]chan event.Event
	taken   chan event.Event
	handled sync.WaitGroup
	held    chan struct{} // nil unless held
	workers sync.WaitGroup
	closed  chan struct{}
}

// channelSize is how many events a channel has room for.
const channelSize = 16

func newChannels(keys int) lineup {
	return &channels{byKey: make(map[destination.Destination]chan event.Event, keys), closed: make(chan struct{}), taken: make(chan event.Event)}
}

func (c *channels) add(e event.Event) {
	c.mu.Lock()
	ch := c.byKey[e.Destination]
	if ch == nil {
		ch = make(chan event.Event, channelSize)
		c.byKey[e.Destination] = ch
		c.workers.Go(func() { c.work(ch) })
	}
	c.mu.Unlock()
	c.handled.Add(1)
	select {
	case ch <- e:
	case <-c.closed:
		c.handled.Done()
	}
}

func (c *channels) work(ch <-chan event.Event) {
	if c.held != nil {
		<-c.closed
	}
	for {
		select {
		case e := <-ch:
			if c.taken != nil && e.Content.Bytes()[0] == 't' {
				select {
				case c.taken <- e:
				case <-c.closed:
					return
				}
			}
			c.handled.Done()
		case <-c.closed:
			return
		}
	}
}

func (c *channels) drain(int) { c.handled.Wait() }

func (c *channels) take() ([]event.Event, func()) {
	select {
	case e := <-c.taken:
		return []event.Event{e}, func() {}
	case <-c.closed:
		return nil, nil
	}
}

func (c *channels) hold() { c.held = make(chan struct{}) }

func (c *channels) close() {
	close(c.closed)
	c.workers.Wait()
}
