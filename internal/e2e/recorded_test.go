package e2e

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
)

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// sequences are what is done to a real API server while its watch is recorded. There is neither a
// controller nor a kubelet: their part is done by hand, request by request as they do it.
var sequences = []struct {
	name, comment string
	gvr           schema.GroupVersionResource
	before, do    func(r *recorder)
	last          string // an object whose event ends the recording
}{
	{
		name: "finalizer", gvr: configMaps, last: lastConfigMap,
		comment: "A ConfigMap with a finalizer is changed, deleted, changed while it is Terminating, and let go.",
		before:  func(r *recorder) { r.create(configMapWith("before", "", "data: {key: listed}")) },
		do: func(r *recorder) {
			r.create(configMapWith("held", "finalizers: [example.org/hold]", "data: {key: one}"))
			r.merge("held", `{"data":{"key":"two"}}`)
			r.delete("held", nil)
			r.merge("held", `{"data":{"key":"while terminating"}}`)
			r.merge("held", `{"metadata":{"finalizers":null}}`)
		},
	},
	{
		name: "graceful", gvr: pods, last: pod("last"),
		comment: "A Pod is bound to a node, runs, is deleted with a grace period, gets a label, and ends. One that is bound to none is gone at once.",
		do: func(r *recorder) {
			r.create(pod("bound"))
			r.bind("bound", "node-1")
			r.merge("bound", `{"status":{"phase":"Running"}}`, "status")
			r.delete("bound", &metav1.DeleteOptions{GracePeriodSeconds: new(int64(30))})
			r.merge("bound", `{"metadata":{"labels":{"drained":"true"}}}`)
			r.merge("bound", `{"status":{"phase":"Succeeded"}}`, "status")
			r.delete("bound", &metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))})
			r.create(pod("pending"))
			r.delete("pending", &metav1.DeleteOptions{GracePeriodSeconds: new(int64(30))})
		},
	},
	{
		name: "generatename", gvr: configMaps, last: lastConfigMap,
		comment: "The API server chooses the names of two ConfigMaps; one is deleted.",
		do: func(r *recorder) {
			first := r.generate(configMapWith("", "generateName: web-", "data: {key: one}"), "web-aaaaa")
			r.generate(configMapWith("", "generateName: web-", "data: {key: two}"), "web-bbbbb")
			r.delete(first, nil)
		},
	},
	{
		name: "apply", gvr: configMaps, last: lastConfigMap,
		comment: "Server-side apply: created, the same once more (no event), the same by another manager (an event of managedFields only), changed.",
		do: func(r *recorder) {
			one := configMapWith("applied", "", "data: {key: one}")
			r.ssa("first", one)
			r.ssa("first", one)
			r.ssa("second", one)
			r.ssa("first", configMapWith("applied", "", "data: {key: one, more: two}"))
		},
	},
	{
		name: "status", gvr: deployments, last: deployment("last"),
		comment: "A Deployment's status changes, then its spec, then its status again.",
		do: func(r *recorder) {
			r.create(deployment("web"))
			r.merge("web", `{"status":{"replicas":1,"observedGeneration":1}}`, "status")
			r.merge("web", `{"spec":{"replicas":3}}`)
			r.merge("web", `{"status":{"replicas":3,"observedGeneration":2}}`, "status")
		},
	},
	{name: "cascade", gvr: configMaps, last: lastConfigMap, do: cascade, comment: "Owners are deleted in the foreground, " +
		"in the background and as orphans; the garbage collector's part is done by hand."},
}

const lastConfigMap = "{apiVersion: v1, kind: ConfigMap, metadata: {name: last}}"

func configMapWith(name, metadata, rest string) string {
	if name != "" {
		metadata = "name: " + name + ", " + metadata
	}
	return fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {%s}, %s}", metadata, rest)
}

func pod(name string) string {
	return fmt.Sprintf("{apiVersion: v1, kind: Pod, metadata: {name: %s}, spec: {containers: [{name: main, image: example.org/web}]}}", name)
}

