package queue

import (
	"context"
	"flag"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

var (
	seed  = flag.Uint64("seed", 0, "seed of the random test, 0: a new one")
	steps = flag.Int("steps", 0, "length of the schedules that are tried, 0: 7, 6 with -short, and 5 with -race")
)

// world is a small cluster and the folder of one destination: what a queue between them must keep
// equal.
type world struct {
	q         *Sharded
	condition event.Precondition
	copied    bool // a SeedSync carries a copy of what lives instead of asking late
	living    map[string]string
	files     map[string]string
	version   int
	hand      *Batch
}

// asked is an Inventory over a map, which is that of the world or a copy.
type asked struct{ living map[string]string }

func (a asked) View(f func(event.Snapshot) error) error { return f(a) }
func (a asked) Collections() []event.Collection         { return nil }
func (asked) Uncovered(event.Collection) bool           { return false }
func (asked) Landed(event.Snapshot)                     {}
func (asked) Differs(event.Object)                      {}
func (asked) MaySweep() bool                            { return true }
func (a asked) Objects() iter.Seq[event.Object] {
	return func(yield func(event.Object) bool) {
		for name := range a.living {
			if !yield(event.Object{Resource: write(prod, name, "").Resource}) {
				return
			}
		}
	}
}

// step does what op says if it is possible now.
//
//	a, b: the object is created or deleted    s: what lives is listed, then a SeedSync
//	n: a batch is handed out                  d: it is pushed and done
//	r: it fails and is put back               u: it is pushed, but put back, since nobody knows
//	p: its first event is pushed, the others are put back
func (w *world) step(t *testing.T, op byte) bool {
	switch op {
	case 'a', 'b':
		w.toggle(t, string(op))
	case 's':
		for _, name := range slices.Sorted(maps.Keys(w.living)) {
			e := conditional(w.condition, name, w.living[name])
			e.Listed = true
			add(t, w.q, e)
		}
		e := seedSync(prod)
		if e.Inventory = (asked{w.living}); w.copied {
			e.Inventory = asked{maps.Clone(w.living)}
		}
		add(t, w.q, e)
	case 'n':
		if _, ok := w.q.Line(prod); w.hand != nil || !ok {
			return false
		}
		w.q.Wake(prod)
		b := next(t, w.q)
		w.hand = &b
	default:
		if w.hand == nil || op == 'p' && len(w.hand.Events) == 1 {
			return false
		}
		switch op {
		case 'd':
			w.push(w.hand.Events)
			done(t, *w.hand)
		case 'p':
			w.push(w.hand.Events[:1])
			retry(t, *w.hand, errPush, w.hand.Events[1:]...)
		case 'u':
			w.push(w.hand.Events)
			fallthrough
		default:
			retry(t, *w.hand, errPush)
		}
		w.hand = nil
	}
	return true
}

func (w *world) toggle(t *testing.T, name string) {
	if _, ok := w.living[name]; ok {
		delete(w.living, name)
		add(t, w.q, remove(prod, name))
		return
	}
	w.version++
	w.living[name] = fmt.Sprint(w.version)
	add(t, w.q, conditional(w.condition, name, w.living[name]))
}

// push folds a batch into the files, in order.
func (w *world) push(events []event.Event) {
	for _, e := range events {
		name := e.Resource.Name
		_, there := w.files[name]
		switch {
		case e.Operation == event.SeedSync:
			_ = e.Inventory.View(func(v event.Snapshot) error {
				alive := map[string]bool{}
				for o := range v.Objects() {
					alive[o.Name] = true
				}
				maps.DeleteFunc(w.files, func(name, _ string) bool { return !alive[name] })
				return nil
			})
		case e.Operation == event.Delete:
			delete(w.files, name)
		case e.Precondition == event.Always, there == (e.Precondition == event.IfPresent):
			w.files[name] = string(e.Content.Bytes())
		}
	}
}

// wrong runs a schedule, then all that waits, and reports whether the folder is not what lives.
// possible is false if a step is not: the schedule is the same as a shorter one.
func wrong(t *testing.T, schedule []byte, w world) (wrong, possible bool) {
	// so that a SeedSync is often cut off from what is around it
	w.q = NewSharded(&Options{Window: Window{Bytes: 300}})
	w.living, w.files = map[string]string{}, map[string]string{}
	w.step(t, 'a')
	w.step(t, 'n')
	w.step(t, 'd')
	for _, op := range schedule {
		if !w.step(t, op) {
			return false, false
		}
	}
	for w.step(t, 'd') || w.step(t, 'n') {
	}
	return !maps.Equal(w.living, w.files), true
}

// explore tries all schedules of up to n steps that begin with prefix, and returns the first that
// goes wrong.
func explore(t *testing.T, prefix []byte, n int, w world, tried *int) []byte {
	bad, possible := wrong(t, prefix, w)
	if bad {
		return prefix
	}
	*tried++
	if !possible || len(prefix) == n {
		return nil
	}
	for _, op := range []byte(operations) {
		if found := explore(t, append(prefix, op), n, w, tried); found != nil {
			return found
		}
	}
	return nil
}

const operations = "absndrup"

func TestNoScheduleLosesTheFileOfALivingObjectOrKeepsThatOfADeadOne(t *testing.T) {
	n := *steps
	if n == 0 {
		n = testsize.Sizes{Short: 6, Usual: 7}.Pick()
		if raceDetector {
			n = 5
		}
	}
	for _, condition := range []event.Precondition{event.Always, event.IfAbsent} {
		for _, first := range []byte(operations) {
			t.Run(fmt.Sprintf("%s, %c", condition, first), func(t *testing.T) {
				t.Parallel()
				tried := 0
				bubble(t, func(t *testing.T) {
					if found := explore(t, []byte{first}, n, world{condition: condition}, &tried); found != nil {
						t.Fatalf("%q", found)
					}
				})
				t.Logf("%d schedules of up to %d steps", tried, n)
			})
		}
	}
}

func TestALiveThatCopiesWhatLivesWouldLoseFiles(t *testing.T) { // and so the schedules can tell
	bubble(t, func(t *testing.T) {
		require.NotNil(t, explore(t, nil, 4, world{copied: true}, new(int)), "no schedule lost a file")
	})
}

// TestRandomOperationsKeepEveryPromise drives several lines at random and checks against a small
// model: for each object what must still come, oldest first.
func TestRandomOperationsKeepEveryPromise(t *testing.T) {
	s := *seed
	if s == 0 {
		s = rand.Uint64()
	}
	t.Logf("-seed=%d", s)
	for i, opts := range modelOptions {
		bubble(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(s, uint64(i)))
			m := newModel(opts)
			for range 20_000 {
				m.step(t, rnd)
			}
			m.end(t)
		})
	}
}

