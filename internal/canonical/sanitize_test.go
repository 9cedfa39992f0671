package canonical_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// family has objects of one kind: in its text each name of the choices stands for one of them. With
// no text they are the empty one.
type family struct {
	text    string
	choices map[string][]string
}

// each calls f with the text of every member of the family.
func (f family) each(do func(text string)) {
	for name, choices := range f.choices {
		if !strings.Contains(f.text, name) {
			continue
		}
		for _, choice := range choices {
			family{strings.ReplaceAll(f.text, name, choice), f.choices}.each(do)
		}
		return
	}
	do(f.text)
}

// managers are records of who wrote what, applied what kubectl has recorded.
var (
	managers = []string{
		``, `"managedFields":[],`, `"managedFields":{},`, `"managedFields":[null,7],`, `"managedFields":[{"manager":"kubectl","fieldsV1":{}}],`,
		`"managedFields":[{"manager":"before-first-apply","fieldsV1":{"f:spec":{"f:clusterIP":{},"f:volumeName":{},"f:claimRef":{}}}}],`,
		`"managedFields":[{"manager":"kube-apiserver","fieldsV1":{"f:spec":{"f:clusterIP":{},"f:volumeName":{},"f:claimRef":{},"f:healthCheckNodePort":{}}}}],`,
		`"managedFields":[{"manager":"x"},{"manager":"helm","fieldsV1":{"f:spec":{"f:clusterIP":{},"f:volumeName":{},"f:claimRef":{},"f:healthCheckNodePort":null}}}],`,
		`"managedFields":[{"manager":"helm","fieldsV1":{"f:spec":{"clusterIP":{},"f:clusterIPs":[],"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{"f:nodePort":{}}}}}}],`,
		`"managedFields":[{"manager":"helm","fieldsV1":{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"<nil>\"}":{"f:nodePort":{}},"k:{\"port\":http,\"protocol\":\"UDP\"}":{"f:nodePort":{}}}}}}],`,
	}
	applied = []string{
		``, `{`, `null`, `[]`, `{}`, `{\"spec\":[]}`, `{\"spec\":{\"clusterIP\":\"10.0.0.1\",\"volumeName\":\"v\",\"claimRef\":{\"name\":\"c\"},\"healthCheckNodePort\":31000}}`,
		`{\"spec\":{\"clusterIP\":\"10.0.0.2\",\"clusterIPs\":[\"10.0.0.1\"],\"claimRef\":{\"name\":\"c\",\"namespace\":null,\"uid\":\"u\"},\"healthCheckNodePort\":31000.0}}`,
		`{\"spec\":{\"clusterIPs\":[\"10.0.0.1\",null],\"claimRef\":{},\"ports\":[7,{\"port\":80,\"nodePort\":30080}]}}`,
		`{\"spec\":{\"clusterIPs\":[\"10.0.0.2\"],\"claimRef\":{\"name\":\"d\"},\"ports\":[{\"port\":80,\"protocol\":\"UDP\",\"nodePort\":30080},{\"port\":80,\"nodePort\":30081}]}}`,
		`{\"spec\":{\"clusterIP\":null,\"claimRef\":[],\"volumeName\":{},\"healthCheckNodePort\":31000.25,\"ports\":{\"a\":{\"port\":80,\"nodePort\":30080}}}}`,
		`{\"spec\":{\"clusterIPs\":[{\"a\":1}],\"healthCheckNodePort\":1e999,\"ports\":[{\"port\":80,\"protocol\":null,\"nodePort\":30080}]}}`,
	}
	families = []family{
		{`{"apiVersion":"v1","kind":"Service","metadata":{MANAGERS"name":"x","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"APPLIED"}},"spec":{SPEC}}`,
			map[string][]string{"MANAGERS": managers, "APPLIED": applied, "SPEC": {
				`"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"healthCheckNodePort":31000,"ports":[{"port":80,"protocol":"TCP","nodePort":30080}]`,
				`"clusterIP":"None","clusterIPs":["None"],"healthCheckNodePort":null,"ports":[{"port":80,"nodePort":30080},{"port":80,"protocol":"UDP","nodePort":30080},7,null]`,
				`"clusterIP":null,"clusterIPs":[{"a":1}],"ports":[{"port":"http","protocol":"UDP","nodePort":null},{"port":8e1,"protocol":"TCP","nodePort":30080},{"protocol":"TCP","nodePort":1},{}]`,
				`"clusterIPs":["10.0.0.1",null],"healthCheckNodePort":31000.5,"ports":{"a":{"nodePort":1}}`, `"clusterIPs":[{"a":1,"b":2}]`, `"clusterIPs":[]`, `"ports":[]`,
			}}},
		{`{"apiVersion":"v1","kind":"KIND","metadata":{MANAGERS"annotations":{BOUND"kubectl.kubernetes.io/last-applied-configuration":"APPLIED"}},"spec":{SPEC}}`,
			map[string][]string{"MANAGERS": managers, "APPLIED": applied, "KIND": {"PersistentVolume", "PersistentVolumeClaim"},
				"BOUND": {``, `"pv.kubernetes.io/bound-by-controller":"yes",`, `"pv.kubernetes.io/bound-by-controller":"",`},
				"SPEC":  {`"volumeName":"v","claimRef":{"name":"c","uid":"u","resourceVersion":"1"}`, `"claimRef":{"uid":"u"}`, `"claimRef":{"resourceVersion":"1"}`, `"claimRef":{},"volumeName":null`, `"claimRef":[]`}}},
		{`{"apiVersion":"GROUP","kind":"KIND","TEMPLATE,"spec":{"TEMPLATE,"jobTemplate":{METADATA"spec":{"TEMPLATE}}}}`,
			map[string][]string{"TEMPLATE": {`template":{METADATA"spec":{}}`}, "GROUP": {"v1", "apps/v1", "apps/v1/x", "batch/v1", "example.com/v1"},
				"KIND":     {"Deployment", "StatefulSet", "ReplicaSet", "DaemonSet", "CronJob", "Job", "PodTemplate", "ReplicationController", "Widget", "Deployment.apps"},
				"METADATA": {``, `"metadata":{},`, `"metadata":{"creationTimestamp":null},`, `"metadata":{"creationTimestamp":"2026"},`, `"metadata":{"creationTimestamp":null,"a":1},`, `"metadata":[],`}}},
		{`{"apiVersion":"GROUP","kind":"Job","metadata":{LABELS},"spec":{MANUAL"selector":{},"template":{"metadata":{LABELS}}}}`,
			map[string][]string{"GROUP": {"batch/v1", "batch/v1beta1", "batch", "a/batch/v1", "batch/v1/a", "batch/", "/batch", "", "v1"}, "MANUAL": {``, `"manualSelector":true,`, `"manualSelector":false,`, `"manualSelector":"true",`},
				"LABELS": {``, `"labels":{}`, `"labels":{"job-name":"x"}`, `"labels":{"controller-uid":"x","batch.kubernetes.io/controller-uid":"x","batch.kubernetes.io/job-name":"y","a":"b"}`, `"a":1,"labels":{"job-name":null}`}}},
		{`{"apiVersion":"v1","kind":"Namespace","metadata":{LABELS},"spec":{FINALIZERS}}`,
			map[string][]string{"LABELS": {``, `"labels":{"kubernetes.io/metadata.name":"x"}`, `"name":"x","labels":{"kubernetes.io/metadata.name":"x","a":"b"}`},
				"FINALIZERS": {``, `"finalizers":[]`, `"finalizers":["kubernetes"]`, `"a":1,"finalizers":["kubernetes","kubernetes"]`, `"finalizers":["a","kubernetes",1,null]`, `"finalizers":"kubernetes"`}}},
		{`{"apiVersion":"v1","kind":"ServiceAccount","metadata":{NAME},"secrets":[SECRETS]}`,
			map[string][]string{"NAME": {``, `"name":"x"`}, "SECRETS": {``, `{"name":"x-token-bcdfg"}`, `{"name":"x-token-bcdfgh"},{"name":"x-token-bcda5"},{"name":"x"}`, `{"name":"-token-24567"},7,{"name":"x-token-zzzzz"}`, `{"name":"xx-token-bcdfg"}`, `[]`}}},
		{`{"apiVersion":"rbac.authorization.k8s.io/v1","kind":"ClusterRole","aggregationRule":RULE,"rules":RULES}`, map[string][]string{"RULE": {`null`, `{}`, `1`}, "RULES": {`null`, `[]`, `[1]`}}},
		{`{"apiVersion":"certificates.k8s.io/v1","kind":"CertificateSigningRequest","spec":SPEC}`,
			map[string][]string{"SPEC": {`{}`, `[]`, `{"uid":1,"username":2,"groups":[3],"extra":{}}`, `{"request":"r","extra":null}`}}},
		{`{"apiVersion":"apps/v1","kind":"StatefulSet","spec":{"volumeClaimTemplates":CLAIMS}}`, map[string][]string{"CLAIMS": {`null`, `{}`, `[]`,
			`[{"metadata":{"creationTimestamp":null},"status":{}},{"metadata":{"creationTimestamp":"2026"}},{"metadata":{"creationTimestamp":null,"name":"a"},"status":1},7,{"metadata":{}}]`}}},
		{`{"apiVersion":"v1","kind":"ConfigMap","status":STATUS,"metadata":{"FIELD":VALUE}}`, map[string][]string{"STATUS": {`{}`, `null`}, "VALUE": {`null`, `1`, `{}`, `{"a":1}`}, "FIELD": {
			"managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "selfLink", "deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "name", `a":1,"uid`}}},
		{`{"apiVersion":"v1","kind":"ConfigMap","metadata":METADATA,"uid":1}`, map[string][]string{"METADATA": {`{}`, `null`, `[]`, `[{"uid":1}]`, `"uid"`}}},
		{`{"apiVersion":"v1","kind":"ConfigMap","metadata":{MORE"annotations":{ANNOTATIONS}}}`, map[string][]string{"MORE": {``, `"name":"x",`}, "ANNOTATIONS": {
			``, `"a":1`, `"autoscaling.alpha.kubernetes.io/conditions":1`, `"autoscaling.alpha.kubernetes.io/current-metrics":1`, `"batch.kubernetes.io/job-tracking":1`, `"deployment.kubernetes.io/desired-replicas":1`,
			`"deployment.kubernetes.io/max-replicas":1`, `"deployment.kubernetes.io/revision":1`, `"deployment.kubernetes.io/revision-history":1`, `"deprecated.daemonset.template.generation":1`,
			`"endpoints.kubernetes.io/last-change-trigger-time":1`, `"kubectl.kubernetes.io/last-applied-configuration":1`, `"kubernetes.io/service-account.uid":1`, `"pv.kubernetes.io/bind-completed":1`,
			`"pv.kubernetes.io/bound-by-controller":1`, `"volume.beta.kubernetes.io/storage-provisioner":1`, `"volume.kubernetes.io/selected-node":1`, `"volume.kubernetes.io/storage-provisioner":1`,
			`"a":1,"deployment.kubernetes.io/revision":"1","pv.kubernetes.io/bind-completed":"yes"`, `"pv.kubernetes.io/bind-completed":"yes","volume.kubernetes.io/storage-provisioner":"p"`}}},
	}
)

// TestWhatIsRemovedIsWhatWasRemovedBefore has what each rule may find, in every combination.
func TestWhatIsRemovedIsWhatWasRemovedBefore(t *testing.T) {
	t.Parallel()
	var c compared
	objects := 0
	for _, f := range families {
		f.each(func(text string) {
			if err := c.check([]byte(text)); err != nil {
				require.NoError(t, err, text)
			}
			objects++
		})
	}
	t.Logf("%d objects", objects)
	require.Greater(t, objects, 2000)
}
