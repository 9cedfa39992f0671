package clustertest

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/validate/content"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// write says who writes, and how.
type write struct {
	manager     string
	operation   metav1.ManagedFieldsOperationType // "" is Update
	subresource string                            // "" or "status"
	dryRun      bool
	// direct: a method of Cluster writes. It writes the status too, keeps UID and managers, and
	// needs no resourceVersion.
	direct bool
}

// serverFields are those of metadata that a client cannot set.
var serverFields = []string{
	"uid", "resourceVersion", "generation", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds",
	"managedFields", "selfLink",
}

// create stores a new object. c.mu is held, as in all functions of this file.
func (c *Cluster) create(r *resource, u *unstructured.Unstructured, w write) (*object, error) {
	if err := c.admitNew(r, u); err != nil {
		return nil, err
	}
	uid, managers := u.GetUID(), unstructuredMetadata(u)["managedFields"]
	for _, f := range serverFields {
		unstructured.RemoveNestedField(u.Object, "metadata", f)
	}
	if uid == "" || !w.direct {
		uid = uuid.NewUUID()
	}
	u.SetUID(uid)
	unstructuredMetadata(u)["creationTimestamp"] = now()
	if r.def.counting {
		u.SetGeneration(1)
	}
	if r.def.Status && !w.direct {
		delete(u.Object, "status")
	}
	if err := c.complete(r, u); err != nil {
		return nil, err
	}
	if w.direct && managers != nil {
		unstructuredMetadata(u)["managedFields"] = managers
	} else {
		recordManager(u, w)
	}
	if w.dryRun {
		return encode(u), nil
	}
	o := c.commit(r, watch.Added, u)
	c.follow(r, watch.Added, u)
	return o, nil
}

// admitNew checks name and namespace, and generates the name if asked to.
func (c *Cluster) admitNew(r *resource, u *unstructured.Unstructured) error {
	gr := r.def.GroupResource()
	if u.GetResourceVersion() != "" {
		return apierrors.NewBadRequest("resourceVersion should not be set on objects to be created")
	}
	if u.GetName() == "" && u.GetGenerateName() != "" {
		u.SetName(u.GetGenerateName() + rand.String(5))
	}
	name, metaPath := u.GetName(), field.NewPath("metadata", "name")
	if name == "" {
		return r.def.invalid("", field.Required(metaPath, "name or generateName is required"))
	}
	if faults := content.IsPathSegmentName(name); len(faults) > 0 {
		return r.def.invalid(name, field.Invalid(metaPath, name, faults[0]))
	}
	namespace := u.GetNamespace()
	if r.def.Namespaced {
		if namespace == "" {
			return r.def.invalid(name, field.Required(field.NewPath("metadata", "namespace"), ""))
		}
		if c.resources[namespaces].objects[key{name: namespace}] == nil {
			return apierrors.NewNotFound(namespaces, namespace)
		}
		if c.terminating[namespace] {
			return apierrors.NewForbidden(gr, name,
				fmt.Errorf("unable to create new content in namespace %s because it is being terminated", namespace))
		}
	} else {
		u.SetNamespace("")
	}
	if r.objects[key{u.GetNamespace(), name}] != nil {
		return apierrors.NewAlreadyExists(gr, name)
	}
	return nil
}

// update replaces old by u. What changes nothing is not a write.
func (c *Cluster) update(r *resource, old *object, u *unstructured.Unstructured, w write) (*object, error) {
	before := old.decode(r.def, u.GroupVersionKind().Version)
	if err := checkVersion(r.def, before, u, w); err != nil {
		return nil, err
	}
	after := u
	switch {
	case w.subresource == "status":
		after = before.DeepCopy()
		setOrDelete(after.Object, u.Object, "status")
	case r.def.Status && (!w.direct || u.Object["status"] == nil):
		setOrDelete(after.Object, before.Object, "status")
	}
	for _, f := range serverFields {
		setOrDelete(unstructuredMetadata(after), unstructuredMetadata(before), f)
	}
	if err := c.complete(r, after); err != nil {
		return nil, err
	}
	if reflect.DeepEqual(before.Object, after.Object) {
		return old, nil
	}
	if r.def.counting && !reflect.DeepEqual(r.def.desired(before), r.def.desired(after)) {
		after.SetGeneration(before.GetGeneration() + 1)
	}
	recordManager(after, w)
	if w.dryRun {
		return encode(after), nil
	}
	event := watch.Modified
	if after.GetDeletionTimestamp() != nil && len(after.GetFinalizers()) == 0 && r.def.GroupResource() != namespaces {
		event = watch.Deleted
	}
	o := c.commit(r, event, after)
	c.follow(r, event, after)
	return o, nil
}

