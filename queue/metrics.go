package queue

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"

	"github.com/kubescribe/kubescribe/internal/meter"
)

// scope names what measures, for a metric.MeterProvider.
const scope = "github.com/kubescribe/kubescribe/queue"

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
	set := meter.New(provider, scope)
	defer set.Report(log)
	m := &shardedMeters{
		events: set.Histogram("kubescribe.queue.batch.events", "{event}", "Events of a batch that was handed out",
			1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000),
		bytes: set.Histogram("kubescribe.queue.batch.bytes", "By", "Content of a batch that was handed out",
			1<<10, 1<<12, 1<<14, 1<<16, 1<<18, 1<<20, 1<<22, 1<<24),
		wait: set.Seconds("kubescribe.queue.batch.wait", "Time that the oldest event of a batch that was handed out has been in the queue"),
	}
	m.observe(q, set)
	return m
}

// observe registers what is read from the queue when it is collected.
func (m *shardedMeters) observe(q *Sharded, set *meter.Set) {
	r := meter.NewReadings[Stats](set)
	counter := func(name, description string, of func(Counts) uint64) {
		r.Counter("kubescribe.queue."+name, "{event}", description, func(s Stats) int64 { return int64(of(s.Counts)) })
	}
	counter("added", "Events that were accepted", func(c Counts) uint64 { return c.Added })
	counter("coalesced", "Events that a newer one superseded", func(c Counts) uint64 { return c.Coalesced })
	counter("done", "Events that were handed out and done", func(c Counts) uint64 { return c.Done })
	counter("forgotten", "Events that were dropped with their destination", func(c Counts) uint64 { return c.Forgotten })
	counter("retried", "Times that an event was put back", func(c Counts) uint64 { return c.Retried })
	counter("refused", "Times that an event found no room", func(c Counts) uint64 { return c.Refused })
	r.Level("kubescribe.queue.waiting", "{event}", "Events that wait", func(s Stats) int64 { return int64(s.Waiting) })
	r.Level("kubescribe.queue.in_hand", "{event}", "Events that are handed out and not settled", func(s Stats) int64 { return int64(s.InHand) })
	r.Level("kubescribe.queue.size", "By", "Content that waits or is in hand, shared content once", func(s Stats) int64 { return s.Bytes })
	r.Level("kubescribe.queue.lines", "{line}", "Lines that hold something", func(s Stats) int64 { return int64(s.Lines) })
	r.Level("kubescribe.queue.parked", "{line}", "Lines that back off", func(s Stats) int64 { return int64(s.Parked) })
	r.Seconds("kubescribe.queue.oldest", "Age of the oldest event that waits, 0 if none does", func(Stats) float64 { return q.oldest().Seconds() })
	m.unregistration = r.Register(q.Stats)
}

// end lets go of the queue.
func (m *shardedMeters) end() error {
	if m == nil {
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
	outcomes         meter.Words
	waiting, running metric.Int64UpDownCounter
}

func newRunnerMeters(provider metric.MeterProvider, log logr.Logger) *runnerMeters {
	if provider == nil {
		return nil
	}
	set := meter.New(provider, scope)
	defer set.Report(log)
	return &runnerMeters{
		duration: set.Seconds("kubescribe.queue.handler.duration", "Time that a handler took, by outcome"),
		outcomes: meter.NewWords("outcome", outcomeDone, outcomePartial, outcomeFailed, outcomePermanent, outcomePanicked, outcomeLost),
		waiting:  set.Level("kubescribe.queue.handler.waiting", "{batch}", "Batches in hand that wait for a place in their group or in total"),
		running:  set.Level("kubescribe.queue.handler.running", "{batch}", "Batches whose handler runs"),
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
		m.duration.Record(ctx, d.Seconds(), m.outcomes.Of(outcome)...)
	}
}
