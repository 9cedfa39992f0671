package source

import (
	"context"
	"time"

	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/ruleset"
)

// sight is a listing in the eyes of who measures and traces.
type sight struct {
	meters *meters
	span   spans.Span
	kind   string
	began  time.Time
}

// look begins a listing. What it asks the server is asked in the context that look returns.
func look(
	ctx context.Context, m *meters, t *spans.Tracer, o *origins, kind string, of ruleset.Type, namespace string,
) (context.Context, sight) {
	s := sight{meters: m, kind: kind, began: time.Now()}
	ctx, s.span = t.Root(ctx, "kubescribe.list")
	if s.span.Traced() {
		s.span.Set(spans.Kind.String(kind), spans.Resource.String(groupResource(of).String()), spans.Namespace.String(namespace))
	}
	o.note(of, namespace, s.span, true)
	return ctx, s
}

func (r *reflector) look(ctx context.Context, kind, namespace string) (context.Context, sight) {
	return look(ctx, r.meters, r.tracer, r.origins, kind, r.of, namespace)
}

// ended ends it. The text of an error may hold the URL of the API server, so a trace has the
// outcome alone.
func (s sight) ended(ctx context.Context, err error) {
	outcome := outcomeOf(ctx, err)
	s.meters.listed(ctx, s.kind, s.began, outcome)
	s.span.End(outcome, failure(outcome))
}

// failure reports whether an outcome is one that somebody may have to act upon.
func failure(outcome string) bool {
	return outcome == outcomeFailed || outcome == outcomeForbidden || outcome == outcomeRewound
}