var modelOptions = []Options{
	{}, {Key: ByRepository}, {KeepEvery: true}, {Key: ByRepository, KeepEvery: true, MaxEventsPerKey: 20}, {MaxBytes: 2000, Window: Window{Bytes: 100}},
}

// tape is randomness that a fuzzer writes: a byte for each decision. What is needed beyond its end
// is not zero for ever, as rand.Rand would go on asking.
type tape struct {
	left  []byte
	after uint64
}

func (s *tape) Uint64() uint64 {
	if len(s.left) == 0 {
		s.after += 0x9e3779b97f4a7c15
		return s.after
	}
	v := uint64(s.left[0]) << 56
	s.left = s.left[1:]
	return v
}

func FuzzOperations(f *testing.F) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range modelOptions {
		data := make([]byte, 400)
		for j := range data {
			data[j] = byte(rnd.Uint32())
		}
		f.Add(uint8(i), data)
	}
	f.Fuzz(func(t *testing.T, options uint8, data []byte) {
		bubble(t, func(t *testing.T) {
			decisions := tape{left: data}
			m := newModel(modelOptions[int(options)%len(modelOptions)])
			for rnd := rand.New(&decisions); len(decisions.left) > 0; {
				m.step(t, rnd)
			}
			m.end(t)
		})
	})
}

// object is what events are ordered by; that of a SeedSync has no name.
type object struct {
	dst  destination.Destination
	name string
}

func objectOf(e event.Event) object { return object{e.Destination, e.Resource.Name} }

type inHand struct {
	Batch
	forgotten map[destination.Destination]bool
}

type model struct {
	q       *Sharded
	keep    bool
	waiting map[object][]event.Event
	hand    map[string]*inHand
	added   int
}

func newModel(opts Options) *model {
	return &model{q: NewSharded(&opts), keep: opts.KeepEvery, waiting: map[object][]event.Event{}, hand: map[string]*inHand{}}
}

