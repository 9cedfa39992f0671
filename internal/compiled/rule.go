package compiled

import (
	"slices"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Operations is a set of operations.
type Operations uint8

// The operations, and sets of them.
const (
	Creates Operations = 1 << iota
	Updates
	Deletes

	Writes = Creates | Updates
	All    = Writes | Deletes
)

// Precondition returns that of a write for which at least one of CREATE and UPDATE is asked.
func (o Operations) Precondition() event.Precondition {
	switch o & Writes {
	case Creates:
		return event.IfAbsent
	case Updates:
		return event.IfPresent
	}
	return event.Always
}

// Type is a ruleset.Type, field by field, so that one can be converted to the other.
type Type struct {
	Group, Version, Resource, Kind string
	Namespaced                     bool
}

// Selection is a checked ResourceRule: types, and operations on their objects.
type Selection struct {
	Operations                  Operations
	Groups, Versions, Resources []string // nil: all
	// Namespaced and ClusterScoped say which objects are selected; at least one of them is true.
	Namespaced, ClusterScoped bool
}

// Covers reports whether objects of a type are selected, were they read in a version that is.
func (s *Selection) Covers(group, resource string, namespaced bool) bool {
	return Allows(s.Groups, group) && Allows(s.Resources, resource) && s.InScope(namespaced)
}

// InScope reports whether namespaced, or else cluster-scoped, objects are selected.
func (s *Selection) InScope(namespaced bool) bool {
	if namespaced {
		return s.Namespaced
	}
	return s.ClusterScoped
}

// InVersion reports whether objects that are read in a version are selected.
func (s *Selection) InVersion(version string) bool { return Allows(s.Versions, version) }

// Matches reports whether objects of the type are selected in the version in which it is read.
func (s *Selection) Matches(t *Type) bool {
	return s.InVersion(t.Version) && s.Covers(t.Group, t.Resource, t.Namespaced)
}

func (s Selection) equal(o Selection) bool {
	return s.Operations == o.Operations && s.Namespaced == o.Namespaced && s.ClusterScoped == o.ClusterScoped &&
		slices.Equal(s.Groups, o.Groups) && slices.Equal(s.Versions, o.Versions) && slices.Equal(s.Resources, o.Resources)
}

// Allows reports whether a list, nil for all values, has the value.
func Allows(list []string, value string) bool { return list == nil || slices.Contains(list, value) }

// Exclusion is a checked ruleset.Exclusion.
type Exclusion struct {
	Selection
	Names      []string        // globs, as in path.Match; nil: all
	Namespaces []string        // nil: all
	Objects    labels.Selector // nil: all
	Managers   []string        // nil: all
	// SecretTypes are types of core v1 Secrets; nil: all objects.
	SecretTypes []string
	Field       string // where it comes from, "Exclude[0]"
}

// Partial reports whether the exclusion depends on the object, and not only on its type.
func (e *Exclusion) Partial() bool {
	return e.Names != nil || e.Namespaces != nil || e.Objects != nil || e.Managers != nil || e.SecretTypes != nil
}

// Rule is a compiled ruleset.Rule.
type Rule struct {
	Order       int // among all rules: by destination, then by name
	Name        types.NamespacedName
	Ref         destination.Ref
	Destination destination.Destination // zero if there is none of this ref
	// false: it only keeps what it covers from being swept, and has no exclusions
	Valid             bool
	Selections        []Selection
	Exclude           []Exclusion
	NamespaceSelector labels.Selector // nil: all
	ObjectSelector    labels.Selector // nil: all
	Condition         any             // a ruleset.Condition; nil: all
	SkipControlled    bool
	IgnoreManagers    []string
	Ignore            []Fields
	Sensitive         []Fields

	ignored atomic.Pointer[map[uint64]*event.Ignored] // what IgnoredOf has found so far
}

// Asks returns what the rule asks for of the objects of a type, whatever its selectors, and 0 if it
// does not cover the type. With anyVersion, the versions of its selections are not looked at.
func (r *Rule) Asks(t *Type, anyVersion bool) Operations {
	if r.Name.Namespace != "" && !t.Namespaced {
		return 0
	}
	var asked Operations
	for i := range r.Selections {
		s := &r.Selections[i]
		if s.Matches(t) || anyVersion && s.Covers(t.Group, t.Resource, t.Namespaced) {
			asked |= s.Operations
		}
	}
	for i := range r.Exclude {
		if e := &r.Exclude[i]; !e.Partial() && e.Matches(t) {
			asked &^= e.Operations
		}
	}
	return asked
}

// Sweeps reports whether the rule, which covers the type, lets its files be swept: it is valid, it
// gets in this version whatever it asks for in any, and it asks for DELETE of all that it wants.
//
// A rule for a version that is no longer read selects nothing now, but the files that it has
// written stand where those of this version do.
func (r *Rule) Sweeps(t *Type) bool {
	asked := r.Asks(t, false)
	if !r.Valid || asked&Deletes == 0 || asked != r.Asks(t, true) {
		return false
	}
	return !slices.ContainsFunc(r.Exclude, func(e Exclusion) bool {
		return e.Matches(t) && e.Operations&Deletes != 0 && asked&^e.Operations != 0
	})
}
