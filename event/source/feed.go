package source

import (
	"maps"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// feed is what the ledger knows of one reflector: whom it feeds, and how far its listings have
// come.
type feed struct {
	of        ruleset.Type
	namespace string // "": all, or cluster scope
	reach     map[*target]reach
	// Capacity 1: the reflector has something to list. Watcher.update sends.
	wake chan struct{}

	// Moments of the ledger's clock. Everything is to be listed again if it was asked for after the
	// last listing began. SeedSyncs wait if it was asked for after the last one that has ended
	// began.
	asked uint64 // when everything was asked for last; at first when the feed was made
	begun uint64 // when the last listing of everything began
	ended uint64 // when the last listing of everything that completed or failed began

	era      uint64 // of the rewinds, when the last listing of everything began
	complete bool   // everything is listed, and the ledger has followed the watch since
	err      error  // why the reflector cannot go on
	// halted is since when it cannot though everything is listed; zero: it can.
	halted time.Time

	stale map[string]uint64 // namespaces whose objects have to be matched again, and since when
	walk  *walk             // that goes through the objects; nil: none does
}

// feedKey identifies a feed. The ledger has never two of a type that differ in the version.
type feedKey struct {
	of        schema.GroupResource
	namespace string
}

func (f *feed) key() feedKey { return feedKey{groupResource(f.of), f.namespace} }

// reach is what of a type a target is fed with: namespaces, "" for cluster scope, or everywhere.
// The value says whether that is sweepable.
type reach map[string]bool

const everywhere = "*" // no namespace has this name

// has reports whether objects of a namespace are within reach.
func (r reach) has(namespace string) bool {
	_, all := r[everywhere]
	_, one := r[namespace]
	return all || one
}

// without returns what is left of the reach without some namespaces.
func (r reach) without(namespaces []string) reach {
	left := maps.Clone(r)
	maps.DeleteFunc(left, func(namespace string, _ bool) bool { return slices.Contains(namespaces, namespace) })
	return left
}

// collectionOf returns a namespace of a reach, or everywhere, as a collection.
func collectionOf(of ruleset.Type, namespace string) event.Collection {
	c := event.Collection{Group: of.Group, Resource: of.Resource, Namespace: namespace}
	if namespace == everywhere {
		c.Namespace, c.All = "", true
	}
	return c
}

// resolve returns the coverage of a watch by target. Destinations that are no targets are left out.
func (l *ledger) resolve(coverage []ruleset.Coverage) map[*target]reach {
	resolved := map[*target]reach{}
	for _, c := range coverage {
		to := l.target(c.Destination)
		if to == nil {
			continue
		}
		if resolved[to] == nil {
			resolved[to] = reach{}
		}
		namespace := c.Collection.Namespace
		if c.Collection.All {
			namespace = everywhere
		}
		resolved[to][namespace] = c.Sweepable
	}
	return resolved
}

func (l *ledger) newFeed(of ruleset.Type, namespace string) *feed {
	return &feed{of: of, namespace: namespace, wake: make(chan struct{}, 1), asked: l.tick(), stale: map[string]uint64{}}
}

// cover says whom a feed feeds from now on. A seed is due where that is not what it was.
func (l *ledger) cover(f *feed, now map[*target]reach) {
	for to, was := range f.reach {
		if !maps.Equal(was, now[to]) {
			l.ask(to)
		}
		delete(to.feeds, f)
	}
	for to, is := range now {
		if !maps.Equal(is, f.reach[to]) {
			l.ask(to)
		}
		to.feeds[f] = struct{}{}
	}
	f.reach = now
}

// listing is a listing of one namespace, or of everything, that began at a moment of the clock.
type listing struct {
	namespace string
	since     uint64
}

func (li listing) has(namespace string) bool {
	return li.namespace == everywhere || li.namespace == namespace
}

// began takes note that a listing of everything begins.
func (l *ledger) began(f *feed) listing {
	f.complete, f.begun, f.era = false, l.clock, l.rewinds.era
	return listing{everywhere, l.clock}
}

// due returns the listings that a reflector has to make: everything, or single namespaces.
func (l *ledger) due(f *feed) (everything bool, single []listing) {
	for _, namespace := range slices.Sorted(maps.Keys(f.stale)) {
		single = append(single, listing{namespace, l.clock})
	}
	return f.asked > f.begun || l.predatesRewind(f), single
}

// listed ends a listing that is complete: what lives and was not delivered since it began is gone.
// A listing that began before a rewind was found says nothing; everything is listed again.
func (l *ledger) listed(f *feed, li listing, author event.Author) {
	if l.predatesRewind(f) {
		return
	}
	tl := l.typeOf(f.of)
	for name, e := range tl.entries {
		if e.seen <= li.since && li.has(name.Namespace) && (f.namespace == "" || f.namespace == name.Namespace) {
			l.remove(f, objectKey{tl, name}, author)
		}
	}
	// What became stale after the listing began is listed once more.
	maps.DeleteFunc(f.stale, func(namespace string, since uint64) bool { return li.has(namespace) && since <= li.since })
	if li.namespace == everywhere {
		f.complete, f.err, f.ended, f.halted = true, nil, li.since, time.Time{}
	}
	for to, reach := range f.reach {
		if li.namespace == everywhere || reach.has(li.namespace) {
			l.ask(to)
		}
		l.unblock(to)
	}
}

// follows takes note that a reflector goes on where it stood still. A listing that is due says so
// itself when it is complete.
func (l *ledger) follows(f *feed) {
	if f.complete {
		f.err, f.halted = nil, time.Time{}
	}
}

// notFollowedAfter is how long a watch may fail before its collection counts as not followed: an
// API server that is replaced takes some seconds.
const notFollowedAfter = 30 * time.Second

// notFollowed reports whether the cluster may have changed for a while and nobody has told.
func (f *feed) notFollowed(now time.Time) bool {
	return f.complete && !f.halted.IsZero() && now.Sub(f.halted) >= notFollowedAfter
}

// failed takes note that a reflector stands still. It will try again.
func (l *ledger) failed(f *feed, err error) {
	if wentBack(err) {
		l.foundRewind(f)
		return
	}
	l.note(1, "reflector failed, trying again",
		"resource", groupResource(f.of).String(), "namespace", f.namespace, "reason", err.Error())
	awaited := f.awaited()
	f.err, f.ended = err, f.begun
	f.complete = f.complete && transient(err)
	if f.halted.IsZero() {
		f.halted = l.now()
	}
	if f.refused() {
		l.accessChanged = true
	}
	if f.complete {
		return
	}
	// Nothing of the feed is swept before everything is listed, so nobody waits for single
	// namespaces.
	clear(f.stale)
	for to := range f.reach {
		if awaited && to.ready() {
			l.ask(to)
		}
		l.unblock(to)
	}
}

// awaited reports whether SeedSyncs wait for a listing of everything.
func (f *feed) awaited() bool { return f.asked > f.ended }

// refused reports whether the server denies for all namespaces what it may allow in the single ones
// that the feed is there for.
func (f *feed) refused() bool {
	if f.namespace != "" || !apierrors.IsForbidden(f.err) {
		return false
	}
	for _, r := range f.reach {
		for namespace := range r {
			if namespace != "" && namespace != everywhere {
				return true
			}
		}
	}
	return false
}

// staleFor reports whether some of what a feed feeds a target with is stale.
func (f *feed) staleFor(to *target) bool {
	for namespace := range f.stale {
		if f.reach[to].has(namespace) {
			return true
		}
	}
	return false
}

// awaitingRelist reports whether what a feed told of a namespace counts only when it was listed
// again.
func (l *ledger) awaitingRelist(f *feed, namespace string) bool {
	_, stale := f.stale[namespace]
	return stale || l.predatesRewind(f)
}

// listedWhole reports whether the ledger knows all that lives in a namespace of a feed, or
// everywhere.
func (l *ledger) listedWhole(f *feed, namespace string) bool {
	return f.complete && !l.awaitingRelist(f, namespace) && (namespace != everywhere || len(f.stale) == 0)
}

// outdate says that the objects of a namespace have to be matched again. Nothing of it is swept
// until it was listed again.
func (l *ledger) outdate(f *feed, namespace string) { f.stale[namespace] = l.tick() }

// relist has everything listed once more, and SeedSyncs wait for that.
func (l *ledger) relist(f *feed) {
	f.asked = l.tick()
	l.poke(f)
}

func (l *ledger) poke(f *feed) { l.poked = append(l.poked, f) }

// gap is what the server refuses to tell of all namespaces. Feeds of single ones stand in, and a
// probe asks whether it is allowed by now.
type gap struct {
	of    ruleset.Type
	reach map[*target]reach
	err   error // nil: it is allowed
}

// inGap reports whether a gap covers an object for a target.
func (l *ledger) inGap(to *target, key objectKey) bool {
	g := l.gaps[groupResource(key.of.resource)]
	return g != nil && g.reach[to].has(key.name.Namespace)
}

// probed takes note of what the server says to a probe.
func (l *ledger) probed(of schema.GroupResource, err error) {
	if g := l.gaps[of]; g != nil {
		g.err = err
		l.accessChanged = l.accessChanged || err == nil
	}
}
