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
	// Name is that of the WatchRule, or of the ClusterWatchRule (empty Namespace).
	Name types.NamespacedName
	// Destination is the GitDestination of the objects.
	Destination destination.Ref
	// Resources select types: an object is selected if one of them selects it. None is a fault.
	Resources []ResourceRule
	// NamespaceSelector selects namespaces, for cluster rules only. Default: every namespace.
	NamespaceSelector *metav1.LabelSelector
	// ObjectSelector selects objects by their labels. Default: every object.
	ObjectSelector *metav1.LabelSelector
	// Condition is asked last. Default: it holds for every object.
	Condition Condition
	// Exclude takes objects out again. Default: none.
	Exclude []Exclusion
	// Ignore names fields that are left out of the files: a change of these alone is none. Where
	// several rules send an object to one destination, a field is left out if all of them say so.
	// Default: those of DefaultPresets.
	Ignore []FieldSelector
	// Sensitive names objects, or single fields of them, that are only ever written encrypted, as
	// core v1 Secrets are. Where several rules send an object to one destination, it is sensitive
	// if one of them says so. Default: none beside Secrets.
	Sensitive []event.SensitiveType
	// Skip names ready-made exclusions and ignored fields, beside DefaultPresets. Default: none.
	Skip []Preset
	// Keep names those of DefaultPresets that are not to apply. Default: all apply.
	Keep []Preset
	// SkipControlled leaves out objects that have a controller owner. Default: false.
	SkipControlled bool
	// IgnoreManagers are field managers: a change that only they have made is not written.
	// Default: none.
	IgnoreManagers []string
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
	// Names are globs, as in path.Match. Default: every name.
	Names []string
	// Namespaces are names. Default: every namespace, and cluster-scoped objects.
	Namespaces []string
	// ObjectSelector selects objects by their labels. Default: every object.
	ObjectSelector *metav1.LabelSelector
	// Managers are field managers: excluded are objects all of whose managers are among these.
	// Default: every object.
	Managers []string
	// SecretTypes are values of the field type of core v1 Secrets, with which no other object is
	// excluded. Default: every object.
	SecretTypes []string
}

// FieldSelector names fields of the objects of some types: each field that Pointers, Annotations,
// Labels or Managers name. apiVersion, kind, metadata.name and metadata.namespace are never among
// them.
type FieldSelector struct {
	// APIGroups are names; "" is the core group, "*" every one. Default: every group.
	APIGroups []string
	// Resources are plural names; "*" is every one. Default: every resource of the groups.
	Resources []string
	// Pointers are JSON pointers (RFC 6901); the step "*" stands for every key of an object and
	// every item of a list.
	Pointers []string
	// Annotations and Labels are globs of keys, as in path.Match: "example.com/*".
	Annotations, Labels []string
	// Managers are field managers. What they own according to metadata.managedFields, and nobody
	// else does, is named.
	Managers []string
	// Subresource restricts Managers to what they wrote by way of it, as "scale". Default: whatever
	// they wrote.
	Subresource string
}
