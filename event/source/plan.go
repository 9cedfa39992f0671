package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/client-go/discovery"

	"github.com/kubescribe/kubescribe/ruleset"
)

// plan is a stream that there ought to be.
type plan struct {
	watch   ruleset.Watch
	probing bool
}

// refresh asks which types there are and starts and stops streams accordingly. What discovery could not tell about stays
// as it is: a type that is missing from a partial answer is not gone. It returns when to ask again.
func (p *planner) refresh(ctx context.Context) time.Duration {
	if p.rules == nil {
		return p.opts.Rediscover
	}
	groups, lists, err := p.discovery.ServerGroupsAndResources()
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		p.report(fmt.Errorf("source: discovery: %w", err))
		p.cover(&coverage{rules: p.rules.ruleSet}) // what it said before may have changed
		return min(p.opts.Rediscover, time.Second)
	}
	unknown := map[string]bool{}
	for gv := range failed {
		unknown[gv.Group] = true
	}
	// One version of a group that cannot be read hides which one is to be used, so the whole group stays as it is.
	served := ruleset.Served{Groups: groups, Resources: lists}.Without(unknown)
	served.Keep = p.versions.kept(served)
	watches, missing := p.rules.ruleSet.Watches(served)
	p.versions.read(watches, served, unknown)
	p.report(errors.Join(err, missing))
	stopped := p.change(ctx, p.plan(watches), unknown)
	p.settleOn(p.ledger.coverage.discovered(served.Resources, unknown), stopped)
	return p.opts.Rediscover
}

// change makes the running streams those of plans, and leaves those of unknown groups. A stream that is there already goes
// on, for the destinations that it feeds from now on.
func (p *planner) change(ctx context.Context, plans map[streamKey]plan, unknown map[string]bool) (stopped int) {
	stopped = p.stopStreams(func(key streamKey) bool {
		next, ok := plans[key]
		return ok && next.probing != p.running[key].stream.probing || !ok && !unknown[key.of.Group]
	})
	p.ledger.mu.Lock()
	for key, r := range p.running {
		if next, ok := plans[key]; ok {
			if !slices.Equal(next.watch.Coverage, r.stream.watch.Coverage) {
				p.ledger.feeds(r.stream, next.watch.Coverage)
			}
			delete(plans, key)
		}
		if len(r.stream.outdated) > 0 {
			signal(r.stream.anew)
		}
	}
	p.ledger.mu.Unlock()
	p.begin(ctx, plans)
	return stopped
}

// settleOn says what is covered from now on, now that the streams for it are known to the ledger, and lets the SeedSyncs go
// that are due.
func (p *planner) settleOn(c *coverage, stopped int) {
	p.cover(c)
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.mu.Lock()
	if stopped > 0 || !p.planned {
		p.ledger.forgetUncovered()
	}
	p.planned = p.next == nil
	p.mu.Unlock()
	for _, to := range p.ledger.targets {
		to.stuck = 0
		p.ledger.wakeIfHungry(to)
	}
}

// begin starts a stream for each plan. All of them are known to the ledger before the first one runs, so that no target
// takes itself for settled too early.
func (p *planner) begin(ctx context.Context, plans map[streamKey]plan) {
	var streams []*stream
	p.ledger.mu.Lock()
	for key, next := range plans {
		coverage := next.watch.Coverage
		next.watch.Coverage = nil
		s := p.stream(next.watch, p.desk)
		s.probing = next.probing
		p.ledger.feeds(s, coverage)
		p.ledger.streams[key] = s
		streams = append(streams, s)
	}
	p.ledger.mu.Unlock()
	after := closed
	if n := p.desk.match.Load().namespaces; n != nil {
		after = n.ready
	}
	for _, s := range streams {
		p.running[s.key()] = run(ctx, s, after)
	}
}

// plan returns the streams for what the rules want watched. Many watches of single namespaces become one of all, unless
// the server refuses that; where cluster rules want one of all that it refuses, single ones take its place, and a stream
// asks whether it is allowed by now.
func (p *planner) plan(watches []ruleset.Watch) map[streamKey]plan {
	p.ledger.mu.RLock()
	for _, s := range p.ledger.streams {
		if s.refused() || s.probing {
			p.narrow[s.groupResource()] = !s.open
		}
	}
	p.ledger.mu.RUnlock()
	plans := map[streamKey]plan{}
	for _, w := range collapse(watches, p.collapses) {
		single := split(w)
		if w.Namespace != "" || !p.narrow[groupResource(w.Resource)] || single == nil {
			plans[streamKey{w.Resource, w.Namespace}] = plan{watch: w}
			continue
		}
		for _, of := range single {
			plans[streamKey{of.Resource, of.Namespace}] = plan{watch: of}
		}
		w.Coverage = slices.DeleteFunc(slices.Clone(w.Coverage), func(c ruleset.Coverage) bool { return !c.Collection.All })
		plans[streamKey{w.Resource, ""}] = plan{watch: w, probing: true}
	}
	return plans
}

func (p *planner) collapses(t ruleset.Type, namespaces []string) bool {
	return p.opts.Collapse >= 0 && len(namespaces) > p.opts.Collapse && !p.narrow[groupResource(t)]
}

func (p *planner) report(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.missing = err
}
