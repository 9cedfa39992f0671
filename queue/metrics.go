package queue

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
)

// scope names what measures, for a metric.MeterProvider.
const scope = "github.com/kubescribe/kubescribe/queue"

// instruments makes the instruments of a meter. An instrument that could not be made is one that
// measures nothing, so an error is told and not returned: what is measured goes on.
type instruments struct {
	meter  metric.Meter
	faults []error
}

func instrument[I any](s *instruments, made I, err error) I {
	if err != nil {
		s.faults = append(s.faults, err)
	}
	return made
}

func (s *instruments) report(log logr.Logger) {
	if err := errors.Join(s.faults...); err != nil {
		log.Error(err, "Some metrics are missing")
	}
}

// shardedMeters is what a Sharded measures. Nil measures nothing. All totals are read from the
// queue when somebody collects them, so they cost nothing between; only batches are recorded as
// they come.
type shardedMeters struct {
	events, bytes  metric.Int64Histogram
	wait           metric.Float64Histogram
	unregistration func() error
}

func newShardedMeters(q *Sharded, provider metric.MeterProvider, log logr.Logger) *shardedMeters {
	if provider == nil {
		return nil
	}
	meter := provider.Meter(scope)
	s := &instruments{meter: meter}
	defer s.report(log)
	m := &shardedMeters{}
	events, err := meter.Int64Histogram("kubescribe.queue.batch.events", metric.WithUnit("{event}"),
		metric.WithDescription("Events of a batch that was handed out"),
		metric.WithExplicitBucketBoundaries(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000))
	m.events = instrument(s, events, err)
	bytes, err := meter.Int64Histogram("kubescribe.queue.batch.bytes", metric.WithUnit("By"),
		metric.WithDescription("Content of a batch that was handed out"),
		metric.WithExplicitBucketBoundaries(1<<10, 1<<12, 1<<14, 1<<16, 1<<18, 1<<20, 1<<22, 1<<24))
	m.bytes = instrument(s, bytes, err)
	wait, err := meter.Float64Histogram("kubescribe.queue.batch.wait", metric.WithUnit("s"),
		metric.WithDescription("How long the oldest event of a batch that was handed out has been in the queue"),
		metric.WithExplicitBucketBoundaries(seconds...))
	m.wait = instrument(s, wait, err)
	m.observe(q, s)
	return m
}

// seconds are the boundaries of durations, from what is not waited for to what somebody should look
// at.
var seconds = []float64{.01, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200}

// observe registers what is read from the queue when it is collected.
func (m *shardedMeters) observe(q *Sharded, s *instruments) {
	type reading struct {
		instrument metric.Int64Observable
		of         func(Stats) int64
	}
	var readings []reading
	var all []metric.Observable
	read := func(i metric.Int64Observable, of func(Stats) int64) {
		readings, all = append(readings, reading{i, of}), append(all, i)
	}
	counter := func(name, description string, of func(Stats) int64) {
		c, err := s.meter.Int64ObservableCounter("kubescribe.queue."+name, metric.WithUnit("{event}"), metric.WithDescription(description))
		read(instrument(s, c, err), of)
	}
	level := func(name, unit, description string, of func(Stats) int64) {
		c, err := s.meter.Int64ObservableUpDownCounter("kubescribe.queue."+name, metric.WithUnit(unit), metric.WithDescription(description))
		read(instrument(s, c, err), of)
	}
	counter("added", "Events that were accepted", func(s Stats) int64 { return int64(s.Counts.Added) })
	counter("coalesced", "Events that a newer one superseded", func(s Stats) int64 { return int64(s.Counts.Coalesced) })
	counter("done", "Events that were handed out and done", func(s Stats) int64 { return int64(s.Counts.Done) })
	counter("forgotten", "Events that were dropped with their destination", func(s Stats) int64 { return int64(s.Counts.Forgotten) })
	counter("retried", "Times that an event was put back", func(s Stats) int64 { return int64(s.Counts.Retried) })
	counter("refused", "Times that an event found no room", func(s Stats) int64 { return int64(s.Counts.Refused) })
	level("waiting", "{event}", "Events that wait", func(s Stats) int64 { return int64(s.Waiting) })
	level("in_hand", "{event}", "Events that are handed out and not settled", func(s Stats) int64 { return int64(s.InHand) })
	level("size", "By", "Content that waits or is in hand, shared content once", func(s Stats) int64 { return s.Bytes })
	level("lines", "{line}", "Lines that hold something", func(s Stats) int64 { return int64(s.Lines) })
	level("parked", "{line}", "Lines that back off", func(s Stats) int64 { return int64(s.Parked) })
	g, err := s.meter.Float64ObservableGauge("kubescribe.queue.oldest", metric.WithUnit("s"),
		metric.WithDescription("Age of the oldest event that waits, 0 if none does"))
	oldest := instrument(s, g, err)
	registration, err := s.meter.RegisterCallback(func(_ context.Context, o metric.Observer) error {
		stats := q.Stats()
		for _, r := range readings {
			o.ObserveInt64(r.instrument, r.of(stats))
		}
		o.ObserveFloat64(oldest, q.oldest().Seconds())
		return nil
	}, append(all, oldest)...)
	if err != nil {
		s.faults = append(s.faults, err)
	} else {
		m.unregistration = registration.Unregister
	}
}

