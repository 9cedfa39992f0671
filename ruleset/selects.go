package ruleset

import "slices"

// SelectsNamespaces tells whether any rule looks at the labels of namespaces, so that Input.NamespaceLabels has to be
// filled, and a change of those labels moves objects in or out.
func (s *RuleSet) SelectsNamespaces() bool {
	return slices.ContainsFunc(s.rules, func(r *rule) bool { return r.namespaceSelector != nil && !r.namespaceSelector.Empty() })
}
