package event_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
)

func object(t testing.TB, manifest string) *unstructured.Unstructured {
	t.Helper()
	text, err := yaml.YAMLToJSON([]byte(manifest))
	require.NoError(t, err)
	var content map[string]any
	require.NoError(t, utiljson.Unmarshal(text, &content))
	return &unstructured.Unstructured{Object: content}
}

func TestSanitizeKeepsWhatTheUserWrote(t *testing.T) {
	for name, manifest := range map[string]string{
		"headless Service": `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {clusterIP: None, clusterIPs: [None], ports: [{port: 80}]}}`,
		"Service with a node port that nobody can attribute": `{apiVersion: v1, kind: Service, metadata: {name: x},
			spec: {type: NodePort, ports: [{port: 80, protocol: TCP, nodePort: 30080}]}}`,
		"immutable ConfigMap":              `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, immutable: true, data: {a: b}}`,
		"ConfigMap with empty data":        `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}, data: {}}`,
		"StorageClass":                     `{apiVersion: storage.k8s.io/v1, kind: StorageClass, metadata: {name: x}, provisioner: p, parameters: {a: b}, reclaimPolicy: Retain}`,
		"PriorityClass":                    `{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: x}, value: 1000000, globalDefault: false}`,
		"ServiceAccount imagePullSecrets":  `{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}, imagePullSecrets: [{name: registry}], automountServiceAccountToken: false}`,
		"ServiceAccount secrets of a user": `{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}, secrets: [{name: mine}, {name: x-token-mine}, {name: x-token-bcdfgh}, {name: x-token-abcde}, {name: bcd24}]}`,
		"no secrets":                       `{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}, secrets: []}`,
		"a time in a template":             `{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, spec: {template: {metadata: {creationTimestamp: "2020-01-01T00:00:00Z"}}}}`,
		"a time in a claim's template":     `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {volumeClaimTemplates: [{metadata: {creationTimestamp: "2020-01-01T00:00:00Z"}}]}}`,
		"ClusterRole aggregationRule":      `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}, aggregationRule: {clusterRoleSelectors: [{matchLabels: {a: b}}]}}`,
		"ClusterRole rules":                `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}, rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]}`,
		"PersistentVolumeClaim volumeMode": `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {volumeMode: Block, storageClassName: ""}}`,
		"claim that a user bound":          `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {volumeName: pv1}}`,
		"volume that a user bound":         `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {claimRef: {name: c, namespace: n}}}`,
		"unknown top-level fields":         `{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, colour: red, sizes: [1, 2.5, null], nested: {status: kept, uid: kept, generation: 3}}`,
		"empty values":                     `{apiVersion: v1, kind: Pod, metadata: {name: x, labels: {}, annotations: {}}, spec: {volumes: [{name: v, emptyDir: {}}], securityContext: {}, tolerations: []}}`,
		"finalizers and generateName":      `{apiVersion: v1, kind: ConfigMap, metadata: {name: x-1, generateName: x-, finalizers: [example.com/keep]}}`,
		"own finalizer of a Namespace":     `{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {team: a}}, spec: {finalizers: [example.com/keep]}}`,
		"Job with a selector of its own": `{apiVersion: batch/v1, kind: Job, metadata: {name: x, labels: {job-name: x}},
			spec: {manualSelector: true, selector: {matchLabels: {job-name: x}}, template: {metadata: {labels: {job-name: x}}}}}`,
		"another group's Service":    `{apiVersion: serving.knative.dev/v1, kind: Service, metadata: {name: x}, spec: {clusterIP: 10.0.0.1}}`,
		"another group's Job":        `{apiVersion: batch.example.com/v1, kind: Job, metadata: {name: x}, spec: {selector: {a: b}}}`,
		"CRD conversion":             `{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: x}, spec: {conversion: {strategy: None}}}`,
		"metadata of the wrong type": `{apiVersion: example.com/v1, kind: Widget, metadata: [1], spec: text}`,
		"Service of the wrong types": `{apiVersion: v1, kind: Service, metadata: {managedFields: kept no longer}, spec: {ports: [a, {port: {}}], clusterIPs: 7}}`,
	} {
		t.Run(name, func(t *testing.T) {
			obj := object(t, manifest)
			want := obj.DeepCopy()
			if name == "Service of the wrong types" {
				unstructured.RemoveNestedField(want.Object, "metadata")
				unstructured.RemoveNestedField(want.Object, "spec", "clusterIPs")
			}
			require.Empty(t, cmp.Diff(want.Object, event.Sanitize(obj).Object))
		})
	}
}

