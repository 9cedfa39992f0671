package watch

import (
	"encoding/binary"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// ledger is what the process knows of the cluster: for every object a hash of its content and the destinations that claim
// it, and for every destination what could not be delivered yet. It holds no objects.
//
// mu guards everything below it, in the entries and in the targets too. Events are offered to the queue while mu is held,
// so that what the ledger says and the order in which a line gets its events can never disagree; TryAdd does not block,
// and the queue never calls back.
type ledger struct {
	seed     maphash.Seed
	changing atomic.Bool // rules were set that coverage does not know yet

	mu      sync.RWMutex
	clock   uint64 // counts what streams delivered
	types   map[schema.GroupResource]*typeLedger
	targets map[destination.Ref]*target
	streams map[streamKey]*stream
	kicked  map[*target]struct{} // have work for a feeder and none yet
	kick    chan struct{}        // capacity 1: kicked is not empty

	coverage *coverage // replaced, never changed; nil before the first rules
}

// typeLedger is the ledger of one type, whatever version it is read in.
type typeLedger struct {
	resource ruleset.Type
	entries  map[types.NamespacedName]entry
	interned map[string]*claims
}

// entry is one living object.
type entry struct {
	hash   uint64
	seen   uint64 // the clock when a stream delivered it last
	claims *claims
}

// claims are the destinations that want an object. Most objects of a type share one value, so it is interned.
type claims struct{ list []claim }

type claim struct {
	to     *target
	delete bool // a rule that asks for DELETE selected it
}

// have tells whether to is among the claims; nil has none.
func (c *claims) have(to *target) bool {
	return c != nil && slices.ContainsFunc(c.list, func(cl claim) bool { return cl.to == to })
}

// target is a destination as the watcher serves it. A destination that changes becomes another target.
type target struct {
	destination destination.Destination
	number      uint64 // unique in the process, for interning claims

	gone      bool // no rule leads here any more: nothing is sent
	feeding   bool // a feeder runs
	stop      func()
	dirty     map[dirtyKey]bool  // found no room, or has to be sent again; true: a delete of it is among what was not sent
	unsettled int                // streams that have neither completed nor failed their first listing
	syncDue   bool               // a SeedSync has to be sent
	synced    uint64             // SeedSyncs sent
	fault     error              // why the feeder cannot go on
	refused   map[event.ID]error // objects that cannot be written
}

type dirtyKey struct {
	of   *typeLedger
	name types.NamespacedName
}

func (k dirtyKey) id() event.ID {
	return event.ID{Group: k.of.resource.Group, Resource: k.of.resource.Resource, Namespace: k.name.Namespace, Name: k.name.Name}
}

func newLedger() *ledger {
	return &ledger{
		seed:    maphash.MakeSeed(),
		types:   map[schema.GroupResource]*typeLedger{},
		targets: map[destination.Ref]*target{},
		streams: map[streamKey]*stream{},
		kicked:  map[*target]struct{}{},
		kick:    make(chan struct{}, 1),
	}
}

func (l *ledger) hash(content []byte) uint64 { return maphash.Bytes(l.seed, content) }

// typeOf returns the ledger of a type and makes it if there is none. The caller holds mu.
func (l *ledger) typeOf(t ruleset.Type) *typeLedger {
	gr := schema.GroupResource{Group: t.Group, Resource: t.Resource}
	tl := l.types[gr]
	if tl == nil {
		tl = &typeLedger{entries: map[types.NamespacedName]entry{}, interned: map[string]*claims{}}
		l.types[gr] = tl
	}
	tl.resource = t
	return tl
}

// claim returns the interned claims of matches. The caller holds mu.
func (l *ledger) claim(tl *typeLedger, matches []ruleset.Match) *claims {
	var room [64]byte
	key := room[:0]
	list := make([]claim, 0, len(matches))
	for _, m := range matches {
		to := l.targets[m.Destination.Ref]
		if to == nil || to.gone {
			continue
		}
		key = binary.AppendUvarint(key, to.number<<1|bit(m.Delete))
		list = append(list, claim{to: to, delete: m.Delete})
	}
	if c := tl.interned[string(key)]; c != nil {
		return c
	}
	c := &claims{list: list}
	tl.interned[string(key)] = c
	return c
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// forgetUncovered drops what no stream covers any more: it is neither alive nor dead to us, and its files stay. The caller
// holds mu.
func (l *ledger) forgetUncovered() {
	for gr, tl := range l.types {
		clear(tl.interned) // some are of targets that are gone
		for name := range tl.entries {
			key := dirtyKey{tl, name}
			if l.covered(key.id()) {
				continue
			}
			delete(tl.entries, name)
			for _, to := range l.targets {
				delete(to.dirty, key) // a mark without an entry reads as a delete
			}
		}
		if len(tl.entries) == 0 {
			delete(l.types, gr)
		}
	}
}

func (l *ledger) covered(id event.ID) bool {
	for _, s := range l.streams {
		if s.scope().Contains(id) {
			return true
		}
	}
	return false
}

// wakeIfHungry wakes to if it has work. The caller holds mu.
func (l *ledger) wakeIfHungry(to *target) {
	if to.hungry() {
		l.wake(to)
	}
}

// hungry tells whether there is work for a feeder. A SeedSync waits until all streams have settled: one commit for a seed
// of many types. The caller holds mu.
func (to *target) hungry() bool {
	return !to.gone && (len(to.dirty) > 0 || to.syncDue && to.unsettled == 0)
}

// wake asks for a feeder. The caller holds mu.
func (l *ledger) wake(to *target) {
	if to.feeding || to.gone {
		return
	}
	l.kicked[to] = struct{}{}
	signal(l.kick)
}
