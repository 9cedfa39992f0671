package queue

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-logr/logr"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Feeder brings events into a queue for users with informers of their own, whose handlers must
// never wait. An event that finds no room is not kept: its object is marked, and read again when
// there is room. So the branch gets what the object is by then, however long a remote was down, and
// a mark costs no content. A Watcher of package event/source does the same by itself.
//
// A SeedSync waits until all marked objects of its destination are sent, since it must follow the
// writes that it covers. The newest one supersedes those that wait.
//
// All methods may be called concurrently. Nothing marked is sent but while Run runs.
type Feeder struct {
	out  Producer
	read Reader
	log  logr.Logger

	mu    sync.Mutex
	lines map[destination.Destination]*feederLine // those with something that waits
	wake  chan struct{}                           // capacity 1
}

// Reader returns the event of an object as it is at the moment: a write, or a Delete if it is gone,
// or no longer wanted. It is called without a lock, for one object of a destination at a time. An
// error is tried again later.
type Reader func(ctx context.Context, d destination.Destination, id event.ID) (event.Event, error)

// feederLine is what waits for one destination.
type feederLine struct {
	marks  map[event.ID]*feederMark
	seed   *event.Event  // goes out when no mark is left
	served bool          // a goroutine is at it
	more   chan struct{} // capacity 1: another object was marked
}

// feederMark is an object that waits.
type feederMark struct {
	told    uint64        // how often it was offered since it was marked
	removal *event.Event  // a Delete that found no room
	pause   time.Duration // after the last failure
	due     time.Time     // when it may be tried again after that
}

// FeederOptions change what a Feeder does. Nil and the zero value mean the defaults.
type FeederOptions struct {
	// Logger gets the errors of the Reader. Default: none.
	Logger logr.Logger
}

// NewFeeder returns a Feeder to out, which is a Queue.
func NewFeeder(out Producer, read Reader, opts *FeederOptions) *Feeder {
	f := &Feeder{out: out, read: read, lines: map[destination.Destination]*feederLine{}, wake: make(chan struct{}, 1)}
	if opts != nil {
		f.log = opts.Logger
	}
	return f
}

// Offer hands an event to the queue, or marks its object. It never waits. The error is that of
// TryAdd for an event that no queue takes; then nothing is marked.
func (f *Feeder) Offer(e event.Event) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	line := f.lines[e.Destination]
	switch {
	case line == nil:
	case e.Operation == event.SeedSync:
		line.seed = &e
		return nil
	case line.marks[e.Resource.ID] != nil: // what is sent now would stand before what is marked
		line.marks[e.Resource.ID].note(e)
		return nil
	}
	err := f.out.TryAdd(e)
	if !errors.Is(err, ErrFull) {
		return err
	}
	f.keep(e)
	return nil
}

// keep marks what found no room. The caller holds mu.
func (f *Feeder) keep(e event.Event) {
	line := f.lines[e.Destination]
	if line == nil {
		line = &feederLine{marks: map[event.ID]*feederMark{}, more: make(chan struct{}, 1)}
		f.lines[e.Destination] = line
	}
	if e.Operation == event.SeedSync {
		line.seed = &e
	} else {
		line.marks[e.Resource.ID] = &feederMark{}
		line.marks[e.Resource.ID].note(e)
	}
	for _, c := range []chan struct{}{f.wake, line.more} {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// note takes note of an event of a marked object.
func (m *feederMark) note(e event.Event) {
	m.told++
	if e.Operation == event.Delete {
		m.removal = &e
	}
}

// Waiting returns the number of objects of a destination that are marked, and whether a SeedSync
// waits for them.
func (f *Feeder) Waiting(d destination.Destination) (objects int, seed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if line := f.lines[d]; line != nil {
		return len(line.marks), line.seed != nil
	}
	return 0, false
}

// Forget drops what waits for a destination.
func (f *Feeder) Forget(d destination.Destination) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.lines, d)
}

