package gogit

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/meter"
)

// scope names what measures, for a metric.MeterProvider.
const scope = "github.com/kubescribe/kubescribe/gitsink/gogit"

// outcomeOK is the outcome of a push that is on the branch. All others are words of gitsink.Reason.
const outcomeOK = "ok"

// meters is what a Sink measures. Nil measures nothing. What is a total is a number here, and read
// when somebody collects it.
type meters struct {
	set        *meter.Set
	push, rest metric.Float64Histogram
	outcomes   meter.Words
	traffic    smart.Traffic
	commits    atomic.Int64
	written    atomic.Int64
	removed    atomic.Int64
	conflicts  atomic.Int64
	unregister func() error
}

func newMeters(o *Options) *meters {
	if o.MeterProvider == nil {
		return nil
	}
	set := meter.New(o.MeterProvider, scope)
	defer set.Report(o.Logger)
	m := &meters{
		set:      set,
		push:     set.Seconds("kubescribe.git.push.duration", "Time from a push to the server's report, by outcome"),
		rest:     set.Seconds("kubescribe.git.ratelimit.wait", "Time that a push has waited for its turn under its RateLimit"),
		outcomes: meter.NewWords("outcome", append(gitsink.Reasons(), outcomeOK)...),
	}
	type none struct{}
	r := meter.NewReadings[none](set)
	total := func(name, unit, description string, of *atomic.Int64) {
		r.Counter(name, unit, description, func(none) int64 { return of.Load() })
	}
	total("kubescribe.git.commits", "{commit}", "Commits that were pushed", &m.commits)
	r.CounterBy("kubescribe.git.files", "{file}", "Changes of files in commits that were pushed", func(_ none, tell meter.Tell[int64]) {
		tell(m.written.Load(), attribute.String("change", "write"))
		tell(m.removed.Load(), attribute.String("change", "remove"))
	})
	total("kubescribe.git.conflicts", "{push}", "Pushes after which the branch was found to have moved, so that all was planned again", &m.conflicts)
	r.CounterBy("kubescribe.git.requests", "{request}", "Requests to Git servers, by service", func(_ none, tell meter.Tell[int64]) {
		tell(m.traffic.UploadPack.Load(), attribute.String("service", string(smart.UploadPack)))
		tell(m.traffic.ReceivePack.Load(), attribute.String("service", string(smart.ReceivePack)))
	})
	total("kubescribe.git.sent", "By", "Bytes of Git's protocol that were sent to servers", &m.traffic.Sent)
	total("kubescribe.git.received", "By", "Bytes of Git's protocol that servers have sent", &m.traffic.Received)
	m.unregister = r.Register(func() none { return none{} })
	return m
}

// end lets go of the Sink.
func (m *meters) end() error {
	if m == nil {
		return nil
	}
	return m.unregister()
}

// counters returns those of connections; nil counts nothing.
func (m *meters) counters() *smart.Traffic {
	if m == nil {
		return nil
	}
	return &m.traffic
}

// pushed records what has become of a push: no classes for one that is on the branch.
func (m *meters) pushed(ctx context.Context, took time.Duration, ch *pushStack, classes ...error) {
	if m == nil {
		return
	}
	if len(classes) > 0 {
		m.push.Record(ctx, took.Seconds(), m.outcomes.Of(gitsink.Reason(errors.Join(classes...)))...)
		return
	}
	m.push.Record(ctx, took.Seconds(), m.outcomes.Of(outcomeOK)...)
	for _, part := range ch.parts {
		m.commits.Add(int64(len(part.commits)))
		for _, commit := range part.commits {
			m.changed(commit.from.Changes)
		}
	}
}

func (m *meters) changed(changes []gitsink.Change) {
	removed := 0
	for i := range changes {
		if changes[i].Remove {
			removed++
		}
	}
	m.removed.Add(int64(removed))
	m.written.Add(int64(len(changes) - removed))
}

// moved counts a push that is planned again, since somebody else has moved the branch.
func (m *meters) moved() {
	if m != nil {
		m.conflicts.Add(1)
	}
}

// rested records a wait for the RateLimit.
func (m *meters) rested(ctx context.Context, d time.Duration) {
	if m != nil {
		m.rest.Record(ctx, d.Seconds())
	}
}
