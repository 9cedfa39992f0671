package compiled

import (
	"cmp"
	"reflect"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubescribe/kubescribe/destination"
)

// Diff returns the objects of a type of which s says something else than old did, so that they have
// to be matched again when s takes its place: all of them, or those of some namespaces, in their
// order. What old says of destinations for which gone returns true does not count.
//
// Conditions are compared with ==, and taken for different where what they hold does not allow
// that: a rule that stays as it was needs the Condition that it had, and nothing is listed again
// for its sake.
func (s *Rules) Diff(old *Rules, t Type, gone func(destination.Destination) bool) (all bool, namespaces []string) {
	mine, theirs := s.feeding(&t), old.feeding(&t)
	same := func(a, b *Rule) bool { return a.sameFor(b, &t) }
	for namespace := range theirs {
		theirs[namespace] = slices.DeleteFunc(theirs[namespace], func(r *Rule) bool { return gone(r.Destination) })
		if !slices.EqualFunc(mine[namespace], theirs[namespace], same) {
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

// feeding returns the valid rules that select objects of a type, in their order, by their
// namespace.
func (s *Rules) feeding(t *Type) map[string][]*Rule {
	rules := map[string][]*Rule{}
	for _, r := range For(t.Group, t.Resource, s.Index) {
		if r.Asks(t, false) != 0 {
			rules[r.Name.Namespace] = append(rules[r.Name.Namespace], r)
		}
	}
	return rules
}

// sameFor reports whether two rules say the same of every object of a type, whatever they say of
// others.
func (r *Rule) sameFor(o *Rule, t *Type) bool {
	return r.selected(t) == o.selected(t) && slices.EqualFunc(r.excluded(t), o.excluded(t), Exclusion.sameObjects) &&
		r.sameFilters(o) && sameFieldsFor(r.Ignore, o.Ignore, t.Group, t.Resource) && sameFieldsFor(r.Sensitive, o.Sensitive, t.Group, t.Resource)
}

// sameFilters compares all by which two rules choose objects, beside types and operations.
func (r *Rule) sameFilters(o *Rule) bool {
	return r.Name == o.Name && r.Destination == o.Destination &&
		sameSelector(r.NamespaceSelector, o.NamespaceSelector) &&
		sameSelector(r.ObjectSelector, o.ObjectSelector) &&
		sameCondition(r.Condition, o.Condition) &&
		r.SkipControlled == o.SkipControlled &&
		slices.Equal(r.IgnoreManagers, o.IgnoreManagers)
}

// selected returns the operations that the rule's selections ask for of a type, before exclusions.
func (r *Rule) selected(t *Type) Operations {
	var asked Operations
	for i := range r.Selections {
		if s := &r.Selections[i]; s.Matches(t) {
			asked |= s.Operations
		}
	}
	return asked
}

// excluded returns the rule's exclusions for a type.
func (r *Rule) excluded(t *Type) []Exclusion {
	return slices.DeleteFunc(slices.Clone(r.Exclude), func(e Exclusion) bool { return !e.Matches(t) })
}

// sameObjects compares what two exclusions of one type say of its objects.
func (e Exclusion) sameObjects(o Exclusion) bool {
	return e.Operations == o.Operations && slices.Equal(e.Names, o.Names) && slices.Equal(e.Namespaces, o.Namespaces) &&
		sameSelector(e.Objects, o.Objects) && slices.Equal(e.Managers, o.Managers) && slices.Equal(e.SecretTypes, o.SecretTypes)
}

// sameSelector compares two selectors; nil is none.
func sameSelector(a, b labels.Selector) bool {
	if a == nil || b == nil {
		return a == nil && b == nil
	}
	return a.String() == b.String()
}

func sameCondition(a, b any) bool {
	if a == nil {
		return b == nil
	}
	return reflect.ValueOf(a).Comparable() && a == b // if a can be compared, then with anything
}

// ChangedDestinations returns the destinations whose rules, valid or not, are others than they were
// in old, in the order of their names.
func (s *Rules) ChangedDestinations(old *Rules) []destination.Ref {
	mine, theirs := byDestination(s.All), byDestination(old.All)
	var changed []destination.Ref
	for ref, rules := range mine {
		if !slices.EqualFunc(rules, theirs[ref], (*Rule).equal) {
			changed = append(changed, ref)
		}
	}
	for ref := range theirs {
		if _, ok := mine[ref]; !ok {
			changed = append(changed, ref)
		}
	}
	slices.SortFunc(changed, func(a, b destination.Ref) int {
		return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
	})
	return changed
}

func byDestination(rules []*Rule) map[destination.Ref][]*Rule {
	m := map[destination.Ref][]*Rule{}
	for _, r := range rules {
		m[r.Ref] = append(m[r.Ref], r)
	}
	return m
}

// equal reports whether two rules say the same of everything.
func (r *Rule) equal(o *Rule) bool {
	return r.Valid == o.Valid && r.sameFilters(o) &&
		slices.EqualFunc(r.Ignore, o.Ignore, Fields.equal) && slices.EqualFunc(r.Sensitive, o.Sensitive, Fields.equal) &&
		slices.EqualFunc(r.Selections, o.Selections, Selection.equal) &&
		slices.EqualFunc(r.Exclude, o.Exclude, func(a, b Exclusion) bool { return a.Selection.equal(b.Selection) && a.sameObjects(b) })
}
