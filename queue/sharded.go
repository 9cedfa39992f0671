package queue

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Sharded is a Queue in memory. Make it with NewSharded.
type Sharded struct {
	opts   Options   // defaults filled in
	epoch  time.Time // times are kept as what has passed since: a third of the size, and monotonic
	meters *shardedMeters

	mu sync.Mutex
	// lines has the lines that hold an event, waiting or in hand, and no other, by key; targets the destinations of these
	// events. A destination in targets is known to be valid.
	lines   table[string, *line]
	targets targets
	// waiting and inHand are the sums over all lines, parked the number of those that are backing off.
	waiting, inHand load
	parked          int
	counts          Counts

	// timed has the lines that are not due yet. live and seeds have those that are, in the order of their turns; liveTurns
	// counts the turns of live in a row. See line.pos.
	timed       timed
	live, seeds turns
	liveTurns   int
	// wake holds a token if one of the sleepers in Next must look again, see signal.
	wake     chan struct{}
	sleepers int

	// blocked has the lines with waiters. None of these lines is empty, as one that is has room for anything.
	blocked []*line

	// closing is set by Shutdown. drained is closed once nothing is in hand and all lines that are left, spent of them,
	// have failed their last try.
	closing bool
	spent   int
	drained chan struct{}
}

var _ Queue = (*Sharded)(nil)

// NewSharded returns an empty Sharded. nil options mean the defaults.
func NewSharded(opts *Options) *Sharded {
	q := &Sharded{
		opts:    opts.withDefaults(),
		epoch:   time.Now(),
		lines:   newTable[string, *line](),
		targets: newTargets(),
		wake:    make(chan struct{}, 1),
		drained: make(chan struct{}),
	}
	q.meters = newShardedMeters(q, q.opts.MeterProvider, q.opts.Logger)
	return q
}

func (q *Sharded) now() time.Duration { return time.Since(q.epoch) }

// waiter is a blocked Add, or a Room if it has no event.
type waiter struct {
	key   string
	hash  uint64 // of dst
	dst   *destination.Destination
	event *event.Event
	done  chan error // has room for the one answer
}

// TryAdd implements Producer.
func (q *Sharded) TryAdd(e event.Event) error {
	hash := q.targets.hash(&e.Destination)
	q.mu.Lock()
	defer q.mu.Unlock()
	t, err := q.admit(&e, hash)
	if err != nil {
		return err
	}
	if !q.offer(t, &e, true) {
		q.counts.Refused++
		t.line.refusedBy = loadOf(&e).bytes
		return (*noRoom)(t)
	}
	return nil
}

// noRoom is ErrFull for a target. A listing that is larger than the room is refused object by object, once for each
// destination, so refusing must cost nothing: no text is made before somebody reads it.
type noRoom target

func (r *noRoom) Error() string {
	return fmt.Sprintf("%v: no room for an event for %s", ErrFull, r.dst.Ref)
}
func (r *noRoom) Unwrap() error { return ErrFull }

// Add implements Producer.
func (q *Sharded) Add(ctx context.Context, e event.Event) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("queue: %s: %w", e, err)
	}
	hash := q.targets.hash(&e.Destination)
	q.mu.Lock()
	t, err := q.admit(&e, hash)
	if err != nil || q.offer(t, &e, true) {
		q.mu.Unlock()
		return err
	}
	return q.wait(ctx, t.line, &waiter{key: t.line.key, hash: hash, dst: &e.Destination, event: &e, done: make(chan error, 1)})
}

// Room implements Producer. There is room if the last event that TryAdd refused for this line would fit. An invalid
// destination has none, and event.ErrIncomplete is returned.
func (q *Sharded) Room(ctx context.Context, d destination.Destination) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("queue: room for %s: %w", d.Ref, err)
	}
	if err := d.Validate(); err != nil {
		return fmt.Errorf("%w: %w", event.ErrIncomplete, err)
	}
	key := q.opts.Key(d)
	q.mu.Lock()
	l := q.lines.entries[key]
	switch {
	case q.closing:
		q.mu.Unlock()
		return ErrShutdown
	case l == nil || len(l.waiters) == 0 && q.fits(l, load{1, l.refusedBy}, load{}):
		q.mu.Unlock()
		return nil
	}
	return q.wait(ctx, l, &waiter{dst: &d, done: make(chan error, 1)})
}

// admit refuses what may not enter, and returns the target of the rest, made if there was none. Validating a destination
// and making its key take longer than all the rest, so both are done only for one that the queue holds nothing of, and
// without the lock, since Key is not ours.
func (q *Sharded) admit(e *event.Event, hash uint64) (*target, error) {
	t := q.targets.find(hash, &e.Destination)
	if t == nil || !complete(e) {
		q.mu.Unlock()
		key, err := "", e.Validate()
		if err == nil {
			key = q.opts.Key(e.Destination)
		}
		q.mu.Lock()
		if err != nil {
			return nil, err
		}
		if !q.closing {
			t = q.target(key, hash, &e.Destination)
		}
	}
	if q.closing {
		return nil, ErrShutdown
	}
	return t, nil
}

// complete tells that Validate finds no fault but, possibly, in the Destination. What it is not sure of it denies.
func complete(e *event.Event) bool {
	switch e.Operation {
	case event.Create, event.Update:
		return e.Resource.Resource != "" && e.Resource.Name != "" && len(e.Content) > 0 && e.Inventory == nil
	case event.Delete:
		return e.Resource.Resource != "" && e.Resource.Name != "" && e.Content == nil && e.Inventory == nil
	case event.SeedSync:
		return e.Resource == event.Resource{} && e.Content == nil && e.Inventory != nil
	}
	return false
}

