package kubescribe

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/meter"
	"github.com/kubescribe/kubescribe/queue"
)

// scope names what measures, for a metric.MeterProvider.
const scope = "github.com/kubescribe/kubescribe"

// measures is what a Mirror measures itself; its parts measure the rest. Nil measures nothing.
// docs/monitoring/metrics.md lists all of it.
type measures struct {
	set    *meter.Set
	own    int // the number of destinations with an attribute of their own
	lag    metric.Float64Histogram
	lags   atomic.Pointer[lags]
	epoch  time.Time
	turned atomic.Int64 // when the loop of news did last, as what has passed since epoch
}

func newMeasures(o *Options) *measures {
	if o.MeterProvider == nil {
		return nil
	}
	set := meter.New(o.MeterProvider, scope)
	return &measures{
		set: set, own: max(o.MetricsPerDestination, 0), epoch: time.Now(),
		lag: set.Seconds("kubescribe.lag", "Age of the oldest change of a batch when the batch was known to be on its branch"),
	}
}

// turn notes that the Mirror looks at its destinations.
func (s *measures) turn() {
	if s != nil {
		s.turned.Store(int64(time.Since(s.epoch)))
	}
}

// other stands for the destinations without an attribute of their own. No Ref reads like it.
const other = "other"

// ownOf returns those of the destinations that have an attribute of their own: the first by name.
func ownOf(refs []destination.Ref, n int) map[destination.Ref]bool {
	own := map[destination.Ref]bool{}
	if n == 0 {
		return own
	}
	sorted := slices.SortedFunc(slices.Values(refs), func(a, b destination.Ref) int {
		return slices.Compare([]string{a.Namespace, a.Name}, []string{b.Namespace, b.Name})
	})
	for _, ref := range sorted[:min(n, len(sorted))] {
		own[ref] = true
	}
	return own
}

// lags are the attributes of kubescribe.lag for one generation of the destinations. They never
// change.
type lags struct {
	of    []destination.Ref
	own   map[destination.Ref]lagOptions
	other lagOptions
}

// lagOptions are those for changes that a watch told, and for those that a listing found.
type lagOptions [2][]metric.RecordOption

func newLags(of []destination.Ref, n int) *lags {
	l := &lags{of: of, own: map[destination.Ref]lagOptions{}}
	options := func(name ...attribute.KeyValue) lagOptions {
		return lagOptions{
			meter.With(append(name, attribute.Bool("listed", false))...),
			meter.With(append(name, attribute.Bool("listed", true))...),
		}
	}
	if n == 0 {
		l.other = options()
		return l
	}
	l.other = options(attribute.String("destination", other))
	for ref := range ownOf(of, n) {
		l.own[ref] = options(attribute.String("destination", ref.String()))
	}
	return l
}

// is reports whether the lags are of these destinations, which SetRules replaces and never changes.
func (l *lags) is(of []destination.Ref) bool {
	return l != nil && len(l.of) == len(of) && (len(of) == 0 || &l.of[0] == &of[0])
}

func (l *lags) options(ref destination.Ref, listed int) []metric.RecordOption {
	if own, ok := l.own[ref]; ok {
		return own[listed]
	}
	return l.other[listed]
}

// landed records how old the changes of a batch are that are on their branch: the oldest one of
// each destination, of those that a watch told and of those that a listing found. refs are the
// destinations of the rules.
func (s *measures) landed(ctx context.Context, refs []destination.Ref, b queue.Batch, err error) {
	if s == nil {
		return
	}
	var left map[leftKey]bool
	if err != nil {
		var partial *queue.PartialError
		if !errors.As(err, &partial) {
			return
		}
		left = leftOf(partial)
	}
	l := s.lags.Load()
	if !l.is(refs) {
		l = newLags(refs, s.own)
		s.lags.Store(l)
	}
	now, from := time.Now(), 0
	for i := range b.Events { // those of one destination follow each other, in nearly all batches
		if i+1 == len(b.Events) || b.Events[i+1].Destination.Ref != b.Events[from].Destination.Ref {
			for listed, at := range oldest(b.Events[from:i+1], left) {
				if !at.IsZero() {
					s.lag.Record(ctx, max(now.Sub(at), 0).Seconds(), l.options(b.Events[from].Destination.Ref, listed)...)
				}
			}
			from = i + 1
		}
	}
}

