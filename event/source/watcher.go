package source

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Discovery is the part of client-go's discovery client that a Watcher uses. A list may be partial,
// with an error that discovery.GroupDiscoveryFailedErrorGroups understands.
type Discovery interface {
	ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error)
}

// Queue is the part of a queue that a Watcher uses.
type Queue interface {
	queue.Producer
	Forget(ctx context.Context, d destination.Destination) error
}

// Options change what a Watcher does. Nil and the zero value mean the defaults.
type Options struct {
	// PageSize is the number of objects asked for in one request of a listing. Default: 250.
	PageSize int64
	// InitialEvents asks for listings by watch ("Streaming lists" in the Kubernetes API concepts).
	// It saves the API server work, and the listing is as new as its last event. Servers that
	// cannot do it are asked for pages; one that just ignores the question, after ten seconds.
	// Default: pages.
	InitialEvents bool
	// Lists is the number of listings that run at the same time. A walk for destinations that wait
	// holds the contents of a page in memory. Default: 4.
	Lists int
	// Rediscover is the time after which the server is asked again which types it serves.
	// Default: 30 s.
	Rediscover time.Duration
	// Collapse is the number of namespaces up to which a type is watched in each of them. Rules for
	// more share one watch of all namespaces, if the server allows it. That is one connection
	// instead of many, but changes of other namespaces are read too, and dropped. Negative: no
	// watch is shared. Default: 50.
	Collapse int
	// Resync is the time after which the whole cluster is listed and every destination seeded
	// again. That heals what others did to a folder, and whatever was missed of the cluster.
	// Negative: never. Default: 1 h.
	Resync time.Duration
	// Encryptor is the one that the Writer uses; without one, Secrets and what else is sensitive
	// are refused. Default: none.
	Encryptor event.Encryptor
	// Sensitive are the types that the Writer only ever writes encrypted, whatever the rules say.
	// Default: none beside what rules call sensitive, and Secrets.
	Sensitive []event.SensitiveType
	// Attribute says who made a change. It is called with the object as the server sent it, with
	// its managedFields, and with nil for a delete that nobody saw. It must be quick, since the
	// reflector of the type waits, and safe for concurrent use. FieldManager is a ready-made one.
	// Default: unknown.
	Attribute func(ctx context.Context, obj *unstructured.Unstructured, op event.Operation) event.Author
	// MeterProvider gets the metrics of the package documentation, while Start runs. Default:
	// nothing is measured.
	MeterProvider metric.MeterProvider
	// TracerProvider gets a span for each listing and each watch, in a trace of its own. Default:
	// nothing is traced.
	TracerProvider trace.TracerProvider
	// Logger gets what helps somebody who looks for a fault. Default: none.
	Logger logr.Logger
}

// collapses reports whether so many namespaces of a type share one watch.
func (o *Options) collapses(namespaces int) bool { return o.Collapse >= 0 && namespaces > o.Collapse }

func (o *Options) withDefaults() *Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.PageSize <= 0 {
		out.PageSize = 250
	}
	if out.Lists <= 0 {
		out.Lists = 4
	}
	if out.Rediscover <= 0 {
		out.Rediscover = 30 * time.Second
	}
	if out.Collapse == 0 {
		out.Collapse = 50
	}
	if out.Resync == 0 {
		out.Resync = time.Hour
	}
	return &out
}

// Watcher follows a cluster and puts an event into the line of every destination that a change
// concerns. Make it with New. All methods may be called concurrently.
type Watcher struct {
	client    *Client
	discovery Discovery
	out       Queue
	opts      *Options
	reader    *reader
	meters    *meters
	tracer    *spans.Tracer
	origins   *origins
	lists     chan struct{}
	paging    paging

	// What the planner has to look at. Each channel has the capacity 1.
	changed    chan struct{} // SetRules was called
	pending    chan struct{} // targets need a backfill
	access     chan struct{} // a wide reflector is refused, or a probe is allowed
	rewound    chan struct{} // a rewind was found
	relabelled chan struct{} // the labels of a namespace changed

	// mu guards the ledger and all that it refers to. locked and read alone take it.
	mu     sync.RWMutex
	ledger *ledger
}

