package ruleset

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Scope restricts a ResourceRule to cluster-scoped or to namespaced objects, as in admission's RuleWithOperations.
type Scope string

// The scopes; the empty one means AllScopes.
const (
	ClusterScope    Scope = "Cluster"
	NamespacedScope Scope = "Namespaced"
	AllScopes       Scope = "*"
)

// AllOperations in ResourceRule.Operations means all of them, as the empty list does.
const AllOperations event.Operation = "*"

// ResourceRule selects types and operations, as admission's RuleWithOperations does, but an empty list means all, as "*"
// does. "*" stands for a whole value: "apps*" is a fault.
type ResourceRule struct {
	Operations  []event.Operation // Create, Update, Delete; "*"
	APIGroups   []string          // "" is the core group
	APIVersions []string          // compared with the one version in which the type is read
	Resources   []string          // "pods", "*"; a subresource is a fault, it is never mirrored
	Scope       Scope
}

// Exclusion takes objects, or some operations on them, out again; it wins over every ResourceRule of its rule. One
// of whole types, that is without any of the fields after the ResourceRule, that leaves no operation takes the type out of the
// rule: it is not even watched for it. All that is set must hold.
type Exclusion struct {
	ResourceRule
	Names          []string              // globs as in path.Match; empty: every name
	Namespaces     []string              // names; empty: every namespace, and cluster-scoped objects
	ObjectSelector *metav1.LabelSelector // nil: every object
	Managers       []string              // objects of which each field is managed by one of these; empty: every object
}

// Rule sends objects to one destination. A Rule with a Namespace in its Name sees the objects of that namespace only,
// never cluster-scoped ones, and reaches the destinations of that namespace, others only if destination.Spec's
// AllowedNamespaces say so. A Rule without one is the administrator's: it sees and reaches all.
type Rule struct {
	Name              types.NamespacedName // the WatchRule, or the ClusterWatchRule (empty Namespace)
	Destination       destination.Ref
	Resources         []ResourceRule        // an object is selected if one of them selects it; none is a fault
	NamespaceSelector *metav1.LabelSelector // nil: every namespace; of cluster rules only
	ObjectSelector    *metav1.LabelSelector // nil: every object
	Condition         Condition             // nil: every object
	Exclude           []Exclusion
	Skip              []Preset // ready-made exclusions, beside DefaultPresets
	Keep              []Preset // those of DefaultPresets that are not to apply
	SkipControlled    bool     // leave out objects that have a controller owner
	IgnoreManagers    []string // do not write changes that these field managers alone have made
}

// Condition is a test of a whole object, asked after everything else has selected it. It filters, as a selector does: an
// object for which it holds no more is a delete, and its file is an orphan. Package ruleset/cel makes one of CEL
// expressions.
type Condition interface {
	// Holds tells whether the rule selects the object. It depends on nothing but its argument, does not change it, and
	// may be called concurrently. With an error nobody knows: the object keeps its file as it is (Match.Err).
	Holds(in Input) (bool, error)
}

// Input is what matching looks at: an object in its newest state, or in its last one before it was deleted.
type Input struct {
	Resource        event.Resource    // in the version that it was read in; Namespace is "" for cluster-scoped objects
	Labels          map[string]string // of the object
	NamespaceLabels map[string]string // of its namespace; nil for cluster-scoped objects
	Controlled      bool              // it has a controller owner
	Managers        []string          // who made this change; empty: unknown, or a delete
	Object          map[string]any    // the whole object, as in unstructured.Unstructured; only Conditions and Exclusion.Managers look at it
}

// Match is one destination that wants an object.
//
// With neither Writes nor Delete the destination claims the object, but this change is not to be written, since managers
// that the rules ignore made it, or since Err: the file stays as it is and is no orphan.
type Match struct {
	Destination  destination.Destination
	Rules        []types.NamespacedName // which rules said so, in the order of their names
	Writes       bool                   // some rule asks for CREATE or UPDATE
	Precondition event.Precondition     // of a write, the weakest of all rules; Always if not Writes
	Delete       bool                   // some rule asks for DELETE
	Err          error                  // *ConditionError, joined: Conditions that could not be evaluated; their rules ask for no write
}

// Watch is what has to be listed and watched: a type, in one namespace or in all.
type Watch struct {
	Resource  Type
	Namespace string // "": all namespaces, or a cluster-scoped type
	// Coverage says which destinations this watch feeds and how far, in the order of destination and namespace. A
	// destination that a cluster rule feeds is there once, for the whole watch; one that only rules of single namespaces
	// feed is there once for each.
	Coverage []Coverage
}

// Type is a type as discovery serves it, in the one version in which it is read.
type Type struct {
	Group, Version, Resource, Kind string
	Namespaced                     bool
}

// Coverage is what one destination gets from a Watch.
type Coverage struct {
	Destination destination.Destination
	// Collection is what of the watch the destination's rules cover, whatever their selectors: All namespaces of a
	// namespaced type, one namespace, or the objects of a cluster-scoped type (neither All nor Namespace).
	Collection event.Collection
	// Prune tells that the scope may be swept once it was listed completely: every rule of the destination that covers
	// any of it is valid, allows DELETE there and gets what it asks for in the version that is read.
	Sweepable bool
}
