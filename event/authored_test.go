package event_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// An object has been made by an apiserver; each case says who else has written what.
func TestWhatTheAuthorWroteStaysWhoeverAssignedItFirst(t *testing.T) {
	type record map[string]any // of managers: what they manage
	const kubectl, controller = "kubectl-client-side-apply", "kube-controller-manager"
	service := `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, clusterIP: 10.0.0.7, clusterIPs: [10.0.0.7],
		healthCheckNodePort: 31000, ports: [{port: 80, protocol: TCP, nodePort: 30080}]}}`
	bare := `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, ports: [{port: 80, protocol: TCP}]}}`
	port := func(more string) string {
		return `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, ports: [{port: 80, protocol: TCP` + more + `}]}}`
	}
	claim := `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x, annotations: {pv.kubernetes.io/bound-by-controller: "yes"}}, spec: {a: b, volumeName: pv}}`
	volume := `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x, annotations: {pv.kubernetes.io/bound-by-controller: "yes"}},
		spec: {a: b, claimRef: {name: c, namespace: ns, uid: u}}}`
	for name, c := range map[string]struct {
		in       string
		managers map[string]record
		applied  string
		out      string
	}{
		"nobody chose the ports":                     {in: service, managers: map[string]record{kubectl: {}}, out: bare},
		"port pinned later by kubectl apply":         {in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"ports":[{"port":80,"nodePort":30080}]}}`, out: port(", nodePort: 30080")},
		"port pinned by apply of another protocol":   {in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"ports":[{"port":80,"protocol":"UDP","nodePort":30080}]}}`, out: bare},
		"port that was applied once, and is another": {in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"ports":[{"port":80,"nodePort":30081}]}}`, out: bare},
		"applied without a port":                     {in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"ports":[{"port":80}]}}`, out: bare},
		"port pinned by apply for another port":      {in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"ports":[{"port":81,"nodePort":30080},7]}}`, out: bare},
		"last-applied is no JSON":                    {in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":`, out: bare},
		"health check port pinned later": {
			in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"healthCheckNodePort":31000}}`,
			out: `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, healthCheckNodePort: 31000, ports: [{port: 80, protocol: TCP}]}}`,
		},
		"address pinned at the start": {
			in: service, managers: map[string]record{"helm": {"f:spec": record{"f:clusterIP": record{}}}},
			out: `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, clusterIP: 10.0.0.7, ports: [{port: 80, protocol: TCP}]}}`,
		},
		"address pinned later": {
			in: service, managers: map[string]record{kubectl: {}}, applied: `{"spec":{"clusterIP":"10.0.0.7","clusterIPs":["10.0.0.7"]}}`,
			out: `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, clusterIP: 10.0.0.7, clusterIPs: [10.0.0.7], ports: [{port: 80, protocol: TCP}]}}`,
		},
		"address that the API server chose for itself": {
			in: service, managers: map[string]record{"kube-apiserver": {"f:spec": record{"f:clusterIP": record{}}}}, out: bare,
		},
		"from before managers were recorded": {
			in: service, managers: map[string]record{"before-first-apply": {"f:spec": record{"f:clusterIP": record{}}}},
			out: `{apiVersion: v1, kind: Service, metadata: {name: x}, spec: {type: NodePort, healthCheckNodePort: 31000, ports: [{port: 80, protocol: TCP, nodePort: 30080}]}}`,
		},
		"claim bound by a controller": {
			in: claim, managers: map[string]record{controller: {"f:spec": record{"f:volumeName": record{}}}},
			out: `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {a: b}}`,
		},
		"claim whose volume was pinned later": {
			in: claim, managers: map[string]record{controller: {"f:spec": record{"f:volumeName": record{}}}}, applied: `{"spec":{"volumeName":"pv"}}`,
			out: `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {a: b, volumeName: pv}}`,
		},
		"volume bound by a controller": {
			in: volume, managers: map[string]record{"k3s": {"f:spec": record{"f:claimRef": record{}}}},
			out: `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {a: b}}`,
		},
		"volume whose claim was pinned later": {
			in: volume, managers: map[string]record{"k3s": {"f:spec": record{"f:claimRef": record{}}}}, applied: `{"spec":{"claimRef":{"name":"c","namespace":"ns"}}}`,
			out: `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {a: b, claimRef: {name: c, namespace: ns}}}`,
		},
		"volume whose claim is another than the one applied": {
			in: volume, managers: map[string]record{"k3s": {"f:spec": record{"f:claimRef": record{}}}}, applied: `{"spec":{"claimRef":{"name":"d","namespace":"ns"}}}`,
			out: `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {a: b}}`,
		},
		"volume to which no claim was applied": {
			in: volume, managers: map[string]record{"k3s": {"f:spec": record{"f:claimRef": record{}}}}, applied: `{"spec":{"claimRef":{}}}`,
			out: `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {a: b}}`,
		},
		"volume whose claim was applied with a null": {
			in: volume, managers: map[string]record{"k3s": {"f:spec": record{"f:claimRef": record{}}}},
			applied: `{"spec":{"claimRef":{"name":"c","namespace":"ns","resourceVersion":null}}}`,
			out:     `{apiVersion: v1, kind: PersistentVolume, metadata: {name: x}, spec: {a: b, claimRef: {name: c, namespace: ns}}}`,
		},
		"port of which nobody can tell": {in: port(", nodePort: 30080"), out: port(", nodePort: 30080")},
	} {
		t.Run(name, func(t *testing.T) {
			in := object(t, c.in)
			metadata := in.Object["metadata"].(map[string]any)
			var managed []any
			for manager, fields := range c.managers {
				text, err := json.Marshal(fields)
				require.NoError(t, err)
				managed = append(managed, object(t, `{manager: `+manager+`, fieldsV1: `+string(text)+`}`).Object)
			}
			if managed != nil {
				metadata["managedFields"] = managed
			}
			if c.applied != "" {
				annotations, _ := metadata["annotations"].(map[string]any)
				if annotations == nil {
					annotations = map[string]any{}
				}
				annotations["kubectl.kubernetes.io/last-applied-configuration"] = c.applied
				metadata["annotations"] = annotations
			}
			require.Empty(t, cmp.Diff(object(t, c.out).Object, event.Sanitize(in).Object))
		})
	}
}

// A schema may require a map that holds nothing but what is removed.
func TestAMapThatBecomesEmptyStaysUnlessItsKindAllowsItsAbsence(t *testing.T) {
	for in, out := range map[string]string{
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, spec: {template: {metadata: {creationTimestamp: null}}}}`:                              `{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, spec: {template: {metadata: {}}}}`,
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, spec: {jobTemplate: {spec: {template: {metadata: {creationTimestamp: null}}}}}}`:       `{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, spec: {jobTemplate: {spec: {template: {metadata: {}}}}}}`,
		`{apiVersion: apps.example.com/v1, kind: Deployment, metadata: {name: x}, template: {metadata: {creationTimestamp: null}}}`:                             `{apiVersion: apps.example.com/v1, kind: Deployment, metadata: {name: x}, template: {metadata: {}}}`,
		`{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {metadata: {creationTimestamp: null}}}}`:                                 `{apiVersion: apps/v1, kind: Deployment, metadata: {name: x}, spec: {template: {}}}`,
		`{apiVersion: example.com/v1, kind: Widget, metadata: {name: x, annotations: {deployment.kubernetes.io/revision: "1"}}, spec: {}}`:                      `{apiVersion: example.com/v1, kind: Widget, metadata: {name: x}, spec: {}}`,
		`{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x, annotations: {pv.kubernetes.io/bound-by-controller: "yes"}}, spec: {volumeName: v}}`: `{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: x}, spec: {}}`,
		`{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: x}, spec: {username: u}}`:                                       `{apiVersion: certificates.k8s.io/v1, kind: CertificateSigningRequest, metadata: {name: x}, spec: {}}`,
	} {
		require.Empty(t, cmp.Diff(object(t, out).Object, event.Sanitize(object(t, in)).Object), in)
	}
}
