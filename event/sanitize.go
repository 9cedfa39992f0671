package event

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Sanitize returns a copy of obj without what the server owns. It does not change obj. It works by
// a deny list: whatever is not named here stays, also empty values, defaults, and fields of unknown
// kinds. A map that becomes empty is removed if the kind allows its absence, as all kinds do for
// labels and annotations. Any other map stays, since a schema may require it.
//
// What the author of an object wrote stays, even if the server assigns it elsewhere. The author is
// known from metadata.managedFields; if these name only the program that assigned the value first,
// from the last-applied-configuration of kubectl.
//
// Removed from every kind: status; metadata's managedFields, uid, resourceVersion, generation,
// creationTimestamp, selfLink, deletionTimestamp, deletionGracePeriodSeconds and ownerReferences;
// annotations that kubectl and the built-in controllers keep for themselves,
// last-applied-configuration and deployment revisions among them; in pod templates the
// "creationTimestamp: null" that is an artefact of Go. Removed from single kinds is what the server
// assigns there:
//
//   - CertificateSigningRequest: spec.uid, username, groups, extra
//   - ClusterRole with an aggregationRule: rules, which the control plane overwrites
//   - Job: selector and labels that the server generates, unless manualSelector is set
//   - Namespace: the finalizer "kubernetes" and the label kubernetes.io/metadata.name
//   - PersistentVolume: claimRef's uid and resourceVersion, and all of it if a controller did the
//     binding
//   - PersistentVolumeClaim: volumeName, if a controller did the binding
//   - Service: clusterIP and clusterIPs other than None, unless the author chose them; node ports
//     that the server chose (without managedFields they stay)
//   - ServiceAccount: token Secrets that the server made
//   - StatefulSet: status of volumeClaimTemplates
//
// What admission adds to Pods is kept.
//
// Of an object that is nested deeper than 10,000 maps and lists, as one is that contains itself,
// Sanitize returns nil, which Encode refuses.
func Sanitize(obj *unstructured.Unstructured) *unstructured.Unstructured {
	if obj == nil {
		return nil
	}
	clean, err := sanitized(obj.Object)
	if err != nil {
		return nil
	}
	return &unstructured.Unstructured{Object: clean}
}

// sanitized is Sanitize with the reason why an object is none.
func sanitized(object map[string]any) (map[string]any, error) {
	m := memories.Get().(*memory)
	defer m.release()
	if err := m.document.Load(object); err != nil {
		return nil, fmt.Errorf("event: cannot encode the object: %w", err)
	}
	m.document.Sanitize()
	return m.document.Object(), nil
}