// New returns a Watcher that does nothing before Start and SetRules are called. opts may be nil.
// The clients should not limit the rate of requests themselves (rest.Config.QPS = -1): the API
// server's Priority and Fairness does, and knows better.
func New(client *Client, d Discovery, out Queue, opts *Options) *Watcher {
	opts = opts.withDefaults()
	w := &Watcher{
		client:     client,
		discovery:  d,
		out:        out,
		opts:       opts,
		reader:     &reader{opts: opts},
		lists:      make(chan struct{}, opts.Lists),
		changed:    make(chan struct{}, 1),
		pending:    make(chan struct{}, 1),
		access:     make(chan struct{}, 1),
		rewound:    make(chan struct{}, 1),
		relabelled: make(chan struct{}, 1),
		meters:     newMeters(opts.MeterProvider),
		tracer:     spans.New(opts.TracerProvider, scope),
	}
	w.origins = newOrigins(w.tracer)
	if w.meters != nil {
		w.client, w.discovery = countedClient(client, &w.meters.requests), countedDiscovery{d, &w.meters.requests}
	}
	w.ledger = newLedger(func(e event.Event) error { return w.out.TryAdd(e) })
	w.ledger.inventory = func(to *target, at uint64) event.Inventory { return inventory{w, to, at} }
	return w
}

// update gives the ledger something new, wakes the goroutines that have something to do by now, and
// logs what the ledger notes. f must not block.
func (w *Watcher) update(f func(*ledger)) {
	for _, n := range w.locked(f) {
		w.opts.Logger.V(n.level).Info(n.message, n.keysAndValues...)
	}
}

func (w *Watcher) locked(f func(*ledger)) (notes []note) {
	w.mu.Lock()
	defer w.mu.Unlock()
	l := w.ledger
	f(l)
	for _, feed := range l.poked {
		signal(feed.wake)
	}
	clear(l.poked)
	l.poked = l.poked[:0]
	if len(l.pending) > 0 {
		signal(w.pending)
	}
	if l.accessChanged {
		signal(w.access)
	}
	if l.rewound {
		signal(w.rewound)
	}
	l.accessChanged, l.rewound = false, false
	notes, l.notes = l.notes, nil
	return notes
}

// read asks the ledger something. f must change nothing.
func (w *Watcher) read(f func(*ledger)) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	f(w.ledger)
}

// SetRules replaces all rules. It returns at once. Start lists and watches what they ask for.
func (w *Watcher) SetRules(set destination.Set, rs *ruleset.RuleSet) {
	w.ledger.desired.Store(&rules{set, rs})
	signal(w.changed)
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Start runs the Watcher until ctx ends, and returns nil then. All its goroutines have ended by
// then. Start must be called once.
func (w *Watcher) Start(ctx context.Context) error {
	defer w.meters.follow(w)()
	p := newPlanner(w)
	defer p.stopAll()
	rediscover := time.NewTimer(w.opts.Rediscover)
	defer rediscover.Stop()
	era := time.NewTimer(maxEra)
	defer era.Stop()
	resync := make(<-chan time.Time)
	if w.opts.Resync > 0 {
		t := time.NewTicker(w.opts.Resync)
		defer t.Stop()
		resync = t.C
	}
	for {
		w.meters.turn()
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed:
			if next := w.ledger.desired.Load(); next != p.rules {
				rediscover.Reset(p.adopt(ctx, next))
			}
		case <-rediscover.C:
			w.update((*ledger).relistMissing)
			w.update((*ledger).hurrySeeds)
			w.update((*ledger).tellAll)
			rediscover.Reset(p.refresh(ctx))
		case <-w.access:
			rediscover.Reset(p.refresh(ctx))
		case <-w.rewound:
			era.Reset(p.nextEra())
		case <-era.C:
			era.Reset(p.nextEra())
		case <-w.relabelled:
			p.relabel()
		case <-w.pending:
			p.startBackfills()
		case <-resync:
			w.update(func(l *ledger) { l.resync(slices.Collect(maps.Values(l.targets))...) })
		}
	}
}
