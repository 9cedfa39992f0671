package gogit

import (
	"context"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/spans"
)

// tracePlan begins the span of one run of a plan; end ends it.
func (s *Sink) tracePlan(c *call) (ctx context.Context, end func([]gitsink.Commit, error)) {
	if s.tracer == nil {
		return c.ctx, func([]gitsink.Commit, error) {}
	}
	ctx, span := s.tracer.Child(c.ctx, "kubescribe.plan")
	if span.Traced() {
		span.Set(spans.Destination.String(c.dst.Ref.String()), spans.Attempt.Int(c.result.Attempts))
	}
	return ctx, func(made []gitsink.Commit, err error) {
		if err != nil {
			span.Record(gitsink.Brief(err))
			span.End(gitsink.Reason(err), true)
			return
		}
		span.Set(spans.Commits.Int(len(made)))
		span.End(outcomeOK, false)
	}
}

// tracePush begins the span of a push. It is that of all callers, and below that of the one who
// came first: the others have links.
func (g *pushGroup) tracePush(ch *pushStack) (context.Context, spans.Span) {
	ctx, span := g.remote.sink.tracer.Child(g.callers.ctx, "kubescribe.push")
	if span.Traced() {
		span.Set(spans.Destination.String(g.remote.dst.Ref.String()), spans.Commits.Int(ch.commits()), spans.Plans.Int(len(ch.parts)))
		for _, part := range ch.parts {
			if part.call.dst.Ref != g.remote.dst.Ref {
				span.Link(part.call.ctx)
			}
		}
	}
	return ctx, span
}
