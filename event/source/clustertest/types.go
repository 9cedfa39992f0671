package clustertest

import (
	"errors"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// Type is what discovery says about a type of objects. All versions show the same objects, with
// another apiVersion.
type Type struct {
	Group      string   // "" is the core group
	Versions   []string // served; at least one
	Kind       string
	Resource   string // plural, as in URLs
	Singular   string
	ShortNames []string
	Namespaced bool
	Status     bool // status is a subresource: the main resource ignores it
}

// GroupResource is the name under which the type is registered.
func (t Type) GroupResource() schema.GroupResource {
	return schema.GroupResource{Group: t.Group, Resource: t.Resource}
}

// definition is a registered Type. It is never changed, only replaced.
type definition struct {
	Type
	custom   bool // no unconditional update, and items of a list carry apiVersion and kind
	counting bool // metadata.generation is maintained
}

var (
	namespaces = schema.GroupResource{Resource: "namespaces"}
	crds       = schema.GroupResource{Group: "apiextensions.k8s.io", Resource: "customresourcedefinitions"}
)

var v1 = []string{"v1"}

var builtins = []definition{
	{Type: Type{Versions: v1, Kind: "Namespace", Resource: "namespaces", Singular: "namespace", ShortNames: []string{"ns"}, Status: true}},
	{Type: Type{Versions: v1, Kind: "ConfigMap", Resource: "configmaps", Singular: "configmap", ShortNames: []string{"cm"}, Namespaced: true}},
	{Type: Type{Versions: v1, Kind: "Secret", Resource: "secrets", Singular: "secret", Namespaced: true}},
	{Type: Type{Versions: v1, Kind: "Service", Resource: "services", Singular: "service", ShortNames: []string{"svc"}, Namespaced: true, Status: true}},
	{Type: Type{Versions: v1, Kind: "ServiceAccount", Resource: "serviceaccounts", Singular: "serviceaccount", ShortNames: []string{"sa"}, Namespaced: true}},
	{
		Type:     Type{Group: "apps", Versions: v1, Kind: "Deployment", Resource: "deployments", Singular: "deployment", ShortNames: []string{"deploy"}, Namespaced: true, Status: true},
		counting: true,
	},
	{Type: Type{Group: "rbac.authorization.k8s.io", Versions: v1, Kind: "ClusterRole", Resource: "clusterroles", Singular: "clusterrole"}},
	{Type: Type{Group: "coordination.k8s.io", Versions: v1, Kind: "Lease", Resource: "leases", Singular: "lease", Namespaced: true}},
	{Type: Type{Group: "autoscaling", Versions: []string{"v2", "v1"}, Kind: "HorizontalPodAutoscaler", Resource: "horizontalpodautoscalers",
		Singular: "horizontalpodautoscaler", ShortNames: []string{"hpa"}, Namespaced: true, Status: true}},
	{Type: Type{Group: "flowcontrol.apiserver.k8s.io", Versions: []string{"v1", "v1beta3"}, Kind: "FlowSchema", Resource: "flowschemas",
		Singular: "flowschema", Status: true}},
	{Type: Type{Versions: v1, Kind: "Event", Resource: "events", Singular: "event", ShortNames: []string{"ev"}, Namespaced: true}},
	{Type: Type{Group: "events.k8s.io", Versions: v1, Kind: "Event", Resource: "events", Singular: "event", ShortNames: []string{"ev"}, Namespaced: true}},
	{
		Type: Type{
			Group: crds.Group, Versions: v1, Kind: "CustomResourceDefinition", Resource: crds.Resource,
			Singular: "customresourcedefinition", ShortNames: []string{"crd", "crds"}, Status: true,
		},
		counting: true,
	},
}

// AddType serves one more type, which behaves like a custom resource. A type that is served already
// is redefined: it keeps its objects, and its running watches end. Versions, Kind and Resource must
// be set. The scope of a served type cannot change: remove the type first.
func (c *Cluster) AddType(t Type) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.define(t)
}

// RemoveType stops serving a type and forgets its objects without a DELETED event, as happens when
// an aggregated API server is taken away. Its watches end.
func (c *Cluster) RemoveType(gr schema.GroupResource) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unregister(gr)
}

// SetPreferredVersion makes discovery name version as the preferred one of the group. Default: the
// most stable and newest one, as Kubernetes orders the versions of custom resources.
func (c *Cluster) SetPreferredVersion(group, version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.preferred[group] = version
}

func (c *Cluster) define(t Type) error {
	var faults []error
	if len(t.Versions) == 0 || t.Kind == "" || t.Resource == "" {
		faults = append(faults, fmt.Errorf("clustertest: type %q: Versions, Kind and Resource must be set", t.GroupResource()))
	}
	old := c.resources[t.GroupResource()]
	if old != nil && old.def.Namespaced != t.Namespaced {
		faults = append(faults, fmt.Errorf("clustertest: type %q: Namespaced is %t and cannot change: remove the type first",
			t.GroupResource(), old.def.Namespaced))
	}
	if len(faults) > 0 {
		return errors.Join(faults...)
	}
	def := &definition{Type: t, custom: true, counting: true}
	if old == nil {
		c.register(def)
		return nil
	}
	old.def = def
	old.log.append(entry{kind: endWatch, version: c.version})
	return nil
}

func (c *Cluster) register(def *definition) {
	c.resources[def.GroupResource()] = &resource{
		def:     def,
		objects: map[key]*object{},
		dirty:   map[key]struct{}{},
		// A watch cannot start before the type did: objects of an earlier type of that name may
		// have gone unseen.
		log: &eventLog{limit: c.options.History, floor: c.version, changed: make(chan struct{})},
	}
}

func (c *Cluster) unregister(gr schema.GroupResource) {
	if r := c.resources[gr]; r != nil {
		delete(c.resources, gr)
		r.log.append(entry{kind: endWatch, version: c.version})
	}
}

// find returns the type that a request is about, if the URL's scope is the type's.
func (c *Cluster) find(req *request) (*resource, error) {
	r, err := c.lookup(req.Resource, req.Subresource)
	if err == nil && req.Namespace != "" && !r.def.Namespaced {
		return nil, errNoResource(r.def.GroupResource())
	}
	return r, err
}

// lookup returns a type that is served in this version.
func (c *Cluster) lookup(gvr schema.GroupVersionResource, subresource string) (*resource, error) {
	r := c.resources[gvr.GroupResource()]
	if r == nil || !slices.Contains(r.def.Versions, gvr.Version) ||
		subresource != "" && (subresource != "status" || !r.def.Status) {
		return nil, errNoResource(gvr.GroupResource())
	}
	return r, nil
}

func (c *Cluster) lookupKind(gvk schema.GroupVersionKind) (*resource, error) {
	for _, r := range c.resources {
		if r.def.Group == gvk.Group && r.def.Kind == gvk.Kind && slices.Contains(r.def.Versions, gvk.Version) {
			return r, nil
		}
	}
	return nil, errNoResource(schema.GroupResource{Group: gvk.Group, Resource: gvk.Kind})
}

// versions lists the served versions of a group, the preferred one first.
func (c *Cluster) versions(group string) []string {
	var all []string
	for gr, r := range c.resources {
		if gr.Group == group {
			all = append(all, r.def.Versions...)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if preferred := c.preferred[group]; a != b && (a == preferred || b == preferred) {
			if a == preferred {
				return -1
			}
			return 1
		}
		return version.CompareKubeAwareVersionStrings(b, a)
	})
	return slices.Compact(all)
}
