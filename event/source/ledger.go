package source

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
	labels  *stream // of namespaces, which feeds no destination; nil if no rule looks at their labels
	missing missing
	kicked  map[*target]struct{} // have work for a feeder and none yet
	kick    chan struct{}        // capacity 1: kicked is not empty

	coverage *coverage // replaced, never changed; nil before the first rules
}

// typeLedger is the ledger of one type, whatever version it is read in.
type typeLedger struct {
	resource ruleset.Type
	entries  map[types.NamespacedName]entry
	places   places
	interned map[string]*claims
}

// entry is one living object.
type entry struct {
	hash   uint64
	seen   uint64 // the clock when a stream delivered it last
	claims *claims
	place  uint32 // in the backlogs; put sets it
}

func (tl *typeLedger) put(name types.NamespacedName, e entry) {
	if old, ok := tl.entries[name]; ok {
		e.place = old.place
	} else {
		e.place = tl.places.take(name)
	}
	tl.entries[name] = e
}

func (tl *typeLedger) remove(name types.NamespacedName) {
	if e, ok := tl.entries[name]; ok {
		delete(tl.entries, name)
		tl.places.bury(name, e.place)
	}
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

	gone      bool               // no rule leads here any more: nothing is sent
	feeding   bool               // a feeder runs
	backlog   backlog            // found no room, or has to be sent again
	stuck     int                // of the backlog: nothing can be said of them before their streams go on
	unsettled int                // streams that have neither completed nor failed their first listing, and outdated namespaces
	syncDue   bool               // a SeedSync has to be sent
	synced    uint64             // SeedSyncs sent
	fault     error              // why the feeder cannot go on
	refused   map[event.ID]error // objects that cannot be written
}

// objectKey names an object of the ledger, living or dead.
type objectKey struct {
	of   *typeLedger
	name types.NamespacedName
}

func (k objectKey) id() event.ID {
	return event.ID{Group: k.of.resource.Group, Resource: k.of.resource.Resource, Namespace: k.name.Namespace, Name: k.name.Name}
}

func newLedger() *ledger {
	return &ledger{
		seed:    maphash.MakeSeed(),
		types:   map[schema.GroupResource]*typeLedger{},
		targets: map[destination.Ref]*target{},
		streams: map[streamKey]*stream{},
		missing: missing{},
		kicked:  map[*target]struct{}{},
		kick:    make(chan struct{}, 1),
	}
}

func (l *ledger) hash(content []byte) uint64 { return maphash.Bytes(l.seed, content) }

// typeOf returns the ledger of a type and makes it if there is none. The caller holds mu.
func (l *ledger) typeOf(t ruleset.Type) *typeLedger {
	gr := groupResource(t)
	tl := l.types[gr]
	if tl == nil {
		tl = &typeLedger{
			entries:  map[types.NamespacedName]entry{},
			places:   places{of: map[types.NamespacedName]uint32{}},
			interned: map[string]*claims{},
		}
		l.types[gr] = tl
	}
	tl.resource = t
	return tl
}

// claim returns the interned claims of matches. The caller holds mu.
func (l *ledger) claim(tl *typeLedger, matches []ruleset.Match) *claims {
	list := make([]claim, 0, len(matches))
	for _, m := range matches {
		if to := l.target(m.Destination); to != nil {
			list = append(list, claim{to: to, delete: m.Delete})
		}
	}
	return tl.intern(list)
}

// target returns the target that serves exactly this destination; nil if there is none. A destination that changed has
// another target under the same name, which must not get what was meant for the old one. The caller holds mu.
func (l *ledger) target(d destination.Destination) *target {
	if to := l.targets[d.Ref]; to != nil && to.destination == d {
		return to
	}
	return nil
}

