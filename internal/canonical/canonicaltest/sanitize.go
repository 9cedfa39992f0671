package canonicaltest

import (
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// serverFields are set by the API server on objects of every kind, whatever a client sends.
// https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/object-meta/
//
// Owner references go with them: they hold the uid of another object, and applied to a cluster
// where that uid does not exist they make the garbage collector delete the object.
var serverFields = [][]string{
	{"status"},
	{"metadata", "managedFields"},
	{"metadata", "uid"},
	{"metadata", "resourceVersion"},
	{"metadata", "generation"},
	{"metadata", "creationTimestamp"},
	{"metadata", "selfLink"},
	{"metadata", "deletionTimestamp"},
	{"metadata", "deletionGracePeriodSeconds"},
	{"metadata", "ownerReferences"},
}

// serverAnnotations are written by kubectl, the API server and the built-in controllers for their
// own use. https://kubernetes.io/docs/reference/labels-annotations-taints/
var serverAnnotations = []string{
	"autoscaling.alpha.kubernetes.io/conditions",
	"autoscaling.alpha.kubernetes.io/current-metrics",
	"batch.kubernetes.io/job-tracking",
	"deployment.kubernetes.io/desired-replicas",
	"deployment.kubernetes.io/max-replicas",
	"deployment.kubernetes.io/revision",
	"deployment.kubernetes.io/revision-history",
	"deprecated.daemonset.template.generation",
	"endpoints.kubernetes.io/last-change-trigger-time",
	"kubectl.kubernetes.io/last-applied-configuration",
	"kubernetes.io/service-account.uid",
	"pv.kubernetes.io/bind-completed",
	"pv.kubernetes.io/bound-by-controller",
	"volume.beta.kubernetes.io/storage-provisioner",
	"volume.kubernetes.io/selected-node",
	"volume.kubernetes.io/storage-provisioner",
}

// Sanitize returns a copy of obj without what the server owns, as event.Sanitize does.
func Sanitize(obj *unstructured.Unstructured) *unstructured.Unstructured {
	if obj == nil {
		return nil
	}
	clean, _ := clone(obj.Object).(map[string]any)
	kind := obj.GroupVersionKind().GroupKind().String()
	if rule, ok := sanitizers[kind]; ok {
		rule(clean)
	}
	optional := 0
	if withTemplate[kind] {
		optional = 1
	}
	for _, path := range templatePaths {
		if nested(clean, path...)["creationTimestamp"] == nil {
			remove(clean, optional, append(path[:len(path):len(path)], "creationTimestamp")...)
		}
	}
	for _, annotation := range serverAnnotations {
		remove(clean, 2, "metadata", "annotations", annotation)
	}
	for _, path := range serverFields {
		remove(clean, 1, path...)
	}
	return &unstructured.Unstructured{Object: clean}
}

// withTemplate are the kinds in whose templates metadata may be absent.
var withTemplate = map[string]bool{
	"PodTemplate": true, "ReplicationController": true,
	"DaemonSet.apps": true, "Deployment.apps": true, "ReplicaSet.apps": true, "StatefulSet.apps": true,
	"CronJob.batch": true, "Job.batch": true,
}

// templatePaths are where the built-in kinds, and those made after them, keep the metadata of a pod
// or job template.
var templatePaths = [][]string{
	{"spec", "template", "metadata"},
	{"spec", "jobTemplate", "metadata"},
	{"spec", "jobTemplate", "spec", "template", "metadata"},
	{"template", "metadata"},
}

// clone copies maps and lists. Unlike DeepCopy of unstructured it does not panic at values that
// JSON does not know: Encode returns an error for them.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			m[key] = clone(value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = clone(value)
		}
		return list
	default:
		return v
	}
}

// remove deletes the field at path. It also deletes maps around it that become empty by that, the
// innermost first, up to a number.
func remove(m map[string]any, optional int, path ...string) {
	if len(path) == 1 {
		delete(m, path[0])
		return
	}
	child, _ := m[path[0]].(map[string]any)
	if len(child) == 0 {
		return
	}
	remove(child, optional, path[1:]...)
	if len(child) == 0 && len(path)-1 <= optional {
		delete(m, path[0])
	}
}

// nested returns the map at path, nil if there is none.
func nested(m map[string]any, path ...string) map[string]any {
	for _, field := range path {
		m, _ = m[field].(map[string]any)
	}
	return m
}

// list returns the list at path, nil if there is none.
func list(m map[string]any, path ...string) []any {
	last := len(path) - 1
	values, _ := nested(m, path[:last]...)[path[last]].([]any)
	return values
}

// text returns the string at path, "" if there is none.
func text(m map[string]any, path ...string) string {
	last := len(path) - 1
	s, _ := nested(m, path[:last]...)[path[last]].(string)
	return s
}

// replaceList keeps those elements of the list at path that keep accepts. A list that becomes empty
// is removed, with maps around it as remove does.
func replaceList(m map[string]any, keep func(any) bool, optional int, path ...string) {
	var kept []any
	values := list(m, path...)
	for _, value := range values {
		if keep(value) {
			kept = append(kept, value)
		}
	}
	switch {
	case len(kept) == len(values):
	case len(kept) == 0:
		remove(m, optional, path...)
	default:
		last := len(path) - 1
		nested(m, path[:last]...)[path[last]] = kept
	}
}

// isGenerated reports whether name is base followed by a suffix as the API server makes it for
// generateName.
func isGenerated(name, base string) bool {
	suffix, ok := strings.CutPrefix(name, base)
	return ok && len(suffix) == 5 && strings.Trim(suffix, "bcdfghjklmnpqrstvwxz2456789") == ""
}
