package source

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// planner starts and ends reflectors, probes and backfills as the ledger says. It belongs to the
// goroutine of Start.
type planner struct {
	*Watcher
	rules      *rules // adopted; nil before the first ones
	versions   versions
	reflectors map[*feed]*running
	labels     *feed // of the labels of namespaces, if rules look at them
	probes     map[schema.GroupResource]*running

	backfills    sync.WaitGroup
	backfillCtx  context.Context
	endBackfills context.CancelFunc
}

func newPlanner(w *Watcher) *planner {
	return &planner{
		Watcher:      w,
		versions:     versions{},
		reflectors:   map[*feed]*running{},
		probes:       map[schema.GroupResource]*running{},
		endBackfills: func() {},
	}
}

// running is a goroutine that the planner has started for a type.
type running struct {
	of     ruleset.Type
	cancel context.CancelFunc
	done   chan struct{}
}

func run(ctx context.Context, of ruleset.Type, work func(context.Context)) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{of: of, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		work(ctx)
	}()
	return r
}

// end ends some goroutines, all at once, waits for them and forgets them.
func end[K comparable](all map[K]*running, keys []K) {
	for _, key := range keys {
		all[key].cancel()
	}
	for _, key := range keys {
		<-all[key].done
		delete(all, key)
	}
}

// adopt changes over to new rules. Reflectors of which both say the same go on, and so do those for
// which only rules of single namespaces differ, which list these again. All others have ended
// before the new rules are asked for the first time.
func (p *planner) adopt(ctx context.Context, next *rules) time.Duration {
	p.stopBackfills()
	var stop []*feed
	var stale map[*feed][]string
	p.read(func(l *ledger) { stop, stale = l.changed(next) })
	p.stop(stop)
	by := newMatcher(next.ruleSet, p.followLabels(ctx, next.ruleSet))
	var forget []destination.Destination
	p.update(func(l *ledger) {
		p.reader.match.Store(by)
		forget = l.adopt(next, stale)
	})
	for _, d := range forget {
		if err := p.out.Forget(ctx, d); err != nil {
			p.opts.Logger.Error(err, "cannot forget the line of a destination that changed", "destination", d.Ref)
		}
	}
	p.rules = next
	p.backfillCtx, p.endBackfills = context.WithCancel(ctx)
	return p.refresh(ctx)
}

// stop ends the reflectors of some feeds.
func (p *planner) stop(feeds []*feed) {
	end(p.reflectors, feeds)
	p.update(func(l *ledger) { l.stop(feeds...) })
}

// refresh asks which types there are, and starts and ends reflectors and probes accordingly. It
// returns when to ask again.
func (p *planner) refresh(ctx context.Context) time.Duration {
	if p.rules == nil {
		return p.opts.Rediscover
	}
	groups, lists, err := p.discovery.ServerGroupsAndResources()
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		p.update(func(l *ledger) { l.unanswered(err) })
		return min(p.opts.Rediscover, time.Second)
	}
	unread := map[string]bool{}
	for gv := range failed {
		unread[gv.Group] = true
	}
	// One version of a group that cannot be read hides which one is to be used, so the whole group
	// stays as it is.
	served := ruleset.Served{Groups: groups, Resources: lists}.Without(unread)
	served.Keep = p.versions.kept(served)
	watches, missing := p.rules.ruleSet.Watches(served)
	p.versions.read(watches, served, unread)
	var next plan
	var obsolete []*feed
	p.update(func(l *ledger) {
		l.answered(err, missing, unread)
		next = l.plan(watches, servedTypes(served.Resources, unread), p.opts.collapses)
		obsolete = l.obsolete(next)
	})
	p.apply(ctx, next, obsolete)
	return p.opts.Rediscover
}

