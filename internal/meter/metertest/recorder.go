// Package metertest has a provider of metrics that remembers what is measured, for tests. Like an
// SDK it holds a lock of its own while it collects.
package metertest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"sync"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/metric/noop"
)

// The kinds of instruments, in the words of the documentation.
const (
	Counter   = "counter"
	Level     = "up-down counter"
	Gauge     = "gauge"
	Histogram = "histogram"
)

// ErrRefused is the error of everything that a Recorder with Refuse is to make.
var ErrRefused = errors.New("metertest: no such instrument")

// Recorder is a metric.MeterProvider. Its methods may be called concurrently.
type Recorder struct {
	noop.MeterProvider
	// Refuse has all instruments and callbacks fail to be made. It is set before anything is.
	Refuse bool

	mu        sync.Mutex
	all       map[string]*Instrument
	callbacks map[*registration]metric.Callback
}

// Instrument is an instrument, with what it was told.
type Instrument struct {
	Name, Kind, Unit, Description string
	// Values are by attributes, as "key=value,other=value", in the order of the keys: the sum of
	// what a histogram or a level was told, else the value of the last Collect.
	Values map[string]float64
	// Counts are the numbers of times that each was told.
	Counts map[string]int
	// Sets are the attributes of each of the Values.
	Sets map[string]attribute.Set
}

// New returns a Recorder that nothing was told.
func New() *Recorder {
	return &Recorder{all: map[string]*Instrument{}, callbacks: map[*registration]metric.Callback{}}
}

// Meter implements metric.MeterProvider.
func (r *Recorder) Meter(string, ...metric.MeterOption) metric.Meter { return meter{r: r} }

// Collect asks all callbacks that are registered.
func (r *Recorder) Collect(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var faults []error
	for reg, f := range r.callbacks {
		for _, i := range reg.of {
			clear(instrumentOf(i).Values)
		}
		faults = append(faults, f(ctx, observer{}))
	}
	return errors.Join(faults...)
}

// Registered returns the number of callbacks.
func (r *Recorder) Registered() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.callbacks)
}

// Instruments returns all that were made, by name, as they are now.
func (r *Recorder) Instruments() map[string]Instrument {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make(map[string]Instrument, len(r.all))
	for name, i := range r.all {
		one := *i
		one.Values, one.Counts, one.Sets = maps.Clone(i.Values), maps.Clone(i.Counts), maps.Clone(i.Sets)
		all[name] = one
	}
	return all
}

// Value returns what an instrument was told under some attributes, as Instrument.Values has them.
func (r *Recorder) Value(name, attributes string) float64 {
	return r.Instruments()[name].Values[attributes]
}

// Count returns how often an instrument was told something under some attributes.
func (r *Recorder) Count(name, attributes string) int {
	return r.Instruments()[name].Counts[attributes]
}

func (r *Recorder) made(name, kind, unit, description string) (*Instrument, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.all[name]
	if i == nil {
		i = &Instrument{
			Name: name, Kind: kind, Unit: unit, Description: description,
			Values: map[string]float64{}, Counts: map[string]int{}, Sets: map[string]attribute.Set{},
		}
		r.all[name] = i
	}
	if r.Refuse {
		return i, ErrRefused
	}
	return i, nil
}

func (r *Recorder) record(i *Instrument, v float64, attributes attribute.Set) {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := i.note(attributes)
	i.Values[key] += v
}

func (i *Instrument) note(attributes attribute.Set) string {
	parts := make([]string, 0, attributes.Len())
	for _, kv := range attributes.ToSlice() {
		parts = append(parts, string(kv.Key)+"="+kv.Value.String())
	}
	key := strings.Join(parts, ",")
	i.Counts[key]++
	i.Sets[key] = attributes
	return key
}
