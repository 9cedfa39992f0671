package kubescribe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Mirror writes what its rules ask for, as it happens in a cluster, to Git branches. Create it with New, give it rules,
// start it. All methods may be called concurrently.
type Mirror struct {
	opts     Options
	client   dynamic.Interface
	queue    queue.Queue
	sink     gitsink.GitSink
	ownsSink bool
	watcher  *source.Watcher
	ended    chan struct{} // closed when Start returns

	mu           sync.Mutex
	started      bool
	set          destination.Set
	orphans      map[destination.Ref]orphan.Options
	written      map[destination.Ref]gitsink.Status // what the reports of the writer add up to
	approvals    map[destination.Ref]*approvals
	lastApproval uint64 // the number of the last one
}

// New returns a Mirror of the cluster that config leads to. The limits on the rate of requests in config are lifted if they
// are not set: the API server's Priority and Fairness does that better. If config has no WarningHandler, Options.Logger gets
// each warning of the API server once.
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
	disco, errDisco := discovery.NewDiscoveryClientForConfig(config)
	if err := cmp.Or(errClient, errDisco); err != nil {
		return nil, fmt.Errorf("kubescribe: %w", err)
	}
	m := &Mirror{
		opts:      o,
		client:    client,
		queue:     o.QueueImpl,
		sink:      o.GitSink,
		ended:     make(chan struct{}),
		written:   map[destination.Ref]gitsink.Status{},
		approvals: map[destination.Ref]*approvals{},
	}
	if m.queue == nil {
		m.queue = queue.NewSharded(&o.Queue)
	}
	if m.sink == nil {
		m.ownsSink = true
		m.sink = gogit.New(&o.Git)
	}
	m.watcher = source.New(client, disco, m.queue, &o.Source)
	return m, nil
}

// SetRules replaces all rules, before Start or while it runs. Nothing is listed before the first call. Faulty
// destinations and rules are left out; the error names them all and takes nothing from the others. A destination whose
// repository, branch or folder changed is seeded anew; what it wrote elsewhere stays there. One whose Orphans are faulty is
// not written to until they are corrected.
func (m *Mirror) SetRules(r Rules) error {
	set, errSet := m.opts.policyOfDestinations().Resolve(r.Repositories, r.Destinations)
	compiled, errRules := ruleset.Compile(set, r.Rules...)
	errOrphans := validateOrphans(r.Orphans)
	m.mu.Lock()
	m.set, m.orphans = set, r.Orphans
	for ref, w := range m.written {
		if d, _ := set.Get(ref); d != w.Destination {
			delete(m.written, ref)
		}
	}
	m.revoke(set)
	m.watcher.SetRules(set, compiled)
	m.mu.Unlock()
	return errors.Join(errSet, errRules, errOrphans)
}

// validateOrphans names all faulty options. Their destinations are not written to until they are corrected.
func validateOrphans(options map[destination.Ref]orphan.Options) error {
	var faults []error
	for ref, o := range options {
		if err := o.Validate(); err != nil {
			faults = append(faults, fmt.Errorf("kubescribe: Rules.Orphans[%s]: %w", ref, err))
		}
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// What Start waits for after its context has ended, beside DrainTimeout. Together they are less than endsWithin, with the
// question whether to drain.
const (
	handlersEnd = 3 * time.Second // for handlers, once DrainTimeout is over
	watcherEnd  = 8 * time.Second // for the watcher, from the end of the context plus DrainTimeout on
	closingEnd  = 1 * time.Second // for the sink to close, at last
)

// Start runs the Mirror until ctx ends, then pushes what was accepted, within Options.DrainTimeout, unless StillLeader says
// no. It returns a *queue.RemainingError if something was left; a restart finds it again by its seed. A Mirror is a
// controller-runtime Runnable. Start may be called once.
//
// It returns within DrainTimeout plus ten seconds, whatever hangs. What ignores the end of its context, as a GitSink, an
// Encryptor or a StillLeader of one's own may, is left behind with its goroutine, and the error matches queue.ErrLeftBehind: end
// the process then. It can write no more, except what such a GitSink has begun to: no plan is run any more.
func (m *Mirror) Start(ctx context.Context) error {
	m.mu.Lock()
	started := m.started
	m.started = true
	m.mu.Unlock()
	if started {
		return errors.New("kubescribe: Start was called twice; make a new Mirror")
	}
	defer close(m.ended)
	if m.ownsSink {
		defer m.closeSink()
	}
	id, err := m.clusterID(ctx)
	if err != nil {
		return err
	}
	writer, err := gitsink.NewWriter(m.sink, id, m.writerOptions())
	if err != nil {
		return err
	}
	runner := queue.NewRunner(m.queue, m.handler(writer), m.runOptions(ctx))
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	watched := m.watch(watchCtx)
	late, cancel := after(ctx, m.opts.DrainTimeout+watcherEnd)
	defer cancel()
	err = runner.Start(ctx)
	stop()
	select {
	case watchErr := <-watched:
		return errors.Join(err, watchErr)
	case <-late:
		return errors.Join(err, fmt.Errorf("kubescribe: the watcher: %w", queue.ErrLeftBehind))
	}
}

// watch runs the watcher and returns where it says how it ended.
func (m *Mirror) watch(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	go func() {
		var rechecking sync.WaitGroup
		rechecking.Go(func() { m.recheckAfterHandover(ctx) })
		err := m.watcher.Start(ctx)
		rechecking.Wait()
		ended <- err
	}()
	return ended
}

// after returns a channel that is closed d after ctx has ended.
func after(ctx context.Context, d time.Duration) (<-chan struct{}, context.CancelFunc) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-late.Done():
		}
	})
	return late.Done(), func() { stop(); end() }
}

