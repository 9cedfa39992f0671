package source

import (
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/ruleset"
)

// maxOrigins bounds what is remembered of each reflector: what waits for longer than so many
// listings and watches has no link.
const maxOrigins = 16

// origins remembers the spans of the newest listings and watches, so that a batch can be linked to
// those that its events came from. An event carries nothing for that: its type, its namespace and
// its time tell. Nil remembers nothing.
type origins struct {
	mu sync.Mutex
	of map[feedKey][]origin // in the order in which they began
}

// origin is a listing or a watch.
type origin struct {
	span   trace.SpanContext
	began  time.Time
	listed bool
}

func newOrigins(t *spans.Tracer) *origins {
	if t == nil {
		return nil
	}
	return &origins{of: map[feedKey][]origin{}}
}

// note remembers a listing or a watch that has just begun.
func (o *origins) note(of ruleset.Type, namespace string, span spans.Span, listed bool) {
	if o == nil || !span.Traced() {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	key := feedKey{groupResource(of), namespace}
	o.of[key] = append(o.of[key], origin{span.Context(), time.Now(), listed})
	o.of[key] = o.of[key][max(len(o.of[key])-maxOrigins, 0):]
}

// Origin returns the span of the listing or the watch that told of the change of an event, as far
// as it is remembered; else one that is not valid. Without Options.TracerProvider there is none.
func (w *Watcher) Origin(e event.Event) (found trace.SpanContext) {
	if w.origins == nil || e.Operation == event.SeedSync {
		return found
	}
	w.origins.mu.Lock()
	defer w.origins.mu.Unlock()
	var newest time.Time
	for _, namespace := range []string{"", e.Resource.Namespace} {
		of := schema.GroupResource{Group: e.Resource.Group, Resource: e.Resource.Resource}
		for _, one := range w.origins.of[feedKey{of, namespace}] {
			if one.listed == e.Listed && !one.began.After(e.Time) && !one.began.Before(newest) {
				found, newest = one.span, one.began
			}
		}
	}
	return found
}
