package kubescribe

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Rules say what is written where. They are data: where they come from, custom resources or files,
// is the caller's affair.
type Rules struct {
	Repositories []destination.Repository
	Destinations []destination.Spec
	Rules        []ruleset.Rule
	// Orphans has the options of destinations that do not want the defaults.
	Orphans map[destination.Ref]orphan.Options
	// Layouts has the layouts of destinations that do not have Options.Write.Layout. The files of a
	// folder that was begun with another one are moved when it is adopted; until then the
	// destination is not written to, and its status says so. See docs/layouts.md.
	Layouts map[destination.Ref]event.Layout
	// Kustomizations has the destinations in whose folders a kustomization.yaml lists what is
	// there, so that kustomize and Flux can build them.
	Kustomizations map[destination.Ref]bool
}

// SetRules replaces all rules, before Start or while it runs. The maps are not kept. Nothing
// is listed before the first call. Faulty destinations and rules are left out; the error names them
// all and takes nothing from the others. A destination whose repository, branch or folder changed
// is seeded anew; what it wrote elsewhere stays there. One whose Orphans are faulty is not written
// to until they are corrected. The same rules again, in whatever order, change nothing.
func (m *Mirror) SetRules(r Rules) error {
	set, errSet := m.opts.policyOfDestinations().Resolve(r.Repositories, r.Destinations)
	compiled, errRules := ruleset.Compile(set, r.Rules...)
	errOrphans := validateOrphans(r.Orphans)
	m.mu.Lock()
	same := m.ruled != nil && sameDestinations(m.set, set) && len(compiled.Compiled().ChangedDestinations(m.rules.Compiled())) == 0
	m.set, m.rules, m.orphans = set, compiled, maps.Clone(r.Orphans)
	arranged := m.arrange(r)
	m.named, m.ruled, m.repositories = namesOf(r.Destinations), ruledBy(set, compiled, r.Rules), usersOf(r)
	m.namedRules = namesOfRules(r.Rules)
	for ref, w := range m.written {
		if d, _ := set.Get(ref); d != w.Destination {
			delete(m.written, ref)
			delete(m.pruned, ref)
			delete(m.unseen, ref)
		}
	}
	m.revoke(set)
	if !same { // new rules interrupt what is being read
		m.watcher.SetRules(set, compiled)
	}
	m.mu.Unlock()
	for _, d := range arranged {
		m.queue.Wake(d)
		_ = m.watcher.Sweep(d.Ref) // it is seeded anyway if the Watcher does not know it yet
	}
	return errors.Join(errSet, errRules, errOrphans)
}

// arrange takes how files are arranged from the rules, and returns the destinations for which that
// has changed. The caller holds mu.
func (m *Mirror) arrange(r Rules) (changed []destination.Destination) {
	for d := range m.set.All() {
		if layoutName(m.layouts[d.Ref]) != layoutName(r.Layouts[d.Ref]) || m.kustomizations[d.Ref] != r.Kustomizations[d.Ref] {
			changed = append(changed, d)
		}
	}
	m.layouts, m.kustomizations = maps.Clone(r.Layouts), maps.Clone(r.Kustomizations)
	return changed
}

// layoutName returns the name of a layout; "" is that of the default.
func layoutName(l event.Layout) string {
	if l == nil {
		return ""
	}
	return l.Name()
}

// Compiled returns the valid destinations and the rules in force: those of the last SetRules, or
// none. Both never change. RuleSet.Explain says which rule sends an object where.
func (m *Mirror) Compiled() (destination.Set, *ruleset.RuleSet) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.set, m.rules
}

// sameDestinations reports whether two sets have the same valid destinations.
func sameDestinations(a, b destination.Set) bool {
	return a.Len() == b.Len() && slices.Equal(slices.Collect(a.All()), slices.Collect(b.All()))
}

// ruled are the rules of a destination.
type ruled struct {
	valid   int
	invalid []types.NamespacedName
}

// ruledBy finds the rules of each destination. Those of a namespace that may not use it are none of
// its tenant's affair.
func ruledBy(set destination.Set, compiled *ruleset.RuleSet, rules []ruleset.Rule) map[destination.Ref]ruled {
	all := map[destination.Ref]ruled{}
	for _, r := range rules {
		of := all[r.Destination]
		switch {
		case compiled.Err(r.Name) == nil:
			of.valid++
		case set.Allows(r.Destination, r.Name.Namespace) && !slices.Contains(of.invalid, r.Name):
			of.invalid = append(of.invalid, r.Name)
		}
		all[r.Destination] = of
	}
	return all
}

// usersOf returns the repositories of the rules, each with the destinations that refer to it.
func usersOf(r Rules) map[destination.Ref][]destination.Ref {
	users := map[destination.Ref][]destination.Ref{}
	for _, repository := range r.Repositories {
		users[repository.Ref] = nil
	}
	for _, spec := range r.Destinations {
		if of, given := users[spec.RepositoryRef]; given && !slices.Contains(of, spec.Ref) {
			users[spec.RepositoryRef] = append(of, spec.Ref)
		}
	}
	return users
}

// namesOf returns the names of destinations, each once.
func namesOf(specs []destination.Spec) (names []destination.Ref) {
	seen := map[destination.Ref]bool{}
	for _, spec := range specs {
		if !seen[spec.Ref] {
			seen[spec.Ref] = true
			names = append(names, spec.Ref)
		}
	}
	return names
}

// namesOfRules returns the names of rules, each once.
func namesOfRules(rules []ruleset.Rule) (names []types.NamespacedName) {
	seen := map[types.NamespacedName]bool{}
	for _, r := range rules {
		if !seen[r.Name] {
			seen[r.Name] = true
			names = append(names, r.Name)
		}
	}
	return names
}

// validateOrphans returns an error that names all faulty options. Their destinations are not
// written to until they are corrected.
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
