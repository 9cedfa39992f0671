package source

import (
	"encoding/binary"
	"iter"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// ledger is the core of the package: what the process knows of the cluster. For every object it has
// the digest of the content and the destinations that own a file of it, for every destination what
// could not be delivered yet. It holds no objects.
//
// It is pure: no mutex, no I/O, no goroutine, no clock of its own. What reflectors, backfills,
// discovery and SetRules say comes in as method calls. Events go out through offer. What goroutines
// have to do by now is left in pending, poked, accessChanged and rewound, and what is to be logged
// in notes, where Watcher.update picks it up. The Watcher owns the lock, and holds it while the
// ledger offers an event: otherwise the order of events in the queue and what the ledger says could
// disagree.
type ledger struct {
	offer     func(event.Event) error                     // must not block and not call back
	inventory func(to *target, at uint64) event.Inventory // of a SeedSync that is sent at a moment
	now       func() time.Time

	// clock counts what comes in. Who compares two moments of it learns what came first.
	clock   uint64
	hurried uint64 // when hurrySeeds was called last
	types   map[schema.GroupResource]*typeLedger
	targets map[destination.Ref]*target
	numbers uint64                        // of the targets so far
	feeds   map[feedKey]*feed             // of the reflectors that run
	gaps    map[schema.GroupResource]*gap // what the server refuses to tell of all namespaces
	// forbiddenClusterWide has the types of which the server refuses a watch of all namespaces
	// where single ones would do.
	forbiddenClusterWide map[schema.GroupResource]bool
	labels               *feed // of the labels of namespaces; nil if no rule looks at them
	rewinds              rewinds
	missing              missing
	kept                 kept
	discovered           discovered
	counts               tally

	// A generation of the rules is desired from SetRules on, adopted when targets and matcher are
	// its own, and observed when discovery has answered and the reflectors are those it needs.
	// desired alone may be read and set without the lock, so that SetRules never waits.
	desired           atomic.Pointer[rules]
	adopted, observed *rules
	served            *served // what discovery found; nil: it failed, or has not answered since

	pending       map[*target]struct{} // need a backfill and have none
	poked         []*feed              // whose reflector has something to list
	accessChanged bool                 // a wide reflector is refused, or a probe is allowed
	rewound       bool                 // a rewind was found
	notes         []note               // what has to be logged
}

// note is what the ledger has to say to a Logger. Nothing is logged under the Watcher's lock: a
// Logger may be slow, or ask the Watcher something.
type note struct {
	level         int
	message       string
	keysAndValues []any
}

func (l *ledger) note(level int, message string, keysAndValues ...any) {
	l.notes = append(l.notes, note{level, message, keysAndValues})
}

// rules are one generation of the rules.
type rules struct {
	set     destination.Set
	ruleSet *ruleset.RuleSet
}

func newLedger(offer func(event.Event) error) *ledger {
	return &ledger{
		offer:                offer,
		inventory:            func(*target, uint64) event.Inventory { return nil },
		now:                  time.Now,
		types:                map[schema.GroupResource]*typeLedger{},
		targets:              map[destination.Ref]*target{},
		feeds:                map[feedKey]*feed{},
		gaps:                 map[schema.GroupResource]*gap{},
		forbiddenClusterWide: map[schema.GroupResource]bool{},
		missing:              missing{},
		kept:                 newKept(),
		pending:              map[*target]struct{}{},
	}
}

// tick moves the clock along and returns it.
func (l *ledger) tick() uint64 {
	l.clock++
	return l.clock
}

// typeLedger is the ledger of one type, whatever version it is read in.
type typeLedger struct {
	resource ruleset.Type
	entries  map[types.NamespacedName]entry
	// apart has, by slot, the digests behind the first one, of objects whose destinations differ in
	// what they leave out.
	apart    map[uint32][]event.Digest
	slots    slots
	interned map[string]*owners
}

// entry is one living object.
type entry struct {
	digest event.Digest // the first one; unknown: the next report is sent whatever it says
	seen   uint64       // the clock when a reflector delivered it last
	owners *owners
	slot   uint32 // in the backlogs; put sets it
}

// These stand in for the digest of a content that is not known, and of an object that cannot be
// written. No content has them.
var (
	unknown event.Digest
	refused = event.Digest{SHA1: [16]byte{1}}
)

// objectKey names an object of the ledger, living or dead.
type objectKey struct {
	of   *typeLedger
	name types.NamespacedName
}

func (k objectKey) id() event.ID {
	return event.ID{Group: k.of.resource.Group, Resource: k.of.resource.Resource, Namespace: k.name.Namespace, Name: k.name.Name}
}

// entry returns what is known of the object; the zero entry if it does not live.
func (k objectKey) entry() entry { return k.of.entries[k.name] }

// known is an entry with all its digests.
type known struct {
	entry
	apart []event.Digest // behind the first
}

// known returns what is known of the object. It stays as it is, whatever becomes of the entry.
func (k objectKey) known() known {
	e := k.entry()
	return known{e, k.of.apartOf(e)}
}

func (tl *typeLedger) apartOf(e entry) []event.Digest {
	if len(tl.apart) == 0 || e.owners == nil {
		return nil
	}
	return tl.apart[e.slot]
}

// digest returns that of the file of an owner.
func (k *known) digest(of owner) event.Digest {
	switch {
	case of.variant == 0:
		return k.entry.digest
	case of.variant <= len(k.apart):
		return k.apart[of.variant-1]
	}
	return unknown
}

// digestsAre reports whether the digests are these.
func (k *known) digestsAre(digests []event.Digest) bool {
	return len(digests) == 1+len(k.apart) && digests[0] == k.entry.digest && slices.Equal(digests[1:], k.apart)
}

// typeOf returns the ledger of a type, and makes it if there is none.
func (l *ledger) typeOf(t ruleset.Type) *typeLedger {
	gr := groupResource(t)
	tl := l.types[gr]
	if tl == nil {
		tl = &typeLedger{
			entries:  map[types.NamespacedName]entry{},
			apart:    map[uint32][]event.Digest{},
			slots:    slots{of: map[types.NamespacedName]uint32{}},
			interned: map[string]*owners{},
		}
		l.types[gr] = tl
	}
	tl.resource = t
	return tl
}

func groupResource(t ruleset.Type) schema.GroupResource {
	return schema.GroupResource{Group: t.Group, Resource: t.Resource}
}

func groupResourceOf(id event.ID) schema.GroupResource {
	return schema.GroupResource{Group: id.Group, Resource: id.Resource}
}

// put takes note of an object, with the digests behind the first one if its destinations differ.
func (tl *typeLedger) put(name types.NamespacedName, e entry, apart ...event.Digest) {
	if old, ok := tl.entries[name]; ok {
		e.slot = old.slot
	} else {
		e.slot = tl.slots.take(name)
	}
	tl.entries[name] = e
	if len(apart) > 0 {
		tl.apart[e.slot] = slices.Clone(apart) // known ones never change
	} else {
		delete(tl.apart, e.slot)
	}
}

func (tl *typeLedger) remove(name types.NamespacedName) {
	if e, ok := tl.entries[name]; ok {
		delete(tl.entries, name)
		delete(tl.apart, e.slot)
		tl.slots.retire(name, e.slot)
	}
}

// forgetDigest makes the content of a living object unknown.
func (k objectKey) forgetDigest() {
	if e, ok := k.of.entries[k.name]; ok {
		e.digest = unknown
		k.of.entries[k.name] = e
		delete(k.of.apart, e.slot)
	}
}

// owners are the destinations that have a file of an object. Most objects of a type share one
// value, so it is interned.
type owners struct{ list []owner }

type owner struct {
	to           *target
	delete       bool // a rule that asks for DELETE selected the object
	writes       bool // a listing would send the object
	precondition event.Precondition
	variant      int              // the place of its digest among those of the entry
	sensitive    *event.Sensitive // nil: the file need not be encrypted
}

// number tells apart what two owners of one target may be, but for what is sensitive.
func (o *owner) number() uint64 {
	return o.to.number<<5 | uint64(o.precondition)<<3 | bit(o.delete)<<2 | bit(o.writes)<<1 | bit(o.sensitive != nil)
}

// match returns the owner as what its rules said of the object.
func (o owner) match() ruleset.Match {
	return ruleset.Match{Destination: o.to.destination, Writes: o.writes, Delete: o.delete, Precondition: o.precondition, Sensitive: o.sensitive}
}

// find returns what a target is to an object; nil owners are none.
func (o *owners) find(to *target) (owner, bool) {
	if o != nil {
		for _, own := range o.list {
			if own.to == to {
				return own, true
			}
		}
	}
	return owner{}, false
}

// have reports whether to is among the owners; nil has none.
func (o *owners) have(to *target) bool {
	_, ok := o.find(to)
	return ok
}

// ownersOf returns the interned owners that a change comes to, and the digests of what their files
// are to hold: one, unless they differ.
func (l *ledger) ownersOf(tl *typeLedger, c *change) (*owners, []event.Digest) {
	list := make([]owner, 0, len(c.standing))
	var digests []event.Digest
	for i := range c.standing {
		m := &c.standing[i]
		to := l.target(m.Destination)
		if to == nil {
			continue
		}
		digest := c.digestOf(m)
		variant := slices.Index(digests, digest)
		if variant < 0 {
			variant = len(digests)
			digests = append(digests, digest)
		}
		list = append(list, owner{to, m.Delete, m.Writes && c.refusal(m) == nil, m.Precondition, variant, m.Sensitive})
	}
	return tl.intern(list), digests
}

func (tl *typeLedger) intern(list []owner) *owners {
	var room [96]byte
	key := room[:0]
	for i := range list {
		o := &list[i]
		key = binary.AppendUvarint(key, o.number())
		key = binary.AppendUvarint(key, uint64(o.variant))
		if o.sensitive != nil {
			key = binary.AppendUvarint(key, uint64(len(o.sensitive.Fields)))
			for _, field := range o.sensitive.Fields {
				key = append(append(key, field...), 0)
			}
		}
	}
	if o := tl.interned[string(key)]; o != nil {
		return o
	}
	o := &owners{list: list}
	tl.interned[string(key)] = o
	return o
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// disownUncovered drops the owners whose destination is gone, and those that no feed covers. The
// files of such objects are left alone. A stale owner would make a later identical object look
// already written.
func (l *ledger) disownUncovered() {
	for gr, tl := range l.types {
		for _, to := range l.targets {
			for key := range to.backlog.of(tl) {
				// A delete that was heard of is honoured, also of a type that has gone since,
				// unless no rule asks for it any more.
				deleted := !key.entry().owners.have(to)
				if !l.covered(to, key) && !(deleted && l.asks(to, key)) {
					to.backlog.remove(key)
				}
			}
		}
		clear(tl.interned)
		for name, e := range tl.entries {
			key := objectKey{tl, name}
			e.owners = tl.intern(slices.DeleteFunc(slices.Clone(e.owners.list), func(o owner) bool { return !l.covered(o.to, key) }))
			if len(e.owners.list) == 0 {
				tl.remove(name)
			} else {
				tl.entries[name] = e
			}
		}
		if len(tl.entries) == 0 && len(tl.slots.of) == 0 {
			delete(l.types, gr)
		}
	}
}

func (l *ledger) asks(to *target, key objectKey) bool {
	id := key.id()
	asked, _ := l.adopted.ruleSet.Compiled().Covers(to.destination.Ref, event.Collection{Group: id.Group, Resource: id.Resource, Namespace: id.Namespace})
	return asked
}

// feedsOver yields the feeds that may tell of an object: that of its namespace and that of all.
func (l *ledger) feedsOver(key objectKey) iter.Seq[*feed] {
	return func(yield func(*feed) bool) {
		gr := groupResource(key.of.resource)
		if f := l.feeds[feedKey{gr, key.name.Namespace}]; f != nil && !yield(f) || key.name.Namespace == "" {
			return
		}
		if f := l.feeds[feedKey{gr, ""}]; f != nil {
			yield(f)
		}
	}
}

// covered reports whether a feed, or a gap, covers an object for a target.
func (l *ledger) covered(to *target, key objectKey) bool {
	for f := range l.feedsOver(key) {
		if f.reach[to].has(key.name.Namespace) {
			return true
		}
	}
	return l.inGap(to, key)
}
