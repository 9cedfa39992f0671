package queue

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Queue keeps the events of each destination in a line of their own until they are pushed. Its
// contract is the package comment.
type Queue interface {
	Producer
	Consumer
	Inspector

	// Shutdown refuses new events, makes every line due at once and waits until all events are
	// done, each line being tried once more at most. When ctx ends first, or lines failed their
	// last try, it returns a *RemainingError that says what was left. Calling it again waits again.
	Shutdown(ctx context.Context) error
}

// Producer is the side that events come in at.
type Producer interface {
	// Add puts e into its line. It blocks while there is no room, until ctx ends. An event that is
	// not complete is refused with an error that matches event.ErrIncomplete, a closed queue
	// refuses with ErrShutdown.
	Add(ctx context.Context, e event.Event) error
	// TryAdd is Add that returns ErrFull instead of blocking.
	TryAdd(e event.Event) error
	// Room waits until a TryAdd for d may succeed, until ctx ends or the queue shuts down
	// (ErrShutdown).
	Room(ctx context.Context, d destination.Destination) error
}

// Consumer is the side that batches go out at.
type Consumer interface {
	// Next waits for a key whose batch is due and leases it: nobody else gets that key until the
	// Lease is settled. It returns ErrShutdown once the queue is shut down and nothing is left to
	// hand out, or ctx's error once that has ended. Any other error is fatal to the consumer: an
	// implementation deals with momentary ones itself.
	Next(ctx context.Context) (Batch, error)
}

// Inspector looks at single lines and steers them.
type Inspector interface {
	// Forget drops what waits for d. A batch in hand is not waited for; its Retry becomes Done for
	// the events of d. Events of d that come in afterwards are kept.
	Forget(ctx context.Context, d destination.Destination) error
	// Wake ends the backoff of d's line and makes it due at once.
	Wake(d destination.Destination)
	// Line describes d's line; false if the queue holds nothing of d.
	Line(d destination.Destination) (KeyStats, bool)
	// Stats returns totals.
	Stats() Stats
}

// Batch is what a lease hands out: the events of one key in their order, at least one. Events must
// not be modified.
type Batch struct {
	Key     string
	Events  []event.Event
	Attempt int // 1 for the first try, counts up while the key fails
	Lease
}

// Lease is the exclusive right to a key's batch. Exactly one of Done and Retry settles it; a second
// call returns ErrLeaseLost, as does any call after the lease was lost.
type Lease interface {
	// Held reports whether the lease is still ours. It is asked before each run of a plan, so that a
	// worker whose lease was lost never writes old content over new. In doubt, or when ctx has
	// ended, it is false.
	Held(ctx context.Context) bool
	// Done forgets the events of the batch, and only these: what came in meanwhile stays.
	Done(ctx context.Context) error
	// Retry puts these events (none given: all of the batch) back into the line, in front of what
	// came later and without what was superseded meanwhile; the rest of the batch is done. The key
	// backs off, also if few of many failed; cause is shown in KeyStats. The events keep the order
	// of the batch, whatever order they are given in.
	Retry(ctx context.Context, cause error, events ...event.Event) error
}

// KeyStats describes the line of one destination.
type KeyStats struct {
	Waiting   int       // events waiting, those in hand not counted
	Bytes     int64     // their content, as the bounds count it
	InHand    int       // events leased at the moment
	Oldest    time.Time // when the oldest waiting event came in; zero if none
	Attempts  int       // failed tries in a row
	Parked    time.Time // since when the line is backing off; zero if it is not
	Until     time.Time // when the backoff ends
	Permanent bool      // the last failure matched ErrPermanent
	Err       error     // the last failure, until a batch is done
}

// Stats are the totals of a queue.
type Stats struct {
	Lines   int    // lines that hold something
	Waiting int    // events waiting
	InHand  int    // events leased
	Bytes   int64  // content of both, as the bounds count it
	Parked  int    // lines backing off
	Counts  Counts // since the queue was made or opened
}

// Counts tell what became of events. Added is the sum of Coalesced, Done and Forgotten, and of what
// waits and is in hand.
type Counts struct {
	Added uint64 // events that were accepted
	// of these, superseded by a newer one, waiting or when they would have been put back
	Coalesced uint64
	Done      uint64 // handed out and done
	Forgotten uint64 // dropped by Forget
	Retried   uint64 // times that an event was put back
	Refused   uint64 // times that TryAdd found no room
}

// The errors of this package. Test with errors.Is.
var (
	// ErrFull: there is no room for the event in its line or in the queue.
	ErrFull = errors.New("queue: full")
	// ErrShutdown: the queue takes no more events, or has no more to give.
	ErrShutdown = errors.New("queue: shut down")
	// ErrLeaseLost: the lease ended before; nothing was settled by this call.
	ErrLeaseLost = errors.New("queue: lease lost")
	// ErrPermanent marks a failure that trying again cannot cure. The line is kept and shown, and
	// tried again only at the longest backoff, or when it is woken.
	ErrPermanent = errors.New("queue: permanent failure")
)

// RetryDelayer is what an error of a Handler may implement, itself or in its chain, to say how long
// the line must not be tried: a server that limits its clients names a time (RFC 9110, section
// 10.2.3). The line backs off for as long at least; 0 and less say nothing.
type RetryDelayer interface{ RetryDelay() time.Duration }

// PartialError is returned by a Handler that has dealt with its batch except for Events, which go
// back into the line.
type PartialError struct {
	Events []event.Event
	Err    error
}

// Error gives the number of events that are left, and the reason.
func (e *PartialError) Error() string {
	return fmt.Sprintf("queue: %d events left: %v", len(e.Events), e.Err)
}

// Unwrap returns the cause.
func (e *PartialError) Unwrap() error { return e.Err }

// RemainingError is returned by Shutdown when events were left.
type RemainingError struct {
	Lines map[destination.Ref]int // number of events left by destination
	Err   error                   // why: the context's error, or the lines' last failures
}

// Error gives the number of events and destinations that are left, and the reason.
func (e *RemainingError) Error() string {
	n := 0
	for _, left := range e.Lines {
		n += left
	}
	return fmt.Sprintf("queue: %d events of %d destinations left: %v", n, len(e.Lines), e.Err)
}

// Unwrap returns the cause.
func (e *RemainingError) Unwrap() error { return e.Err }

// Handler deals with a batch and never settles its lease; the Runner does. It returns nil if
// everything is dealt with, a *PartialError if some events are to be tried again, and any other
// error, or panics, if all are. An error that matches ErrLeaseLost settles nothing, if the lease is
// lost indeed: one that says so because its context ended is tried again. It is called
// concurrently, for different keys.
type Handler func(ctx context.Context, b Batch) error

// Window says when a batch is due: when the first of its bounds is reached. Zero fields take the
// defaults.
type Window struct {
	Debounce time.Duration // no new event for so long. Default: 1 s
	MaxWait  time.Duration // the oldest event has waited for so long. Default: 5 s
	// so many live events wait; events of a listing do not count, a seed is cut by Bytes. Default:
	// 1,000
	Count int
	// so much content waits; a batch is never larger, unless a single event is. Default: 4 MiB
	Bytes int64
}
