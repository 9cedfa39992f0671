package watch

import (
	"iter"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
)

// live is the Live of one target. It reads the ledger when it is asked, so that it never speaks of the past.
type live struct {
	ledger *ledger
	to     *target
}

// View implements event.Live.
func (l live) View(f func(event.View) error) error {
	l.ledger.mu.RLock()
	defer l.ledger.mu.RUnlock()
	return f(liveView(l))
}

type liveView live

// Scopes implements event.View. A target that is gone has none: its last SeedSync may still be in a queue, while the
// ledger no longer follows what it would have to know.
func (v liveView) Scopes() []event.Scope {
	if v.to.gone {
		return nil
	}
	var scopes []event.Scope
	for _, s := range v.ledger.streams {
		if !s.complete || s.doubted() {
			continue
		}
		for _, c := range s.watch.Coverage {
			if c.Prune && c.Destination == v.to.destination && !s.outdates(c) {
				scopes = append(scopes, c.Scope)
			}
		}
	}
	return scopes
}

// Resources implements event.View.
func (v liveView) Resources(scope event.Scope) iter.Seq[event.Resource] {
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
