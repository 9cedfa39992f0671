package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// rightsName is that of all that --rbac prints, and of the ServiceAccount that gets the rights.
const rightsName = "kubescribe-mirror"

// printRights prints the least that the manifests need, as objects to apply. It contacts nothing.
func (f *flags) printRights(stdout io.Writer) (int, error) {
	m, err := f.load()
	if err != nil {
		return exitInput, err
	}
	account := rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: f.leaseNamespace, Name: rightsName}
	objects := make([]any, 0, 8)
	for _, object := range rulesOf(m).RightsManifests(rightsName, account) {
		objects = append(objects, object.Object)
	}
	credentials := secretsOf(m)
	for _, namespace := range slices.Sorted(maps.Keys(credentials)) {
		names := credentials[namespace]
		objects = append(objects, role(namespace, rightsName+"-credentials", account, rbacv1.PolicyRule{
			APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: names, Verbs: []string{"get"},
		})...)
	}
	if f.lead {
		leases := []string{"coordination.k8s.io"}
		objects = append(objects, role(f.leaseNamespace, rightsName+"-lease", account,
			rbacv1.PolicyRule{APIGroups: leases, Resources: []string{"leases"}, Verbs: []string{"create"}},
			rbacv1.PolicyRule{APIGroups: leases, Resources: []string{"leases"}, ResourceNames: []string{leaseName}, Verbs: []string{"get", "update"}})...)
	}
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return exitFailed, err
		}
		fmt.Fprintf(stdout, "---\n%s", text)
	}
	return exitDone, nil
}

// secretsOf returns the Secrets with credentials and keys that are to be read from the cluster, by
// namespace.
func secretsOf(m *manifest.Config) map[string][]string {
	byNamespace := map[string]map[types.NamespacedName]bool{}
	needed := slices.Collect(maps.Values(m.Credentials))
	for _, encryption := range m.Encryption {
		needed = append(needed, encryption.Secret)
	}
	for _, ref := range needed {
		if _, there := m.Secrets[ref]; there {
			continue
		}
		if byNamespace[ref.Namespace] == nil {
			byNamespace[ref.Namespace] = map[types.NamespacedName]bool{}
		}
		byNamespace[ref.Namespace][ref] = true
	}
	names := map[string][]string{}
	for namespace, refs := range byNamespace {
		for ref := range refs {
			names[namespace] = append(names[namespace], ref.Name)
		}
		slices.Sort(names[namespace])
	}
	return names
}

// role returns a Role and its RoleBinding.
func role(namespace, name string, subject rbacv1.Subject, rules ...rbacv1.PolicyRule) []any {
	group := rbacv1.SchemeGroupVersion.String()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: name}
	return []any{
		rbacv1.Role{TypeMeta: metav1.TypeMeta{APIVersion: group, Kind: "Role"}, ObjectMeta: meta, Rules: rules},
		rbacv1.RoleBinding{
			TypeMeta: metav1.TypeMeta{APIVersion: group, Kind: "RoleBinding"}, ObjectMeta: meta,
			RoleRef:  rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: name},
			Subjects: []rbacv1.Subject{subject},
		},
	}
}
