package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// labelled mirrors the ConfigMaps of the namespaces that are labelled with $NS.
const labelled = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: $NS}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: dest, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: f}
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: rule-$NS}
spec:
  destinationRef: {name: dest, namespace: $NS}
  namespaceSelector: {matchLabels: {mirror: $NS}}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

// The rights that the README asks for are enough for everything that it says needs some, and all
// that the user has.
func TestTheRightsOfTheReadmeAreEnough(t *testing.T) {
	if !real() {
		t.Skip("needs RBAC, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	readme, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), "```yaml\nrules:\n")
	require.True(t, found)
	rights, _, found := strings.Cut(rest, "```")
	require.True(t, found)

	env := server.Start(t)
	c := newCluster(t, env.Config(), env.Kubeconfig())
	ns := c.namespace()
	user := "readme-" + ns
	c.apply(namespaces, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {mirror: %s}}}", ns, ns))
	c.configMap(ns, "a", "v0")
	rbac := schema.GroupVersion{Group: "rbac.authorization.k8s.io", Version: "v1"}
	c.apply(rbac.WithResource("clusterroles"),
		"apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: "+user+"}\nrules:\n"+rights)
	c.apply(rbac.WithResource("clusterrolebindings"), fmt.Sprintf(`
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: %[1]s}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: %[1]s}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: %[1]s}]
`, user))
	c.apply(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}, fmt.Sprintf(`
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: leader, namespace: %s}
spec: {holderIdentity: %s, leaseDurationSeconds: 3600, renewTime: %q}
`, ns, user, time.Now().UTC().Format(metav1.RFC3339Micro)))

	kubeconfig := env.WriteKubeconfig(t, user)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	require.NoError(t, err)
	clients, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	lock := &resourcelock.LeaseLock{
		LeaseMeta: metav1.ObjectMeta{Namespace: ns, Name: "leader"}, Client: clients.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: user},
	}
	reader := newCluster(t, config, kubeconfig)
	eventually(t, func() bool { // the authorizer learns of bindings by a watch of its own
		_, err := reader.client.Resource(configMaps).List(t.Context(), metav1.ListOptions{})
		return err == nil
	}, func() string { return "the rights do not take effect" })

	repo := gitservertest.NewServer(t, nil).NewRepo("readme.git")
	opts := options(t)
	opts.StillLeader, opts.Handover = kubescribe.HoldsLease(lock), -1
	m := start(reader, load(t, labelled, "NS", ns, "REPO", repo.URL()), opts)
	m.synced()
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v0"))
	c.configMap(ns, "a", "v1")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v1"))
	m.stop()
}
