package kubescribe

import (
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/ruleset"
)

// Rights returns the least that a Mirror must be allowed to read with these rules, by namespace: ""
// is what a ClusterRole has, all else are Roles. Whoever mirrors no Secrets need not read them.
//
// They are list, watch and get of the types that the rules name, of a rule of one namespace there
// alone; the same of namespaces, if a rule looks at their labels; and get of the namespace
// kube-system, whose UID names the cluster unless Options.ClusterID does. Discovery is open to
// everybody who is authenticated, by the ClusterRole system:discovery. Credentials and leases are
// the caller's own. A type that is named by "*" is asked for by "*".
func (r Rules) Rights() map[string][]rbacv1.PolicyRule {
	named := map[string]map[schema.GroupResource]bool{} // by namespace
	name := func(namespace string, of schema.GroupResource) {
		if named[namespace] == nil {
			named[namespace] = map[schema.GroupResource]bool{}
		}
		named[namespace][of] = true
	}
	for _, rule := range r.Rules {
		for _, of := range typesOf(rule) {
			name(rule.Name.Namespace, of)
		}
		if looksAtNamespaces(rule) {
			name("", schema.GroupResource{Resource: namespaces.Resource})
		}
	}
	rights := map[string][]rbacv1.PolicyRule{"": nil}
	for namespace, types := range named {
		for of := range types {
			if namespace != "" && named[""][of] {
				delete(types, of)
			}
		}
		if rules := policyRules(types); len(rules) > 0 {
			rights[namespace] = rules
		}
	}
	rights[""] = append(rights[""], rbacv1.PolicyRule{
		APIGroups: []string{namespaces.Group}, Resources: []string{namespaces.Resource},
		ResourceNames: []string{metav1.NamespaceSystem}, Verbs: []string{"get"},
	})
	return rights
}

// typesOf returns the types that a rule names, with "*" for what it does not say.
func typesOf(rule ruleset.Rule) (types []schema.GroupResource) {
	all := []string{rbacv1.APIGroupAll}
	for _, r := range rule.Resources {
		groups, resources := r.APIGroups, r.Resources
		if len(groups) == 0 {
			groups = all
		}
		if len(resources) == 0 {
			resources = all
		}
		for _, group := range groups {
			for _, resource := range resources {
				types = append(types, schema.GroupResource{Group: group, Resource: resource})
			}
		}
	}
	return types
}

// looksAtNamespaces reports whether a rule may look at the labels of namespaces. A Condition may.
func looksAtNamespaces(rule ruleset.Rule) bool {
	s := rule.NamespaceSelector
	return rule.Condition != nil || s != nil && len(s.MatchLabels)+len(s.MatchExpressions) > 0
}

// policyRules has one rule for each API group, in the order of their names.
func policyRules(types map[schema.GroupResource]bool) (rules []rbacv1.PolicyRule) {
	byGroup := map[string][]string{}
	for of := range types {
		byGroup[of.Group] = append(byGroup[of.Group], of.Resource)
	}
	for _, group := range slices.Sorted(maps.Keys(byGroup)) {
		slices.Sort(byGroup[group])
		rules = append(rules, rbacv1.PolicyRule{
			APIGroups: []string{group}, Resources: byGroup[group], Verbs: []string{"get", "list", "watch"},
		})
	}
	return rules
}

// RightsManifests returns Rights as objects to apply: a ClusterRole and a ClusterRoleBinding, and a
// Role and a RoleBinding for each namespace that has some, all of the same name, for a subject such
// as a ServiceAccount.
func (r Rules) RightsManifests(name string, subject rbacv1.Subject) []*unstructured.Unstructured {
	var objects []*unstructured.Unstructured
	rights := r.Rights()
	for _, namespace := range slices.Sorted(maps.Keys(rights)) {
		role, binding := "ClusterRole", "ClusterRoleBinding"
		if namespace != "" {
			role, binding = "Role", "RoleBinding"
		}
		objects = append(objects,
			rbacObject(role, namespace, name, map[string]any{"rules": plainRules(rights[namespace])}),
			rbacObject(binding, namespace, name, map[string]any{
				"roleRef":  map[string]any{"apiGroup": rbacv1.GroupName, "kind": role, "name": name},
				"subjects": []any{plainSubject(subject)},
			}))
	}
	return objects
}

func rbacObject(kind, namespace, name string, content map[string]any) *unstructured.Unstructured {
	object := &unstructured.Unstructured{Object: content}
	object.SetAPIVersion(rbacv1.SchemeGroupVersion.String())
	object.SetKind(kind)
	object.SetNamespace(namespace)
	object.SetName(name)
	return object
}

func plainRules(rules []rbacv1.PolicyRule) (plain []any) {
	for _, r := range rules {
		one := map[string]any{"apiGroups": plainStrings(r.APIGroups), "resources": plainStrings(r.Resources), "verbs": plainStrings(r.Verbs)}
		if len(r.ResourceNames) > 0 {
			one["resourceNames"] = plainStrings(r.ResourceNames)
		}
		plain = append(plain, one)
	}
	return plain
}

func plainStrings(list []string) (plain []any) {
	for _, s := range list {
		plain = append(plain, s)
	}
	return plain
}

func plainSubject(s rbacv1.Subject) map[string]any {
	plain := map[string]any{"kind": s.Kind, "name": s.Name}
	if s.APIGroup != "" {
		plain["apiGroup"] = s.APIGroup
	}
	if s.Namespace != "" {
		plain["namespace"] = s.Namespace
	}
	return plain
}