func TestSanitizeRemovesWhatTheServerOwns(t *testing.T) {
	for name, c := range map[string]struct{ in, out string }{
		"metadata and status": {`
apiVersion: example.com/v1
kind: Widget
metadata:
  name: x
  namespace: n
  uid: u
  resourceVersion: "7"
  generation: 3
  creationTimestamp: "2020-01-01T00:00:00Z"
  selfLink: /x
  deletionTimestamp: "2020-01-01T00:00:00Z"
  deletionGracePeriodSeconds: 30
  managedFields: [{manager: m}]
  ownerReferences: [{uid: u}]
  annotations: {kubectl.kubernetes.io/last-applied-configuration: "{}"}
status: {phase: Ready}`,
			`{apiVersion: example.com/v1, kind: Widget, metadata: {name: x, namespace: n}}`},
		"one annotation of two": {
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, annotations: {deployment.kubernetes.io/revision: "4", a: b}}, spec: {template: {metadata: {creationTimestamp: null, labels: {a: b}}}}}`,
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: x, annotations: {a: b}}, spec: {template: {metadata: {labels: {a: b}}}}}`},
		"pod templates": {
			`{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {jobTemplate: {metadata: {creationTimestamp: null}, spec: {template: {metadata: {creationTimestamp: null}, spec: {a: b}}}}}}`,
			`{apiVersion: batch/v1, kind: CronJob, metadata: {name: x}, spec: {jobTemplate: {spec: {template: {spec: {a: b}}}}}}`},
		"Service": {
			`{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], type: ClusterIP}}`,
			`{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: ClusterIP}}`},
		"Service, told by its managers": {`
apiVersion: v1
kind: Service
metadata:
  name: x
  managedFields:
  - manager: kubectl
    fieldsV1: {"f:spec": {"f:ports": {'k:{"port":443,"protocol":"TCP"}': {"f:nodePort": {}}}}}
spec:
  clusterIP: 10.0.0.9
  clusterIPs: [10.0.0.9]
  healthCheckNodePort: 31234
  ports:
  - {port: 80, protocol: TCP, nodePort: 30001}
  - {port: 443, protocol: TCP, nodePort: 30443}`,
			`{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {ports: [{port: 80, protocol: TCP}, {port: 443, protocol: TCP, nodePort: 30443}]}}`},
		"bound claim": {`
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: x
  annotations:
    pv.kubernetes.io/bind-completed: "yes"
    pv.kubernetes.io/bound-by-controller: "yes"
    volume.kubernetes.io/storage-provisioner: p
spec: {volumeName: pvc-1, volumeMode: Filesystem}`,
			`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {volumeMode: Filesystem}}`},
		"volume": {
			`{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {claimRef: {name: c, namespace: n, uid: u, resourceVersion: "1"}}}`,
			`{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {claimRef: {name: c, namespace: n}}}`},
		"volume that a controller bound": {
			`{apiVersion: v1, kind: PersistentVolume, metadata: {name: x, annotations: {pv.kubernetes.io/bound-by-controller: "yes"}}, spec: {a: b, claimRef: {name: c, namespace: n, uid: u}}}`,
			`{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {a: b}}`},
		"Namespace": {
			`{apiVersion: v1, kind: Namespace, metadata: {name: x, labels: {kubernetes.io/metadata.name: x}}, spec: {finalizers: [kubernetes]}, status: {phase: Active}}`,
			`{apiVersion: v1, kind: Namespace, metadata: {name: x}}`},
		"one finalizer of two": {
			`{apiVersion: v1, kind: Namespace, metadata: {name: x}, spec: {finalizers: [kubernetes, example.com/mine]}}`,
			`{apiVersion: v1, kind: Namespace, metadata: {name: x}, spec: {finalizers: [example.com/mine]}}`},
		"ServiceAccount": {
			`{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}, secrets: [{name: x-token-bcd24}, {name: mine}]}`,
			`{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}, secrets: [{name: mine}]}`},
		"only generated secrets": {
			`{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}, secrets: [{name: x-token-bcd24}]}`,
			`{apiVersion: v1, kind: ServiceAccount, metadata: {name: x}}`},
		"Job": {`
apiVersion: batch/v1
kind: Job
metadata: {name: x, labels: {controller-uid: u, job-name: x, batch.kubernetes.io/controller-uid: u, batch.kubernetes.io/job-name: x, a: b}}
spec:
  selector: {matchLabels: {controller-uid: u}}
  template: {metadata: {labels: {controller-uid: u, job-name: x}}, spec: {restartPolicy: Never}}`,
			`{apiVersion: batch/v1, kind: Job, metadata: {name: x, labels: {a: b}}, spec: {template: {spec: {restartPolicy: Never}}}}`},
		"aggregated ClusterRole": {
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}, aggregationRule: {clusterRoleSelectors: []}, rules: [{verbs: [get]}]}`,
			`{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: x}, aggregationRule: {clusterRoleSelectors: []}}`},
		"StatefulSet": {
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {volumeClaimTemplates: [{metadata: {name: d, creationTimestamp: null}, spec: {a: b}, status: {phase: Pending}}]}}`,
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: x}, spec: {volumeClaimTemplates: [{metadata: {name: d}, spec: {a: b}}]}}`},
		"CertificateSigningRequest": {
			`{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: x}, spec: {request: r, username: u, uid: i, groups: [g], extra: {a: [b]}}}`,
			`{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: x}, spec: {request: r}}`},
	} {
		t.Run(name, func(t *testing.T) {
			require.Empty(t, cmp.Diff(object(t, c.out).Object, event.Sanitize(object(t, c.in)).Object))
		})
	}
}

func TestSanitizeAcceptsNothing(t *testing.T) {
	require.Nil(t, event.Sanitize(nil))
	require.Empty(t, event.Sanitize(&unstructured.Unstructured{}).Object)
}

// FuzzSanitize states that Sanitize copes with any JSON, changes neither its input nor, a second
// time, its output.
func FuzzSanitize(f *testing.F) {
	for _, kind := range []string{
		"v1 Service", "v1 Namespace", "v1 PersistentVolume", "v1 PersistentVolumeClaim", "v1 ServiceAccount", "batch/v1 Job", "apps/v1 StatefulSet",
		"rbac.authorization.k8s.io/v1 ClusterRole", "certificates.k8s.io/v1 CertificateSigningRequest", "example.com/v1 Widget",
	} {
		version, kind, _ := strings.Cut(kind, " ")
		head := `{"apiVersion":"` + version + `","kind":"` + kind + `",`
		f.Add([]byte(head + `"metadata":{"name":"x","uid":"u","labels":{"job-name":"x"},"annotations":{"pv.kubernetes.io/bound-by-controller":"yes"},
			"managedFields":[{"fieldsV1":{"f:spec":{"f:ports":{}}}}]},"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ports":[{"nodePort":1}],
			"finalizers":["kubernetes",1],"claimRef":{"uid":"u"},"volumeName":"v","template":{"metadata":{"creationTimestamp":null}},
			"volumeClaimTemplates":[{"metadata":{"creationTimestamp":null},"status":{}}]},"secrets":[{"name":"x-token-bcdfg"}]}`))
		f.Add([]byte(head + `"metadata":null,"spec":[],"secrets":{},"status":1,"rules":0,"aggregationRule":{}}`))
		f.Add([]byte(head + `"metadata":{"annotations":[],"labels":null,"managedFields":[null,1]},"spec":{"ports":[null],"selector":{},"volumeClaimTemplates":[1,{}]}}`))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var content map[string]any
		if utiljson.Unmarshal(text, &content) != nil {
			return
		}
		obj := &unstructured.Unstructured{Object: content}
		before, err := json.Marshal(content)
		require.NoError(t, err)
		once := event.Sanitize(obj)
		onceText, err := json.Marshal(once.Object)
		require.NoError(t, err)
		after, err := json.Marshal(content)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "the input was changed")
		require.Empty(t, cmp.Diff(withoutAddress(once), withoutAddress(event.Sanitize(once))), "a second time changes more")
		scribble(once.Object)
		after, err = json.Marshal(content)
		require.NoError(t, err)
		require.Equal(t, string(before), string(after), "input and output share maps: %s", onceText)
	})
}

// withoutAddress leaves out what only the records tell to be the author's; they are gone when an
// object was sanitised once.
func withoutAddress(obj *unstructured.Unstructured) map[string]any {
	if obj.GroupVersionKind().GroupKind().String() != "Service" {
		return obj.Object
	}
	obj = obj.DeepCopy()
	unstructured.RemoveNestedField(obj.Object, "spec", "clusterIP")
	unstructured.RemoveNestedField(obj.Object, "spec", "clusterIPs")
	return obj.Object
}

// scribble overwrites everything that can be reached from v.
func scribble(v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, value := range v {
			scribble(value)
			v[key] = "scribbled"
		}
	case []any:
		for i, value := range v {
			scribble(value)
			v[i] = "scribbled"
		}
	}
}
