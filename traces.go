package kubescribe

import (
	"context"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/spans"
)

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
