package source

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/meter"
)

// scope names what measures, for a metric.MeterProvider.
const scope = "github.com/kubescribe/kubescribe/event/source"

// How listings and watches end, as the attribute "outcome" of their metrics has it.
const (
	outcomeOK          = "ok"          // a listing is complete; the server has ended a watch
	outcomeExpired     = "expired"     // the server has forgotten where it was
	outcomeRewound     = "rewound"     // the server's clock went back
	outcomeForbidden   = "forbidden"   // credentials or rights are missing
	outcomeRelist      = "relist"      // a watch gives way, since everything is to be listed again
	outcomeInterrupted = "interrupted" // nobody wants it any more
	outcomeFailed      = "failed"
)

var outcomes = []string{
	outcomeOK, outcomeExpired, outcomeRewound, outcomeForbidden, outcomeRelist, outcomeInterrupted, outcomeFailed,
}

// outcomeOf sums up how a listing or a watch ended.
func outcomeOf(ctx context.Context, err error) string {
	switch {
	case err == nil:
		return outcomeOK
	case ctx.Err() != nil:
		return outcomeInterrupted
	case gone(err), errors.Is(err, errExpired), errors.Is(err, errPassBroken):
		return outcomeExpired
	case wentBack(err):
		return outcomeRewound
	case errors.Is(err, errRelist):
		return outcomeRelist
	case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err):
		return outcomeForbidden
	}
	return outcomeFailed
}

// The listings, as the attribute "kind" of their metrics has them.
const (
	listsCollection = "collection" // all that a reflector follows
	listsNamespace  = "namespace"  // a part of that, again
	walks           = "walk"       // for destinations that wait for objects
)

// meters is what a Watcher measures. Nil measures nothing. What is a total is a number here or in
// the ledger, and read when somebody collects it.
type meters struct {
	set       *meter.Set
	durations metric.Float64Histogram
	listings  map[string]map[string][]metric.RecordOption // by kind and outcome
	watches   [len(watchOutcomes)]atomic.Uint64
	requests  requests
	epoch     time.Time
	turned    atomic.Int64 // when the planner did last, as what has passed since epoch
}

var watchOutcomes = [...]string{outcomeOK, outcomeExpired, outcomeRewound, outcomeForbidden, outcomeRelist, outcomeFailed}

func newMeters(provider metric.MeterProvider) *meters {
	if provider == nil {
		return nil
	}
	set := meter.New(provider, scope)
	m := &meters{
		set: set, epoch: time.Now(), listings: map[string]map[string][]metric.RecordOption{},
		durations: set.Seconds("kubescribe.source.listing.duration", "Time that a listing took, by kind and outcome; a walk waits for room in the queue meanwhile"),
	}
	for _, kind := range []string{listsCollection, listsNamespace, walks} {
		m.listings[kind] = map[string][]metric.RecordOption{}
		for _, outcome := range outcomes {
			m.listings[kind][outcome] = meter.With(attribute.String("kind", kind), attribute.String("outcome", outcome))
		}
	}
	return m
}

// listed records a listing.
func (m *meters) listed(ctx context.Context, kind string, began time.Time, outcome string) {
	if m != nil {
		m.durations.Record(ctx, time.Since(began).Seconds(), m.listings[kind][outcome]...)
	}
}

// watched counts the end of a watch that is wanted further.
func (m *meters) watched(outcome string) {
	if m == nil {
		return
	}
	for i, one := range watchOutcomes {
		if one == outcome {
			m.watches[i].Add(1)
		}
	}
}

// turn notes that the planner looks what is to be done.
func (m *meters) turn() {
	if m != nil {
		m.turned.Store(int64(time.Since(m.epoch)))
	}
}

