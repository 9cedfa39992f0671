package canonical

import "strings"

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
var serverAnnotations = map[string]bool{
	"autoscaling.alpha.kubernetes.io/conditions":       true,
	"autoscaling.alpha.kubernetes.io/current-metrics":  true,
	"batch.kubernetes.io/job-tracking":                 true,
	"deployment.kubernetes.io/desired-replicas":        true,
	"deployment.kubernetes.io/max-replicas":            true,
	"deployment.kubernetes.io/revision":                true,
	"deployment.kubernetes.io/revision-history":        true,
	"deprecated.daemonset.template.generation":         true,
	"endpoints.kubernetes.io/last-change-trigger-time": true,
	"kubectl.kubernetes.io/last-applied-configuration": true,
	"kubernetes.io/service-account.uid":                true,
	"pv.kubernetes.io/bind-completed":                  true,
	"pv.kubernetes.io/bound-by-controller":             true,
	"volume.beta.kubernetes.io/storage-provisioner":    true,
	"volume.kubernetes.io/selected-node":               true,
	"volume.kubernetes.io/storage-provisioner":         true,
}

// Sanitize removes what the server owns, as event.Sanitize promises it.
func (d *Document) Sanitize() {
	kind := d.groupKind()
	if rule, ok := sanitizers[string(kind)]; ok {
		rule(d)
	}
	optional := 0
	if withTemplate[string(kind)] {
		optional = 1
	}
	for _, path := range templateTimes {
		if d.isNull(d.Get(root, path...)) {
			d.RemoveField(root, optional, path...)
		}
	}
	for name := range d.Each(d.Get(root, "metadata", "annotations")) {
		if serverAnnotations[name] {
			d.RemoveField(root, 2, "metadata", "annotations", name)
		}
	}
	for _, path := range serverFields {
		d.RemoveField(root, 1, path...)
	}
}

// groupKind appends the object's kind[.group] to the scratch, and returns it. Neither is known if
// the apiVersion is none.
func (d *Document) groupKind() []byte {
	group, version, ok := strings.Cut(d.Text(d.Get(root, "apiVersion")), "/")
	if strings.Contains(version, "/") {
		return nil
	}
	start := len(d.scratch)
	d.scratch = append(d.scratch, d.Text(d.Get(root, "kind"))...)
	if ok && group != "" {
		d.scratch = append(d.scratch, '.')
		d.scratch = append(d.scratch, group...)
	}
	return d.scratch[start:]
}

// withTemplate are the kinds in whose templates metadata may be absent.
var withTemplate = map[string]bool{
	"PodTemplate": true, "ReplicationController": true,
	"DaemonSet.apps": true, "Deployment.apps": true, "ReplicaSet.apps": true, "StatefulSet.apps": true,
	"CronJob.batch": true, "Job.batch": true,
}

// templateTimes are where the built-in kinds, and those made after them, have the time at which a
// pod or job template was made: a null that is an artefact of Go.
var templateTimes = [][]string{
	{"spec", "template", "metadata", "creationTimestamp"},
	{"spec", "jobTemplate", "metadata", "creationTimestamp"},
	{"spec", "jobTemplate", "spec", "template", "metadata", "creationTimestamp"},
	{"template", "metadata", "creationTimestamp"},
}

// isNull reports whether n is a null, or not there.
func (d *Document) isNull(n Node) bool { return d.Kind(n) == None || d.Kind(n) == Null }

// removeElements removes the elements of the list at path that unwanted accepts. A list that
// becomes empty is removed, with maps around it as RemoveField does.
func (d *Document) removeElements(unwanted func(Node) bool, optional int, path ...string) {
	list := d.Get(root, path...)
	if d.Kind(list) != List || d.Empty(list) {
		return
	}
	for _, n := range d.Each(list) {
		if unwanted(n) {
			d.Remove(n)
		}
	}
	if d.Empty(list) {
		d.RemoveField(root, optional, path...)
	}
}

// isGenerated reports whether what follows a base in a name is a suffix as the API server makes it
// for generateName.
func isGenerated(suffix string) bool {
	return len(suffix) == 5 && strings.Trim(suffix, "bcdfghjklmnpqrstvwxz2456789") == ""
}
