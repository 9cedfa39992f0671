package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"

	"github.com/kubescribe/kubescribe/ruleset"
)

// plan says which reflectors there ought to be, and of which types a probe ought to ask whether a watch
// of all namespaces is allowed by now.
type plan struct {
	watches map[feedKey]ruleset.Watch
	gaps    map[schema.GroupResource]ruleset.Watch
}

// refresh asks which types there are, and starts and stops reflectors accordingly. What discovery could not tell about stays
// as it is: a type that is missing from a partial answer is not gone. It returns when to ask again.
func (p *planner) refresh(ctx context.Context) time.Duration {
	if p.rules == nil {
		return p.opts.Rediscover
	}
	groups, lists, err := p.discovery.ServerGroupsAndResources()
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		p.update(func(l *ledger) {
			p.discoveryErr = fmt.Errorf("source: discovery: %w", err)
			l.served = nil // what it said before may have changed
		})
		return min(p.opts.Rediscover, time.Second)
	}
	unread := map[string]bool{}
	for gv := range failed {
		unread[gv.Group] = true
	}
	// One version of a group that cannot be read hides which one is to be used, so the whole group stays as it is.
	found := ruleset.Served{Groups: groups, Resources: lists}.Without(unread)
	found.Keep = p.versions.kept(found)
	watches, missing := p.rules.ruleSet.Watches(found)
	p.versions.read(watches, found, unread)
	p.apply(ctx, p.plan(watches), servedTypes(found.Resources, unread), errors.Join(err, missing))
	return p.opts.Rediscover
}

// apply makes the running goroutines those of a plan, and leaves those of unread groups. A reflector that is there already
// goes on, for the destinations that it feeds from now on.
func (p *planner) apply(ctx context.Context, next plan, found *served, err error) {
	stopped := p.stopReflectors(func(key feedKey, r *running) bool {
		w, ok := next.watches[key]
		return ok && w.Resource != r.of || !ok && !found.unread[key.of.Group]
	})
	end(p.probes, func(of schema.GroupResource, r *running) bool {
		w, ok := next.gaps[of]
		return ok && w.Resource != r.of || !ok && !found.unread[of.Group]
	})
	var started []*feed
	p.update(func(l *ledger) {
		p.discoveryErr = err
		started = l.observe(next, found, stopped)
	})
	labels := closed
	if n := p.reader.match.Load().namespaces; n != nil {
		labels = n.ready
	}
	for _, f := range started {
		p.reflectors[f.key()] = run(ctx, f.of, f, func(ctx context.Context) {
			select {
			case <-labels:
				p.reflector(f, feedHandler{p.Watcher, f}).run(ctx)
			case <-ctx.Done():
			}
		})
	}
	for of, w := range next.gaps {
		if p.probes[of] == nil {
			p.probes[of] = run(ctx, w.Resource, nil, p.probe(of, w.Resource).run)
		}
	}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (p *planner) probe(of schema.GroupResource, t ruleset.Type) *probe {
	return &probe{client: clientFor(p.client, t), answer: func(err error) {
		p.update(func(l *ledger) { l.probed(of, err) })
	}}
}

// plan returns what the rules want watched. Many watches of single namespaces become one of all, unless
// the server refuses that; where cluster rules want one of all that it refuses, single ones take its place, and a probe
// asks whether it is allowed by now.
func (p *planner) plan(watches []ruleset.Watch) plan {
	p.read(func(l *ledger) {
		for key, f := range l.feeds {
			if f.refused() {
				p.forbiddenClusterWide[key.of] = true
			}
		}
		for of, g := range l.gaps {
			p.forbiddenClusterWide[of] = g.err != nil
		}
	})
	next := plan{map[feedKey]ruleset.Watch{}, map[schema.GroupResource]ruleset.Watch{}}
	for _, w := range collapse(watches, p.collapses) {
		of := groupResource(w.Resource)
		single := split(w)
		if w.Namespace != "" || !p.forbiddenClusterWide[of] || single == nil {
			next.watches[feedKey{of, w.Namespace}] = w
			continue
		}
		for _, one := range single {
			next.watches[feedKey{of, one.Namespace}] = one
		}
		w.Coverage = slices.DeleteFunc(slices.Clone(w.Coverage), func(c ruleset.Coverage) bool { return !c.Collection.All })
		next.gaps[of] = w
	}
	return next
}

func (p *planner) collapses(t ruleset.Type, namespaces []string) bool {
	return p.opts.Collapse >= 0 && len(namespaces) > p.opts.Collapse && !p.forbiddenClusterWide[groupResource(t)]
}
