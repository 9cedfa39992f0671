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

// ResourceRule selects types and operations, as admission's RuleWithOperations does, but an empty list means all.
type ResourceRule struct {
	Operations  []event.Operation // Create, Update, Delete; "*"
	APIGroups   []string          // "" is the core group
	APIVersions []string
	Resources   []string // "pods", "*"; a subresource is a fault, it is never mirrored
	Scope       Scope
}

// Exclusion takes objects out again; it wins over every ResourceRule of its rule.
type Exclusion struct {
	ResourceRule
	Names []string // globs as in path.Match; empty: every name
}

// Rule sends objects to one destination. A Rule with a Namespace in its Name sees the objects of that namespace only.
type Rule struct {
	Name              types.NamespacedName // the WatchRule, or the ClusterWatchRule (empty Namespace)
	Destination       destination.Ref
	Resources         []ResourceRule
	NamespaceSelector *metav1.LabelSelector // nil: every namespace; of cluster rules only
	ObjectSelector    *metav1.LabelSelector // nil: every object
	Exclude           []Exclusion
	SkipControlled    bool     // leave out objects that have a controller owner
	IgnoreManagers    []string // leave out changes made by these field managers
}

// Input is what matching looks at.
type Input struct {
	Resource        event.Resource
	Labels          map[string]string // of the object
	NamespaceLabels map[string]string // of its namespace; nil for cluster-scoped objects
	Controlled      bool              // it has a controller owner
	Managers        []string          // who made this change; empty: unknown
}

// Match is one destination that wants an object.
type Match struct {
	Destination destination.Destination
	Rules       []types.NamespacedName // which rules said so, in the order of their names
	Writes      bool                   // some rule asks for CREATE or UPDATE
	Condition   event.Condition        // of a write; the weakest of all rules
	Delete      bool                   // some rule asks for DELETE
}

// Watch is what has to be listed and watched: a type, in one namespace or in all.
type Watch struct {
	Resource  Type
	Namespace string // "": all namespaces, or a cluster-scoped type
	// Coverage says which destinations this watch feeds and how far.
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
	Scope       event.Scope // what of the watch the destination's rules cover
	Prune       bool        // every rule of the destination that covers it allows DELETE: the scope may be swept
}
