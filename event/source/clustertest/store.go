package clustertest

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sort"
	"strconv"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"
)

type key struct{ namespace, name string }

func compareKeys(a, b key) int {
	return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.name, b.name))
}

// object is one state of one object. It is never changed, so lists, watches and the history share
// it.
type object struct {
	key
	labels labels.Set
	// body is the JSON object without apiVersion and kind: those depend on the request.
	body []byte
}

// encode makes the stored form of u. The order of its fields follows from its resourceVersion.
func encode(u *unstructured.Unstructured) *object {
	content := make(map[string]any, len(u.Object))
	for field, value := range u.Object {
		if field != "apiVersion" && field != "kind" {
			content[field] = value
		}
	}
	order := fnv.New64a()
	_, _ = order.Write([]byte(u.GetResourceVersion() + "/" + u.GetName())) // a hash never fails
	body := appendJSON(nil, content, rand.New(rand.NewPCG(order.Sum64(), 0)))
	return &object{key: key{u.GetNamespace(), u.GetName()}, labels: u.GetLabels(), body: body}
}

// decode returns a copy that the caller may change.
func (o *object) decode(def *definition, version string) *unstructured.Unstructured {
	var content map[string]any
	if err := utiljson.Unmarshal(o.body, &content); err != nil {
		panic(fmt.Sprintf("clustertest: decoding encoded JSON: %v", err))
	}
	u := &unstructured.Unstructured{Object: content}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: def.Group, Version: version, Kind: def.Kind})
	return u
}

// at returns the object with another resourceVersion, as a DELETED event shows the one of the
// deletion.
func (o *object) at(def *definition, version uint64) *object {
	u := o.decode(def, def.Versions[0])
	u.SetResourceVersion(formatVersion(version))
	return encode(u)
}

// resource holds the objects of a type.
type resource struct {
	def     *definition
	objects map[key]*object
	// sorted is the state without the writes to the keys in dirty. Lists hold on to it: it is
	// replaced, never changed.
	sorted []*object
	dirty  map[key]struct{}
	log    *eventLog // replaced by Restore
}

func (r *resource) get(namespace, name string) (*object, error) {
	if o := r.objects[key{namespace, name}]; o != nil {
		return o, nil
	}
	return nil, apierrors.NewNotFound(r.def.GroupResource(), name)
}

// snapshot returns all objects by key. The caller must not change the slice.
func (r *resource) snapshot() []*object {
	if len(r.dirty) == 0 {
		return r.sorted
	}
	changed := make([]*object, 0, len(r.dirty))
	for k := range r.dirty {
		if o := r.objects[k]; o != nil {
			changed = append(changed, o)
		}
	}
	slices.SortFunc(changed, func(a, b *object) int { return compareKeys(a.key, b.key) })
	merged := make([]*object, 0, len(r.objects))
	for _, o := range r.sorted {
		if _, written := r.dirty[o.key]; written {
			continue
		}
		for len(changed) > 0 && compareKeys(changed[0].key, o.key) < 0 {
			merged, changed = append(merged, changed[0]), changed[1:]
		}
		merged = append(merged, o)
	}
	merged = append(merged, changed...)
	r.sorted = merged
	clear(r.dirty)
	return r.sorted
}

// commit stores u under the next resourceVersion, or removes it, and appends the event for the
// watches.
func (c *Cluster) commit(r *resource, event watch.EventType, u *unstructured.Unstructured) *object {
	c.version++
	u.SetResourceVersion(formatVersion(c.version))
	o := encode(u)
	previous := r.objects[o.key]
	if event == watch.Deleted {
		delete(r.objects, o.key)
	} else {
		r.objects[o.key] = o
	}
	r.dirty[o.key] = struct{}{}
	r.log.append(entry{kind: event, version: c.version, object: o, previous: previous})
	return o
}

// endWatch ends the watches that run, breakWatch breaks their connections.
const (
	endWatch   watch.EventType = "END"
	breakWatch watch.EventType = "BREAK"
)

// entry is one step of a type's history. It is a change (Added, Modified, Deleted), or an order to
// the watches that ran when it was appended (Bookmark, Error, endWatch, breakWatch).
type entry struct {
	kind             watch.EventType
	number           int    // set by append: the type's first entry is 0
	version          uint64 // never falls from one entry to the next
	object, previous *object
}

func (e entry) isChange() bool { return e.object != nil }

// eventLog is the bounded history of a type. It is numbered without gaps.
type eventLog struct {
	limit   int
	entries []entry
	first   int           // number of entries[0]
	floor   uint64        // what happened up to here is forgotten, or was never known
	changed chan struct{} // closed and replaced by append
}

func (l *eventLog) end() int { return l.first + len(l.entries) }

func (l *eventLog) append(e entry) {
	if len(l.entries) == l.limit {
		l.floor = max(l.floor, l.entries[0].version)
		l.entries[0] = entry{} // the array may live on; what it held need not
		l.entries = l.entries[1:]
		l.first++
	}
	e.number = l.end()
	l.entries = append(l.entries, e)
	close(l.changed)
	l.changed = make(chan struct{})
}

// after returns the number of the first entry that is newer than version, or false if some of those
// are forgotten.
func (l *eventLog) after(version uint64) (int, bool) {
	i := sort.Search(len(l.entries), func(i int) bool { return l.entries[i].version > version })
	return l.first + i, version >= l.floor
}

// forget drops all entries. Watches that have not seen them yet end with 410.
func (l *eventLog) forget(version uint64) {
	l.first, l.entries, l.floor = l.end(), nil, version
}

func formatVersion(version uint64) string { return strconv.FormatUint(version, 10) }
