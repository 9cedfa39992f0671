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
	// lines has the lines that hold an event, waiting or in hand, and no other, by key; targets the
	// destinations of these events. A destination in targets is known to be valid.
	lines table[string, *line]
	flows flows
	// waiting and inHand are the sums over all lines.
	waiting, inHand load
	counts          Counts

	scheduler scheduler // of all lines

	// blocked has the lines with waiters. None of these lines is empty, as one that is has room for
	// anything.
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
		opts:    opts.withDefaults(),
		epoch:   time.Now(),
		lines:   newTable[string, *line](),
		flows:   newFlows(),
		drained: make(chan struct{}),
	}
	q.scheduler.wake = make(chan struct{}, 1)
	q.meters = newShardedMeters(q, q.opts.MeterProvider, q.opts.Logger)
	return q
}

func (q *Sharded) now() time.Duration { return time.Since(q.epoch) }

// target returns the target of a destination. One that was made must be given an event, or be
// released.
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

// release forgets a target of which nothing is held.
func (q *Sharded) release(t *flow) {
	if t.waiting.events == 0 && t.inHand == 0 {
		q.flows.drop(t)
	}
}

// enwait counts an entry alone as waiting.
func (q *Sharded) enwait(e *item) {
	size := loadOf(&e.event)
	q.waiting.add(size)
	e.flow.waiting.add(size)
	e.flow.line.waiting.add(size)
	if isLive(&e.event) {
		e.flow.line.liveWaiting++
	}
}

// unwait counts an entry and what hangs below it, up to but without end, as waiting no longer, and
// says how many they are.
func (q *Sharded) unwait(e, end *item) (n uint64) {
	for ; e != end; e = e.before {
		n++
		size := loadOf(&e.event)
		q.waiting.sub(size)
		e.flow.waiting.sub(size)
		e.flow.line.waiting.sub(size)
		if isLive(&e.event) {
			e.flow.line.liveWaiting--
		}
	}
	return n
}

// schedule must be called after any change of a line. An empty line goes.
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
