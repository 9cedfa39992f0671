package event

import "fmt"

// sanitizers remove what the server assigns in objects of one kind, by kind[.group]. They see the metadata as the server
// sent it.
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
		remove(obj, "spec", field)
	}
}

// https://kubernetes.io/docs/reference/access-authn-authz/rbac/#aggregated-clusterroles
func sanitizeClusterRole(obj map[string]any) {
	if obj["aggregationRule"] != nil {
		remove(obj, "rules")
	}
}

// https://kubernetes.io/docs/concepts/workloads/controllers/job/#specifying-your-own-pod-selector
func sanitizeJob(obj map[string]any) {
	if nested(obj, "spec")["manualSelector"] == true {
		return
	}
	remove(obj, "spec", "selector")
	for _, label := range []string{
		"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name",
	} {
		remove(obj, "metadata", "labels", label)
		remove(obj, "spec", "template", "metadata", "labels", label)
	}
}

func sanitizeNamespace(obj map[string]any) {
	remove(obj, "metadata", "labels", "kubernetes.io/metadata.name")
	replaceList(obj, func(finalizer any) bool { return finalizer != "kubernetes" }, "spec", "finalizers")
}

// boundByController marks a binding that Kubernetes chose. A user who binds by hand leaves it out.
const boundByController = "pv.kubernetes.io/bound-by-controller"

func sanitizeVolume(obj map[string]any) {
	if text(obj, "metadata", "annotations", boundByController) != "" {
		remove(obj, "spec", "claimRef")
	}
	remove(obj, "spec", "claimRef", "uid")
	remove(obj, "spec", "claimRef", "resourceVersion")
}

func sanitizeClaim(obj map[string]any) {
	if text(obj, "metadata", "annotations", boundByController) != "" {
		remove(obj, "spec", "volumeName")
	}
}

// sanitizeService removes addresses always, since they are out of the range of this one cluster. Ports mean something
// elsewhere too, so those that a client chose stay: the API server records field managers before it allocates.
func sanitizeService(obj map[string]any) {
	if text(obj, "spec", "clusterIP") != "None" {
		remove(obj, "spec", "clusterIP")
		remove(obj, "spec", "clusterIPs")
	}
	if len(list(obj, "metadata", "managedFields")) == 0 {
		return
	}
	if !isClaimed(obj, "f:spec", "f:healthCheckNodePort") {
		remove(obj, "spec", "healthCheckNodePort")
	}
	for _, value := range list(obj, "spec", "ports") {
		port, _ := value.(map[string]any)
		key := fmt.Sprintf(`k:{"port":%v,"protocol":"%v"}`, port["port"], port["protocol"])
		if !isClaimed(obj, "f:spec", "f:ports", key, "f:nodePort") {
			delete(port, "nodePort")
		}
	}
}

// isClaimed tells whether a field manager owns the field, whose path is in the words of FieldsV1.
func isClaimed(obj map[string]any, path ...string) bool {
	last := len(path) - 1
	for _, value := range list(obj, "metadata", "managedFields") {
		entry, _ := value.(map[string]any)
		if _, ok := nested(nested(entry, "fieldsV1"), path[:last]...)[path[last]]; ok {
			return true
		}
	}
	return false
}

// Until Kubernetes 1.24 every ServiceAccount was given the Secret of a token.
func sanitizeServiceAccount(obj map[string]any) {
	generated := text(obj, "metadata", "name") + "-token-"
	replaceList(obj, func(value any) bool {
		secret, _ := value.(map[string]any)
		return !isGenerated(text(secret, "name"), generated)
	}, "secrets")
}

func sanitizeStatefulSet(obj map[string]any) {
	for _, value := range list(obj, "spec", "volumeClaimTemplates") {
		claim, _ := value.(map[string]any)
		remove(claim, "status")
		if meta := nested(claim, "metadata"); meta != nil && meta["creationTimestamp"] == nil {
			remove(claim, "metadata", "creationTimestamp")
		}
	}
}
