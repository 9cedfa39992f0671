package compiled

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// SelectsNamespaces reports whether any valid rule looks at the labels of namespaces, so that
// ruleset.Input needs its NamespaceLabels, and a change of those labels moves objects in or out.
func (s *Rules) SelectsNamespaces() bool {
	return slices.ContainsFunc(s.Valid, func(r *Rule) bool {
		return r.NamespaceSelector != nil && !r.NamespaceSelector.Empty()
	})
}

// Relabelled reports whether objects of a type in a namespace may move in or out of a rule when the
// labels of the namespace change from one of had to the next: the NamespaceSelector of a rule
// decides otherwise, or a Condition may.
func (s *Rules) Relabelled(t Type, namespace string, had ...map[string]string) bool {
	if !t.Namespaced || len(had) == 0 {
		return false
	}
	rules := s.feeding(&t)
	return slices.ContainsFunc(slices.Concat(rules[""], rules[namespace]), func(r *Rule) bool {
		sel := r.NamespaceSelector
		return r.Condition != nil || sel != nil && slices.ContainsFunc(had, func(l map[string]string) bool {
			return sel.Matches(labels.Set(l)) != sel.Matches(labels.Set(had[0]))
		})
	})
}
