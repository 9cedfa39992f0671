package main

import (
	"errors"
	"slices"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/namespace"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/object"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"
	corelisters "k8s.io/client-go/listers/core/v1"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// webhook is what a Rule is in the API server: one webhook with its rules and selectors, parsed
// once.
type webhook struct {
	rules             []admissionv1.RuleWithOperations
	namespaceSelector labels.Selector
	objectSelector    labels.Selector
}

func (w *webhook) GetParsedNamespaceSelector() (labels.Selector, error) {
	return w.namespaceSelector, nil
}
func (w *webhook) GetParsedObjectSelector() (labels.Selector, error) { return w.objectSelector, nil }

// newWebhook translates what admission knows of a Rule: an empty list becomes "*" first, since the
// API refuses it.
func newWebhook(r ruleset.Rule) (*webhook, error) {
	w := &webhook{}
	for _, rr := range r.Resources {
		w.rules = append(w.rules, translate(rr))
	}
	var err error
	if w.namespaceSelector, err = selector(r.NamespaceSelector); err != nil {
		return nil, err
	}
	w.objectSelector, err = selector(r.ObjectSelector)
	return w, err
}

func translate(r ruleset.ResourceRule) admissionv1.RuleWithOperations {
	scope := admissionv1.AllScopes
	if r.Scope != "" {
		scope = admissionv1.ScopeType(r.Scope)
	}
	var operations []admissionv1.OperationType
	for _, o := range r.Operations {
		operations = append(operations, admissionv1.OperationType(o))
	}
	if len(operations) == 0 {
		operations = []admissionv1.OperationType{admissionv1.OperationAll}
	}
	return admissionv1.RuleWithOperations{
		Operations: operations,
		Rule: admissionv1.Rule{
			APIGroups: orAll(r.APIGroups), APIVersions: orAll(r.APIVersions), Resources: orAll(r.Resources), Scope: &scope,
		},
	}
}

func orAll(list []string) []string {
	if len(list) == 0 {
		return []string{"*"}
	}
	return slices.Clone(list)
}

// selector reads a nil selector as the API does that defaults it: as the empty one, which selects
// everything.
func selector(s *metav1.LabelSelector) (labels.Selector, error) {
	if s == nil {
		return labels.Everything(), nil
	}
	return metav1.LabelSelectorAsSelector(s)
}

// matches runs the API server's predicates in the order in which its dispatcher does.
func (w *webhook) matches(attributes admission.Attributes, of corelisters.NamespaceLister) (bool, error) {
	for _, predicate := range []func() (bool, *apierrors.StatusError){
		func() (bool, *apierrors.StatusError) {
			m := namespace.Matcher{NamespaceLister: of}
			return m.MatchNamespaceSelector(w, attributes)
		},
		func() (bool, *apierrors.StatusError) { return (&object.Matcher{}).MatchObjectSelector(w, attributes) },
	} {
		if ok, err := predicate(); err != nil || !ok {
			if err != nil {
				return false, err
			}
			return false, nil
		}
	}
	return slices.ContainsFunc(w.rules, func(r admissionv1.RuleWithOperations) bool {
		m := rules.Matcher{Rule: r, Attr: attributes}
		return m.Matches()
	}), nil
}

// attributesOf makes the request that an object would arrive with: a namespace lies in itself
// there.
func attributesOf(in ruleset.Input, op event.Operation) admission.Attributes {
	r := in.Resource
	obj := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: r.Name, Namespace: r.Namespace, Labels: in.Labels}}
	within := r.Namespace
	if isNamespace(r) {
		within = r.Name
	}
	var current, old runtime.Object = obj, nil
	switch op {
	case event.Update:
		old = obj
	case event.Delete:
		current, old = nil, obj
	}
	kind := schema.GroupVersionKind{Group: r.Group, Version: r.Version, Kind: r.Kind}
	resource := schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Resource}
	return admission.NewAttributesRecord(current, old, kind, within, r.Name, resource, "", admission.Operation(op), nil, false, nil)
}

func isNamespace(r event.Resource) bool { return r.Group == "" && r.Resource == "namespaces" }

// lister knows the labels of one namespace, that of the object or the object itself.
type lister struct {
	corelisters.NamespaceLister
	namespace *corev1.Namespace
}

func listerOf(in ruleset.Input) lister {
	n := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: in.Resource.Namespace, Labels: in.NamespaceLabels}}
	if isNamespace(in.Resource) {
		n.Name, n.Labels = in.Resource.Name, in.Labels
	}
	return lister{namespace: n}
}

func (l lister) Get(name string) (*corev1.Namespace, error) {
	if name != l.namespace.Name {
		return nil, errors.New("admission asks for another namespace than the object's: " + name)
	}
	return l.namespace, nil
}

// requests are what could happen to an object.
func requests(in ruleset.Input) map[event.Operation]admission.Attributes {
	all := map[event.Operation]admission.Attributes{}
	for _, op := range []event.Operation{event.Create, event.Update, event.Delete} {
		all[op] = attributesOf(in, op)
	}
	return all
}
