package source

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Discovery is the part of client-go's discovery client that a Watcher uses. A list may be partial, with an error that
// discovery.GroupDiscoveryFailedErrorGroups understands.
type Discovery interface {
	ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error)
}

// Lines is the part of a queue that a Watcher uses.
type Queue interface {
	queue.Producer
	Forget(ctx context.Context, d destination.Destination) error
}

// Options change what a Watcher does. Nil and the zero value mean the defaults.
type Options struct {
	// PageSize is the number of objects asked for in one request of a listing. Default: 250.
	PageSize int64
	// InitialEvents has listings come by watches that begin with what there is (sendInitialEvents, "Streaming lists" in the
	// Kubernetes API concepts), where the server can do it; others are asked for pages, after ten seconds if a server just
	// ignores it. One object at a time is in memory then, not a page of them: it pays where objects are large. Default: pages.
	InitialEvents bool
	// Lists is how many listings run at the same time; each holds one page in memory. Default: 4.
	Lists int
	// Rediscover is how often the server is asked which types it serves. Default: 30 s.
	Rediscover time.Duration
	// Collapse is for how many namespaces a type is watched one by one. Rules for more of them share one watch of all
	// namespaces, if the server allows it: it costs one connection instead of many, and the changes of other namespaces,
	// which are read and dropped. Negative: never. Default: 50.
	Collapse int
	// Resync is how often the cluster is listed anew and every destination seeded anew. It heals what others did to its
	// folder, and whatever was missed of the cluster. Negative: never. Default: 1 h.
	Resync time.Duration
	// Encryptor is the one that the Writer uses; without one, Secrets are refused. Default: none.
	Encryptor event.Encryptor
	// Attribute says who made a change. It is called with the object as the server sent it, before managedFields go, and
	// with nil for a delete that nobody saw. It must be quick, it holds up its type's stream; calls are concurrent.
	// FieldManager is a ready-made one. Default: unknown.
	Attribute func(ctx context.Context, obj *unstructured.Unstructured, op event.Operation) event.Author
	// Logger gets what is of use to somebody who looks for a fault. Default: none.
	Logger logr.Logger
}

func (o *Options) eventOptions() *event.Options { return &event.Options{Encryptor: o.Encryptor} }

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

// Watcher follows a cluster and puts an event into the line of every destination that a change concerns. Create it with
// New. All methods may be called concurrently.
type Watcher struct {
	client    dynamic.Interface
	discovery Discovery
	out       Queue
	opts      *Options
	ledger    *ledger
	rewinds   *rewinds
	lists     chan struct{}
	paging    paging
	changed   chan struct{} // capacity 1: next is set

	mu      sync.Mutex
	set     destination.Set // of the rules that SetRules was called with last
	next    *rules          // what SetRules was called with last, until the planner takes it
	planned bool            // the streams are those of the rules that SetRules was called with last
	missing error           // what discovery said last
}

type rules struct {
	set     destination.Set
	ruleSet *ruleset.RuleSet
}

// New returns a Watcher that does nothing before Start and SetRules are called. The clients should not limit the rate of
// requests themselves (rest.Config.QPS = -1): the API server's Priority and Fairness does, and knows better.
func New(client dynamic.Interface, d Discovery, out Queue, opts *Options) *Watcher {
	opts = opts.withDefaults()
	return &Watcher{
		client:    client,
		discovery: d,
		out:       out,
		opts:      opts,
		ledger:    newLedger(),
		rewinds:   newRewinds(),
		lists:     make(chan struct{}, opts.Lists),
		changed:   make(chan struct{}, 1),
	}
}

// SetRules replaces all rules. It returns at once; Start lists and watches what they ask for.
func (w *Watcher) SetRules(set destination.Set, rs *ruleset.RuleSet) {
	w.mu.Lock()
	w.set, w.next, w.planned = set, &rules{set, rs}, false
	w.ledger.changing.Store(true)
	w.mu.Unlock()
	signal(w.changed)
}

func (w *Watcher) take() *rules {
	w.mu.Lock()
	defer w.mu.Unlock()
	r := w.next
	w.next = nil
	return r
}

func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Start runs the Watcher until ctx ends, and returns nil then. All its goroutines have ended when it returns. It must be
// called once.
func (w *Watcher) Start(ctx context.Context) error {
	p := newPlanner(w)
	defer p.stopAll()
	rediscover := time.NewTimer(w.opts.Rediscover)
	defer rediscover.Stop()
	doubt := time.NewTimer(maxEra)
	defer doubt.Stop()
	resync := make(<-chan time.Time)
	if w.opts.Resync > 0 {
		t := time.NewTicker(w.opts.Resync)
		defer t.Stop()
		resync = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-w.changed:
			if next := w.take(); next != nil {
				rediscover.Reset(p.adopt(ctx, next))
			}
		case <-rediscover.C:
			p.doubtMissing()
			rediscover.Reset(p.refresh(ctx))
		case <-p.rights:
			rediscover.Reset(p.refresh(ctx))
		case <-p.rewinds.told:
			doubt.Reset(p.doubtAll())
		case <-doubt.C:
			doubt.Reset(p.doubtAll())
		case <-p.relabelled:
			p.relabel()
		case <-w.ledger.kick:
			p.startFeeders()
		case <-resync:
			p.resyncAll()
		}
	}
}
