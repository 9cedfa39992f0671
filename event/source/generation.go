package source

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// adopt makes the targets those of a new generation of the rules. It returns the destinations that
// changed or went away: their lines in the queue are to be forgotten. A destination whose rules
// changed gets a SeedSync, also where no reflector feeds it: some of its files may not be covered any
// more.
//
// Namespaces whose rules changed (stale, by feed) leave the coverage until discovery has told what the
// rules come to, so an object that no rule selects any more is not mistaken for a deleted one.
func (l *ledger) adopt(next *rules, stale map[*feed][]string) (forget []destination.Destination) {
	old := &ruleset.RuleSet{}
	if l.adopted != nil {
		old = l.adopted.ruleSet
	}
	for _, to := range l.targets {
		if next.changes(to.destination) {
			l.drop(to)
			forget = append(forget, to.destination)
		}
	}
	for d := range next.set.All() {
		if l.targets[d.Ref] == nil {
			l.newTarget(d)
		}
	}
	for _, ref := range next.ruleSet.Compiled().ChangedDestinations(old.Compiled()) {
		if to := l.targets[ref]; to != nil {
			to.syncDue = true
		}
	}
	l.adopted, l.served = next, nil
	for f, namespaces := range stale {
		for _, namespace := range namespaces {
			l.outdate(f, namespace)
		}
		left := map[*target]reach{}
		for to, r := range f.reach {
			if r = r.without(namespaces); len(r) > 0 {
				left[to] = r
			}
		}
		l.cover(f, left)
	}
	return forget
}

// changes reports whether a destination is another one under these rules, or none.
func (r *rules) changes(d destination.Destination) bool {
	now, ok := r.set.Get(d.Ref)
	return !ok || now != d
}

// observe says what discovery has found: the feeds that there are to be, the gaps, and what is served.
// It returns the feeds that are new. Feeds and gaps of groups that discovery could not read stay as
// they are. All new feeds are known before the first reflector runs, so no target is ready too early.
func (l *ledger) observe(p plan, found *served, stopped bool) (started []*feed) {
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
	l.setGaps(p.gaps, found.unread)
	l.served = found
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
func (l *ledger) setGaps(gaps map[schema.GroupResource]ruleset.Watch, unread map[string]bool) {
	for of := range l.gaps {
		if _, ok := gaps[of]; !ok && !unread[of.Group] {
			delete(l.gaps, of)
		}
	}
	for of, w := range gaps {
		g := l.gaps[of]
		if g == nil {
			g = &gap{of: w.Resource, err: errRefused}
			l.gaps[of] = g
		}
		g.reach = l.resolve(w.Coverage)
	}
}

// stop forgets a feed whose reflector has ended. What it told stays. Its targets get a SeedSync,
// since some of their files may be uncovered now, which only a plan can tell.
func (l *ledger) stop(f *feed) {
	delete(l.feeds, f.key())
	l.cover(f, nil)
}

// served is what discovery found. It says which files are certainly uncovered. The feeds do not:
// they stop and start one after the other, and a moment without a feed must not look like a rule that
// was taken away.
type served struct {
	types  map[servedType]struct{}
	unread map[string]bool // groups that discovery could not read
}

type servedType struct {
	group, resource string
	namespaced      bool
}

// servedTypes returns what the lists of a discovery say. They hold no list of an unread group.
func servedTypes(lists []*metav1.APIResourceList, unread map[string]bool) *served {
	found := &served{types: map[servedType]struct{}{}, unread: unread}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			found.types[servedType{gv.Group, r.Name, r.Namespaced}] = struct{}{}
		}
	}
	return found
}

// uncovered reports whether it is certain that no rule of a target covers a collection.
func (l *ledger) uncovered(to *target, c event.Collection) bool {
	if l.adopted == nil || to.gone || l.adopted != l.desired.Load() {
		return false
	}
	valid, faulty := l.adopted.ruleSet.Compiled().Covers(to.destination.Ref, c)
	switch {
	case faulty:
		return false
	case !valid:
		return true
	case l.served == nil || l.served.unread[c.Group]:
		return false
	}
	_, is := l.served.types[servedType{c.Group, c.Resource, c.Namespace != ""}]
	return !is
}
