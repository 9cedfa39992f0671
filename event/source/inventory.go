package source

import (
	"iter"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
)

// live is the Inventory of one target. It reads the ledger when it is asked, so that it never speaks of the past.
type live struct {
	ledger *ledger
	to     *target
}

// View implements event.Inventory.
func (l live) View(f func(event.Snapshot) error) error {
	l.ledger.mu.RLock()
	defer l.ledger.mu.RUnlock()
	return f(liveView(l))
}

type liveView live

// Scopes implements event.Snapshot. A target that is gone has none: its last SeedSync may still be in a queue, while the
// ledger no longer follows what it would have to know.
func (v liveView) Collections() []event.Collection {
	if v.to.gone {
		return nil
	}
	var scopes []event.Collection
	for _, s := range v.ledger.streams {
		if !s.complete || s.doubted() {
			continue
		}
		for _, c := range s.watch.Coverage {
			if c.Sweepable && c.Destination == v.to.destination && !s.outdates(c) {
				scopes = append(scopes, c.Collection)
			}
		}
	}
	return scopes
}

// Resources implements event.Snapshot.
func (v liveView) Resources(scope event.Collection) iter.Seq[event.Resource] {
	return func(yield func(event.Resource) bool) {
		tl := v.ledger.types[schema.GroupResource{Group: scope.Group, Resource: scope.Resource}]
		if tl == nil {
			return
		}
		for name, e := range tl.entries {
			id := objectKey{tl, name}.id()
			if !e.claims.have(v.to) || !scope.Contains(id) {
				continue
			}
			if !yield(event.Resource{ID: id, Version: tl.resource.Version, Kind: tl.resource.Kind}) {
				return
			}
		}
	}
}