// apply makes the running goroutines those of a plan. A reflector that is there already goes on,
// for the destinations that it feeds from now on.
func (p *planner) apply(ctx context.Context, next plan, obsolete []*feed) {
	p.stop(obsolete)
	var started []*feed
	p.update(func(l *ledger) { started = l.observe(next, len(obsolete) > 0) })
	labels := closed
	if n := p.reader.match.Load().namespaces; n != nil {
		labels = n.ready
	}
	for _, f := range started {
		p.start(ctx, f, feedHandler{p.Watcher, f}, labels)
	}
	var ended []schema.GroupResource
	for of, r := range p.probes {
		if w, ok := next.gaps[of]; ok && w.Resource != r.of || !ok && !next.found.unread[of.Group] {
			ended = append(ended, of)
		}
	}
	end(p.probes, ended)
	for of, w := range next.gaps {
		if p.probes[of] == nil {
			ask := &probe{of: clientFor(p.client, w.Resource, ""), answer: func(err error) {
				p.update(func(l *ledger) { l.probed(of, err) })
			}}
			p.probes[of] = run(ctx, w.Resource, ask.run)
		}
	}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

// start starts the reflector of a feed, which begins when ready is closed.
func (p *planner) start(ctx context.Context, f *feed, h handler, ready <-chan struct{}) {
	r := p.reflector(f, h)
	p.reflectors[f] = run(ctx, f.of, func(ctx context.Context) {
		select {
		case <-ready:
			r.run(ctx)
		case <-ctx.Done():
		}
	})
}

func (p *planner) reflector(f *feed, h handler) *reflector {
	return &reflector{
		of: f.of, namespace: f.namespace, client: p.client, handler: h, wake: f.wake,
		lists: p.lists, page: p.opts.PageSize, initialEvents: p.opts.InitialEvents, paging: &p.paging,
		listedAt: map[string]string{}, meters: p.meters, tracer: p.tracer, origins: p.origins,
	}
}

// followLabels returns the labels of namespaces, if the rules look at them, and has them followed.
func (p *planner) followLabels(ctx context.Context, rs *ruleset.RuleSet) *namespaces {
	switch {
	case !rs.Compiled().SelectsNamespaces():
		p.stopLabels()
		return nil
	case p.labels != nil:
		return p.reader.match.Load().namespaces
	}
	n := newNamespaces(clientFor(p.client, namespaceType, ""), p.relabelled)
	p.update(func(l *ledger) {
		l.labels = l.newFeed(namespaceType, "")
		p.labels = l.labels
	})
	p.start(ctx, p.labels, labelHandler{feedHandler{p.Watcher, p.labels}, n}, closed)
	return n
}

func (p *planner) stopLabels() {
	if p.labels == nil {
		return
	}
	end(p.reflectors, []*feed{p.labels})
	p.labels = nil
	p.update(func(l *ledger) { l.labels = nil })
	p.reader.match.Load().namespaces.release()
}

// stopAll ends all goroutines. What nobody follows any more may not be swept.
func (p *planner) stopAll() {
	p.stopLabels()
	p.stop(slices.Collect(maps.Keys(p.reflectors)))
	end(p.probes, slices.Collect(maps.Keys(p.probes)))
	p.stopBackfills()
}

func (p *planner) stopBackfills() {
	p.endBackfills()
	p.backfills.Wait()
}

// startBackfills starts a backfill for every target that needs one.
func (p *planner) startBackfills() {
	var targets []*target
	p.update(func(l *ledger) { targets = l.takePending() })
	for _, to := range targets {
		p.backfills.Go(func() { backfill{p.Watcher, to, &p.backfills}.run(p.backfillCtx) })
	}
}

// relabel has objects matched again that a change of their namespace's labels may have moved.
func (p *planner) relabel() {
	by := p.reader.match.Load()
	moves := by.namespaces.take()
	p.update(func(l *ledger) { l.relabel(by.rules, moves) })
}

func (p *planner) nextEra() (wait time.Duration) {
	p.update(func(l *ledger) { wait = l.nextEra() })
	return wait
}
