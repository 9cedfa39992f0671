package kubescribe_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/ruleset"
)

func TestRightsAreWhatTheRulesNameAndNoMore(t *testing.T) {
	t.Parallel()
	rule := func(namespace string, groups, resources []string) ruleset.Rule {
		return ruleset.Rule{
			Name:      types.NamespacedName{Namespace: namespace, Name: "r"},
			Resources: []ruleset.ResourceRule{{APIGroups: groups, Resources: resources}},
		}
	}
	read := func(group string, resources ...string) rbacv1.PolicyRule {
		return rbacv1.PolicyRule{APIGroups: []string{group}, Resources: resources, Verbs: []string{"get", "list", "watch"}}
	}
	name := rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"namespaces"}, ResourceNames: []string{"kube-system"}, Verbs: []string{"get"}}
	selects := rule("", []string{""}, []string{"pods"})
	selects.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
	all := rule("", nil, nil)
	all.NamespaceSelector = &metav1.LabelSelector{}
	for _, test := range []struct {
		rules []ruleset.Rule
		want  map[string][]rbacv1.PolicyRule
	}{
		{nil, map[string][]rbacv1.PolicyRule{"": {name}}},
		{
			[]ruleset.Rule{rule("team", []string{"", "apps"}, []string{"configmaps", "deployments"})},
			map[string][]rbacv1.PolicyRule{
				"":     {name},
				"team": {read("", "configmaps", "deployments"), read("apps", "configmaps", "deployments")},
			},
		},
		{[]ruleset.Rule{selects}, map[string][]rbacv1.PolicyRule{"": {read("", "namespaces", "pods"), name}}},
		{[]ruleset.Rule{all}, map[string][]rbacv1.PolicyRule{"": {read("*", "*"), name}}},
		{
			[]ruleset.Rule{rule("", []string{""}, []string{"pods"}), rule("team", []string{""}, []string{"pods", "secrets"})},
			map[string][]rbacv1.PolicyRule{"": {read("", "pods"), name}, "team": {read("", "secrets")}},
		},
	} {
		require.Empty(t, cmp.Diff(test.want, kubescribe.Rules{Rules: test.rules}.Rights()))
	}
}

func TestRightsComeAsObjectsToApply(t *testing.T) {
	t.Parallel()
	rules := kubescribe.Rules{Rules: []ruleset.Rule{{
		Name:      types.NamespacedName{Namespace: "team", Name: "r"},
		Resources: []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
	}}}
	objects := rules.RightsManifests("mirror", rbacv1.Subject{Kind: "ServiceAccount", Namespace: "ops", Name: "mirror"})
	var kinds []string
	for _, o := range objects {
		kinds = append(kinds, o.GetKind()+" "+o.GetNamespace())
		require.Equal(t, "mirror", o.GetName())
	}
	require.Equal(t, []string{"ClusterRole ", "ClusterRoleBinding ", "Role team", "RoleBinding team"}, kinds)
	require.Empty(t, cmp.Diff(map[string]any{
		"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
		"metadata": map[string]any{"name": "mirror", "namespace": "team"},
		"roleRef":  map[string]any{"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "mirror"},
		"subjects": []any{map[string]any{"kind": "ServiceAccount", "name": "mirror", "namespace": "ops"}},
	}, objects[3].Object))
}