// closeSink closes the sink, and waits for that a short time: its callers have gone.
func (m *Mirror) closeSink() {
	closed := make(chan error, 1)
	go func() { closed <- m.sink.Close() }()
	timer := time.NewTimer(closingEnd)
	defer timer.Stop()
	var err error
	select {
	case err = <-closed:
	case <-timer.C:
		err = queue.ErrLeftBehind
	}
	if err != nil {
		m.opts.Logger.Error(err, "closing the Git sink")
	}
}

// NeedLeaderElection tells controller-runtime to start the Mirror on the leader only.
func (m *Mirror) NeedLeaderElection() bool { return true }

func (m *Mirror) writerOptions() *gitsink.WriterOptions {
	opts := m.opts.Write
	opts.Policy = m.policy
	opts.OnReport = func(r gitsink.Report) {
		m.observe(r)
		m.opts.Write.OnReport(r)
	}
	return &opts
}

func (m *Mirror) runOptions(ctx context.Context) *queue.RunOptions {
	opts := m.opts.Run
	opts.DrainTimeout, opts.EndTimeout = m.opts.DrainTimeout, handlersEnd
	opts.Drain = func() bool { return m.isLeader(context.WithoutCancel(ctx)) && m.opts.Run.Drain() }
	return &opts
}

// handler adds the question of leadership to that of the lease.
func (m *Mirror) handler(w *gitsink.Writer) queue.Handler {
	return func(ctx context.Context, b queue.Batch) error {
		b.Lease = leaderLease{b.Lease, m}
		return w.Handle(ctx, b)
	}
}

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// clusterID asks for the identity of the cluster until it is told.
func (m *Mirror) clusterID(ctx context.Context) (string, error) {
	if m.opts.ClusterID != "" {
		return m.opts.ClusterID, nil
	}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		ns, err := m.client.Resource(namespaces).Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		if err == nil {
			return string(ns.GetUID()), nil
		}
		m.opts.Logger.Error(err, "cannot read the UID of the namespace kube-system, which names the cluster; "+
			"allow it or set Options.ClusterID", "retryAfter", pause.String())
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("kubescribe: the namespace kube-system, whose UID names the cluster: %w", err)
		case <-time.After(pause):
		}
	}
}

// Resync seeds a destination anew: everything that it wants is compared with its folder, and orphans
// are looked for. A line that backs off is woken. Right after SetRules, and before Start, there is
// nothing to do beside: the first listing seeds it. The error for a name that is not that of a valid
// destination of the rules matches destination.ErrUnknown; Approve, Adopt and Prune have it, too.
func (m *Mirror) Resync(ref destination.Ref) error {
	d, err := m.find(ref)
	if err != nil {
		return err
	}
	m.queue.Wake(d)
	return m.watcher.Resync(ref)
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
