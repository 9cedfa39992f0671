package clustertest

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/watch"
)

// completeNamespace sets what the real server sets in every namespace.
func completeNamespace(u *unstructured.Unstructured) {
	labels := u.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels["kubernetes.io/metadata.name"] = u.GetName()
	u.SetLabels(labels)
	_ = unstructured.SetNestedStringSlice(u.Object, []string{"kubernetes"}, "spec", "finalizers")
	if u.GetDeletionTimestamp() == nil {
		_ = unstructured.SetNestedField(u.Object, "Active", "status", "phase")
	}
}

// emptyNamespace deletes what is in a namespace, one type after the other.
func (c *Cluster) emptyNamespace(name string) {
	for _, r := range c.sortedResources() {
		if !r.def.Namespaced {
			continue
		}
		for _, o := range inNamespace(r.snapshot(), name) {
			c.delete(r, o, false)
		}
	}
}

// finishNamespace removes a terminating namespace once nothing holds it any more.
func (c *Cluster) finishNamespace(name string) {
	if !c.terminating[name] {
		return
	}
	for _, r := range c.resources {
		if r.def.Namespaced && len(inNamespace(r.snapshot(), name)) > 0 {
			return
		}
	}
	r := c.resources[namespaces]
	u := r.objects[key{name: name}].decode(r.def, "v1")
	if len(u.GetFinalizers()) > 0 {
		return
	}
	delete(c.terminating, name)
	c.commit(r, watch.Deleted, u)
}

// inNamespace cuts the part of one namespace out of a snapshot.
func inNamespace(all []*object, namespace string) []*object {
	byNamespace := func(o *object, namespace string) int { return cmp.Compare(o.namespace, namespace) }
	from, _ := slices.BinarySearchFunc(all, namespace, byNamespace)
	to, _ := slices.BinarySearchFunc(all, namespace+"\x00", byNamespace)
	return all[from:to]
}

// sortedResources lists the types by group and resource.
func (c *Cluster) sortedResources() []*resource {
	all := make([]*resource, 0, len(c.resources))
	for _, r := range c.resources {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *resource) int {
		return cmp.Or(cmp.Compare(a.def.Group, b.def.Group), cmp.Compare(a.def.Resource, b.def.Resource))
	})
	return all
}
