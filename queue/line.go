package queue

import (
	"iter"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// bareBytes is the size that an event without content counts as, so that the bounds in bytes bound
// the number of these events too.
const bareBytes = 256

// indexFrom is the number of waiting events from which a line keeps an index. Most lines hold a
// handful: there a search is as quick, and an index would take more memory than the events.
const indexFrom = 16

// load is a number of events and their bytes.
type load struct {
	events int
	bytes  int64
}

func (l *load) add(n load) { l.events += n.events; l.bytes += n.bytes }
func (l *load) sub(n load) { l.events -= n.events; l.bytes -= n.bytes }

func loadOf(e *event.Event) load {
	if size := e.Content.Size(); size > 0 {
		return load{1, int64(size)}
	}
	return load{1, bareBytes}
}

// item is one queued or leased event. Queued, it is in live or seeds of its line, or chained
// through before behind a newer event of the same object. Leased, it is in the list of its lease.
type item struct {
	event   event.Event
	flow    *flow
	arrived time.Duration
	// before is the next older waiting event of the same object, if this one does not supersede it.
	// No batch ends between the two, so a Retry cannot put them back in the wrong order.
	before *item
	links[item]
	seed      bool // stands in line.seeds
	again     bool // in hand, and to be put back
	forgotten bool // in hand when its destination was forgotten: not put back
}

// load returns the sum over the item and all that is chained behind it.
func (e *item) load() load {
	var sum load
	for ; e != nil; e = e.before {
		sum.add(loadOf(&e.event))
	}
	return sum
}

func (e *item) oldest() *item {
	for e.before != nil {
		e = e.before
	}
	return e
}

// supersedes reports whether older can be left out before newer: the file ends the same, whatever
// it was before. Two writes with the same Precondition may end differently, but the newer content
// is what a listing a moment later would have found.
func supersedes(newer, older *event.Event) bool {
	return !newer.Writes() || newer.Precondition == event.Always || older.Writes() && older.Precondition == newer.Precondition
}

// isLive reports whether the event is a live change, and not found by a listing.
func isLive(e *event.Event) bool { return !e.Listed && e.Operation != event.SeedSync }

// fifo has items in the order in which they are handed out.
type fifo = list[item, *item]

// objectKey is what coalescing compares: the destination and the object. That of a SeedSync has the
// zero ID.
type objectKey struct {
	flow *flow
	id   event.ID
}

// flow is what the queue holds of one destination, waiting or in hand. It is never empty.
type flow struct {
	dst     destination.Destination
	hash    uint64
	next    *flow // another one with this hash
	line    *line
	waiting load
	inHand  int
}

// line holds the events of one key. It exists while it holds any.
type line struct {
	key string

	// live and seeds hold the waiting events. All events of one object are in one of the two, so
	// that either list may be handed out before the other. skippedBatches is the number of batches
	// in a row that left all seeds behind.
	live, seeds    fifo
	skippedBatches int
	// index finds the items of live and seeds. It is nil while there are few.
	index map[objectKey]*item

	waiting, inHand load
	liveWaiting     int // live events of waiting

	// window is that of the moment when the line was last empty. first is when the oldest event
	// came in since, last when the newest did. With dueNow the line is due whatever they say: it
	// holds the rest of a batch or a Retry, was woken, or had no room for an event.
	window      *Window
	first, last time.Duration
	dueNow      bool

	lease         *lease   // nil unless in hand
	woken         bool     // by Wake while in hand: a Retry does not back off
	failure       *failure // nil unless the last try failed
	lastTryFailed bool     // the last try of a shutdown failed: not handed out again

	// pos is the place of the line in scheduler.timed, -1 if it is not there. ready is the list of
	// lines that are due in which it stands, nil if it is in none.
	pos   int
	ready *readyList
	links[line]

	waiters []*waiter // blocked calls, first come first
	refused need      // of the last event that TryAdd refused: Room waits for as much
}

// failure is the state of a line whose last tries failed.
type failure struct {
	attempts     int
	err          error
	permanent    bool
	parked       bool // backing off, from since to until
	since, until time.Duration
}

func (l *line) fifo(e *item) *fifo {
	if e.seed {
		return &l.seeds
	}
	return &l.live
}

// waits yields all items that wait, in no order.
func (l *line) waits() iter.Seq[*item] {
	return func(yield func(*item) bool) {
		for _, f := range [...]*fifo{&l.live, &l.seeds} {
			for top := f.front; top != nil; top = top.next {
				for e := top; e != nil; e = e.before {
					if !yield(e) {
						return
					}
				}
			}
		}
	}
}

// find returns the newest waiting item of an object, or nil.
func (l *line) find(s objectKey) *item {
	if l.index != nil {
		return l.index[s]
	}
	for _, f := range []*fifo{&l.live, &l.seeds} {
		for e := f.back; e != nil; e = e.prev {
			if e.event.Resource.ID == s.id && e.flow == s.flow {
				return e
			}
		}
	}
	return nil
}

// link puts e, with what is chained behind it, at the tail or in front.
func (l *line) link(e *item, inFront bool) {
	if inFront {
		l.fifo(e).pushFront(e)
	} else {
		l.fifo(e).pushBack(e)
	}
	if l.index != nil {
		l.index[objectKey{e.flow, e.event.Resource.ID}] = e
	} else if l.waiting.events >= indexFrom {
		l.buildIndex()
	}
}

func (l *line) unlink(e *item) {
	l.fifo(e).remove(e)
	if s := (objectKey{e.flow, e.event.Resource.ID}); l.index[s] == e {
		delete(l.index, s)
	}
}

func (l *line) buildIndex() {
	l.index = make(map[objectKey]*item, 2*indexFrom)
	for _, f := range []*fifo{&l.live, &l.seeds} {
		for e := f.front; e != nil; e = e.next {
			l.index[objectKey{e.flow, e.event.Resource.ID}] = e
		}
	}
}

// due returns the time at which the line is due, backoff included. Any time that has passed means
// now.
func (l *line) due() time.Duration {
	var at time.Duration
	if !l.dueNow && l.liveWaiting < l.window.Count && l.waiting.bytes < l.window.Bytes {
		at = min(l.first+l.window.MaxWait, l.last+l.window.Debounce)
	}
	if l.failure != nil && l.failure.parked {
		at = max(at, l.failure.until)
	}
	return at
}
