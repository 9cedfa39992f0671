package ruleset

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Rule sends objects to one destination.
//
// A Rule with a Namespace in its Name sees the objects of that namespace only, never cluster-scoped
// ones. It reaches the destinations of that namespace, others only if AllowedNamespaces of
// destination.Spec say so. A Rule without one is the administrator's: it sees and reaches all.
type Rule struct {
	// the WatchRule, or the ClusterWatchRule (empty Namespace)
	Name        types.NamespacedName
	Destination destination.Ref
	// an object is selected if one of them selects it; none is a fault
	Resources         []ResourceRule
	NamespaceSelector *metav1.LabelSelector // nil: every namespace; of cluster rules only
	ObjectSelector    *metav1.LabelSelector // nil: every object
	Condition         Condition             // nil: every object
	Exclude           []Exclusion
	Skip              []Preset // ready-made exclusions, beside DefaultPresets
	Keep              []Preset // those of DefaultPresets that are not to apply
	SkipControlled    bool     // leave out objects that have a controller owner
	IgnoreManagers    []string // do not write changes that these field managers alone have made
}

// ResourceRule selects types and operations, as RuleWithOperations of admission webhooks does, but
// an empty list means all, as "*" does. "*" stands for a whole value: "apps*" is a fault.
type ResourceRule struct {
	Operations  []event.Operation // Create, Update, Delete; "*"
	APIGroups   []string          // "" is the core group
	APIVersions []string          // compared with the one version in which the type is read
	Resources   []string          // "pods", "*"; a subresource is a fault, it is never mirrored
	Scope       Scope
}

// AllOperations in ResourceRule.Operations means all of them, as the empty list does.
const AllOperations event.Operation = "*"

// Scope restricts a ResourceRule to cluster-scoped or to namespaced objects, as in
// RuleWithOperations.
type Scope string

// The scopes; the empty one means AllScopes.
const (
	ClusterScope    Scope = "Cluster"
	NamespacedScope Scope = "Namespaced"
	AllScopes       Scope = "*"
)

// Exclusion takes objects, or some operations on them, out of a rule again. It wins over every
// ResourceRule of the rule. All that is set must hold.
//
// An Exclusion that sets nothing but the ResourceRule speaks of whole types. If it leaves no
// operation, the rule does not even watch them.
type Exclusion struct {
	ResourceRule
	Names []string // globs as in path.Match; empty: every name
	// names; empty: every namespace, and cluster-scoped objects
	Namespaces     []string
	ObjectSelector *metav1.LabelSelector // nil: every object
	// objects of which each field is managed by one of these; empty: every object
	Managers []string
}
