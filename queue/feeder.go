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
	seed   *event.Event // goes out when no mark is left
	served bool         // a goroutine is at it
}

// feederMark is an object that waits.
type feederMark struct {
	told    uint64       // how often it was offered since it was marked
	removal *event.Event // a Delete that found no room
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
		line = &feederLine{marks: map[event.ID]*feederMark{}}
		f.lines[e.Destination] = line
	}
	if e.Operation == event.SeedSync {
		line.seed = &e
	} else {
		line.marks[e.Resource.ID] = &feederMark{}
		line.marks[e.Resource.ID].note(e)
	}
	select {
	case f.wake <- struct{}{}:
	default:
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
	pause := feederPause
	for {
		if f.out.Room(ctx, d) != nil { // ctx has ended, or the queue is shut down
			f.leave(line)
			return
		}
		over, err := f.send(ctx, d, line)
		switch {
		case over:
			return
		case err == nil:
			pause = feederPause
			continue
		}
		f.log.Error(err, "An object that waits cannot be sent", "destination", d, "nextTry", pause.String())
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, maxFeederPause)
	}
}

// leave gives a line up that may be served again.
func (f *Feeder) leave(line *feederLine) {
	f.mu.Lock()
	defer f.mu.Unlock()
	line.served = false
}

// send sends one of what waits. It reports whether nothing is left.
func (f *Feeder) send(ctx context.Context, d destination.Destination, line *feederLine) (over bool, err error) {
	id, mark, told := f.next(d, line)
	if mark == nil {
		return f.finish(d, line)
	}
	e, err := f.read(ctx, d, id)
	if err == nil && (e.Destination != d || e.Resource.ID != id) {
		err = fmt.Errorf("queue: Feeder was given the event %s in place of %s for %s", e, id, d.Ref)
	}
	if err != nil {
		return false, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lines[d] != line {
		return true, nil // it was forgotten
	}
	// An older file would keep what is IfAbsent from being written, so its removal goes first.
	if mark.removal != nil && e.Writes() && e.Precondition != event.Always {
		if err := f.out.TryAdd(*mark.removal); err != nil {
			return false, ignoreFull(err)
		}
		mark.removal = nil
	}
	err = f.out.TryAdd(e)
	if err == nil && mark.told == told { // else it may have changed since it was read
		delete(line.marks, id)
	}
	return false, ignoreFull(err)
}

func ignoreFull(err error) error {
	if errors.Is(err, ErrFull) {
		return nil
	}
	return err
}

// next returns a marked object, and how often it was offered.
func (f *Feeder) next(d destination.Destination, line *feederLine) (id event.ID, mark *feederMark, told uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lines[d] == line {
		for id, mark = range line.marks {
			return id, mark, mark.told
		}
	}
	return id, nil, 0
}

// finish sends the SeedSync that waits, and drops the line if nothing has come in meanwhile.
func (f *Feeder) finish(d destination.Destination, line *feederLine) (over bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.lines[d] != line:
		return true, nil // it was forgotten
	case len(line.marks) > 0:
		return false, nil
	case line.seed != nil:
		if err := f.out.TryAdd(*line.seed); err != nil {
			return false, ignoreFull(err)
		}
	}
	delete(f.lines, d)
	return true, nil
}
