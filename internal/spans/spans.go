// Package spans begins and ends the spans of OpenTelemetry for the parts of the library. Where no
// provider is set nothing is traced, and nothing is allocated.
package spans

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
)

// The attributes of spans. docs/monitoring/traces.md says what they mean.
const (
	Destination = attribute.Key("kubescribe.destination")
	Events      = attribute.Key("kubescribe.events")
	Attempt     = attribute.Key("kubescribe.attempt")
	Commits     = attribute.Key("kubescribe.commits")
	Plans       = attribute.Key("kubescribe.plans")
	Resource    = attribute.Key("kubescribe.resource")
	Namespace   = attribute.Key("kubescribe.resource.namespace")
	Kind        = attribute.Key("kubescribe.listing.kind")
	Outcome     = attribute.Key("kubescribe.outcome")
	Reason      = attribute.Key("kubescribe.reason")
)

// Tracer begins the spans of one part. Nil traces nothing. It may be used concurrently.
type Tracer struct{ tracer trace.Tracer }

// New returns a Tracer whose spans belong to a scope, the path of the package that traces; nil if
// there is no provider.
func New(provider trace.TracerProvider, scope string) *Tracer {
	if provider == nil {
		return nil
	}
	return &Tracer{provider.Tracer(scope)}
}

// Root begins a trace, whatever the context is in: what runs for as long as the program would else
// be one trace without an end.
func (t *Tracer) Root(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithNewRoot())
	return ctx, Span{span}
}

// Child begins a span below that of the context.
func (t *Tracer) Child(ctx context.Context, name string) (context.Context, Span) {
	if t == nil {
		return ctx, Span{}
	}
	ctx, span := t.tracer.Start(ctx, name)
	return ctx, Span{span}
}

// Of returns the span of a context.
func (t *Tracer) Of(ctx context.Context) Span {
	if t == nil {
		return Span{}
	}
	return Span{trace.SpanFromContext(ctx)}
}

// Span is a span, or none: the zero value.
type Span struct{ span trace.Span }

// Traced reports whether anybody will see the span. Attributes are made only if so.
func (s Span) Traced() bool { return s.span != nil && s.span.IsRecording() }

// Set adds attributes.
func (s Span) Set(attributes ...attribute.KeyValue) {
	if s.Traced() {
		s.span.SetAttributes(attributes...)
	}
}

// Link names the span of another context as one that this span is for, too.
func (s Span) Link(ctx context.Context) { s.LinkTo(trace.SpanContextFromContext(ctx)) }

// Context returns what others link to.
func (s Span) Context() trace.SpanContext {
	if s.span == nil {
		return trace.SpanContext{}
	}
	return s.span.SpanContext()
}

// LinkTo names another span as one that this span is for, too.
func (s Span) LinkTo(other trace.SpanContext) {
	if s.Traced() && other.IsValid() {
		s.span.AddLink(trace.Link{SpanContext: other})
	}
}

// Record adds an error as a text that may be shown.
func (s Span) Record(text string) {
	if s.Traced() {
		s.span.RecordError(errors.New(text))
	}
}

// End ends the span with an outcome, which is the description of its status if it has failed.
func (s Span) End(outcome string, failed bool) {
	if s.span == nil {
		return
	}
	if s.Traced() {
		s.span.SetAttributes(Outcome.String(outcome))
	}
	if failed {
		s.span.SetStatus(codes.Error, outcome)
	}
	s.span.End()
}