// end lets go of the queue.
func (m *shardedMeters) end() error {
	if m == nil || m.unregistration == nil {
		return nil
	}
	return m.unregistration()
}

// handed records a batch. It is called without the lock of the queue, since what collects holds one
// of its own.
func (m *shardedMeters) handed(ctx context.Context, size load, waited time.Duration) {
	if m != nil {
		m.events.Record(ctx, int64(size.events))
		m.bytes.Record(ctx, size.bytes)
		m.wait.Record(ctx, waited.Seconds())
	}
}

// The outcomes of a handler, as the attribute "outcome" of kubescribe.queue.handler.duration has
// them.
const (
	outcomeDone      = "done"
	outcomePartial   = "partial"
	outcomeFailed    = "failed"
	outcomePermanent = "permanent"
	outcomePanicked  = "panicked"
	outcomeLost      = "lease_lost"
)

// runnerMeters is what a Runner measures. Nil measures nothing.
type runnerMeters struct {
	duration         metric.Float64Histogram
	waiting, running metric.Int64UpDownCounter
}

func newRunnerMeters(provider metric.MeterProvider, log logr.Logger) *runnerMeters {
	if provider == nil {
		return nil
	}
	meter := provider.Meter(scope)
	s := &instruments{}
	defer s.report(log)
	duration, err := meter.Float64Histogram("kubescribe.queue.handler.duration", metric.WithUnit("s"),
		metric.WithDescription("How long a handler took, by outcome"), metric.WithExplicitBucketBoundaries(seconds...))
	waiting, errWaiting := meter.Int64UpDownCounter("kubescribe.queue.handler.waiting", metric.WithUnit("{batch}"),
		metric.WithDescription("Batches in hand that wait for a place in their group or in total"))
	running, errRunning := meter.Int64UpDownCounter("kubescribe.queue.handler.running", metric.WithUnit("{batch}"),
		metric.WithDescription("Batches whose handler runs"))
	return &runnerMeters{
		duration: instrument(s, duration, err),
		waiting:  instrument(s, waiting, errWaiting),
		running:  instrument(s, running, errRunning),
	}
}

func (m *runnerMeters) wait(ctx context.Context, n int64) {
	if m != nil {
		m.waiting.Add(ctx, n)
	}
}

func (m *runnerMeters) run(ctx context.Context, n int64) {
	if m != nil {
		m.running.Add(ctx, n)
	}
}

func (m *runnerMeters) took(ctx context.Context, d time.Duration, outcome string) {
	if m != nil {
		m.duration.Record(ctx, d.Seconds(), metric.WithAttributes(attribute.String("outcome", outcome)))
	}
}
