package source

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/ruleset"
)

// plan says which feeds there ought to be, and of which types a probe ought to ask whether a watch
// of all namespaces is allowed by now.
type plan struct {
	watches map[feedKey]ruleset.Watch
	gaps    map[schema.GroupResource]ruleset.Watch
	found   *served
}

// plan returns what the rules want watched. Single namespaces of a type become one watch of all
// where wide says so, unless the server refuses that. Where cluster rules want a watch of all that
// the server refuses, single ones take its place, and a gap is left.
func (l *ledger) plan(watches []ruleset.Watch, found *served, wide func(namespaces int) bool) plan {
	for key, f := range l.feeds {
		if f.refused() {
			l.forbiddenClusterWide[key.of] = true
		}
	}
	for of, g := range l.gaps {
		l.forbiddenClusterWide[of] = g.err != nil
	}
	p := plan{map[feedKey]ruleset.Watch{}, map[schema.GroupResource]ruleset.Watch{}, found}
	for _, w := range collapse(watches, func(t ruleset.Type, namespaces []string) bool {
		return wide(len(namespaces)) && !l.forbiddenClusterWide[groupResource(t)]
	}) {
		of := groupResource(w.Resource)
		single := split(w)
		if w.Namespace != "" || !l.forbiddenClusterWide[of] || single == nil {
			p.watches[feedKey{of, w.Namespace}] = w
			continue
		}
		for _, one := range single {
			p.watches[feedKey{of, one.Namespace}] = one
		}
		w.Coverage = slices.DeleteFunc(slices.Clone(w.Coverage), func(c ruleset.Coverage) bool { return !c.Collection.All })
		p.gaps[of] = w
	}
	return p
}

// obsolete returns the feeds that are not in a plan. What discovery could not read stays as it is:
// a type that is missing from a partial answer is not gone.
func (l *ledger) obsolete(p plan) (feeds []*feed) {
	for key, f := range l.feeds {
		if w, ok := p.watches[key]; ok && w.Resource != f.of || !ok && !p.found.unread[key.of.Group] {
			feeds = append(feeds, f)
		}
	}
	return feeds
}

// observe says what discovery has found: the feeds and gaps that there are to be, and what is
// served. It returns the feeds that are new. Feeds and gaps of groups that discovery could not read
// stay as they are. All new feeds are known before the first reflector runs, so no target is ready
// too early.
func (l *ledger) observe(p plan, stopped bool) (started []*feed) {
	for key, w := range p.watches {
		f := l.feeds[key]
		if f == nil {
			f = l.newFeed(w.Resource, w.Namespace)
			l.feeds[key] = f
			started = append(started, f)
		}
		l.cover(f, l.resolve(w.Coverage))
	}
	for _, f := range l.feeds {
		if len(f.stale) > 0 {
			l.poke(f)
		}
	}
	l.setGaps(p)
	l.served = p.found
	if stopped || l.observed != l.adopted { // else nothing has left the coverage
		l.disownUncovered()
	}
	l.observed = l.adopted
	for _, to := range l.targets {
		l.unblock(to)
	}
	return started
}

// setGaps makes the gaps those of a plan.
func (l *ledger) setGaps(p plan) {
	for of := range l.gaps {
		if _, ok := p.gaps[of]; !ok && !p.found.unread[of.Group] {
			delete(l.gaps, of)
		}
	}
	for of, w := range p.gaps {
		if l.gaps[of] == nil {
			l.gaps[of] = &gap{err: errRefused}
		}
		l.gaps[of].of, l.gaps[of].reach = w.Resource, l.resolve(w.Coverage)
	}
}

// stop forgets feeds whose reflectors have ended. What they told stays. Their targets get a
// SeedSync, since some of their files may be uncovered now, which only a plan can tell.
func (l *ledger) stop(feeds ...*feed) {
	for _, f := range feeds {
		delete(l.feeds, f.key())
		l.cover(f, nil)
	}
}
