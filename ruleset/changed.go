package ruleset

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubescribe/kubescribe/destination"
)

// Changed tells of which objects of a type s says something else than old did, so that they have to be matched again when s
// takes its place: all of them, or those of some namespaces, in their order. What old says of destinations for which gone
// returns true does not count.
//
// Conditions are compared with ==, and taken for different where what they hold does not allow that: give a rule that stays as
// it was the Condition that it had, and nothing is listed again for its sake.
func (s *RuleSet) Changed(old *RuleSet, t Type, gone func(destination.Destination) bool) (all bool, namespaces []string) {
	mine, theirs := s.feeding(&t), old.feeding(&t)
	alike := func(a, b *rule) bool { return a.alike(b, &t) }
	for namespace := range theirs {
		theirs[namespace] = slices.DeleteFunc(theirs[namespace], func(r *rule) bool { return gone(r.destination) })
		if !slices.EqualFunc(mine[namespace], theirs[namespace], alike) {
			namespaces = append(namespaces, namespace)
		}
	}
	for namespace := range mine {
		if _, ok := theirs[namespace]; !ok {
			namespaces = append(namespaces, namespace)
		}
	}
	slices.Sort(namespaces)
	if len(namespaces) > 0 && namespaces[0] == "" {
		return true, nil
	}
	return false, namespaces
}

// feeding returns the valid rules that select objects of a type, in their order, by their namespace.
func (s *RuleSet) feeding(t *Type) map[string][]*rule {
	rules := map[string][]*rule{}
	for _, r := range rulesOf(t.Group, t.Resource, s.index) {
		if r.covers(t, false) != 0 {
			rules[r.name.Namespace] = append(rules[r.name.Namespace], r)
		}
	}
	return rules
}

// alike tells whether two rules say the same of every object of a type, whatever they say of others.
func (r *rule) alike(o *rule, t *Type) bool {
	return r.selected(t) == o.selected(t) && slices.EqualFunc(r.excluded(t), o.excluded(t), exclusion.alike) && r.filtersAlike(o)
}

// filtersAlike compares all that two rules say beside types and operations.
func (r *rule) filtersAlike(o *rule) bool {
	return r.name == o.name && r.destination == o.destination &&
		sameSelector(r.namespaceSelector, o.namespaceSelector) &&
		sameSelector(r.objectSelector, o.objectSelector) &&
		sameCondition(r.condition, o.condition) &&
		r.skipControlled == o.skipControlled &&
		slices.Equal(r.ignoreManagers, o.ignoreManagers)
}

// selected returns the operations that the rule's selections ask for of a type, before exclusions.
func (r *rule) selected(t *Type) operations {
	var asked operations
	for i := range r.selections {
		if s := &r.selections[i]; s.matches(t) {
			asked |= s.operations
		}
	}
	return asked
}

// excluded returns the rule's exclusions for a type.
func (r *rule) excluded(t *Type) []exclusion {
	return slices.DeleteFunc(slices.Clone(r.exclude), func(e exclusion) bool { return !e.matches(t) })
}

// sameSelector compares two selectors; nil is none.
func sameSelector(a, b labels.Selector) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.String() == b.String()
}

func sameCondition(a, b Condition) bool {
	if a == nil {
		return b == nil
	}
	return reflect.ValueOf(a).Comparable() && a == b // if a can be compared, then with anything
}

// Relabelled tells whether objects of a type in a namespace may move in or out of a rule when the namespace's labels change
// from one to the next of had: the NamespaceSelector of a rule decides otherwise, or a Condition may.
func (s *RuleSet) Relabelled(t Type, namespace string, had ...map[string]string) bool {
	if !t.Namespaced || len(had) == 0 {
		return false
	}
	rules := s.feeding(&t)
	return slices.ContainsFunc(slices.Concat(rules[""], rules[namespace]), func(r *rule) bool {
		sel := r.namespaceSelector
		return r.condition != nil || sel != nil && slices.ContainsFunc(had, func(l map[string]string) bool {
			return sel.Matches(labels.Set(l)) != sel.Matches(labels.Set(had[0]))
		})
	})
}

// ChangedDestinations returns the destinations whose rules, valid or not, are others than they were in old, in the order of
// their names.
func (s *RuleSet) ChangedDestinations(old *RuleSet) []destination.Ref {
	mine, theirs := byDestination(s.all), byDestination(old.all)
	var changed []destination.Ref
	for ref, rules := range mine {
		if !slices.EqualFunc(rules, theirs[ref], (*rule).equal) {
			changed = append(changed, ref)
		}
	}
	for ref := range theirs {
		if _, ok := mine[ref]; !ok {
			changed = append(changed, ref)
		}
	}
	slices.SortFunc(changed, compareNames)
	return changed
}

func byDestination(rules []*rule) map[destination.Ref][]*rule {
	m := map[destination.Ref][]*rule{}
	for _, r := range rules {
		m[r.ref] = append(m[r.ref], r)
	}
	return m
}

// equal tells whether two rules say the same of everything.
func (r *rule) equal(o *rule) bool {
	return r.valid == o.valid && r.filtersAlike(o) &&
		slices.EqualFunc(r.selections, o.selections, selection.equal) &&
		slices.EqualFunc(r.exclude, o.exclude, func(a, b exclusion) bool { return a.selection.equal(b.selection) && a.alike(b) })
}

func (s selection) equal(o selection) bool {
	return s.operations == o.operations && s.scope == o.scope &&
		slices.Equal(s.groups, o.groups) && slices.Equal(s.versions, o.versions) && slices.Equal(s.resources, o.resources)
}
