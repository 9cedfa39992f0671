package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// A user of a real API server who may read two namespaces, one by one: the watch that their rules
// would share is refused.
func TestRightsInSingleNamespacesAreEnoughForTheirRules(t *testing.T) {
	if !real() {
		t.Skip("needs RBAC, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	env := server.Start(t)
	c := newCluster(t, env.Config(), env.Kubeconfig())
	one, two := c.namespace(), c.namespace()
	user := "reader-of-" + one
	repo := gitservertest.NewServer(t, nil).NewRepo("rights.git")
	var rules kubescribe.Rules
	for _, ns := range []string{one, two} {
		c.configMap(ns, "a", "v0")
		c.grant(ns, user)
		part := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f-"+ns)
		rules.Repositories = append(rules.Repositories, part.Repositories...)
		rules.Destinations = append(rules.Destinations, part.Destinations...)
		rules.Rules = append(rules.Rules, part.Rules...)
	}
	kubeconfig := env.WriteKubeconfig(t, user)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	reader := newCluster(t, config, kubeconfig)
	eventually(t, func() bool { // the authorizer learns of bindings by a watch of its own
		_, first := reader.client.Resource(configMaps).Namespace(one).List(t.Context(), metav1.ListOptions{})
		_, second := reader.client.Resource(configMaps).Namespace(two).List(t.Context(), metav1.ListOptions{})
		return first == nil && second == nil
	}, func() string { return "the rights do not take effect" })
	_, err = reader.client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)

	opts := options(t)
	opts.Source.Collapse, opts.ClusterID = 1, "rights"
	m := start(reader, rules, opts)
	m.synced()
	for _, ns := range []string{one, two} {
		becomes(t, repo, "main", "f-"+ns, configMapFiles(ns, "a", "v0"))
	}
	c.delete(configMaps, one, "a")
	c.configMap(two, "a", "v1")
	becomes(t, repo, "main", "f-"+one, map[string]string{})
	becomes(t, repo, "main", "f-"+two, configMapFiles(two, "a", "v1"))
	m.stop()
}

// grant lets a user read the ConfigMaps of a namespace.
func (c *cluster) grant(ns, user string) {
	c.t.Helper()
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	c.apply(rbac.WithResource("roles"), fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader, namespace: %s}
rules: [{apiGroups: [""], resources: [configmaps], verbs: [get, list, watch]}]
`, ns))
	c.apply(rbac.WithResource("rolebindings"), fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reader, namespace: %s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %s}]
`, ns, user))
}

// The rights that are printed for rules are enough for them on a real API server, and no more than
// that.
func TestTheRightsOfTheRulesAreEnoughForThem(t *testing.T) {
	if !real() {
		t.Skip("needs RBAC, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	env := server.Start(t)
	c := newCluster(t, env.Config(), env.Kubeconfig())
	ns := c.namespace()
	user := "mirror-of-" + ns
	c.configMap(ns, "a", "v0")
	repo := gitservertest.NewServer(t, nil).NewRepo("least.git")
	rules := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	for _, object := range rules.RightsManifests("least", rbacv1.Subject{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: user}) {
		resource := rbacv1.SchemeGroupVersion.WithResource(strings.ToLower(object.GetKind()) + "s")
		_, err := c.client.Resource(resource).Namespace(object.GetNamespace()).Create(t.Context(), object, metav1.CreateOptions{})
		require.NoError(t, err)
	}
	kubeconfig := env.WriteKubeconfig(t, user)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	// The name of the cluster is read, too.
	m := start(newCluster(t, config, kubeconfig), rules, options(t))
	m.synced()
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v0"))
	c.configMap(ns, "a", "v1")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v1"))
	m.stop()
	secrets := schema.GroupVersionResource{Version: "v1", Resource: "secrets"}
	_, err = newCluster(t, config, kubeconfig).client.Resource(secrets).Namespace(ns).List(t.Context(), metav1.ListOptions{})
	require.True(t, apierrors.IsForbidden(err), "%v", err)
}