// target returns the target of a destination. One that was made must be given an event, or be released.
func (q *Sharded) target(key string, hash uint64, d *destination.Destination) *target {
	if t := q.targets.find(hash, d); t != nil {
		return t
	}
	l := q.lines.entries[key]
	if l == nil {
		l = &line{key: key, pos: -1}
		q.lines.put(key, l)
	}
	t := &target{dst: *d, hash: hash, line: l}
	q.targets.put(t)
	return t
}

// release forgets a target of which nothing is held.
func (q *Sharded) release(t *target) {
	if t.waiting.events == 0 && t.inHand == 0 {
		q.targets.drop(t)
	}
}

// offer puts e into its line if there is room. A newcomer does not pass the calls of Add that are waiting.
func (q *Sharded) offer(t *target, e *event.Event, newcomer bool) bool {
	l, size := t.line, loadOf(e)
	var old, kept *entry // the newest in e's slot, and what of it e does not supersede
	if q.coalesces(e) {
		old = l.find(slot{t, e.Resource.ID})
		for kept = old; kept != nil && supersedes(e, &kept.event); {
			kept = kept.before
		}
	}
	freed := old.load()
	freed.sub(kept.load())
	now := q.now()
	if newcomer && freed.bytes < size.bytes && slices.ContainsFunc(l.waiters, (*waiter).isAdd) || !q.fits(l, size, freed) {
		l.overdue = true // what makes room must not wait for more
		q.schedule(l, now)
		q.release(t)
		return false
	}
	if l.waiting.events == 0 {
		l.first, l.window = now, q.window(e.Destination)
	}
	l.last = now
	if old != nil {
		l.unlink(old)
	}
	n := &entry{event: *e, to: t, arrived: now, before: kept}
	n.seed = !isLive(e) && !q.opts.KeepEvery && (kept == nil || kept.seed)
	q.counts.Coalesced += q.unwait(old, kept)
	q.counts.Added++
	q.enwait(n)
	l.link(n, false)
	l.refusedBy = 0
	q.schedule(l, now)
	return true
}

func (w *waiter) isAdd() bool { return w.event != nil }

// coalesces tells whether events in the slot of e supersede each other.
func (q *Sharded) coalesces(e *event.Event) bool {
	return !q.opts.KeepEvery || e.Operation == event.SeedSync
}

func (q *Sharded) window(d destination.Destination) *Window {
	if q.opts.WindowFor == nil {
		return &q.opts.Window
	}
	w := q.opts.WindowFor(d).or(q.opts.Window)
	return &w
}

// fits tells whether a line has room for size if it gives up freed. What does not make it larger always fits.
func (q *Sharded) fits(l *line, size, freed load) bool {
	held, total := l.waiting, q.waiting
	held.add(l.inHand)
	held.sub(freed)
	total.add(q.inHand)
	total.sub(freed)
	if held.events == 0 || freed.events > 0 && size.bytes <= freed.bytes {
		return true
	}
	return held.events+size.events <= min(q.opts.MaxEventsPerKey, q.opts.MaxEvents-total.events) &&
		held.bytes+size.bytes <= min(q.opts.MaxBytesPerKey, q.opts.MaxBytes-total.bytes)
}

// enwait counts an entry alone as waiting.
func (q *Sharded) enwait(e *entry) {
	size := loadOf(&e.event)
	q.waiting.add(size)
	e.to.waiting.add(size)
	e.to.line.waiting.add(size)
	if isLive(&e.event) {
		e.to.line.liveWaiting++
	}
}

// unwait counts an entry and what hangs below it, up to but without end, as waiting no longer, and says how many they are.
func (q *Sharded) unwait(e, end *entry) (n uint64) {
	for ; e != end; e = e.before {
		n++
		size := loadOf(&e.event)
		q.waiting.sub(size)
		e.to.waiting.sub(size)
		e.to.line.waiting.sub(size)
		if isLive(&e.event) {
			e.to.line.liveWaiting--
		}
	}
	return n
}

// wait blocks until w is served by serve, or ctx ends. It is called with the lock and returns without.
func (q *Sharded) wait(ctx context.Context, l *line, w *waiter) error {
	if len(l.waiters) == 0 {
		q.blocked = append(q.blocked, l)
	}
	l.waiters = append(l.waiters, w)
	q.mu.Unlock()
	select {
	case err := <-w.done:
		return err
	case <-ctx.Done():
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(l.waiters, w)
	if i < 0 { // served at the same moment
		return <-w.done
	}
	l.waiters = slices.Delete(l.waiters, i, i+1)
	q.serveAll() // the one behind may fit where this one did not
	return fmt.Errorf("queue: waiting for room for %s: %w", w.dst.Ref, ctx.Err())
}

// serveAll must be called whenever room became free: it puts the events of blocked calls in.
func (q *Sharded) serveAll() {
	q.blocked = slices.DeleteFunc(q.blocked, func(l *line) bool {
		for len(l.waiters) > 0 && q.serve(l, l.waiters[0]) {
			l.waiters = slices.Delete(l.waiters, 0, 1)
		}
		return len(l.waiters) == 0
	})
}

func (q *Sharded) serve(l *line, w *waiter) bool {
	if w.isAdd() {
		if !q.offer(q.target(w.key, w.hash, w.dst), w.event, false) {
			return false
		}
	} else if !q.fits(l, load{1, l.refusedBy}, load{}) {
		return false
	}
	w.done <- nil
	return true
}
