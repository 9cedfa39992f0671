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
	// done. It tries each line once more. If ctx ends first, or a last try fails, it returns a
	// *RemainingError with what was left. Called again, it waits again.
	Shutdown(ctx context.Context) error
}

// Producer is the side of a Queue where events come in.
type Producer interface {
	// Add puts e into its line. It blocks while there is no room, until ctx ends. It refuses an
	// event that is not complete with an error that matches event.ErrIncomplete; a closed queue
	// refuses with ErrShutdown.
	Add(ctx context.Context, e event.Event) error
	// TryAdd is Add, but returns ErrFull where Add would block.
	TryAdd(e event.Event) error
	// Room waits until a TryAdd for d may succeed. It returns the error of ctx if that ends first,
	// or ErrShutdown if the queue shuts down.
	Room(ctx context.Context, d destination.Destination) error
}

// Consumer is the side of a Queue where batches go out.
type Consumer interface {
	// Next waits for a key whose batch is due and leases it: nobody else gets that key until the
	// Lease is settled. It returns ErrShutdown once the queue is shut down and nothing is left to
	// hand out, and the error of ctx once that has ended. Any other error is fatal to the consumer:
	// an implementation deals with temporary ones itself.
	Next(ctx context.Context) (Batch, error)
}

// Inspector looks at single lines and steers them.
type Inspector interface {
	// Forget drops what waits for d. It does not wait for a batch in hand, whose Retry becomes Done
	// for the events of d. Events of d that come in afterwards are kept.
	Forget(ctx context.Context, d destination.Destination) error
	// Wake ends the backoff of d's line and makes it due at once.
	Wake(d destination.Destination)
	// Line describes the line of d; false if the queue holds nothing of d.
	Line(d destination.Destination) (KeyStats, bool)
	// Stats returns the totals of all lines.
	Stats() Stats
}

// Batch is a batch with its Lease: the events of one key in their order, at least one. Events must
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
	// Held reports whether the lease is still ours. The writer asks before each run of a plan, so
	// that a worker that has lost its lease never writes old content over new. In doubt, or when
	// ctx has ended, it is false.
	Held(ctx context.Context) bool
	// Done removes the events of the batch, and only these: what came in meanwhile stays.
	Done(ctx context.Context) error
	// Retry puts these events back into the line, or the whole batch if none are given; the rest of
	// the batch is done. They go in front of what came later, in the order of the batch, without
	// those that were superseded meanwhile. The key backs off, even if few of many failed. KeyStats
	// shows cause.
	Retry(ctx context.Context, cause error, events ...event.Event) error
}

// KeyStats describes the line of one destination.
type KeyStats struct {
	Waiting   int       // events waiting, those in hand not counted
	Bytes     int64     // their content, as MaxBytesPerKey counts it
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
	Bytes   int64  // content of both, as MaxBytes counts it: what events share once
	Parked  int    // lines backing off
	Counts  Counts // since the queue was made or opened
}

// Counts has the numbers of events by what became of them. Added is the sum of Coalesced, Done and
// Forgotten, and of the events that wait and are in hand.
type Counts struct {
	Added     uint64 // events that were accepted
	Coalesced uint64 // superseded by a newer event, while waiting or in hand
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

// RetryDelayer may be implemented by the error of a Handler, or by one in its chain, to say when
// the line may be tried again: a server that limits its clients names a time (RFC 9110, section
// 10.2.3). The line backs off at least that long; 0 and less say nothing.
type RetryDelayer interface{ RetryDelay() time.Duration }

// PartialError is returned by a Handler that has dealt with its batch except for Events. These go
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
	return fmt.Sprintf("queue: %d events of %d destinations left: %v", e.events(), len(e.Lines), e.Err)
}

func (e *RemainingError) events() (n int) {
	for _, left := range e.Lines {
		n += left
	}
	return n
}

// Unwrap returns the cause.
func (e *RemainingError) Unwrap() error { return e.Err }

// Handler deals with a batch. It returns nil if everything is done, a *PartialError if some events
// are to be tried again, and any other error if all are; a panic counts as one. It never settles
// the lease: the Runner does.
//
// An error that matches ErrLeaseLost settles nothing if the lease is really lost; if the lease is
// held, the batch is tried again. A Handler is called concurrently, for different keys.
type Handler func(ctx context.Context, b Batch) error

// Window says when a batch is due: when the first of its bounds is reached. Zero fields take the
// defaults.
type Window struct {
	// Debounce is the time for which no new event has come in. Default: 1 s.
	Debounce time.Duration
	// MaxWait is the time that the oldest event has waited. Default: 5 s.
	MaxWait time.Duration
	// Count is the number of live events that wait. Events of a listing do not count: Bytes cuts a
	// seed. Default: 1,000.
	Count int
	// Bytes is the size of the content that waits. A batch is never larger, unless a single event
	// is. Default: 4 MiB.
	Bytes int64
}
