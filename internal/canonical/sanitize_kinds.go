package canonical

import "strings"

// sanitizers remove what the server assigns in objects of one kind, by kind[.group]. They see the
// metadata as the server sent it.
var sanitizers = map[string]func(d *Document){
	"CertificateSigningRequest.certificates.k8s.io": sanitizeSigningRequest,
	"ClusterRole.rbac.authorization.k8s.io":         sanitizeClusterRole,
	"Job.batch":                                     sanitizeJob,
	"Namespace":                                     sanitizeNamespace,
	"PersistentVolume":                              sanitizeVolume,
	"PersistentVolumeClaim":                         sanitizeClaim,
	"Service":                                       sanitizeService,
	"ServiceAccount":                                sanitizeServiceAccount,
	"StatefulSet.apps":                              sanitizeStatefulSet,
}

// The API server fills in who asked, from the request's user.
func sanitizeSigningRequest(d *Document) {
	for _, field := range []string{"uid", "username", "groups", "extra"} {
		d.RemoveField(root, 0, "spec", field)
	}
}

// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
func sanitizeClusterRole(d *Document) {
	if !d.isNull(d.Get(root, "aggregationRule")) {
		d.RemoveField(root, 0, "rules")
	}
}

// https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector
func sanitizeJob(d *Document) {
	if d.Kind(d.Get(root, "spec", "manualSelector")) == True {
		return
	}
	d.RemoveField(root, 0, "spec", "selector")
	for _, label := range []string{
		"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name",
	} {
		d.RemoveField(root, 2, "metadata", "labels", label)
		d.RemoveField(root, 2, "spec", "template", "metadata", "labels", label)
	}
}

func sanitizeNamespace(d *Document) {
	d.RemoveField(root, 2, "metadata", "labels", "kubernetes.io/metadata.name")
	d.removeElements(func(finalizer Node) bool { return d.Text(finalizer) == "kubernetes" }, 1, "spec", "finalizers")
}

// isBound reports whether Kubernetes chose the binding. A user who binds by hand leaves the mark
// out.
func isBound(d *Document) bool {
	return d.Text(d.Get(root, "metadata", "annotations", "pv.kubernetes.io/bound-by-controller")) != ""
}

func sanitizeVolume(d *Document) {
	if isBound(d) && !d.authored("claimRef") {
		d.RemoveField(root, 0, "spec", "claimRef")
	}
	d.RemoveField(root, 1, "spec", "claimRef", "uid")
	d.RemoveField(root, 1, "spec", "claimRef", "resourceVersion")
}

func sanitizeClaim(d *Document) {
	if isBound(d) && !d.authored("volumeName") {
		d.RemoveField(root, 0, "spec", "volumeName")
	}
}

// sanitizeService removes addresses that nobody is known to have chosen, since they are out of the
// range of this one cluster. Ports mean something elsewhere too, so where nobody can tell they
// stay. The API server records field managers before it allocates.
func sanitizeService(d *Document) {
	r := d.records()
	if d.Text(d.Get(root, "spec", "clusterIP")) != "None" {
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			if !r.authored(field) {
				d.RemoveField(root, 0, "spec", field)
			}
		}
	}
	if !r.known() {
		return
	}
	if !r.authored("healthCheckNodePort") {
		d.RemoveField(root, 0, "spec", "healthCheckNodePort")
	}
	ports := d.Get(root, "spec", "ports")
	if d.Kind(ports) != List {
		return
	}
	for _, port := range d.Each(ports) {
		if !r.authoredPort(port) {
			d.RemoveField(port, 0, "nodePort")
		}
	}
}

// Until Kubernetes 1.24 every ServiceAccount was given the Secret of a token.
func sanitizeServiceAccount(d *Document) {
	name := d.Text(d.Get(root, "metadata", "name"))
	d.removeElements(func(secret Node) bool {
		suffix, ok := strings.CutPrefix(d.Text(d.Get(secret, "name")), name)
		if ok {
			suffix, ok = strings.CutPrefix(suffix, "-token-")
		}
		return ok && isGenerated(suffix)
	}, 0, "secrets")
}

func sanitizeStatefulSet(d *Document) {
	claims := d.Get(root, "spec", "volumeClaimTemplates")
	if d.Kind(claims) != List {
		return
	}
	for _, claim := range d.Each(claims) {
		d.RemoveField(claim, 0, "status")
		if d.isNull(d.Get(claim, "metadata", "creationTimestamp")) {
			d.RemoveField(claim, 1, "metadata", "creationTimestamp")
		}
	}
}
