package source

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// DestinationStatus says how far a destination's events follow the cluster.
type DestinationStatus struct {
	Streams    int          // types and namespaces that feed it
	Complete   int          // of these, how many are listed and followed
	Incomplete []Incomplete // the others, as far as they have failed
	Waiting    int          // objects marked to be fetched and sent when there is room
	SeedDue    bool         // a SeedSync has not been sent yet, or the rules have just changed
	Seeds      uint64       // SeedSyncs sent
	Err        error        // why waiting objects cannot be fetched at the moment
	Refused    []Refused    // objects that cannot be written, the first hundred
}

// Incomplete is a part of the cluster that could not be listed. Nothing of it is deleted.
type Incomplete struct {
	Collection event.Collection
	Err        error
}

// Refused is an object that cannot be written.
type Refused struct {
	ID  event.ID
	Err error
}

// Idle tells whether everything that is known of the cluster has been handed to the queue.
func (s DestinationStatus) Idle() bool { return !s.SeedDue && s.Waiting == 0 && s.Seeds > 0 }

// Status describes one destination; false if there is none of this name.
func (w *Watcher) Status(ref destination.Ref) (DestinationStatus, bool) {
	w.ledger.mu.RLock()
	defer w.ledger.mu.RUnlock()
	w.mu.Lock()
	planned := w.planned
	w.mu.Unlock()
	to := w.ledger.targets[ref]
	if to == nil {
		return DestinationStatus{}, false
	}
	st := DestinationStatus{Waiting: to.backlog.count, SeedDue: !planned || to.syncDue || to.unsettled > 0, Seeds: to.synced, Err: to.fault}
	for _, s := range w.ledger.streams {
		for _, c := range s.watch.Coverage {
			if c.Destination != to.destination {
				continue
			}
			st.Streams++
			switch {
			case s.complete:
				st.Complete++
			case s.err != nil:
				st.Incomplete = append(st.Incomplete, Incomplete{c.Collection, s.err})
			}
		}
	}
	for _, id := range slices.SortedFunc(maps.Keys(to.refused), func(a, b event.ID) int { return cmp.Compare(a.String(), b.String()) }) {
		st.Refused = append(st.Refused, Refused{id, to.refused[id]})
	}
	return st, true
}

// Err returns what discovery said last: groups that did not answer, and types that a rule names and that do not exist.
func (w *Watcher) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.missing
}

// Resync seeds a destination anew: what feeds it is listed again, all of its objects are sent, changed or not, and then a
// SeedSync. It returns at once. For a destination of rules that are not followed yet there is nothing
// to do, since their first listing seeds it. The error for one that the rules do not have matches
// destination.ErrUnknown.
func (w *Watcher) Resync(ref destination.Ref) error {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	to := w.ledger.targets[ref]
	if to == nil {
		return w.unfollowed(ref)
	}
	w.ledger.resync(to)
	return nil
}

func (p *planner) resyncAll() {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.ledger.resync(slices.Collect(maps.Values(p.ledger.targets))...)
}

// Sweep sends a SeedSync for a destination, without sending its objects again. It returns at once,
// and has the errors of Resync.
func (w *Watcher) Sweep(ref destination.Ref) error {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	to := w.ledger.targets[ref]
	if to == nil {
		return w.unfollowed(ref)
	}
	to.syncDue = true
	w.ledger.wakeIfHungry(to)
	return nil
}

// unfollowed returns nil for a destination of the last rules, which gets a target, and with it a
// SeedSync, as soon as the planner adopts them. It returns an error for any other.
func (w *Watcher) unfollowed(ref destination.Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if _, ok := w.set.Get(ref); !ok {
		return fmt.Errorf("%w: %s", destination.ErrUnknown, ref)
	}
	return nil
}
