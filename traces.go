package kubescribe

import (
	"context"

	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/queue"
)

// maxLinks bounds the listings and watches that a batch is linked to.
const maxLinks = 16

// linkOrigins links the span of a batch to the listings and watches that its events came from.
func (m *Mirror) linkOrigins(ctx context.Context, b queue.Batch) {
	span := m.tracer.Of(ctx)
	if !span.Traced() {
		return
	}
	linked := map[oteltrace.SpanID]bool{}
	for i := range b.Events {
		origin := m.watcher.Origin(b.Events[i])
		if !origin.IsValid() || linked[origin.SpanID()] {
			continue
		}
		linked[origin.SpanID()] = true
		if span.LinkTo(origin); len(linked) == maxLinks {
			return
		}
	}
}

// trace adds to the span of a batch, which the Runner has begun, why it was not written: a word,
// and a line without URL.
func (m *Mirror) trace(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if span := m.tracer.Of(ctx); span.Traced() {
		span.Set(spans.Reason.String(gitsink.Reason(err)))
		span.Record(gitsink.Brief(err))
	}
}