// Run sends what waits, as soon as there is room, until ctx ends or the queue is shut down. A
// destination that hangs holds up no other.
func (f *Feeder) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		for d, line := range f.unserved() {
			group.Go(func() { f.serve(ctx, d, line) })
		}
		select {
		case <-ctx.Done():
			return nil
		case <-f.wake:
		}
	}
}

// unserved returns the lines that nobody serves, and marks them as served.
func (f *Feeder) unserved() map[destination.Destination]*feederLine {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := map[destination.Destination]*feederLine{}
	for d, line := range f.lines {
		if !line.served {
			line.served = true
			found[d] = line
		}
	}
	return found
}

// The pauses after an object could not be read.
const (
	feederPause    = time.Second
	maxFeederPause = time.Minute
)

// serve sends what waits for a destination until nothing does.
func (f *Feeder) serve(ctx context.Context, d destination.Destination, line *feederLine) {
	for {
		if f.out.Room(ctx, d) != nil { // ctx has ended, or the queue is shut down
			f.leave(line)
			return
		}
		over, wait := f.send(ctx, d, line)
		switch {
		case over:
			return
		case wait > 0:
			select {
			case <-ctx.Done():
			case <-line.more:
			case <-time.After(wait):
			}
		}
	}
}

// leave gives a line up that may be served again.
func (f *Feeder) leave(line *feederLine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line.served = false
}

// send sends one of what waits. It reports whether nothing is left, and how long all that is left
// has to wait after it failed. An object that fails holds up no other, but for the SeedSync.
func (f *Feeder) send(ctx context.Context, d destination.Destination, line *feederLine) (over bool, wait time.Duration) {
	id, mark, told, wait := f.next(d, line)
	switch {
	case wait > 0:
		return false, wait
	case mark == nil:
		return f.finish(d, line)
	}
	e, err := f.read(ctx, d, id)
	if err == nil && (e.Destination != d || e.Resource.ID != id) {
		err = fmt.Errorf("queue: Feeder was given the event %s in place of %s for %s", e, id, d.Ref)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lines[d] != line {
		return true, 0 // it was forgotten
	}
	if err == nil {
		err = f.add(mark, e)
	}
	switch {
	case errors.Is(err, ErrFull):
	case err != nil:
		mark.pause = min(max(2*mark.pause, feederPause), maxFeederPause)
		mark.due = time.Now().Add(mark.pause)
		f.log.Error(err, "An object that waits cannot be sent", "destination", d, "object", id.String(), "nextTry", mark.due)
	case mark.told == told: // else it may have changed since it was read
		delete(line.marks, id)
	}
	return false, 0
}

// add offers the event of a marked object. An older file would keep what is IfAbsent from being
// written, so its removal goes first. The caller holds mu.
func (f *Feeder) add(mark *feederMark, e event.Event) error {
	if mark.removal != nil && e.Writes() && e.Precondition != event.Always {
		if err := f.out.TryAdd(*mark.removal); err != nil {
			return err
		}
		mark.removal = nil
	}
	return f.out.TryAdd(e)
}

// next returns a marked object that may be tried, and how often it was offered; else how long all
// marked ones have to wait.
func (f *Feeder) next(d destination.Destination, line *feederLine) (id event.ID, mark *feederMark, told uint64, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lines[d] != line {
		return id, nil, 0, 0
	}
	now := time.Now()
	for id, mark := range line.marks {
		left := mark.due.Sub(now)
		if left <= 0 {
			return id, mark, mark.told, 0
		}
		if wait == 0 || left < wait {
			wait = left
		}
	}
	return id, nil, 0, wait
}

// finish sends the SeedSync that waits, and drops the line if nothing has come in meanwhile.
func (f *Feeder) finish(d destination.Destination, line *feederLine) (over bool, wait time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lines[d] != line:
		return true, 0 // it was forgotten
	case len(line.marks) > 0:
		return false, 0
	case line.seed != nil:
		if err := f.out.TryAdd(*line.seed); errors.Is(err, ErrFull) {
			return false, 0
		} else if err != nil {
			f.log.Error(err, "A SeedSync that waits cannot be sent", "destination", d)
			return false, feederPause
		}
	}
	delete(f.lines, d)
	return true, 0
}
