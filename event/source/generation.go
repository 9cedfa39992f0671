package source

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/ruleset"
)

// changed returns the feeds whose reflectors have to list everything again under other rules, and
// the namespaces that others have to. Feeds of which both rules say the same go on.
func (l *ledger) changed(next *rules) (stop []*feed, stale map[*feed][]string) {
	stale = map[*feed][]string{}
	changes := l.replaces(next)
	for key, f := range l.feeds {
		all, namespaces := next.ruleSet.Compiled().Diff(l.adopted.ruleSet.Compiled(), compiled.Type(f.of), changes)
		switch {
		case all || slices.Contains(namespaces, key.namespace):
			stop = append(stop, f)
		case key.namespace == "" && len(namespaces) > 0:
			stale[f] = namespaces
		}
	}
	return stop, stale
}

// adopt makes the targets those of a new generation of the rules. It returns the destinations that
// changed or went away: their lines in the queue are to be forgotten. A destination whose rules
// changed gets a SeedSync, also where no reflector feeds it: some of its files may not be covered
// any more.
//
// Namespaces whose rules changed (stale, by feed) leave the coverage until discovery has told what
// the rules come to, so an object that no rule selects any more is not mistaken for a deleted one.
func (l *ledger) adopt(next *rules, stale map[*feed][]string) (forget []destination.Destination) {
	old := &ruleset.RuleSet{}
	if l.adopted != nil {
		old = l.adopted.ruleSet
	}
	changes := l.replaces(next)
	for _, to := range l.targets {
		if changes(to.destination) {
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
			l.owe(to) // discovery has to answer first, which wakes it
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

// replaces returns a function that reports whether a destination becomes another target under new
// rules: it is another one, or none, or more of it is sensitive. What waits to be written in plain
// then must not be, so its line is forgotten, and it is seeded anew.
func (l *ledger) replaces(next *rules) func(destination.Destination) bool {
	return func(d destination.Destination) bool {
		now, ok := next.set.Get(d.Ref)
		return !ok || now != d || l.adopted != nil && next.ruleSet.Compiled().MoreSensitive(l.adopted.ruleSet.Compiled(), d.Ref)
	}
}

// relabel has objects matched again whose namespaces got other labels, which may have moved them in
// or out of a rule. moves has the labels that each namespace had meanwhile.
func (l *ledger) relabel(rs *ruleset.RuleSet, moves map[string][]map[string]string) {
	for name, had := range moves {
		for _, f := range l.feeds {
			if (f.namespace == "" || f.namespace == name) && rs.Compiled().Relabelled(compiled.Type(f.of), name, had...) {
				l.outdate(f, name)
				l.poke(f)
			}
		}
	}
}

// served is what discovery found. It says which files are certainly uncovered. The feeds do not:
// they stop and start one after the other, and a moment without a feed must not look like a rule
// that was taken away.
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
	case faulty, l.served == nil: // nobody knows what the rules mean
		return false
	case !valid:
		return !l.mayBeMeant(to, c)
	case l.served.unread[c.Group]:
		return false
	}
	_, is := l.served.types[servedType{c.Group, c.Resource, c.Namespace != ""}]
	return !is
}
