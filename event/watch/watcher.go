package watch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
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
type Lines interface {
	queue.Producer
	Forget(ctx context.Context, d destination.Destination) error
}

// Options change what a Watcher does. Nil and the zero value mean the defaults.
type Options struct {
	// PageSize is the number of objects asked for in one request of a listing. Default: 250.
	PageSize int64
	// Lists is how many listings run at the same time; each holds one page in memory. Default: 4.
	Lists int
	// Rediscover is how often the server is asked which types it serves. Default: 30 s.
	Rediscover time.Duration
	// Resync is how often every destination is seeded anew, which heals what others did to its folder. Negative: never.
	// Default: 1 h.
	Resync time.Duration
	// Encryptor is the one that the Writer uses; without one, Secrets are refused. Default: none.
	Encryptor event.Encryptor
	// Attribute says who made a change. It is called with the object as the server sent it, before managedFields go, and
	// with nil for a delete that nobody saw. It must be quick, it holds up its type's stream; calls are concurrent.
	// Default: unknown.
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
	if out.Resync == 0 {
		out.Resync = time.Hour
	}
	if out.Logger.GetSink() == nil {
		out.Logger = logr.Discard()
	}
	return &out
}

// Watcher follows a cluster and puts an event into the line of every destination that a change concerns. Create it with
// New. All methods may be called concurrently.
type Watcher struct {
	client    dynamic.Interface
	discovery Discovery
	out       Lines
	opts      *Options
	ledger    *ledger
	lists     chan struct{}
	changed   chan struct{} // capacity 1: next is set

	mu      sync.Mutex
	next    *rules // what SetRules was called with last, until the planner takes it
	planned bool   // the streams are those of the rules that SetRules was called with last
	missing error  // what discovery said last
}

type rules struct {
	set     destination.Set
	ruleSet *ruleset.RuleSet
}

// New returns a Watcher that does nothing before Start and SetRules are called. The clients should not limit the rate of
// requests themselves (rest.Config.QPS = -1): the API server's Priority and Fairness does, and knows better.
func New(client dynamic.Interface, d Discovery, out Lines, opts *Options) *Watcher {
	opts = opts.withDefaults()
	return &Watcher{
		client:    client,
		discovery: d,
		out:       out,
		opts:      opts,
		ledger:    newLedger(),
		lists:     make(chan struct{}, opts.Lists),
		changed:   make(chan struct{}, 1),
	}
}

// SetRules replaces all rules. It returns at once; Start lists and watches what they ask for.
func (w *Watcher) SetRules(set destination.Set, rs *ruleset.RuleSet) {
	w.mu.Lock()
	w.next, w.planned = &rules{set, rs}, false
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
	p := &planner{Watcher: w, running: map[streamKey]*running{}, relabelled: make(chan struct{}, 1)}
	defer p.stopAll()
	rediscover := time.NewTimer(w.opts.Rediscover)
	defer rediscover.Stop()
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
			rediscover.Reset(p.refresh(ctx))
		case <-p.relabelled:
			rediscover.Reset(p.restart(ctx))
		case <-w.ledger.kick:
			p.startFeeders()
		case <-resync:
			w.resyncAll()
		}
	}
}

// planner decides which streams and feeders run. It belongs to the goroutine of Start.
type planner struct {
	*Watcher
	rules      *rules
	desk       *desk
	running    map[streamKey]*running
	labels     *running // the stream of namespaces, if rules look at their labels
	feeders    sync.WaitGroup
	stopFeed   context.CancelFunc
	feedCtx    func() context.Context
	relabelled chan struct{} // capacity 1: the labels of a namespace changed
	numbers    uint64
}

type running struct {
	stream *stream
	cancel context.CancelFunc
	done   chan struct{}
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

func run(ctx context.Context, s *stream, after <-chan struct{}) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{stream: s, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		select {
		case <-after:
			s.run(ctx)
		case <-ctx.Done():
		}
	}()
	return r
}