// end has everything handed out and done: then nothing may be left, neither in the queue nor in the
// model.
func (m *model) end(t *testing.T) {
	for _, h := range m.hand {
		done(t, h.Batch)
	}
	m.hand = map[string]*inHand{}
	for m.q.Stats().Lines > 0 {
		m.take(t)
		for _, h := range m.hand {
			m.settle(t, h, nil)
		}
	}
	drained(t, m.q)
	for o, events := range m.waiting {
		require.Empty(t, events, o)
	}
}

func (m *model) step(t *testing.T, rnd *rand.Rand) {
	d := dst(fmt.Sprint("r", rnd.IntN(2)), fmt.Sprint("d", rnd.IntN(3)))
	switch n := rnd.IntN(100); {
	case n < 55:
		m.add(t, rnd, d)
	case n < 70:
		m.take(t)
	case n < 93:
		for _, key := range slices.Sorted(maps.Keys(m.hand)) {
			m.settle(t, m.hand[key], rnd)
			break
		}
	case n < 94:
		require.NoError(t, m.q.Forget(t.Context(), d))
		maps.DeleteFunc(m.waiting, func(o object, _ []event.Event) bool { return o.dst == d })
		for _, h := range m.hand {
			h.forgotten[d] = true
		}
	case n < 97:
		m.q.Wake(d)
	default:
		time.Sleep(time.Duration(rnd.Int64N(int64(10 * time.Second))))
	}
	waiting, held := 0, 0
	for _, events := range m.waiting {
		waiting += len(events)
	}
	for _, h := range m.hand {
		held += len(h.Events)
	}
	stats := m.q.Stats()
	require.Equal(t, []int{waiting, held}, []int{stats.Waiting, stats.InHand})
	c := stats.Counts
	require.Equal(t, c.Added, c.Coalesced+c.Done+c.Forgotten+uint64(waiting+held), "%+v", c)
}

func (m *model) add(t *testing.T, rnd *rand.Rand, d destination.Destination) {
	m.added++
	e := conditional(event.Precondition(rnd.IntN(3)), fmt.Sprint("o", rnd.IntN(30)), fmt.Sprint(m.added))
	switch rnd.IntN(6) {
	case 0:
		e = remove(d, e.Resource.Name)
	case 1:
		e = seedSync(d)
	}
	e.Destination, e.Listed = d, rnd.IntN(2) == 0
	e.Time = time.Unix(int64(m.added), 0) // tells events without content apart
	if err := m.q.TryAdd(e); err != nil {
		require.ErrorIs(t, err, ErrFull)
		return
	}
	m.waiting[objectOf(e)] = m.reduce(append(slices.Clone(m.waiting[objectOf(e)]), e))
}

// reduce leaves out what the event after it supersedes.
func (m *model) reduce(events []event.Event) []event.Event {
	for i := len(events) - 1; i > 0; i-- {
		if (!m.keep || events[i].Operation == event.SeedSync) && supersedes(&events[i], &events[i-1]) {
			events = slices.Delete(events, i-1, i)
		}
	}
	return events
}

// take leases a batch and checks that it holds the oldest of each object, in their order.
func (m *model) take(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	b, err := m.q.Next(ctx)
	if err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return
	}
	require.NotContains(t, m.hand, b.Key, "one holder")
	for _, e := range b.Events {
		require.Equal(t, b.Key, m.q.opts.Key(e.Destination))
		o := objectOf(e)
		require.NotEmpty(t, m.waiting[o], e)
		require.Equal(t, m.waiting[o][0], e, "in order, and none that was superseded")
		m.waiting[o] = m.waiting[o][1:]
	}
	m.hand[b.Key] = &inHand{b, map[destination.Destination]bool{}}
}

func (m *model) settle(t *testing.T, h *inHand, rnd *rand.Rand) {
	delete(m.hand, h.Key)
	if rnd == nil || rnd.IntN(2) == 0 {
		done(t, h.Batch)
		return
	}
	var back []event.Event
	chosen := map[identity]bool{}
	for _, e := range h.Events {
		if rnd.IntN(2) == 0 {
			chosen[identify(&e)] = true
		}
	}
	for _, e := range h.Events {
		if chosen[identify(&e)] || len(chosen) == 0 {
			back = append(back, e)
		}
	}
	for i := len(back) - 1; i >= 0; i-- {
		if o := objectOf(back[i]); !h.forgotten[o.dst] {
			m.waiting[o] = m.reduce(append([]event.Event{back[i]}, m.waiting[o]...))
		}
	}
	rnd.Shuffle(len(back), func(i, j int) { back[i], back[j] = back[j], back[i] })
	retry(t, h.Batch, errPush, back...)
}