// follow has the metrics of a Watcher read until end is called.
func (m *meters) follow(w *Watcher) (end func()) {
	if m == nil {
		return func() {}
	}
	r := meter.NewReadings[levels](m.set)
	r.CounterBy("kubescribe.source.events", "{event}", "Changes that the queue has accepted, by operation", func(s levels, tell meter.Tell[int64]) {
		tell(int64(s.counts.create), attribute.String("operation", "create"))
		tell(int64(s.counts.update), attribute.String("operation", "update"))
		tell(int64(s.counts.delete), attribute.String("operation", "delete"))
	})
	r.Counter("kubescribe.source.seeds", "{event}", "SeedSyncs that the queue has accepted", func(s levels) int64 { return int64(s.counts.seeds) })
	r.LevelBy("kubescribe.source.collections", "{collection}", "Collections that the rules ask for, by state", func(s levels, tell meter.Tell[int64]) {
		for state, n := range s.collections {
			tell(n, attribute.String("state", state))
		}
	})
	r.Level("kubescribe.source.types", "{type}", "Types of which collections are followed, or are to be", func(s levels) int64 { return s.types })
	r.Level("kubescribe.source.objects", "{object}", "Objects that live and belong to a destination", func(s levels) int64 { return s.objects })
	r.Level("kubescribe.source.waiting", "{object}", "Objects that are to be fetched and sent, each as often as there are destinations for it", func(s levels) int64 { return s.waiting })
	r.Level("kubescribe.source.refused", "{object}", "Objects that cannot be sent, each as often as there are destinations for it", func(s levels) int64 { return s.refused })
	r.CounterBy("kubescribe.source.watch.restarts", "{watch}", "Watches that have ended, or could not be opened, and are wanted further, by outcome", m.tellWatches)
	r.CounterBy("kubescribe.source.requests", "{request}", "Requests to the API server that have ended, by verb and class of the answer", m.tellRequests)
	r.Seconds("kubescribe.source.progress", "Age of the last turn of the loop that starts and ends reflectors", func(levels) float64 {
		return (time.Since(m.epoch) - time.Duration(m.turned.Load())).Seconds()
	})
	m.turn()
	unregister := r.Register(w.levels)
	m.set.Report(w.opts.Logger)
	return func() {
		if err := unregister(); err != nil {
			w.opts.Logger.V(1).Info("metrics go on", "reason", err.Error())
		}
	}
}

func (m *meters) tellWatches(_ levels, tell meter.Tell[int64]) {
	for i, outcome := range watchOutcomes {
		tell(int64(m.watches[i].Load()), attribute.String("outcome", outcome))
	}
}

func (m *meters) tellRequests(_ levels, tell meter.Tell[int64]) {
	for v, verb := range verbs {
		for c, class := range classes {
			tell(int64(m.requests[v][c].Load()), attribute.String("verb", verb), attribute.String("status", class))
		}
	}
}

// tally has the numbers of the events that the queue has accepted.
type tally struct{ create, update, delete, seeds uint64 }

func (c *tally) add(op event.Operation) {
	switch op {
	case event.Create:
		c.create++
	case event.Update:
		c.update++
	case event.Delete:
		c.delete++
	case event.SeedSync:
		c.seeds++
	}
}

// levels are what somebody who collects reads of the ledger.
type levels struct {
	counts                           tally
	collections                      map[string]int64 // by state
	types, objects, waiting, refused int64
}

// levels reads the ledger, in time proportional to its types, feeds and destinations.
func (w *Watcher) levels() (now levels) {
	w.read(func(l *ledger) { now = l.levels() })
	return now
}

// The states of a collection, as the attribute "state" of kubescribe.source.collections has them.
const (
	stateFollowed = "followed" // listed and followed
	stateListing  = "listing"  // to be listed, or once more
	stateFailing  = "failing"  // it cannot be listed or watched at the moment
	stateRefused  = "refused"  // the server refuses it as a whole; single namespaces stand in
)

func (l *ledger) levels() levels {
	now := levels{
		counts:      l.counts,
		collections: map[string]int64{stateFollowed: 0, stateListing: 0, stateFailing: 0, stateRefused: 0},
	}
	types := map[schema.GroupResource]struct{}{}
	for key, f := range l.feeds {
		types[key.of] = struct{}{}
		switch {
		case f.err != nil:
			now.collections[stateFailing]++
		case f.complete:
			now.collections[stateFollowed]++
		default:
			now.collections[stateListing]++
		}
	}
	now.types = int64(len(types))
	for _, g := range l.gaps {
		if g.err != nil {
			now.collections[stateRefused]++
		}
	}
	for _, tl := range l.types {
		now.objects += int64(len(tl.entries))
	}
	for _, to := range l.targets {
		now.waiting += int64(to.backlog.count)
		now.refused += int64(to.refused.count())
	}
	return now
}
