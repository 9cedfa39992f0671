package eventtest

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/validate/content"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/kubescribe/kubescribe/event"
)

// hostile are names that Git, a file system, a tool or a layout could take for something else.
var hostile = []string{
	"a", "A", "ab", "aB", "web", "Web", "ä", "Ä", "ß", "ss", "K", "\u212a", "a.", ".a", ".", "..", "...", "a..b", "~", "%", "%2E", "%2e", "%61", "%25",
	".git", ".GIT", "git~1", ".gitmodules", ".gitattributes", ".gitignore", "gitmod~1", ".git ", ".g\u200cit", ".git::$INDEX_ALLOCATION",
	".kubescribe", "kustomization", "Kustomization", "kustomization.yaml", "con", "CON", "con.x", "aux", "nul", "prn.yaml", "com1", "lpt9", "conin$",
	"_cluster", "_core", "_", "cluster", "core", "system:foo", "system-foo", "system%3Afoo", "a:b", "a_b", "a-b", "a+b", "a=b", "a@b", "a,b", "a--b", "a__b",
	"a/b", `a\b`, "/", "a/", "/a", "a b", " a", "a ", "a\nb", "a\tb", "a\x00b", "a\xff", "\xff", "a*b", "a?b", `a"b`, "a<b", "a|b", "-x", "-", "HEAD",
	"a~" + strings.Repeat("0", 32), strings.Repeat("x", 63), strings.Repeat("x", 199), strings.Repeat("x", 200), strings.Repeat("x", 201),
	strings.Repeat("x", 252), strings.Repeat("x", 253), strings.Repeat("x", 252) + "y", strings.Repeat("X", 253), strings.Repeat(".", 253),
	strings.Repeat(":", 253), strings.Repeat("é", 100) + "1", strings.Repeat("é", 100) + "2", strings.Repeat("x", 166) + strings.Repeat(":", 20),
	"a.b.c", "b.c", "a.b", "apps", "services", "default", "object", "yaml", "a.yaml", "a.yml", "",
}

// words are put together to identities that a layout may confuse.
var words = []string{"", "a", "b", "a.b", "a-b", "a_b", "_cluster", "_core", "A", "a/b", "a.yaml"}

// objects are the identities that the checks try: none twice.
var objects = allObjects()

func allObjects() (all []event.ID) {
	seen := map[event.ID]bool{}
	add := func(id event.ID) {
		if !seen[id] {
			seen[id] = true
			all = append(all, id)
		}
	}
	for i, name := range hostile {
		other := hostile[(i+1)%len(hostile)]
		for _, id := range []event.ID{
			{Resource: "pods", Namespace: "default", Name: name},
			{Resource: "pods", Name: name},
			{Resource: "pods", Namespace: name, Name: "x"},
			{Resource: name, Namespace: "default", Name: "x"},
			{Group: name, Resource: "pods", Namespace: "default", Name: "x"},
			{Group: "apps", Resource: "deployments", Namespace: "default", Name: name},
			{Group: name, Resource: name, Namespace: name, Name: name},
			{Group: other, Resource: name, Namespace: other, Name: name},
			{Group: "g", Resource: "r", Namespace: other, Name: name},
		} {
			add(id)
		}
	}
	for _, group := range words {
		for _, resource := range words {
			for _, namespace := range words {
				for _, name := range words {
					add(event.ID{Group: group, Resource: resource, Namespace: namespace, Name: name})
				}
			}
		}
	}
	return all
}

// realistic are objects as clusters have them.
var realistic = []event.ID{
	{Resource: "namespaces", Name: "default"},
	{Resource: "services", Namespace: "default", Name: "web"},
	{Resource: "pods", Namespace: "pods", Name: "pods"},
	{Resource: "services", Namespace: "pods", Name: "web"},
	{Resource: "pods", Namespace: "services", Name: "web"},
	{Group: "apps", Resource: "deployments", Namespace: "default", Name: "web"},
	{Group: "networking.k8s.io", Resource: "ingresses", Namespace: "shop", Name: "web"},
	{Group: "extensions", Resource: "ingresses", Namespace: "shop", Name: "web"},
	{Group: "rbac.authorization.k8s.io", Resource: "clusterroles", Name: "system:controller:job-controller"},
	{Group: "rbac.authorization.k8s.io", Resource: "roles", Namespace: "kube-system", Name: "system::leader-locking-kube-scheduler"},
	{Group: "cluster.open-cluster-management.io", Resource: "managedclustersetbindings", Namespace: "a", Name: strings.Repeat("n", 253)},
	{Group: "admissionregistration.k8s.io", Resource: "validatingadmissionpolicybindings", Name: "deny"},
	{Resource: "configmaps", Namespace: strings.Repeat("n", 63), Name: strings.Repeat("x", 253)},
	{Resource: "configmaps", Namespace: "shop", Name: "kustomization"},
}

// legal reports whether Kubernetes allows these names, and a layout has to tell the collection.
func legal(id event.ID) bool {
	return len(validation.IsDNS1035Label(id.Resource)) == 0 && len(id.Resource) <= 63 &&
		(id.Group == "" || len(validation.IsDNS1123Subdomain(id.Group)) == 0 && len(id.Group) <= 63) &&
		(id.Namespace == "" || len(validation.IsDNS1123Label(id.Namespace)) == 0) &&
		id.Name != "" && len(content.IsPathSegmentName(id.Name)) == 0
}

func pathOf(layout event.Layout, id event.ID) string { return layout.Path(event.Resource{ID: id}) }

func collectionOf(id event.ID) event.Collection {
	return event.Collection{Group: id.Group, Resource: id.Resource, Namespace: id.Namespace}
}

// shown returns an identity for a message, cut.
func shown(id event.ID) string {
	return fmt.Sprintf("group %.60q, resource %.60q, namespace %.60q, name %.60q", id.Group, id.Resource, id.Namespace, id.Name)
}
