package ruleset

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Watch is something to list and watch: a type, in one namespace or in all.
type Watch struct {
	Resource  Type
	Namespace string // "": all namespaces, or a cluster-scoped type
	// Coverage has the destinations that this watch feeds, by destination and namespace. A
	// destination that a cluster rule feeds is there once, for the whole watch. One that only rules
	// of single namespaces feed is there once for each namespace.
	Coverage []Coverage
}

// Coverage is what one destination gets from a Watch.
type Coverage struct {
	Destination destination.Destination
	// Collection is the part of the watch that the rules of the destination cover, whatever their
	// selectors: all namespaces of a namespaced type (All), one namespace, or the objects of a
	// cluster-scoped type (neither All nor Namespace).
	Collection event.Collection
	// Sweepable reports whether files of the Collection may be swept once it was listed completely.
	// Every rule of the destination that covers any of it is valid, asks for DELETE there, and gets
	// what it asks for in the version that is read.
	Sweepable bool
}

// Watches returns the smallest set of watches that feeds every valid rule, by group, resource and
// namespace. It depends on nothing but the rules and what the server serves, in whatever order. A
// type that is not served has no Watch: do not take it for one without objects.
//
// A type is read in one version: its version in Served.Keep, else the preferred version of its
// group, else the first by the version priority of Kubernetes (v2, v1, v1beta2, v1beta1, v1alpha1,
// others by name). A version counts only if it can be listed and watched, and some rule allows it.
//
// https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definition-versioning/#version-priority
//
// The error joins a *TypeError for each type that a rule names and does not get. The watches of all
// other types are complete nevertheless.
func (s *RuleSet) Watches(from Served) ([]Watch, error) {
	served, faults := readDiscovery(from)
	var watches []Watch
	for _, t := range served.types {
		rules := compiled.For(t.group, t.resource, s.rules.Index, s.rules.Invalid)
		chosen, ok := t.choose(rules, from.Keep[t.groupResource()])
		if !ok {
			continue
		}
		watches = append(watches, watchesOf(chosen, rules)...)
		for _, r := range rules {
			faults = append(faults, t.otherVersion(chosen, r))
		}
	}
	for _, r := range s.rules.Valid {
		for i := range r.Selections {
			faults = append(faults, served.missing(r, &r.Selections[i])...)
		}
	}
	return watches, errors.Join(faults...)
}

// watchesOf makes the watches of one type from the rules that have a selection for it, in their
// order.
func watchesOf(t *Type, rules []*compiled.Rule) []Watch {
	wide := slices.ContainsFunc(rules, func(r *compiled.Rule) bool {
		return r.Valid && r.Name.Namespace == "" && r.Asks(t.compiled(), false) != 0
	})
	byNamespace := make(map[string]*Watch)
	for len(rules) > 0 {
		n := 1
		for n < len(rules) && rules[n].Destination.Ref == rules[0].Destination.Ref {
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

// reach sums up the rules of one destination for a type that lie in one namespace, or in none.
type reach struct {
	covered bool // by a valid rule: there is something to watch
	kept    bool // some rule forbids sweeping
}

// coverageOf returns the coverage of one destination for a type. rules are all of its rules for the
// type, invalid ones included.
//
// A cluster rule covers the whole type as one collection, which cannot leave out a namespace. So a
// rule of any namespace that forbids sweeping forbids it for the whole type.
func coverageOf(t *Type, rules []*compiled.Rule) []Coverage {
	reached := make(map[string]reach)
	keptAnywhere := false
	for _, r := range rules {
		if r.Asks(t.compiled(), true) == 0 {
			continue
		}
		in := reached[r.Name.Namespace]
		in.covered = in.covered || r.Valid && r.Asks(t.compiled(), false) != 0
		in.kept = in.kept || !r.Sweeps(t.compiled())
		keptAnywhere = keptAnywhere || in.kept
		reached[r.Name.Namespace] = in
	}
	scope := event.Collection{Group: t.Group, Resource: t.Resource}
	if reached[""].covered {
		scope.All = t.Namespaced
		return []Coverage{{Destination: rules[0].Destination, Collection: scope, Sweepable: !keptAnywhere}}
	}
	var covered []Coverage
	for _, namespace := range slices.Sorted(maps.Keys(reached)) {
		if reached[namespace].covered {
			scope.Namespace = namespace
			sweepable := !reached[""].kept && !reached[namespace].kept
			covered = append(covered, Coverage{Destination: rules[0].Destination, Collection: scope, Sweepable: sweepable})
		}
	}
	return covered
}

// otherVersion returns a *TypeError if the rule asks for more in another served version than in the
// one that is read.
func (t *servedType) otherVersion(chosen *Type, r *compiled.Rule) error {
	if !r.Valid {
		return nil
	}
	var asked compiled.Operations
	for i := range t.versions {
		if v := &t.versions[i]; v.watchable {
			asked |= r.Asks(v.compiled(), false)
		}
	}
	if asked&^r.Asks(chosen.compiled(), false) == 0 {
		return nil
	}
	return &TypeError{Rule: r.Name, Destination: r.Destination.Ref, Groups: []string{t.group}, Resource: t.resource, Err: fmt.Errorf(
		"%w: %s, which another rule asks for and the server prefers; allow it in apiVersions", ErrOtherVersion, chosen.Version)}
}

// missing returns a *TypeError for each resource that the selection names and that none of its
// groups has, and, if it names no resources, for each group that has none.
func (d *discovery) missing(r *compiled.Rule, s *compiled.Selection) []error {
	var faults []error
	report := func(groups []string, resource string) {
		if meant, err := d.find(r, s, groups, resource); err != nil {
			faults = append(faults, &TypeError{Rule: r.Name, Destination: r.Destination.Ref, Groups: groups, Resource: resource, Meant: meant, Err: err})
		}
	}
	if s.Resources == nil {
		for _, group := range s.Groups {
			report([]string{group}, compiled.Wildcard)
		}
	}
	for _, resource := range s.Resources {
		report(compiled.OrWildcard(s.Groups), resource)
	}
	return faults
}

// find returns nil if one of the groups has the resource as the rule wants it, and otherwise the
// reason why not, with what may be meant.
func (d *discovery) find(r *compiled.Rule, s *compiled.Selection, groups []string, resource string) (meant []schema.GroupResource, err error) {
	allowed := false
	var others []string
	for _, group := range groups {
		for _, t := range d.byKey[compiled.Key{Group: group, Resource: resource}] {
			for i := range t.versions {
				v := &t.versions[i]
				if !s.InVersion(v.Version) {
					others = append(others, v.Version)
					continue
				}
				allowed = true
				if v.watchable && s.InScope(v.Namespaced) && (v.Namespaced || r.Name.Namespace == "") {
					return nil, nil
				}
			}
		}
	}
	switch {
	case allowed:
		return nil, fmt.Errorf("%w: it cannot be listed and watched, or its scope is not the rule's; leave it out", ErrNotWatchable)
	case len(others) > 0:
		return nil, fmt.Errorf("%w in versions %q: allow one of %q", ErrNotServed, s.Versions, others)
	}
	meant, hint := d.hint(groups, resource)
	return meant, fmt.Errorf("%w: %s", ErrNotServed, hint)
}
