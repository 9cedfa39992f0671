package event

import (
	"fmt"
	"iter"
	"slices"
)

// Inventory knows the objects that live in the cluster and belong to one destination. A SeedSync
// carries an Inventory and no list of objects: the plan asks it when it runs. A list could remove
// the file of an object that lives: if "delete X, a sync without X, create X" is coalesced or
// retried, the old sync comes last.
//
// An implementation must be safe for concurrent use.
type Inventory interface {
	// View calls f with one consistent Snapshot and returns the error of f. The Snapshot is valid
	// only during the call. f must not block: the source may hold a lock meanwhile.
	View(f func(Snapshot) error) error
}

// Snapshot is one consistent reading of an Inventory.
type Snapshot interface {
	// Collections returns those that were listed completely and may be swept for this destination.
	Collections() []Collection
	// Resources yields the living objects of one of the Collections that belong to this
	// destination.
	Resources(Collection) iter.Seq[Resource]
	// Uncovered reports whether certainly no rule of the destination covers a type in one
	// namespace, or at cluster scope (the Collection never has All): no rule selects it, or the
	// server no longer serves it. In doubt it is false: a rule that might select the type is
	// faulty, discovery of its API group failed, or the rules have just changed. Files of uncovered
	// types are reported; only a prune removes them. A source that does not know the rules returns
	// false.
	Uncovered(Collection) bool
}

// Collection is a part of the cluster that is listed, and swept, as one: the objects of a type in
// one namespace, or all objects of the type. The term is that of the Kubernetes API.
type Collection struct {
	Group     string
	Resource  string
	Namespace string // the one namespace; "" for cluster-scoped objects, or if All
	All       bool   // every namespace and cluster scope
}

// String returns the collection as resource[.group], and the namespace if it is one.
func (c Collection) String() string {
	name := c.Resource
	if c.Group != "" {
		name += "." + c.Group
	}
	if c.Namespace != "" {
		name += " in " + c.Namespace
	}
	return name
}

// Contains reports whether an object of this type and namespace is in the collection.
func (c Collection) Contains(id ID) bool {
	return c.Covers(Collection{Group: id.Group, Resource: id.Resource, Namespace: id.Namespace})
}

// Covers reports whether everything in other is in the collection.
func (c Collection) Covers(other Collection) bool {
	if c.Group != other.Group || c.Resource != other.Resource {
		return false
	}
	return c.All || (!other.All && c.Namespace == other.Namespace)
}

// NewInventory returns an Inventory for users with informers or clients of their own. list returns
// the living objects of a collection that belong to the destination. It is called for every
// collection in each View, before anything is removed, and must be safe for concurrent use. While
// the answer is not certain (the informer has not synced, a request failed), list must return an
// error. View then returns that error, and no file is removed.
func NewInventory(collections []Collection, list func(Collection) ([]Resource, error)) Inventory {
	return &listedInventory{collections: slices.Clone(collections), list: list}
}

type listedInventory struct {
	collections []Collection
	list        func(Collection) ([]Resource, error)
}

// View implements Inventory.
func (i *listedInventory) View(f func(Snapshot) error) error {
	snapshot := listedSnapshot{collections: i.collections, resources: make(map[Collection][]Resource, len(i.collections))}
	for _, collection := range i.collections {
		resources, err := i.list(collection)
		if err != nil {
			return fmt.Errorf("event: listing %s: %w", collection, err)
		}
		snapshot.resources[collection] = resources
	}
	return f(snapshot)
}

type listedSnapshot struct {
	collections []Collection
	resources   map[Collection][]Resource
}

// Collections implements Snapshot.
func (s listedSnapshot) Collections() []Collection { return slices.Clone(s.collections) }

// Resources implements Snapshot.
func (s listedSnapshot) Resources(c Collection) iter.Seq[Resource] {
	return slices.Values(s.resources[c])
}

// Uncovered implements Snapshot. A list for one destination does not know its rules.
func (listedSnapshot) Uncovered(Collection) bool { return false }
