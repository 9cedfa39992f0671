package clustertest

import (
	"reflect"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"k8s.io/apimachinery/pkg/watch"
)

// crdSpec is what the cluster reads of a CustomResourceDefinition's spec.
type crdSpec struct {
	Group string `json:"group"`
	Scope string `json:"scope"`
	Names struct {
		Kind       string   `json:"kind"`
		Plural     string   `json:"plural"`
		Singular   string   `json:"singular"`
		ShortNames []string `json:"shortNames"`
	} `json:"names"`
	Versions []struct {
		Name         string `json:"name"`
		Served       bool   `json:"served"`
		Storage      bool   `json:"storage"`
		Subresources struct {
			Status *struct{} `json:"status"`
		} `json:"subresources"`
	} `json:"versions"`
}

func (s crdSpec) serves() Type {
	t := Type{
		Group: s.Group, Kind: s.Names.Kind, Resource: s.Names.Plural, Singular: s.Names.Singular,
		ShortNames: s.Names.ShortNames, Namespaced: s.Scope == "Namespaced",
	}
	for _, v := range s.Versions {
		if v.Served {
			t.Versions = append(t.Versions, v.Name)
			t.Status = t.Status || v.Subresources.Status != nil
		}
	}
	return t
}

func readCRD(u *unstructured.Unstructured) (crdSpec, error) {
	var crd struct {
		Spec crdSpec `json:"spec"`
	}
	err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &crd)
	return crd.Spec, err
}

// completeCRD checks a definition and gives it the status of one whose names are accepted and whose
// type is served.
func (c *Cluster) completeCRD(u *unstructured.Unstructured) error {
	spec, err := readCRD(u)
	if err != nil {
		return apierrors.NewBadRequest("CustomResourceDefinition: " + err.Error())
	}
	root := field.NewPath("spec")
	var faults field.ErrorList
	if want := spec.Names.Plural + "." + spec.Group; u.GetName() != want {
		faults = append(faults, field.Invalid(field.NewPath("metadata", "name"), u.GetName(),
			"must be spec.names.plural+\".\"+spec.group: "+want))
	}
	if spec.Scope != "Namespaced" && spec.Scope != "Cluster" {
		faults = append(faults, field.NotSupported(root.Child("scope"), spec.Scope, []string{"Cluster", "Namespaced"}))
	}
	if spec.Names.Kind == "" {
		faults = append(faults, field.Required(root.Child("names", "kind"), ""))
	}
	var stored []any
	for _, v := range spec.Versions {
		if v.Storage {
			stored = append(stored, v.Name)
		}
	}
	if len(stored) != 1 {
		faults = append(faults, field.Invalid(root.Child("versions"), len(stored), "must have exactly one version marked as storage version"))
	}
	t := spec.serves()
	if len(t.Versions) == 0 {
		faults = append(faults, field.Required(root.Child("versions"), "must have at least one served version"))
	}
	if r := c.resources[t.GroupResource()]; r != nil && r.def.Namespaced != t.Namespaced {
		faults = append(faults, field.Invalid(root.Child("scope"), spec.Scope, "field is immutable"))
	}
	if len(faults) > 0 {
		return apierrors.NewInvalid(schema.GroupKind{Group: crds.Group, Kind: "CustomResourceDefinition"}, u.GetName(), faults)
	}
	names, _, _ := unstructured.NestedMap(u.Object, "spec", "names")
	since := unstructuredMetadata(u)["creationTimestamp"]
	condition := func(kind, reason, message string) any {
		return map[string]any{"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}
	}
	u.Object["status"] = map[string]any{
		"acceptedNames":  names,
		"storedVersions": stored,
		"conditions": []any{
			condition("NamesAccepted", "NoConflicts", "no conflicts found"),
			condition("Established", "InitialNamesAccepted", "the initial names have been accepted"),
		},
	}
	return nil
}

// serveCRD makes the served types follow a definition that was written or removed.
func (c *Cluster) serveCRD(event watch.EventType, u *unstructured.Unstructured) {
	spec, err := readCRD(u)
	if err != nil {
		return // completeCRD has refused it
	}
	t := spec.serves()
	r := c.resources[t.GroupResource()]
	switch {
	case event != watch.Deleted:
		if r == nil || !reflect.DeepEqual(r.def.Type, t) {
			_ = c.define(t) // completeCRD has refused what it would
		}
	case r != nil:
		for _, o := range r.snapshot() {
			c.commit(r, watch.Deleted, o.decode(r.def, r.def.Versions[0]))
		}
		c.unregister(t.GroupResource())
		for name := range c.terminating {
			c.finishNamespace(name)
		}
	}
}