// leftKey names a change that did not land.
type leftKey struct {
	of destination.Ref
	id event.ID
}

func leftOf(partial *queue.PartialError) map[leftKey]bool {
	left := map[leftKey]bool{}
	for i := range partial.Events {
		left[leftKey{partial.Events[i].Destination.Ref, partial.Events[i].Resource.ID}] = true
	}
	return left
}

// oldest returns when the oldest change was observed that a watch told, and the oldest that a
// listing found; zero for none.
func oldest(events []event.Event, left map[leftKey]bool) (at [2]time.Time) {
	for i := range events {
		e := &events[i]
		if e.Operation == event.SeedSync || left != nil && left[leftKey{e.Destination.Ref, e.Resource.ID}] {
			continue
		}
		of := &at[0]
		if e.Listed {
			of = &at[1]
		}
		if of.IsZero() || e.Time.Before(*of) {
			*of = e.Time
		}
	}
	return at
}

// follow has the levels of a Mirror read until end is called.
func (s *measures) follow(m *Mirror) (end func()) {
	if s == nil {
		return func() {}
	}
	s.turn()
	unregister := s.levels().Register(func() sums { return s.sum(m.Status()) })
	s.set.Report(m.opts.Logger)
	return func() {
		if err := unregister(); err != nil {
			m.opts.Logger.V(1).Info("metrics go on", "reason", err.Error())
		}
	}
}

func (s *measures) levels() *meter.Readings[sums] {
	r := meter.NewReadings[sums](s.set)
	r.GaugeBy("kubescribe.destinations", "{destination}", "Destinations by readiness and its reason", func(all sums, tell meter.Tell[int64]) {
		for of, n := range all.destinations {
			tell(n, named(of.name, attribute.Bool("ready", of.reason.ready()), attribute.String("reason", string(of.reason)))...)
		}
	})
	files := func(name, description string, of func(counted) int64) {
		r.LevelBy("kubescribe.files."+name, "{file}", description, func(all sums, tell meter.Tell[int64]) {
			for name, n := range all.files {
				tell(of(n), named(name)...)
			}
		})
	}
	files("held", "Files without an object that wait for Approve", func(n counted) int64 { return n.held })
	files("unadopted", "Files without an object that stay until Adopt", func(n counted) int64 { return n.unadopted })
	files("uncovered", "Files that no rule covers any more, which stay until Prune", func(n counted) int64 { return n.uncovered })
	files("excluded", "Folders that have an owner of their own, whose files stay", func(n counted) int64 { return n.excluded })
	r.LevelBy("kubescribe.left_out", "{object}", "Objects that the rules select and that cannot be written, by reason", func(all sums, tell meter.Tell[int64]) {
		for of, n := range all.leftOut {
			tell(n, named(of.name, attribute.String("reason", of.reason))...)
		}
	})
	r.Seconds("kubescribe.progress", "Age of the last turn of the loop that looks at all destinations", func(sums) float64 {
		return (time.Since(s.epoch) - time.Duration(s.turned.Load())).Seconds()
	})
	return r
}

// named returns attributes with the name of a destination, or without one if it is "".
func named(name string, others ...attribute.KeyValue) []attribute.KeyValue {
	if name == "" {
		return others
	}
	return append(others, attribute.String("destination", name))
}

// allReasons are those that kubescribe.destinations always has a value for.
var allReasons = func() []Reason {
	all := []Reason{
		ReasonInSync, ReasonWriting, ReasonSeeding, ReasonNoRules, ReasonRuleInvalid, ReasonTypeNotServed, ReasonForbidden,
		ReasonListingFailed, ReasonNotFollowed, ReasonFolderExcluded, ReasonFolderNotAdopted, ReasonDeletionsHeld, ReasonObjectsLeftOut,
	}
	for _, reason := range gitsink.Reasons() {
		if !slices.Contains(all, Reason(reason)) {
			all = append(all, Reason(reason))
		}
	}
	return all
}()

// ready reports whether a destination with this reason is ready.
func (r Reason) ready() bool { return r == ReasonInSync || r == ReasonWriting }