func (tl *typeLedger) intern(list []claim) *claims {
	var room [64]byte
	key := room[:0]
	for _, c := range list {
		key = binary.AppendUvarint(key, c.to.number<<1|bit(c.delete))
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

// forgetUncovered takes back the claims of destinations that are gone, and those on what no stream covers for them any more:
// it is neither alive nor dead to them, and its files stay. Were a claim kept, the object would be taken for written when a
// rule wants it again, whatever has become of its file meanwhile. The caller holds mu.
func (l *ledger) forgetUncovered() {
	covered := l.reaches()
	for gr, tl := range l.types {
		reaches := covered[gr]
		for _, to := range l.targets {
			for key := range to.backlog.of(tl) {
				// A delete that was heard of is honoured, also of a type that has gone since, unless no rule asks for it any more.
				deleted := !tl.entries[key.name].claims.have(to)
				if !reaches[to].has(key.name.Namespace) && !(deleted && l.asks(to, key)) {
					to.backlog.remove(key)
				}
			}
		}
		clear(tl.interned)
		for name, e := range tl.entries {
			e.claims = tl.intern(slices.DeleteFunc(slices.Clone(e.claims.list), func(c claim) bool {
				return !reaches[c.to].has(name.Namespace)
			}))
			if len(e.claims.list) == 0 {
				tl.remove(name)
			} else {
				tl.put(name, e)
			}
		}
		if len(tl.entries) == 0 && len(tl.places.of) == 0 {
			delete(l.types, gr)
		}
	}
}

func (l *ledger) asks(to *target, key objectKey) bool {
	id := key.id()
	asked, _ := l.coverage.rules.Compiled().Covers(to.destination.Ref, event.Collection{Group: id.Group, Resource: id.Resource, Namespace: id.Namespace})
	return asked
}

// reach is which namespaces of a type a target is fed from; "" stands for cluster scope, nil for none.
type reach map[string]struct{}

const everywhere = "*" // no namespace has this name

func (r reach) has(namespace string) bool {
	_, all := r[everywhere]
	_, one := r[namespace]
	return all || one
}

// reaches returns what streams cover, by type. The caller holds mu.
func (l *ledger) reaches() map[schema.GroupResource]map[*target]reach {
	reaches := map[schema.GroupResource]map[*target]reach{}
	for _, s := range l.streams {
		gr := s.groupResource()
		if reaches[gr] == nil {
			reaches[gr] = map[*target]reach{}
		}
		for _, c := range s.watch.Coverage {
			to := l.target(c.Destination)
			if to == nil {
				continue
			}
			if reaches[gr][to] == nil {
				reaches[gr][to] = reach{}
			}
			namespace := c.Collection.Namespace
			if c.Collection.All {
				namespace = everywhere
			}
			reaches[gr][to][namespace] = struct{}{}
		}
	}
	return reaches
}

// feeds says which destinations a stream feeds from now on. A SeedSync is due where that is not what it fed. The caller
// holds mu.
func (l *ledger) feeds(s *stream, coverage []ruleset.Coverage) {
	old := s.watch.Coverage
	count := func(n int) {
		for _, c := range s.watch.Coverage {
			to := l.target(c.Destination)
			if to == nil {
				continue
			}
			to.syncDue = to.syncDue || !slices.Contains(old, c) || !slices.Contains(coverage, c)
			if !s.settled {
				to.unsettled += n
			}
		}
		for namespace := range s.outdated {
			l.unsettle(s, namespace, n)
		}
	}
	count(-1)
	s.watch.Coverage = coverage
	count(1)
}

// outdate says that what a stream knows of a namespace no longer says who wants its objects. Nothing of it is swept until
// it was listed again. The caller holds mu.
func (l *ledger) outdate(s *stream, namespace string) {
	// A listing that runs has matched some of the objects before this.
	s.updating = slices.DeleteFunc(s.updating, func(listed string) bool { return listed == namespace })
	if _, ok := s.outdated[namespace]; ok {
		return
	}
	if s.outdated == nil {
		s.outdated = map[string]struct{}{}
	}
	s.outdated[namespace] = struct{}{}
	l.unsettle(s, namespace, 1)
}

// updated is the end of outdate. The caller holds mu.
func (l *ledger) updated(s *stream, namespaces ...string) {
	for _, namespace := range namespaces {
		if _, ok := s.outdated[namespace]; ok {
			delete(s.outdated, namespace)
			l.unsettle(s, namespace, -1)
		}
	}
	for _, c := range s.watch.Coverage {
		if to := l.target(c.Destination); to != nil {
			to.stuck = 0
			l.wakeIfHungry(to)
		}
	}
}

// unsettle makes the targets of a namespace wait for one thing more, or for one less.
func (l *ledger) unsettle(s *stream, namespace string, n int) {
	for _, c := range s.watch.Coverage {
		if to := l.target(c.Destination); to != nil && within(c, namespace) {
			to.unsettled += n
		}
	}
}

// within tells whether a namespace is among what is covered.
func within(c ruleset.Coverage, namespace string) bool {
	return c.Collection.All || c.Collection.Namespace == namespace
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
	return !to.gone && (to.backlog.count > to.stuck || to.syncDue && to.unsettled == 0)
}

// wake asks for a feeder. The caller holds mu.
func (l *ledger) wake(to *target) {
	if to.feeding || to.gone {
		return
	}
	l.kicked[to] = struct{}{}
	signal(l.kick)
}
