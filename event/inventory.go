package event

import (
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/destination"
)

// Inventory knows the objects that live in the cluster and belong to one destination. A SeedSync
// carries an Inventory and no list of objects: the plan asks it when it runs. A list could remove
// the file of an object that lives: if "delete X, a sync without X, create X" is coalesced or
// retried, the old sync comes last.
//
// An implementation must be safe for concurrent use.
type Inventory interface {
	// View calls f with one consistent Snapshot and returns the error of f. The Snapshot may be
	// asked only during the call. f must not block: the source may hold a lock meanwhile.
	View(f func(Snapshot) error) error
	// Landed says that the branch is as the plan left it that looked at this Snapshot: what Differs
	// was not told of is in its file. It is called once for a SeedSync, before that is done; never
	// if its plan has not landed.
	Landed(Snapshot)
}

// Snapshot is one consistent reading of an Inventory.
//
// A plan first compares the Objects with the files and tells the source what Differs. Then it
// removes the files without an object, if it MaySweep.
type Snapshot interface {
	// Objects yields the living objects that belong to the destination. Those of the
	// Collections are complete, of others there may be some.
	Objects() iter.Seq[Object]
	// Differs says that an object has no file, or one with another content than the Digest, and
	// that its Precondition allows to write it. The source sends the object again, unless an event
	// of it is on its way.
	Differs(Object)
	// MaySweep reports whether files without an object may be removed now, in the Collections. It
	// is asked after Differs. It is false while the source has something to send first; another
	// SeedSync follows when that is done.
	MaySweep() bool
	// Collections returns those that were listed completely and may be swept for this destination.
	Collections() []Collection
	// Uncovered reports whether certainly no rule of the destination covers a type in one
	// namespace, or at cluster scope (the Collection never has All): no rule selects it, or the
	// server no longer serves it. In doubt it is false: a rule that might select the type is
	// faulty, discovery of its API group failed, or the rules have just changed. Files of uncovered
	// types are reported; only a prune removes them. A source that does not know the rules returns
	// false.
	Uncovered(Collection) bool
}

// Object is a living object and what its file is to hold.
type Object struct {
	Resource
	// Digest is that of the Content. Zero: it is not known, or the file holds something else, as
	// that of a Secret does. Then it counts as different.
	Digest Digest
	// Precondition restricts when the file is written, as that of an Event does.
	Precondition Precondition
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

// NewSeedSync returns the event that ends a listing: it follows the objects of the listing, and has
// the folder of the destination compared with what lives.
func NewSeedSync(d destination.Destination, live Inventory) Event {
	return Event{Destination: d, Operation: SeedSync, Inventory: live, Listed: true, Time: time.Now()}
}

// NewInventory returns an Inventory for users with informers or clients of their own, who send all
// objects themselves before the SeedSync. list returns the living objects of a collection that
// belong to the destination. It is called for every collection in each View, before anything is
// removed, and must be safe for concurrent use. While the answer is not certain (the informer has
// not synced, a request failed), list must return an error. View then returns that error, and no
// file is removed.
func NewInventory(collections []Collection, list func(Collection) ([]Resource, error)) Inventory {
	return &listedInventory{collections: slices.Clone(collections), list: list}
}

type listedInventory struct {
	collections []Collection
	list        func(Collection) ([]Resource, error)
}

// View implements Inventory.
func (i *listedInventory) View(f func(Snapshot) error) error {
	snapshot := listedSnapshot{collections: i.collections}
	for _, collection := range i.collections {
		resources, err := i.list(collection)
		if err != nil {
			return fmt.Errorf("event: listing %s: %w", collection, err)
		}
		snapshot.resources = append(snapshot.resources, resources...)
	}
	return f(snapshot)
}

// Landed implements Inventory. Nobody waits for it.
func (*listedInventory) Landed(Snapshot) {}

type listedSnapshot struct {
	collections []Collection
	resources   []Resource // of all collections; those of two that overlap come twice
}

// Objects implements Snapshot.
func (s listedSnapshot) Objects() iter.Seq[Object] {
	return func(yield func(Object) bool) {
		for _, r := range s.resources {
			if !yield(Object{Resource: r}) {
				return
			}
		}
	}
}

// Differs implements Snapshot. Who made the list sends everything.
func (listedSnapshot) Differs(Object) {}

// MaySweep implements Snapshot.
func (listedSnapshot) MaySweep() bool { return true }

// Collections implements Snapshot.
func (s listedSnapshot) Collections() []Collection { return slices.Clone(s.collections) }

// Uncovered implements Snapshot. A list for one destination does not know its rules.
func (listedSnapshot) Uncovered(Collection) bool { return false }
