package ruleset

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

// Watches returns the smallest set of watches that feeds every valid rule, by group, resource and namespace. It is a pure
// function of the rules and of what the server serves, in whatever order. What is not served gives no Watch; nobody takes
// it for empty.
//
// A type is read in one version: its version in Served.Keep, else the preferred version of its group, else the first by
// Kubernetes' version priority (v2, v1, v1beta2, v1beta1, v1alpha1, others by name). A version counts
// only if it can be listed and watched and some rule allows it.
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority
//
// The error joins a *TypeError for each type that a rule names and does not get. It does not make the watches any less
// complete for all else.
func (s *RuleSet) Watches(from Served) ([]Watch, error) {
	served, faults := readDiscovery(from)
	var watches []Watch
	for _, t := range served.types {
		rules := rulesOf(t.group, t.resource, s.index, s.invalid)
		chosen, ok := t.choose(rules, from.Keep[t.groupResource()])
		if !ok {
			continue
		}
		watches = append(watches, watchesOf(chosen, rules)...)
		for _, r := range rules {
			faults = append(faults, t.otherVersion(chosen, r))
		}
	}
	for _, r := range s.rules {
		for i := range r.selections {
			faults = append(faults, served.missing(r, &r.selections[i])...)
		}
	}
	return watches, errors.Join(faults...)
}

// watchesOf makes the watches of one type from the rules that have a selection for it, in their order.
func watchesOf(t *Type, rules []*rule) []Watch {
	wide := slices.ContainsFunc(rules, func(r *rule) bool { return r.valid && r.name.Namespace == "" && r.covers(t, false) != 0 })
	byNamespace := make(map[string]*Watch)
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[n].destination.Ref == rules[0].destination.Ref {
			n++
		}
		for _, c := range coverageOf(t, rules[:n]) {
			namespace := c.Collection.Namespace
			if wide {
				namespace = ""
			}
			w, ok := byNamespace[namespace]
			if !ok {
				w = &Watch{Resource: *t, Namespace: namespace}
				byNamespace[namespace] = w
			}
			w.Coverage = append(w.Coverage, c)
		}
		rules = rules[n:]
	}
	watches := make([]Watch, 0, len(byNamespace))
	for _, namespace := range slices.Sorted(maps.Keys(byNamespace)) {
		watches = append(watches, *byNamespace[namespace])
	}
	return watches
}

// reach is what the rules of one destination that lie in one namespace, or in none, come to for a type.
type reach struct {
	covered bool // by a valid rule: there is something to watch
	kept    bool // some rule forbids pruning
}

// coverageOf returns what one destination gets of a type. rules are all of its rules for the type, invalid ones included.
//
// If a cluster rule covers the type, its scope is the whole type, and a rule of any namespace that forbids pruning forbids
// it for the whole: a scope cannot leave out a namespace.
func coverageOf(t *Type, rules []*rule) []Coverage {
	reached := make(map[string]reach)
	keptAnywhere := false
	for _, r := range rules {
		if r.covers(t, true) == 0 {
			continue
		}
		in := reached[r.name.Namespace]
		in.covered = in.covered || r.valid && r.covers(t, false) != 0
		in.kept = in.kept || !r.prunes(t)
		keptAnywhere = keptAnywhere || in.kept
		reached[r.name.Namespace] = in
	}
	scope := event.Collection{Group: t.Group, Resource: t.Resource}
	if reached[""].covered {
		scope.All = t.Namespaced
		return []Coverage{{Destination: rules[0].destination, Collection: scope, Sweepable: !keptAnywhere}}
	}
	var covered []Coverage
	for _, namespace := range slices.Sorted(maps.Keys(reached)) {
		if reached[namespace].covered {
			scope.Namespace = namespace
			prune := !reached[""].kept && !reached[namespace].kept
			covered = append(covered, Coverage{Destination: rules[0].destination, Collection: scope, Sweepable: prune})
		}
	}
	return covered
}

// otherVersion returns a *TypeError if the rule asks for more in another served version than in the one that is read.
func (t *servedType) otherVersion(chosen *Type, r *rule) error {
	if !r.valid {
		return nil
	}
	var asked operations
	for i := range t.versions {
		if v := &t.versions[i]; v.watchable {
			asked |= r.covers(&v.Type, false)
		}
	}
	if asked&^r.covers(chosen, false) == 0 {
		return nil
	}
	return &TypeError{Rule: r.name, Groups: []string{t.group}, Resource: t.resource, Err: fmt.Errorf(
		"%w: %s, which another rule asks for and the server prefers; allow it in apiVersions", ErrOtherVersion, chosen.Version)}
}

// missing returns a *TypeError for each resource that the selection names and that none of its groups has, and, if it
// names no resources, for each group that has none.
func (d *discovery) missing(r *rule, s *selection) []error {
	var faults []error
	report := func(groups []string, resource string) {
		if err := d.find(r, s, groups, resource); err != nil {
			faults = append(faults, &TypeError{Rule: r.name, Groups: groups, Resource: resource, Err: err})
		}
	}
	if s.resources == nil {
		for _, group := range s.groups {
			report([]string{group}, wildcard)
		}
	}
	for _, resource := range s.resources {
		report(orWildcard(s.groups), resource)
	}
	return faults
}

// find returns nil if one of the groups has the resource as the rule wants it, and otherwise what stands in the way.
func (d *discovery) find(r *rule, s *selection, groups []string, resource string) error {
	allowed := false
	var others []string
	for _, group := range groups {
		for _, t := range d.byKey[typeKey{group, resource}] {
			for i := range t.versions {
				v := &t.versions[i]
				if !s.inVersion(v.Version) {
					others = append(others, v.Version)
					continue
				}
				allowed = true
				if v.watchable && s.inScope(v.Namespaced) && (v.Namespaced || r.name.Namespace == "") {
					return nil
				}
			}
		}
	}
	switch {
	case allowed:
		return fmt.Errorf("%w: it cannot be listed and watched, or its scope is not the rule's; leave it out", ErrNotWatchable)
	case len(others) > 0:
		return fmt.Errorf("%w in versions %q: allow one of %q", ErrNotServed, s.versions, others)
	}
	return fmt.Errorf("%w: check the spelling of group and plural name, or install what serves it", ErrNotServed)
}
