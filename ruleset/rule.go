package ruleset

import (
	"slices"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// wildcard stands for every value of a list.
const wildcard = "*"

// operations is a set of operations.
type operations uint8

const (
	creates operations = 1 << iota
	updates
	deletes

	writes = creates | updates
	all    = writes | deletes
)

// condition returns the condition of a write for which at least one of CREATE and UPDATE is asked.
func (o operations) condition() event.Precondition {
	switch o & writes {
	case creates:
		return event.IfAbsent
	case updates:
		return event.IfPresent
	}
	return event.Always
}

// selection is a checked ResourceRule.
type selection struct {
	operations                  operations
	groups, versions, resources []string // nil: all
	scope                       Scope    // never empty
}

// covers tells whether objects of the type are selected, were they read in a version that is.
func (s *selection) covers(group, resource string, namespaced bool) bool {
	return allows(s.groups, group) && allows(s.resources, resource) && s.inScope(namespaced)
}

func (s *selection) inScope(namespaced bool) bool {
	return s.scope == AllScopes || (s.scope == NamespacedScope) == namespaced
}

func (s *selection) inVersion(version string) bool { return allows(s.versions, version) }

// matches tells whether objects of the type are selected in the version in which it is read.
func (s *selection) matches(t *Type) bool {
	return s.inVersion(t.Version) && s.covers(t.Group, t.Resource, t.Namespaced)
}

// allows tells whether a list of a selection, nil for all, has the value.
func allows(list []string, value string) bool { return list == nil || slices.Contains(list, value) }

// rule is a compiled Rule. It is never changed after Compile.
type rule struct {
	order             int // among all rules: by destination, then by name
	name              types.NamespacedName
	ref               destination.Ref
	destination       destination.Destination // zero if there is none of this ref
	valid             bool                    // false: it only keeps what it covers from being pruned, and has no exclusions
	selections        []selection
	exclude           []exclusion
	namespaceSelector labels.Selector // nil: all
	objectSelector    labels.Selector // nil: all
	condition         Condition       // nil: all
	skipControlled    bool
	ignoreManagers    []string
}

// selects applies what looks at the object rather than at its type, except for the condition.
func (r *rule) selects(in *Input) bool {
	if r.skipControlled && in.Controlled {
		return false
	}
	if r.objectSelector != nil && !r.selectsObject(in) {
		return false
	}
	return r.namespaceSelector == nil || r.selectsNamespace(in)
}

// holds asks the rule's condition; the error is a *ConditionError.
func (r *rule) holds(in *Input) (bool, error) {
	if r.condition == nil {
		return true, nil
	}
	holds, err := r.condition.Holds(*in)
	if err != nil {
		return false, &ConditionError{Rule: r.name, Err: err}
	}
	return holds, nil
}

func (r *rule) selectsObject(in *Input) bool { return r.objectSelector.Matches(labels.Set(in.Labels)) }

// selectsNamespace is admission's namespace matcher: a Namespace is matched by its own labels, other cluster-scoped
// objects are never restricted.
func (r *rule) selectsNamespace(in *Input) bool {
	switch {
	case in.Resource.Namespace != "":
		return r.namespaceSelector.Matches(labels.Set(in.NamespaceLabels))
	case in.Resource.Group == "" && in.Resource.Resource == "namespaces":
		return r.namespaceSelector.Matches(labels.Set(in.Labels))
	}
	return true
}

// remaining returns which of the operations the rule's exclusions leave for an object.
func (r *rule) remaining(asked operations, in *Input) operations {
	for i := range r.exclude {
		if e := &r.exclude[i]; e.excludes(in) {
			asked &^= e.operations
		}
	}
	return asked
}

// ignores tells whether managers that the rule ignores have made the change, and nobody else.
func (r *rule) ignores(managers []string) bool {
	return len(managers) > 0 &&
		!slices.ContainsFunc(managers, func(manager string) bool { return !slices.Contains(r.ignoreManagers, manager) })
}

// covers returns what the rule asks for of the objects of a type, whatever its selectors, and 0 if it does not cover the
// type. With anyVersion, APIVersions of its ResourceRules are not looked at.
func (r *rule) covers(t *Type, anyVersion bool) operations {
	if r.name.Namespace != "" && !t.Namespaced {
		return 0
	}
	var asked operations
	for i := range r.selections {
		s := &r.selections[i]
		if s.matches(t) || anyVersion && s.covers(t.Group, t.Resource, t.Namespaced) {
			asked |= s.operations
		}
	}
	for i := range r.exclude {
		if e := &r.exclude[i]; !e.partial() && e.matches(t) {
			asked &^= e.operations
		}
	}
	return asked
}

// prunes tells whether the rule, which covers the type, lets its files be swept: it is valid, it gets in this version
// whatever it asks for in any, and it asks for DELETE of all that it wants. A rule for a version that is no longer read
// selects nothing now, but the files that it had written stand where those of this version do.
func (r *rule) prunes(t *Type) bool {
	asked := r.covers(t, false)
	if !r.valid || asked&deletes == 0 || asked != r.covers(t, true) {
		return false
	}
	return !slices.ContainsFunc(r.exclude, func(e exclusion) bool {
		return e.matches(t) && e.operations&deletes != 0 && asked&^e.operations != 0
	})
}