func deployment(name string) string {
	return fmt.Sprintf("{apiVersion: apps/v1, kind: Deployment, metadata: {name: %s}, spec: {replicas: 1, selector: {matchLabels: {app: %[1]s}}, "+
		"template: {metadata: {labels: {app: %[1]s}}, spec: {containers: [{name: main, image: example.org/web}]}}}}", name)
}

// cascade deletes three owners, each with dependants, as the garbage collector goes about it.
func cascade(r *recorder) {
	for _, policy := range []metav1.DeletionPropagation{
		metav1.DeletePropagationForeground, metav1.DeletePropagationBackground, metav1.DeletePropagationOrphan,
	} {
		owner := map[metav1.DeletionPropagation]string{
			metav1.DeletePropagationForeground: "foreground", metav1.DeletePropagationBackground: "background", metav1.DeletePropagationOrphan: "orphaning",
		}[policy]
		uid := r.create(configMapWith(owner, "", "data: {key: owner}")).GetUID()
		var dependants []string
		for i := range 2 {
			dependants = append(dependants, fmt.Sprintf("%s-%d", owner, i))
			r.create(configMapWith(dependants[i], fmt.Sprintf("ownerReferences: [{apiVersion: v1, kind: ConfigMap, name: %s, uid: %s, "+
				"blockOwnerDeletion: true}]", owner, uid), "data: {key: dependant}"))
		}
		r.delete(owner, &metav1.DeleteOptions{PropagationPolicy: &policy})
		for _, name := range dependants {
			if policy == metav1.DeletePropagationOrphan {
				r.merge(name, `{"metadata":{"ownerReferences":null}}`)
			} else {
				r.delete(name, nil)
			}
		}
		if policy != metav1.DeletePropagationBackground { // foregroundDeletion, orphan
			r.merge(owner, `{"metadata":{"finalizers":null}}`)
		}
	}
}

func TestARealAPIServerSendsWhatWasRecorded(t *testing.T) {
	if !real() {
		t.Skip("what is recorded is what a real API server sends: run `make e2e`")
	}
	for _, s := range sequences {
		t.Run(s.name, func(t *testing.T) {
			r := newRecorder(t, s.gvr)
			if s.before != nil {
				s.before(r)
			}
			r.begin()
			s.do(r)
			r.compare(s.name, s.comment, s.last)
		})
	}
}

func (r *recorder) objects() dynamic.ResourceInterface {
	return r.client.Resource(r.gvr).Namespace(r.namespace)
}

func (r *recorder) create(text string) *unstructured.Unstructured {
	r.t.Helper()
	obj, err := r.objects().Create(r.t.Context(), parse(r.t, text), metav1.CreateOptions{})
	require.NoError(r.t, err)
	return obj
}

// generate creates an object whose name the server chooses. standIn is what the recording has for
// that name.
func (r *recorder) generate(text, standIn string) (name string) {
	r.t.Helper()
	name = r.create(text).GetName()
	r.names[name] = standIn
	return name
}

func (r *recorder) merge(name, patch string, subresources ...string) {
	r.t.Helper()
	_, err := r.objects().Patch(r.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{}, subresources...)
	require.NoError(r.t, err)
}

func (r *recorder) ssa(manager, text string) {
	r.t.Helper()
	obj := parse(r.t, text)
	_, err := r.objects().Apply(r.t.Context(), obj.GetName(), obj, metav1.ApplyOptions{FieldManager: manager})
	require.NoError(r.t, err)
}

func (r *recorder) bind(name, node string) {
	r.t.Helper()
	binding := parse(r.t, fmt.Sprintf("{apiVersion: v1, kind: Binding, metadata: {name: %s}, target: {apiVersion: v1, kind: Node, name: %s}}", name, node))
	_, err := r.objects().Create(r.t.Context(), binding, metav1.CreateOptions{}, "binding")
	require.NoError(r.t, err)
}

func (r *recorder) delete(name string, opts *metav1.DeleteOptions) {
	r.t.Helper()
	if opts == nil {
		opts = &metav1.DeleteOptions{}
	}
	require.NoError(r.t, r.objects().Delete(r.t.Context(), name, *opts))
}
