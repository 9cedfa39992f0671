package queue

import (
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
)

// Sharded is a Queue in memory. Make it with NewSharded.
type Sharded struct {
	opts   Options   // defaults filled in
	epoch  time.Time // times are kept as what has passed since: a third of the size, and monotonic
	meters *shardedMeters

	mu sync.Mutex
	// lines has the lines that hold an event, waiting or in hand, by key. flows has the
	// destinations of these events; each is known to be valid.
	lines table[string, *line]
	flows flows
	// waiting and inHand are the numbers of events of all lines. bytes is the size of both, with
	// each of the contents once.
	waiting, inHand int
	bytes           int64
	contents        contents
	counts          Counts

	scheduler scheduler // of all lines

	// blocked has the lines with waiters. None of them is empty: an empty line has room for any
	// event.
	blocked []*line

	// closing is set by Shutdown. lastTriesFailed is the number of lines that have failed their
	// last try since. drained is closed once these are all that is left.
	closing         bool
	lastTriesFailed int
	drained         chan struct{}
}

var _ Queue = (*Sharded)(nil)

// NewSharded returns an empty Sharded. nil options mean the defaults.
func NewSharded(opts *Options) *Sharded {
	q := &Sharded{
		opts:     opts.withDefaults(),
		epoch:    time.Now(),
		lines:    newTable[string, *line](),
		flows:    newFlows(),
		contents: newContents(),
		drained:  make(chan struct{}),
	}
	q.scheduler.wake = make(chan struct{}, 1)
	q.meters = newShardedMeters(q, q.opts.MeterProvider, q.opts.Logger)
	return q
}

func (q *Sharded) now() time.Duration { return time.Since(q.epoch) }

// flowOf returns the flow of a destination. A new one must be given an event, or be released.
func (q *Sharded) flowOf(key string, hash uint64, d *destination.Destination) *flow {
	if t := q.flows.find(hash, d); t != nil {
		return t
	}
	l := q.lines.entries[key]
	if l == nil {
		l = &line{key: key, pos: -1}
		q.lines.put(key, l)
	}
	t := &flow{dst: *d, hash: hash, line: l}
	q.flows.put(t)
	return t
}

// release drops a flow that holds nothing.
func (q *Sharded) release(t *flow) {
	if t.waiting.events == 0 && t.inHand == 0 {
		q.flows.drop(t)
	}
}

// enwait counts one item as waiting.
func (q *Sharded) enwait(e *item) {
	size := loadOf(&e.event)
	q.waiting++
	e.flow.waiting.add(size)
	e.flow.line.waiting.add(size)
	if isLive(&e.event) {
		e.flow.line.liveWaiting++
	}
}

// unwait counts an item and what is chained behind it, up to but without end, as no longer waiting.
// It returns the number of items.
func (q *Sharded) unwait(e, end *item) (n uint64) {
	for ; e != end; e = e.before {
		n++
		size := loadOf(&e.event)
		q.waiting--
		e.flow.waiting.sub(size)
		e.flow.line.waiting.sub(size)
		if isLive(&e.event) {
			e.flow.line.liveWaiting--
		}
	}
	return n
}

// discard takes an item and what is chained behind it, up to but without end, out of the queue. It
// returns the number of items. Unlike unwait it is for what is not handed out.
func (q *Sharded) discard(e, end *item) uint64 {
	for old := e; old != end; old = old.before {
		q.bytes -= q.contents.remove(&old.event)
	}
	return q.unwait(e, end)
}

// schedule must be called after any change of a line. It drops a line that is empty.
func (q *Sharded) schedule(l *line, now time.Duration) {
	q.scheduler.place(l, now)
	if l.waiting.events > 0 || l.lease != nil {
		return
	}
	q.scheduler.unpark(l)
	if l.lastTryFailed {
		q.lastTriesFailed--
	}
	q.lines.drop(l.key)
}
