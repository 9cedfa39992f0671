package ruleset

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
)

// Input is an object as rules see it: in its newest state, or in its last one before it was
// deleted.
type Input struct {
	// Resource has the version that the object was read in; its Namespace is "" at cluster scope.
	Resource event.Resource
	// Labels are those of the object, NamespaceLabels of its namespace: nil at cluster scope. A
	// Watcher leaves out what no rule for the type looks at.
	Labels, NamespaceLabels map[string]string
	// Controlled is set if the object has a controller owner.
	Controlled bool
	// Managers are the field managers that made this change. None: unknown, or a delete.
	Managers []string
	// Object is the whole object, as in unstructured.Unstructured. Only Conditions, Explain, and
	// Managers and SecretTypes of an Exclusion look at it. A Watcher leaves it out where no rule
	// for the type has one of them.
	Object map[string]any
}

// NewInput returns the Input of an object of a type, as the API server sent it. It does not set
// Managers: set them to LastManagers if the last change of the object is to be matched. The Input
// shares the content of the object.
func NewInput(t Type, obj *unstructured.Unstructured, namespaceLabels map[string]string) Input {
	return Input{
		Resource: event.Resource{
			ID:      event.ID{Group: t.Group, Resource: t.Resource, Namespace: obj.GetNamespace(), Name: obj.GetName()},
			Version: t.Version,
			Kind:    t.Kind,
		},
		Labels:          obj.GetLabels(),
		NamespaceLabels: namespaceLabels,
		Controlled:      metav1.GetControllerOf(obj) != nil,
		Object:          obj.Object,
	}
}

// LastManagers returns the field managers of the last change of an object, each once, and its time:
// those with the newest time, without those of subresources. It reads all managedFields, which
// takes longer than a Match.
func LastManagers(obj *unstructured.Unstructured) (names []string, newest time.Time) {
	for _, f := range obj.GetManagedFields() {
		if f.Time == nil || f.Subresource != "" || f.Time.Time.Before(newest) {
			continue
		}
		if f.Time.After(newest) {
			newest, names = f.Time.Time, nil
		}
		if !slices.Contains(names, f.Manager) {
			names = append(names, f.Manager)
		}
	}
	return names, newest
}
