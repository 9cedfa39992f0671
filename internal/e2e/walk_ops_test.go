package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
)

// walkKey names an object of the walk.
type walkKey struct {
	walkType
	Namespace, Name string
}

const walkNamespaceCount = 6

func walkNamespace(i int) string { return fmt.Sprintf("walk-%d", i) }

var (
	walkTeams = []string{"red", "blue"}
	walkTiers = []string{"prod", "dev", "both"}
)

func (t walkType) gvr() schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: t.Group, Version: "v1", Resource: t.Resource}
}

func (c *cluster) resource(k walkKey) dynamic.ResourceInterface {
	r := c.client.Resource(k.gvr())
	if k.Cluster {
		return r
	}
	return r.Namespace(k.Namespace)
}

// insist repeats a request that met a broken connection, or a type that is not quite there yet: the
// walk's own requests are not what is tried here.
func (w *walk) insist(f func() error) {
	w.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil {
			return
		}
		if reason := apierrors.ReasonForError(err); time.Now().After(deadline) ||
			reason != metav1.StatusReasonUnknown && reason != metav1.StatusReasonNotFound && !apierrors.IsInternalError(err) &&
				!apierrors.IsServiceUnavailable(err) && !apierrors.IsTooManyRequests(err) && !apierrors.IsServerTimeout(err) {
			require.NoError(w.t, err)
		}
	}
}

// put creates an object or changes it.
func (w *walk) put(k walkKey, obj *unstructured.Unstructured) {
	w.t.Helper()
	w.insist(func() error {
		var err error
		var stored *unstructured.Unstructured
		if obj.GetResourceVersion() == "" {
			stored, err = w.resource(k).Create(w.t.Context(), obj, metav1.CreateOptions{})
		} else {
			stored, err = w.resource(k).Update(w.t.Context(), obj, metav1.UpdateOptions{})
		}
		// An answer was lost with its connection.
		if apierrors.IsAlreadyExists(err) || apierrors.IsConflict(err) {
			stored, err = w.get(k)
		}
		if err == nil {
			w.objects[k] = stored
		}
		return err
	})
	w.touched[k] = true
}

// operate does something to one object.
func (w *walk) operate() {
	k := w.anyKey()
	obj := w.objects[k].DeepCopy()
	switch what := w.chance.IntN(100); {
	case obj == nil:
		w.note(k, "create")
		w.put(k, w.fresh(k))
	case obj.GetDeletionTimestamp() != nil:
		w.note(k, "finish")
		obj.SetFinalizers(nil)
		w.insist(func() error {
			_, err := w.resource(k).Update(w.t.Context(), obj, metav1.UpdateOptions{})
			return ignoreGone(err)
		})
		delete(w.objects, k)
		w.touched[k] = true
	case k.walkType == walkNamespaces:
		w.relabelNamespace(k)
	case what < 45:
		w.note(k, "change")
		w.fill(k, obj)
		w.put(k, obj)
	case what < 65:
		obj.SetLabels(w.labels())
		w.note(k, "relabel to %v", obj.GetLabels())
		w.put(k, obj)
	case what < 70 && k.walkType == walkConfigMaps:
		w.note(k, "noise")
		obj.SetAnnotations(map[string]string{"kubectl.kubernetes.io/last-applied-configuration": w.value()})
		w.put(k, obj)
	case what < 73 && k.walkType == walkConfigMaps && len(obj.GetFinalizers()) == 0:
		w.note(k, "finalizer")
		obj.SetFinalizers([]string{"example.com/walk"})
		w.put(k, obj)
	default:
		w.remove(k, obj)
	}
}