// delete removes an object, or marks it where a finalizer or, for a namespace, its content holds
// it. It returns the object's last or marked state, and whether it is gone.
func (c *Cluster) delete(r *resource, o *object, dryRun bool) (last *object, gone bool) {
	u := o.decode(r.def, r.def.Versions[0])
	isNamespace := r.def.GroupResource() == namespaces
	held := len(u.GetFinalizers()) > 0 || isNamespace
	switch {
	case dryRun:
		return o, !held
	case !held:
		last = c.commit(r, watch.Deleted, u)
		c.follow(r, watch.Deleted, u)
		return last, true
	}
	last = o
	if u.GetDeletionTimestamp() == nil {
		unstructuredMetadata(u)["deletionTimestamp"] = now()
		unstructuredMetadata(u)["deletionGracePeriodSeconds"] = int64(0)
		if r.def.counting {
			u.SetGeneration(u.GetGeneration() + 1)
		}
		if isNamespace {
			u.Object["status"] = map[string]any{"phase": "Terminating"}
		}
		last = c.commit(r, watch.Modified, u)
	}
	if isNamespace {
		c.emptyNamespace(o.name)
		c.terminating[o.name] = true
		c.finishNamespace(o.name)
		return last, r.objects[o.key] == nil
	}
	return last, false
}

// complete fills in what the server itself decides about a type.
func (c *Cluster) complete(r *resource, u *unstructured.Unstructured) error {
	switch r.def.GroupResource() {
	case namespaces:
		completeNamespace(u)
	case crds:
		return c.completeCRD(u)
	}
	return nil
}

// follow does what follows from a committed write.
func (c *Cluster) follow(r *resource, event watch.EventType, u *unstructured.Unstructured) {
	switch {
	case r.def.GroupResource() == crds:
		c.serveCRD(event, u)
	case r.def.GroupResource() == namespaces:
		c.finishNamespace(u.GetName())
	case event == watch.Deleted:
		c.finishNamespace(u.GetNamespace())
	}
}

var errModified = errors.New("the object has been modified; please apply your changes to the latest version and try again")

// checkVersion checks what an update says about the state that it replaces.
func checkVersion(def *definition, stored, u *unstructured.Unstructured, w write) error {
	gr, name := def.GroupResource(), stored.GetName()
	if uid := u.GetUID(); uid != "" && uid != stored.GetUID() && !w.direct {
		return apierrors.NewConflict(gr, name, fmt.Errorf("precondition failed: UID in precondition: %s, UID in object meta: %s",
			uid, stored.GetUID()))
	}
	switch version := u.GetResourceVersion(); {
	case version == "" && def.custom && !w.direct:
		return def.invalid(name, field.Invalid(field.NewPath("metadata", "resourceVersion"), 0, "must be specified for an update"))
	case version != "" && version != stored.GetResourceVersion():
		return apierrors.NewConflict(gr, name, errModified)
	}
	return nil
}

func (d *definition) invalid(name string, fault *field.Error) error {
	return apierrors.NewInvalid(schema.GroupKind{Group: d.Group, Kind: d.Kind}, name, field.ErrorList{fault})
}

// desired is the part of an object whose changes generation counts.
func (d *definition) desired(u *unstructured.Unstructured) map[string]any {
	desired := map[string]any{}
	for f, value := range u.Object {
		if f != "apiVersion" && f != "kind" && f != "metadata" && (f != "status" || !d.Status) {
			desired[f] = value
		}
	}
	return desired
}

// recordManager makes the writer the last of managedFields.
func recordManager(u *unstructured.Unstructured, w write) {
	if w.operation == "" {
		w.operation = metav1.ManagedFieldsOperationUpdate
	}
	metadata := unstructuredMetadata(u)
	entries, _ := metadata["managedFields"].([]any)
	entries = slices.DeleteFunc(slices.Clone(entries), func(e any) bool {
		m, _ := e.(map[string]any)
		subresource, _ := m["subresource"].(string)
		return m["manager"] == w.manager && m["operation"] == string(w.operation) && subresource == w.subresource
	})
	entry := map[string]any{
		"manager": w.manager, "operation": string(w.operation), "apiVersion": u.GetAPIVersion(),
		"time": now(), "fieldsType": "FieldsV1", "fieldsV1": map[string]any{},
	}
	if w.subresource != "" {
		entry["subresource"] = w.subresource
	}
	entries = append(entries, entry)
	metadata["managedFields"] = entries
}

// mergePatch applies a JSON merge patch (RFC 7386) to target, which it may change, and returns the
// outcome.
func mergePatch(target, patch map[string]any) map[string]any {
	if target == nil {
		target = map[string]any{}
	}
	for f, value := range patch {
		switch value := value.(type) {
		case nil:
			delete(target, f)
		case map[string]any:
			child, _ := target[f].(map[string]any)
			target[f] = mergePatch(child, value)
		default:
			target[f] = runtime.DeepCopyJSONValue(value)
		}
	}
	return target
}

// setOrDelete makes to[f] what from[f] is.
func setOrDelete(to, from map[string]any, f string) {
	if value, ok := from[f]; ok {
		to[f] = value
	} else {
		delete(to, f)
	}
}

// unstructuredMetadata returns metadata itself, not a copy. Every decoded object has metadata.
func unstructuredMetadata(u *unstructured.Unstructured) map[string]any {
	return u.Object["metadata"].(map[string]any)
}

func now() string { return time.Now().UTC().Format(time.RFC3339) }
