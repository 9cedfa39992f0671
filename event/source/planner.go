package source

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/ruleset"
)

// planner decides which reflectors, probes and backfills run. It belongs to the goroutine of Start.
type planner struct {
	*Watcher
	rules      *rules // adopted; nil before the first ones
	reflectors map[feedKey]*running
	probes     map[schema.GroupResource]*running
	labels     *running // the reflector of namespaces, if rules look at their labels

	backfills    sync.WaitGroup
	backfillCtx  context.Context
	endBackfills context.CancelFunc

	versions versions // in which the types are read
	// forbiddenClusterWide has the types of which the server refuses a watch of all namespaces where
	// single ones would do.
	forbiddenClusterWide map[schema.GroupResource]bool
}

func newPlanner(w *Watcher) *planner {
	return &planner{
		Watcher:              w,
		reflectors:           map[feedKey]*running{},
		probes:               map[schema.GroupResource]*running{},
		endBackfills:         func() {},
		forbiddenClusterWide: map[schema.GroupResource]bool{},
		versions:             versions{},
	}
}

// running is a goroutine that the planner has started.
type running struct {
	of     ruleset.Type
	feed   *feed // nil for a probe
	cancel context.CancelFunc
	done   chan struct{}
}

func run(ctx context.Context, of ruleset.Type, f *feed, work func(context.Context)) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{of: of, feed: f, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		work(ctx)
	}()
	return r
}

// end ends the chosen goroutines, all at once, waits for them and forgets them.
func end[K comparable](all map[K]*running, which func(K, *running) bool) (ended []*running) {
	for key, r := range all {
		if which(key, r) {
			r.cancel()
			ended = append(ended, r)
			delete(all, key)
		}
	}
	for _, r := range ended {
		<-r.done
	}
	return ended
}

// adopt changes over to new rules. Reflectors of which both say the same go on, and so do those for
// which only rules of single namespaces differ, which list these again. All others have ended before
// the new rules are asked for the first time.
func (p *planner) adopt(ctx context.Context, next *rules) time.Duration {
	p.stopBackfills()
	stale := p.stopChanged(next)
	by := &matcher{rules: next.ruleSet, namespaces: p.followLabels(ctx, next.ruleSet)}
	p.rules = next
	p.replace(ctx, by, next, stale)
	p.backfillCtx, p.endBackfills = context.WithCancel(ctx)
	return p.refresh(ctx)
}

// replace installs the new matcher, and the targets of its rules.
func (p *planner) replace(ctx context.Context, by *matcher, next *rules, stale map[*feed][]string) {
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
}

// stopChanged stops the reflectors that have to list everything again, and returns the namespaces that
// others have to.
func (p *planner) stopChanged(next *rules) map[*feed][]string {
	var old *ruleset.RuleSet
	if p.rules != nil {
		old = p.rules.ruleSet
	}
	stale := map[*feed][]string{}
	p.stopReflectors(func(key feedKey, r *running) bool {
		all, namespaces := next.ruleSet.Compiled().Diff(old.Compiled(), compiled.Type(r.of), next.changes)
		switch {
		case all:
			return true
		case key.namespace != "":
			return slices.Contains(namespaces, key.namespace)
		case len(namespaces) > 0:
			stale[r.feed] = namespaces
		}
		return false
	})
	return stale
}

// followLabels returns the labels of namespaces, if the rules look at them, and has them followed.
func (p *planner) followLabels(ctx context.Context, rs *ruleset.RuleSet) *namespaces {
	if !rs.Compiled().SelectsNamespaces() {
		p.stopLabels()
		return nil
	}
	if p.labels != nil {
		return p.reader.match.Load().namespaces
	}
	n := newNamespaces(clientFor(p.client, namespaceType), p.relabelled)
	var f *feed
	p.update(func(l *ledger) {
		f = l.newFeed(namespaceType, "")
		l.labels = f
	})
	p.labels = run(ctx, namespaceType, f, p.reflector(f, labelHandler{feedHandler{p.Watcher, f}, n}).run)
	return n
}

func (p *planner) stopLabels() {
	if p.labels == nil {
		return
	}
	p.labels.cancel()
	<-p.labels.done
	p.labels = nil
	p.update(func(l *ledger) { l.labels = nil })
	p.reader.match.Load().namespaces.release()
}

func (p *planner) reflector(f *feed, h handler) *reflector {
	return &reflector{
		of: f.of, namespace: f.namespace, client: clientFor(p.client, f.of), handler: h, wake: f.wake,
		lists: p.lists, page: p.opts.PageSize, initialEvents: p.opts.InitialEvents, paging: &p.paging,
		listedAt: map[string]string{},
	}
}

func (p *planner) stopAll() {
	p.stopReflectors(func(feedKey, *running) bool { return true })
	end(p.probes, func(schema.GroupResource, *running) bool { return true })
	p.stopLabels()
	p.stopBackfills()
}

func (p *planner) stopBackfills() {
	p.endBackfills()
	p.backfills.Wait()
}

// stopReflectors stops the chosen reflectors, and reports whether there were any.
func (p *planner) stopReflectors(which func(feedKey, *running) bool) bool {
	ended := end(p.reflectors, which)
	p.update(func(l *ledger) {
		for _, r := range ended {
			l.stop(r.feed)
		}
	})
	return len(ended) > 0
}

// relabel has objects matched again that a change of their namespace's labels may have moved.
func (p *planner) relabel() {
	by := p.reader.match.Load()
	p.update(func(l *ledger) {
		for name, had := range by.namespaces.take() {
			for _, f := range l.feeds {
				if f.namespace != "" && f.namespace != name || !by.rules.Compiled().Relabelled(compiled.Type(f.of), name, had...) {
					continue
				}
				l.outdate(f, name)
				l.poke(f)
			}
		}
	})
}

// startBackfills starts a backfill for every target that needs one.
func (p *planner) startBackfills() {
	var targets []*target
	p.update(func(l *ledger) { targets = l.takePending() })
	for _, to := range targets {
		p.backfills.Go(func() { backfill{p.Watcher, to}.run(p.backfillCtx) })
	}
}

func (p *planner) nextEra() (wait time.Duration) {
	p.update(func(l *ledger) { wait = l.nextEra() })
	return wait
}
