package watch

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

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
	denied     chan struct{} // capacity 1: a stream is refused
	numbers    uint64

	// narrow has the types of which the server refuses a watch of all namespaces where single ones would do.
	narrow map[schema.GroupResource]bool
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
	p.cover(&coverage{rules: next.ruleSet})
	p.desk = &desk{ledger: p.ledger, rules: next.ruleSet, out: p.out, opts: p.opts, denied: p.denied}
	p.narrow = map[schema.GroupResource]bool{} // asked again, since rights may have changed with the rules
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

// stopStreams stops the chosen streams, all at once, waits for them, and returns them. Their ledger entries stay.
func (p *planner) stopStreams(which func(streamKey) bool) []*running {
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
	return stopping
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
			p.ledger.targets[d.Ref] = &target{destination: d, number: p.numbers, dirty: map[dirtyKey]bool{}}
		}
	}
	p.ledger.mu.Unlock()
	for _, d := range forget {
		if err := p.out.Forget(ctx, d); err != nil {
			p.opts.Logger.Error(err, "cannot forget the line of a destination that changed", "destination", d.Ref)
		}
	}
}

// cover says from now on what the rules and the last discovery cover.
func (p *planner) cover(c *coverage) {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.coverage = c
	p.ledger.changing.Store(p.next != nil)
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
		p.cover(&coverage{rules: p.rules.ruleSet}) // what it said before may have changed
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
	watches = p.collapse(watches)
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
	p.cover(p.ledger.coverage.discovered(lists, unknown))
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(stopped) > 0 || !p.planned {
		p.ledger.forgetUncovered()
	}
	for _, r := range stopped { // what they fed may be uncovered now, which only a plan can tell
		for _, c := range r.stream.watch.Coverage {
			if to := p.ledger.targets[c.Destination.Ref]; to != nil {
				to.syncDue = true
				p.ledger.wakeIfHungry(to)
			}
		}
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

// collapse makes one watch of many for single namespaces, unless the server has refused that for the type.
func (p *planner) collapse(watches []ruleset.Watch) []ruleset.Watch {
	p.ledger.mu.RLock()
	for _, s := range p.ledger.streams {
		if s.refused() {
			p.narrow[s.groupResource()] = true
		}
	}
	p.ledger.mu.RUnlock()
	return ruleset.Collapse(watches, func(t ruleset.Type, namespaces []string) bool {
		gr := schema.GroupResource{Group: t.Group, Resource: t.Resource}
		return p.opts.Collapse >= 0 && len(namespaces) > p.opts.Collapse && !p.narrow[gr]
	})
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