func ignoreGone(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// remove deletes an object. One with a finalizer stays until that goes.
func (w *walk) remove(k walkKey, obj *unstructured.Unstructured) {
	w.note(k, "delete")
	w.insist(func() error { return ignoreGone(w.resource(k).Delete(w.t.Context(), k.Name, metav1.DeleteOptions{})) })
	w.touched[k] = true
	if len(obj.GetFinalizers()) == 0 {
		delete(w.objects, k)
		return
	}
	w.insist(func() error {
		left, err := w.get(k)
		if err == nil {
			w.objects[k] = left
		}
		return err
	})
}

// anyKey chooses an object, there or not.
func (w *walk) anyKey() walkKey {
	for {
		k := walkKey{Namespace: walkNamespace(w.chance.IntN(walkNamespaceCount)), Name: fmt.Sprintf("o-%d", w.chance.IntN(w.names))}
		switch n := w.chance.IntN(200); {
		case n < 5:
			return walkKey{walkType: walkNamespaces, Name: k.Namespace}
		case n < 15:
			k.walkType, k.Namespace = walkPlanes, ""
		case n < 50:
			k.walkType = walkWidgets
		case n < 80:
			k.walkType = walkDeployments
		default:
			k.walkType = walkConfigMaps
		}
		if w.served[k.walkType] {
			return k
		}
	}
}

func (w *walk) labels() map[string]string {
	if w.chance.IntN(3) == 0 {
		return nil
	}
	return map[string]string{"tier": pick(w.chance, walkTiers)}
}

// value is a text that no other object ever had.
func (w *walk) value() string {
	w.values++
	return fmt.Sprintf("v%d", w.values)
}

func (w *walk) fresh(k walkKey) *unstructured.Unstructured {
	obj := &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": k.Name}}}
	if k.Namespace != "" {
		obj.SetNamespace(k.Namespace)
	}
	obj.SetAPIVersion(schema.GroupVersion{Group: k.Group, Version: "v1"}.String())
	obj.SetKind(map[walkType]string{walkConfigMaps: "ConfigMap", walkDeployments: "Deployment", walkNamespaces: "Namespace",
		walkWidgets: "Widget", walkPlanes: "Plane"}[k.walkType])
	obj.SetLabels(w.labels())
	w.fill(k, obj)
	return obj
}

// fill gives an object another content.
func (w *walk) fill(k walkKey, obj *unstructured.Unstructured) {
	switch k.walkType {
	case walkConfigMaps:
		obj.Object["data"] = map[string]any{"value": w.value(), "filler": strings.Repeat("x", w.chance.IntN(400))}
	case walkDeployments:
		app := map[string]any{"app": "walk"}
		obj.Object["spec"] = map[string]any{
			"replicas": int64(w.chance.IntN(9)),
			"selector": map[string]any{"matchLabels": app},
			"template": map[string]any{
				"metadata": map[string]any{"labels": app},
				"spec":     map[string]any{"containers": []any{map[string]any{"name": "main", "image": "example.com/app:" + w.value()}}},
			},
		}
	case walkWidgets, walkPlanes:
		obj.Object["spec"] = map[string]any{"size": int64(w.chance.IntN(100)), "text": w.value(), "list": []any{"a", w.value()}}
	}
}

// relabelNamespace moves everything in a namespace in or out of selectors.
func (w *walk) relabelNamespace(k walkKey) {
	labels := map[string]string{"walk": "yes", "change": w.value()}
	if w.chance.IntN(5) == 0 {
		delete(labels, "walk")
	}
	if team := w.chance.IntN(len(walkTeams) + 1); team < len(walkTeams) {
		labels["team"] = walkTeams[team]
	}
	w.note(k, "relabel to %v", labels)
	obj := w.objects[k].DeepCopy()
	if obj == nil {
		obj = w.fresh(k)
	}
	labels["kubernetes.io/metadata.name"] = k.Name
	obj.SetLabels(labels)
	w.put(k, obj)
	w.namespacesSeen[k.Name] = append(w.namespacesSeen[k.Name], labels)
}

// raze deletes a namespace with all that is in it, and makes it anew.
func (w *walk) raze(namespace string) {
	w.t.Helper()
	w.say("namespace %s is deleted", namespace)
	for k, obj := range w.objects {
		if k.Namespace != namespace {
			continue
		}
		if len(obj.GetFinalizers()) > 0 { // which would hold the namespace
			free := obj.DeepCopy()
			free.SetFinalizers(nil)
			w.insist(func() error {
				_, err := w.resource(k).Update(w.t.Context(), free, metav1.UpdateOptions{})
				return ignoreGone(err)
			})
		}
		w.note(k, "goes with its namespace")
		w.touched[k] = true
		delete(w.objects, k)
	}
	k := walkKey{walkType: walkNamespaces, Name: namespace}
	w.insist(func() error {
		return ignoreGone(w.resource(k).Delete(w.t.Context(), namespace, metav1.DeleteOptions{}))
	})
	eventually(w.t, func() bool {
		_, err := w.get(k)
		return apierrors.IsNotFound(err)
	}, func() string { return "namespace " + namespace + " stays" })
	delete(w.objects, k)
	w.namespacesSeen[namespace] = append(w.namespacesSeen[namespace], nil)
	w.relabelNamespace(k)
}

// plural and scope of the types that the walk defines.
var walkDefinitions = map[walkType]string{walkWidgets: "Namespaced", walkPlanes: "Cluster"}

var definitions = schema.GroupVersionResource{Group: "apiextensions.k8s.io", Version: "v1", Resource: "customresourcedefinitions"}

// define installs the definition of a custom type, and some objects as soon as it is served.
func (w *walk) define(t walkType) {
	w.t.Helper()
	kind := w.fresh(walkKey{walkType: t}).GetKind()
	crd := parse(w.t, fmt.Sprintf(`
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: %s}
spec:
  group: %s
  scope: %s
  names: {kind: %s, plural: %s, singular: %s}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
`, t, t.Group, walkDefinitions[t], kind, t.Resource, strings.ToLower(kind)))
	w.insist(func() error {
		_, err := w.client.Resource(definitions).Create(w.t.Context(), crd, metav1.CreateOptions{})
		if apierrors.IsAlreadyExists(err) {
			return nil
		}
		return err
	})
	w.served[t] = true
	w.servedSeen[t] = append(w.servedSeen[t], true)
	w.touchedTypes[t] = true
	for range 10 {
		k := walkKey{walkType: t, Name: fmt.Sprintf("o-%d", w.chance.IntN(w.names))}
		if !t.Cluster {
			k.Namespace = walkNamespace(w.chance.IntN(walkNamespaceCount))
		}
		if w.objects[k] == nil {
			w.put(k, w.fresh(k))
		}
	}
}

// undefine takes the definition away, and with it all objects of the type.
func (w *walk) undefine(t walkType) {
	w.t.Helper()
	crds := w.client.Resource(definitions)
	w.insist(func() error { return ignoreGone(crds.Delete(w.t.Context(), t.String(), metav1.DeleteOptions{})) })
	eventually(w.t, func() bool {
		_, err := crds.Get(w.t.Context(), t.String(), metav1.GetOptions{})
		return apierrors.IsNotFound(err)
	}, func() string { return "the definition of " + t.String() + " stays" })
	maps.DeleteFunc(w.objects, func(k walkKey, _ *unstructured.Unstructured) bool { return k.walkType == t })
	w.served[t] = false
	w.servedSeen[t] = append(w.servedSeen[t], false)
	w.touchedTypes[t] = true
}

// toggle installs or removes a custom type.
func (w *walk) toggle() {
	t := pick(w.chance, slices.SortedFunc(maps.Keys(walkDefinitions), func(a, b walkType) int {
		return strings.Compare(a.String(), b.String())
	}))
	if w.served[t] {
		w.say("the definition of %s is removed", t)
		w.undefine(t)
		return
	}
	w.say("the definition of %s is installed", t)
	w.define(t)
}
