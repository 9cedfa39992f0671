// Package spanstest has a provider of traces that remembers spans, for tests.
package spanstest

import (
	"context"
	"encoding/binary"
	"slices"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Recorder is a trace.TracerProvider. Its methods may be called concurrently.
type Recorder struct {
	noop.TracerProvider
	mu  sync.Mutex
	all []*Span
}

// Span is what was told of a span.
type Span struct {
	noop.Span
	r       *Recorder
	context trace.SpanContext

	Name       string
	Parent     trace.SpanContext
	Links      []trace.SpanContext
	Attributes map[attribute.Key]attribute.Value
	Errors     []string
	Failed     bool
	Ended      int // how often
}

// Tracer implements trace.TracerProvider.
func (r *Recorder) Tracer(string, ...trace.TracerOption) trace.Tracer { return tracer{r: r} }

// Spans returns the spans so far, as they are now, in the order of their beginning.
func (r *Recorder) Spans() (all []Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.all {
		one := *s
		one.Attributes = map[attribute.Key]attribute.Value{}
		for key, value := range s.Attributes {
			one.Attributes[key] = value
		}
		one.Links, one.Errors = slices.Clone(s.Links), slices.Clone(s.Errors)
		all = append(all, one)
	}
	return all
}

// Named returns those of a name.
func (r *Recorder) Named(name string) []Span {
	return slices.DeleteFunc(r.Spans(), func(s Span) bool { return s.Name != name })
}

type tracer struct {
	noop.Tracer
	r *Recorder
}

// Start implements trace.Tracer.
func (t tracer) Start(ctx context.Context, name string, opts ...trace.SpanStartOption) (context.Context, trace.Span) {
	t.r.mu.Lock()
	defer t.r.mu.Unlock()
	config := trace.NewSpanStartConfig(opts...)
	s := &Span{r: t.r, Name: name, Attributes: map[attribute.Key]attribute.Value{}}
	if !config.NewRoot() {
		s.Parent = trace.SpanContextFromContext(ctx)
	}
	id := trace.SpanContextConfig{TraceID: s.Parent.TraceID(), TraceFlags: trace.FlagsSampled}
	binary.BigEndian.PutUint64(id.SpanID[:], uint64(len(t.r.all)+1))
	if !id.TraceID.IsValid() {
		copy(id.TraceID[:], id.SpanID[:])
	}
	s.context = trace.NewSpanContext(id) // before anybody has the span
	t.r.all = append(t.r.all, s)
	return trace.ContextWithSpan(ctx, s), s
}

// SpanContext implements trace.Span.
func (s *Span) SpanContext() trace.SpanContext { return s.context }

// IsRecording implements trace.Span.
func (s *Span) IsRecording() bool {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	return s.Ended == 0
}

// SetAttributes implements trace.Span.
func (s *Span) SetAttributes(attributes ...attribute.KeyValue) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	for _, kv := range attributes {
		s.Attributes[kv.Key] = kv.Value
	}
}

// AddLink implements trace.Span.
func (s *Span) AddLink(l trace.Link) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.Links = append(s.Links, l.SpanContext)
}

// RecordError implements trace.Span.
func (s *Span) RecordError(err error, _ ...trace.EventOption) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.Errors = append(s.Errors, err.Error())
}

// SetStatus implements trace.Span.
func (s *Span) SetStatus(code codes.Code, _ string) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.Failed = code == codes.Error
}

// End implements trace.Span.
func (s *Span) End(...trace.SpanEndOption) {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.Ended++
}
