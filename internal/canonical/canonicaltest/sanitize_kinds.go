package canonicaltest

// sanitizers remove what the server assigns in objects of one kind, by kind[.group]. They see the
// metadata as the server sent it.
var sanitizers = map[string]func(obj map[string]any){
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
func sanitizeSigningRequest(obj map[string]any) {
	for _, field := range []string{"uid", "username", "groups", "extra"} {
		remove(obj, 0, "spec", field)
	}
}

// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
func sanitizeClusterRole(obj map[string]any) {
	if obj["aggregationRule"] != nil {
		remove(obj, 0, "rules")
	}
}

// https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector
func sanitizeJob(obj map[string]any) {
	if nested(obj, "spec")["manualSelector"] == true {
		return
	}
	remove(obj, 0, "spec", "selector")
	for _, label := range []string{
		"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name",
	} {
		remove(obj, 2, "metadata", "labels", label)
		remove(obj, 2, "spec", "template", "metadata", "labels", label)
	}
}

func sanitizeNamespace(obj map[string]any) {
	remove(obj, 2, "metadata", "labels", "kubernetes.io/metadata.name")
	replaceList(obj, func(finalizer any) bool { return finalizer != "kubernetes" }, 1, "spec", "finalizers")
}

// boundByController marks a binding that Kubernetes chose. A user who binds by hand leaves it out.
const boundByController = "pv.kubernetes.io/bound-by-controller"

func sanitizeVolume(obj map[string]any) {
	if text(obj, "metadata", "annotations", boundByController) != "" && !recordsOf(obj).authored("spec", "claimRef") {
		remove(obj, 0, "spec", "claimRef")
	}
	remove(obj, 1, "spec", "claimRef", "uid")
	remove(obj, 1, "spec", "claimRef", "resourceVersion")
}

func sanitizeClaim(obj map[string]any) {
	if text(obj, "metadata", "annotations", boundByController) != "" && !recordsOf(obj).authored("spec", "volumeName") {
		remove(obj, 0, "spec", "volumeName")
	}
}

// sanitizeService removes addresses that nobody is known to have chosen, since they are out of the
// range of this one cluster. Ports mean something elsewhere too, so where nobody can tell they
// stay. The API server records field managers before it allocates.
func sanitizeService(obj map[string]any) {
	r := recordsOf(obj)
	if text(obj, "spec", "clusterIP") != "None" {
		for _, field := range []string{"clusterIP", "clusterIPs"} {
			if !r.authored("spec", field) {
				remove(obj, 0, "spec", field)
			}
		}
	}
	if !r.known() {
		return
	}
	if !r.authored("spec", "healthCheckNodePort") {
		remove(obj, 0, "spec", "healthCheckNodePort")
	}
	for _, value := range list(obj, "spec", "ports") {
		if port, _ := value.(map[string]any); !r.authoredPort(port) {
			delete(port, "nodePort")
		}
	}
}

// Until Kubernetes 1.24 every ServiceAccount was given the Secret of a token.
func sanitizeServiceAccount(obj map[string]any) {
	generated := text(obj, "metadata", "name") + "-token-"
	replaceList(obj, func(value any) bool {
		secret, _ := value.(map[string]any)
		return !isGenerated(text(secret, "name"), generated)
	}, 0, "secrets")
}

func sanitizeStatefulSet(obj map[string]any) {
	for _, value := range list(obj, "spec", "volumeClaimTemplates") {
		claim, _ := value.(map[string]any)
		remove(claim, 0, "status")
		if nested(claim, "metadata")["creationTimestamp"] == nil {
			remove(claim, 1, "metadata", "creationTimestamp")
		}
	}
}