// adopt changes over to new rules. Everything that runs under the old ones has ended before the new ones are asked for the
// first time, so no event is ever made half by the one and half by the other.
func (p *planner) adopt(ctx context.Context, next *rules) time.Duration {
	p.stopAll()
	p.rules = next
	p.retarget(ctx, next.set)
	p.desk = &desk{ledger: p.ledger, rules: next.ruleSet, out: p.out, opts: p.opts}
	if next.ruleSet.SelectsNamespaces() {
		p.desk.namespaces = newNamespaces(clientFor(p.client, namespaceType), p.relabelled)
		s := &stream{watch: ruleset.Watch{Resource: namespaceType}, client: clientFor(p.client, namespaceType),
			to: p.desk.namespaces, lists: p.lists, page: p.opts.PageSize}
		p.labels = run(ctx, s, closed)
	}
	feedCtx, cancel := context.WithCancel(ctx)
	p.feedCtx, p.stopFeed = func() context.Context { return feedCtx }, cancel
	return p.refresh(ctx)
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (p *planner) stopAll() {
	p.stopStreams(func(streamKey) bool { return true })
	if p.labels != nil {
		p.labels.stop()
		p.labels = nil
	}
	if p.stopFeed != nil {
		p.stopFeed()
		p.feeders.Wait()
		p.stopFeed = nil
	}
}

// stopStreams stops the chosen streams, all at once, waits for them, and says how many there were. Their ledger entries
// stay.
func (p *planner) stopStreams(which func(streamKey) bool) int {
	var stopping []*running
	for key, r := range p.running {
		if which(key) {
			r.cancel()
			stopping = append(stopping, r)
			delete(p.running, key)
		}
	}
	for _, r := range stopping {
		<-r.done
	}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for _, r := range stopping {
		delete(p.ledger.streams, r.stream.key())
		if r.stream.settled {
			continue
		}
		for _, c := range r.stream.watch.Coverage {
			if to := p.ledger.targets[c.Destination.Ref]; to != nil {
				to.unsettled--
			}
		}
	}
	return len(stopping)
}

// retarget makes the targets those of set. The line of a destination that changed or went away is forgotten.
func (p *planner) retarget(ctx context.Context, set destination.Set) {
	var forget []destination.Destination
	p.ledger.mu.Lock()
	for ref, to := range p.ledger.targets {
		if d, ok := set.Get(ref); !ok || d != to.destination {
			to.gone = true
			if to.stop != nil {
				to.stop()
			}
			delete(p.ledger.targets, ref)
			delete(p.ledger.kicked, to)
			forget = append(forget, to.destination)
		}
	}
	for d := range set.All() {
		if p.ledger.targets[d.Ref] == nil {
			p.numbers++
			p.ledger.targets[d.Ref] = &target{destination: d, number: p.numbers, dirty: map[dirtyKey]struct{}{}}
		}
	}
	p.ledger.mu.Unlock()
	for _, d := range forget {
		if err := p.out.Forget(ctx, d); err != nil {
			p.opts.Logger.Error(err, "cannot forget the line of a destination that changed", "destination", d.Ref)
		}
	}
}

// restart lists everything again, under the same rules.
func (p *planner) restart(ctx context.Context) time.Duration {
	p.stopStreams(func(streamKey) bool { return true })
	return p.refresh(ctx)
}

// refresh asks which types there are and starts and stops streams accordingly. What discovery could not tell about stays
// as it is: a type that is missing from a partial answer is not gone. It returns when to ask again.
func (p *planner) refresh(ctx context.Context) time.Duration {
	if p.rules == nil {
		return p.opts.Rediscover
	}
	_, lists, err := p.discovery.ServerGroupsAndResources()
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		p.report(fmt.Errorf("watch: discovery: %w", err))
		return min(p.opts.Rediscover, time.Second)
	}
	unknown := map[string]bool{}
	for gv := range failed {
		unknown[gv.Group] = true
	}
	// One version of a group that cannot be read hides which one is to be used, so the whole group stays as it is.
	lists = slices.DeleteFunc(lists, func(list *metav1.APIResourceList) bool {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		return err != nil || unknown[gv.Group]
	})
	watches, missing := p.rules.ruleSet.Watches(lists)
	p.report(errors.Join(err, missing))
	wanted := map[streamKey]ruleset.Watch{}
	for _, w := range watches {
		wanted[streamKey{w.Resource, w.Namespace}] = w
	}
	stopped := p.stopStreams(func(key streamKey) bool {
		old := p.running[key].stream
		if w, ok := wanted[key]; ok && reflect.DeepEqual(w, old.watch) {
			delete(wanted, key)
			return false
		}
		return !unknown[key.of.Group]
	})
	p.begin(ctx, wanted)
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if stopped > 0 || !p.planned {
		p.ledger.forgetUncovered()
	}
	if !p.planned && p.next == nil {
		p.planned = true
		for _, to := range p.ledger.targets {
			to.syncDue = true // also of a destination that no stream feeds
			p.ledger.wakeIfHungry(to)
		}
	}
	return p.opts.Rediscover
}

// begin starts a stream for each watch. All of them are known to the ledger before the first one runs, so that no target
// takes itself for settled too early.
func (p *planner) begin(ctx context.Context, watches map[streamKey]ruleset.Watch) {
	var streams []*stream
	p.ledger.mu.Lock()
	for key, w := range watches {
		s := &stream{watch: w, client: clientFor(p.client, w.Resource), to: p.desk, lists: p.lists, page: p.opts.PageSize}
		streams = append(streams, s)
		p.ledger.streams[key] = s
		for _, c := range w.Coverage {
			if to := p.ledger.targets[c.Destination.Ref]; to != nil {
				to.unsettled++
			}
		}
	}
	p.ledger.mu.Unlock()
	after := closed
	if p.desk.namespaces != nil {
		after = p.desk.namespaces.ready
	}
	for _, s := range streams {
		p.running[s.key()] = run(ctx, s, after)
	}
}

func (p *planner) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing = err
}

// startFeeders starts a feeder for every target that was woken.
func (p *planner) startFeeders() {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for to := range p.ledger.kicked {
		delete(p.ledger.kicked, to)
		if to.feeding || to.gone || p.stopFeed == nil {
			continue
		}
		to.feeding = true
		ctx, cancel := context.WithCancel(p.feedCtx())
		to.stop = cancel
		p.feeders.Go(func() {
			defer cancel()
			p.desk.feed(ctx, to)
			p.fed(to)
		})
	}
}

// fed ends a feeder. Work that came in while it was ending, or that it left when it was stopped, wakes the next one.
func (w *Watcher) fed(to *target) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	to.feeding = false
	w.ledger.wakeIfHungry(to)
}
