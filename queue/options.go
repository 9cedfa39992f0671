package queue

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"

	"github.com/kubescribe/kubescribe/destination"
)

// Options configure a Sharded. Nil and the zero value mean the defaults, and so does a field that
// is not positive.
type Options struct {
	// Key names the line of a destination. Destinations with equal keys share one line, which is
	// leased, backs off and is bounded as a whole. Key is called once for as long as the queue
	// holds something of a destination, and must always return the same. Default: ByDestination.
	Key func(destination.Destination) string

	// Window says when a batch is due. Default: see Window.
	Window Window
	// WindowFor gives the window of one line. It is called when the first event comes into an empty
	// line, with the destination of that event. Zero fields of its result are taken from Window. It
	// must be quick and must not call the queue. Default: Window for all.
	WindowFor func(destination.Destination) Window

	// MaxBytesPerKey and MaxBytes bound the content of a line and of the queue, waiting and in
	// hand. Content that several events share, as one pointer, counts for each in MaxBytesPerKey
	// and once in MaxBytes. An event without content counts as 256 bytes. Default: 8 MiB and
	// 32 MiB.
	MaxBytesPerKey, MaxBytes int64
	// MaxEventsPerKey and MaxEvents bound the number of events in the same way. Default: 10,000 and
	// 100,000.
	MaxEventsPerKey, MaxEvents int

	// MinBackoff is the backoff after the first failure. It doubles with each failure in a row, up
	// to MaxBackoff. Each backoff is shortened at random, by half at most, so that lines that
	// failed together do not come back together. Default: 1 s and 5 min.
	MinBackoff, MaxBackoff time.Duration

	// KeepEvery turns coalescing of changes off: every event is handed out. Default: only the
	// newest of an object is.
	KeepEvery bool

	// MeterProvider gets the metrics of the package documentation, until Shutdown has emptied the
	// queue. Default: nothing is measured.
	MeterProvider metric.MeterProvider
	// Logger gets a message when a line backs off or is forgotten, at V(1). Default: nothing is
	// logged.
	Logger logr.Logger
}

func (o *Options) withDefaults() Options {
	var d Options
	if o != nil {
		d = *o
	}
	if d.Key == nil {
		d.Key = ByDestination
	}
	d.Window = d.Window.or(Window{Debounce: time.Second, MaxWait: 5 * time.Second, Count: 1_000, Bytes: 4 << 20})
	d.MaxBytesPerKey = positive(d.MaxBytesPerKey, 8<<20)
	d.MaxBytes = positive(d.MaxBytes, 32<<20)
	d.MaxEventsPerKey = positive(d.MaxEventsPerKey, 10_000)
	d.MaxEvents = positive(d.MaxEvents, 100_000)
	d.MinBackoff = positive(d.MinBackoff, time.Second)
	d.MaxBackoff = max(d.MinBackoff, positive(d.MaxBackoff, 5*time.Minute))
	return d
}

// or returns w, with fields that are not set taken from other.
func (w Window) or(other Window) Window {
	return Window{
		Debounce: positive(w.Debounce, other.Debounce),
		MaxWait:  positive(w.MaxWait, other.MaxWait),
		Count:    positive(w.Count, other.Count),
		Bytes:    positive(w.Bytes, other.Bytes),
	}
}

// positive returns v, or the default if v is not set.
func positive[T cmp.Ordered](v, byDefault T) T {
	var zero T
	if v > zero {
		return v
	}
	return byDefault
}

// ByDestination gives each destination a line of its own. The key is its Ref and a digest of all
// its fields, so that a destination that was changed in any way has another key. No part of the URL
// can be read from it.
func ByDestination(d destination.Destination) string {
	var room [256]byte // usually enough, and no allocation
	text := append(room[:0], d.Ref.Namespace...)
	for _, field := range [...]string{d.Ref.Name, d.RepositoryRef.Namespace, d.RepositoryRef.Name, d.Repository, d.Branch, d.BaseFolder} {
		text = append(append(text, 0), field...)
	}
	digest := sha256.Sum256(text)
	key := append(append(append(append(text[:0], d.Ref.Namespace...), '/'), d.Ref.Name...), '@')
	return string(hex.AppendEncode(key, digest[:16]))
}

// ByRepository lets all destinations of a repository share a line: the key is the canonical URL. A
// batch may then hold events of several destinations, and one destination that fails delays the
// others.
func ByRepository(d destination.Destination) string { return d.RemoteBranch().Repository }
