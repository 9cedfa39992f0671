package ruleset

import (
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubescribe/kubescribe/destination"
)

// Alike tells whether s and old say the same of every object of a type in a namespace, or in all of them ("") for a
// namespaced type, so that nothing has to be listed again when the one takes the place of the other. What old says of
// destinations for which gone returns true does not count.
//
// Conditions are compared with ==, and taken for different where their type does not allow that: give a rule that stays as
// it was the Condition that it had, and nothing is listed again for its sake.
func (s *RuleSet) Alike(old *RuleSet, t Type, namespace string, gone func(destination.Destination) bool) bool {
	mine, theirs := s.feeding(&t, namespace), old.feeding(&t, namespace)
	theirs = slices.DeleteFunc(theirs, func(r *rule) bool { return gone(r.destination) })
	return slices.EqualFunc(mine, theirs, func(a, b *rule) bool { return a.alike(b, &t) })
}

// feeding returns the valid rules that select objects of a watch, in their order.
func (s *RuleSet) feeding(t *Type, namespace string) []*rule {
	return slices.DeleteFunc(rulesOf(t.Group, t.Resource, s.index), func(r *rule) bool {
		elsewhere := namespace != "" && r.name.Namespace != "" && r.name.Namespace != namespace
		return elsewhere || r.covers(t, false) == 0
	})
}

// alike tells whether two rules say the same of every object of a type, whatever they say of others.
func (r *rule) alike(o *rule, t *Type) bool {
	return r.name == o.name && r.destination == o.destination &&
		r.selected(t) == o.selected(t) &&
		slices.EqualFunc(r.excluded(t), o.excluded(t), exclusion.alike) &&
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

// alike compares two exclusions for one type.
func (e exclusion) alike(o exclusion) bool {
	return e.operations == o.operations && (e.names == nil) == (o.names == nil) && slices.Equal(e.names, o.names)
}

// sameSelector compares two selectors; nil is none.
func sameSelector(a, b labels.Selector) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.String() == b.String()
}

func sameCondition(a, b Condition) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return reflect.TypeOf(a).Comparable() && reflect.TypeOf(b).Comparable() && a == b
}

// Relabelled tells whether a change of a namespace's labels may move objects of a type in it, in or out of a rule: the
// NamespaceSelector of one decides otherwise, or a Condition may.
func (s *RuleSet) Relabelled(t Type, before, after map[string]string) bool {
	return t.Namespaced && slices.ContainsFunc(s.feeding(&t, ""), func(r *rule) bool {
		if r.condition != nil {
			return true
		}
		sel := r.namespaceSelector
		return sel != nil && sel.Matches(labels.Set(before)) != sel.Matches(labels.Set(after))
	})
}
