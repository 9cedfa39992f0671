package source

import (
	"iter"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
)

// inventory is the Inventory of one target. It reads the ledger when it is asked, so that it never
// speaks of the past.
type inventory struct {
	watcher *Watcher
	to      *target
}

// View implements event.Inventory.
func (i inventory) View(f func(event.Snapshot) error) (err error) {
	i.watcher.read(func(l *ledger) { err = f(snapshot{l, i.to}) })
	return err
}

// snapshot is the Snapshot of one target, valid while the Watcher's lock is held.
type snapshot struct {
	ledger *ledger
	to     *target
}

// Collections implements event.Snapshot. A target that is gone has none: its last SeedSync may
// still be in a queue, while the ledger no longer follows what it would have to know.
func (s snapshot) Collections() (collections []event.Collection) {
	if s.to.gone {
		return nil
	}
	for f := range s.to.feeds {
		for namespace, sweepable := range f.reach[s.to] {
			if sweepable && s.ledger.listedWhole(f, namespace) {
				collections = append(collections, collectionOf(f.of, namespace))
			}
		}
	}
	return collections
}

// Resources implements event.Snapshot.
func (s snapshot) Resources(c event.Collection) iter.Seq[event.Resource] {
	return func(yield func(event.Resource) bool) {
		tl := s.ledger.types[schema.GroupResource{Group: c.Group, Resource: c.Resource}]
		if tl == nil {
			return
		}
		for name, e := range tl.entries {
			if !e.owners.have(s.to) || !c.Contains(objectKey{tl, name}.id()) {
				continue
			}
			if !yield(resourceOf(tl.resource, name)) {
				return
			}
		}
	}
}

// Uncovered implements event.Snapshot.
func (s snapshot) Uncovered(c event.Collection) bool { return s.ledger.uncovered(s.to, c) }
