package kubescribe

import (
	"cmp"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Mirror writes what its rules select of a cluster to Git branches, as it happens. Create it with
// New, give it rules with SetRules, run it with Start. All methods may be called concurrently.
type Mirror struct {
	opts     Options
	client   dynamic.Interface
	queue    queue.Queue
	sink     gitsink.GitSink
	ownsSink bool
	watcher  *source.Watcher
	news     *news
	measures *measures
	tracer   *spans.Tracer
	ended    chan struct{} // closed when Start returns

	mu      sync.Mutex // guards all below
	started bool
	set     destination.Set
	rules   *ruleset.RuleSet
	named   []destination.Ref // of SetRules, whether they are valid or not
	// repositories are those of SetRules, with the destinations that refer to each.
	repositories   map[destination.Ref][]destination.Ref
	namedRules     []types.NamespacedName // of SetRules, each once, whether they are valid or not
	ruled          map[destination.Ref]ruled
	orphans        map[destination.Ref]orphan.Options
	layouts        map[destination.Ref]event.Layout
	kustomizations map[destination.Ref]bool
	written        map[destination.Ref]gitsink.Status // what the reports of the writer add up to
	pruned         map[destination.Ref]gitsink.Pruned // what became of the last order to prune
	unseen         map[destination.Ref]error          // why the last look at the branch failed
	approvals      map[destination.Ref]*approvals
	lastApproval   uint64 // the number of the last one
}

// New returns a Mirror of the cluster that config leads to. If config sets no limit on the rate of
// requests there is none, not that of client-go: the API server's Priority and Fairness limits
// better. If config has no WarningHandler, Options.Logger gets each warning of the API server once.
// New contacts nothing; it returns an error for a config or Options that cannot work.
func New(config *rest.Config, opts *Options) (*Mirror, error) {
	if err := opts.validate(); err != nil {
		return nil, fmt.Errorf("kubescribe: Options: %w", err)
	}
	o := opts.withDefaults()
	config = rest.CopyConfig(config)
	if config.QPS == 0 {
		config.QPS = -1 // of no meaning beside a RateLimiter
	}
	if config.WarningHandler == nil && config.WarningHandlerWithContext == nil {
		config.WarningHandlerWithContext = &warnings{log: o.Logger, said: map[string]struct{}{}}
	}
	client, errClient := dynamic.NewForConfig(config)
	reads, errReads := source.NewClient(config)
	disco, errDisco := discovery.NewDiscoveryClientForConfig(config)
	if err := cmp.Or(errClient, errReads, errDisco); err != nil {
		return nil, fmt.Errorf("kubescribe: %w", err)
	}
	m := &Mirror{
		opts:      o,
		client:    client,
		queue:     o.QueueImpl,
		sink:      o.GitSink,
		news:      newNews(o.Logger, o.OnStatus),
		measures:  newMeasures(&o),
		tracer:    spans.New(o.Run.TracerProvider, scope),
		ended:     make(chan struct{}),
		rules:     &ruleset.RuleSet{},
		written:   map[destination.Ref]gitsink.Status{},
		pruned:    map[destination.Ref]gitsink.Pruned{},
		unseen:    map[destination.Ref]error{},
		approvals: map[destination.Ref]*approvals{},
	}
	if m.queue == nil {
		m.queue = queue.NewSharded(&o.Queue)
	}
	if m.sink == nil {
		m.ownsSink = true
		m.sink = gogit.New(&o.Git)
	}
	m.watcher = source.New(reads, disco, m.queue, &o.Source)
	return m, nil
}

// Resync seeds a destination anew: everything that it wants is compared with its folder, and
// orphans are looked for. A line that backs off is woken. Before Start, and right after SetRules,
// there is nothing more to do, since the first listing seeds the destination. For a name that is
// not that of a valid destination of the rules the error matches destination.ErrUnknown, as that of
// Approve, Adopt and Prune does.
func (m *Mirror) Resync(ref destination.Ref) error {
	d, err := m.find(ref)
	if err != nil {
		return err
	}
	m.queue.Wake(d)
	return m.watcher.Resync(ref)
}

// Wake has a destination tried now whose writes back off after a failure: a credential was mended,
// or a remote is there again. It has the errors of Resync.
func (m *Mirror) Wake(ref destination.Ref) error {
	d, err := m.find(ref)
	if err == nil {
		m.queue.Wake(d)
	}
	return err
}

// destinations returns those of the rules, whether they are valid or not.
func (m *Mirror) destinations() []destination.Ref {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.named
}

func (m *Mirror) find(ref destination.Ref) (destination.Destination, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.set.Get(ref)
	if !ok {
		return destination.Destination{}, fmt.Errorf("kubescribe: %w: %s", destination.ErrUnknown, ref)
	}
	return d, nil
}
