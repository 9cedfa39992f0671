package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// DestinationStatus says how far the events of a destination follow the cluster.
type DestinationStatus struct {
	Streams    int          // the number of collections that feed it
	Complete   int          // of these, the number that is listed and followed
	Incomplete []Incomplete // of the others, those that have failed
	// NotFollowed are those of the complete ones whose watch has failed for half a minute: what has
	// changed since is not known.
	NotFollowed []Incomplete
	Waiting     int       // objects marked to be fetched and sent when there is room
	SeedDue     bool      // a seed is not over, or the rules have just changed
	Seeds       uint64    // SeedSyncs sent
	Err         error     // why waiting objects cannot be fetched at the moment
	Refused     []Refused // objects that cannot be written, the first hundred
	// RefusedCount is the number of all of them.
	RefusedCount int
	// Faults are types that rules of the destination name and do not get. They may be served later.
	Faults []*ruleset.TypeError
}

// Incomplete is a part of the cluster that could not be listed, or is not followed. Nothing of it
// is deleted meanwhile.
type Incomplete struct {
	Collection event.Collection
	Err        error
}

// Refused is an object that cannot be written.
type Refused struct {
	ID  event.ID
	Err error
}

// Idle reports whether everything that is known of the cluster has been handed to the queue.
func (s DestinationStatus) Idle() bool { return !s.SeedDue && s.Waiting == 0 && s.Seeds > 0 }

// Status describes one destination; false if there is none of this name.
func (w *Watcher) Status(ref destination.Ref) (st DestinationStatus, ok bool) {
	w.read(func(l *ledger) {
		var to *target
		if to, ok = l.targets[ref]; ok {
			st = l.status(to)
		}
	})
	return st, ok
}

func (l *ledger) status(to *target) DestinationStatus {
	now := l.now()
	settled := l.observed == l.desired.Load() && to.ready()
	st := DestinationStatus{Waiting: to.backlog.count, SeedDue: to.seedDue() || !settled, Seeds: to.seeds, Err: to.fault}
	for f := range to.feeds {
		st.Streams += len(f.reach[to])
		if f.complete {
			st.Complete += len(f.reach[to])
			if f.notFollowed(now) {
				st.NotFollowed = append(st.NotFollowed, collectionsOf(f.of, f.reach[to], f.err)...)
			}
		} else {
			st.Incomplete = append(st.Incomplete, collectionsOf(f.of, f.reach[to], f.err)...)
		}
	}
	for _, g := range l.gaps {
		st.Streams += len(g.reach[to])
		st.Incomplete = append(st.Incomplete, collectionsOf(g.of, g.reach[to], g.err)...)
	}
	for _, parts := range [][]Incomplete{st.Incomplete, st.NotFollowed} {
		slices.SortFunc(parts, func(a, b Incomplete) int { return cmp.Compare(a.Collection.String(), b.Collection.String()) })
	}
	st.Refused, st.RefusedCount = to.refused.list(), to.refused.count()
	st.Faults = l.discovered.rules[to.destination.Ref]
	return st
}

// collectionsOf returns the parts of a reach that cannot be read; none without an error.
func collectionsOf(of ruleset.Type, r reach, err error) (parts []Incomplete) {
	if err == nil {
		return nil
	}
	for namespace := range r {
		parts = append(parts, Incomplete{collectionOf(of, namespace), err})
	}
	return parts
}

// Err returns what is wrong with discovery, as groups that did not answer. It is nil if all is
// well.
func (w *Watcher) Err() (err error) {
	w.read(func(l *ledger) { err = l.discovered.err })
	return err
}

// Faults returns the types that rules name and do not get. They are in the status of their
// destinations, too.
func (w *Watcher) Faults() (faults []*ruleset.TypeError) {
	w.read(func(l *ledger) {
		for _, ref := range slices.SortedFunc(maps.Keys(l.discovered.rules), compareRefs) {
			faults = append(faults, l.discovered.rules[ref]...)
		}
	})
	return faults
}

func compareRefs(a, b destination.Ref) int { return cmp.Compare(a.String(), b.String()) }

// Resync seeds a destination again: what feeds it is listed, then a SeedSync compares all of its
// objects with their files. It returns at once. For a destination of rules that are not followed
// yet there is nothing to do, since their first listing seeds it. The error for one that the rules
// do not have matches destination.ErrUnknown.
func (w *Watcher) Resync(ref destination.Ref) error {
	return w.ask(ref, func(l *ledger, to *target) { l.resync(to) })
}

// Sweep has a SeedSync sent to a destination, which compares its objects with their files, without
// a listing. It returns at once, and has the errors of Resync.
func (w *Watcher) Sweep(ref destination.Ref) error {
	return w.ask(ref, (*ledger).ask)
}

func (w *Watcher) ask(ref destination.Ref, f func(*ledger, *target)) (err error) {
	w.update(func(l *ledger) {
		if to := l.targets[ref]; to != nil {
			f(l, to)
		} else {
			err = l.unfollowed(ref)
		}
	})
	return err
}

// unfollowed returns nil for a destination of the last rules, which gets a target, and with it a
// SeedSync, as soon as the planner adopts them. It returns an error for any other.
func (l *ledger) unfollowed(ref destination.Ref) error {
	if desired := l.desired.Load(); desired != nil {
		if _, ok := desired.set.Get(ref); ok {
			return nil
		}
	}
	return fmt.Errorf("%w: %s", destination.ErrUnknown, ref)
}
