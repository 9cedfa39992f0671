package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// ignoring mirrors ConfigMaps, and a type that is sensitive, to two folders of which one ignores a
// field.
const ignoring = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: $NS}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: less, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: less}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: all, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: all}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: less, namespace: $NS}
spec:
  destinationRef: {name: less}
  rules:
  - {apiGroups: [""], resources: [configmaps]}
  - {apiGroups: [$GROUP], resources: [databases]}
  ignore: [{resources: [configmaps], pointers: [/data/$IGNORED]}]
  sensitive: [{apiGroups: [$GROUP], resources: [databases], pointers: [/spec/password]}]
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: all, namespace: $NS}
spec:
  destinationRef: {name: all}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

// lockYAML is a ConfigMap that a leader holds as its lock.
func lockYAML(namespace string, renewals int, one, two string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: ConfigMap, metadata: {name: lock, namespace: %s, annotations: {control-plane.alpha.kubernetes.io/leader: "renewed %d"}},
		data: {one: %s, two: %s}}`, namespace, renewals, one, two)
}

// mask is an Encryptor that hides passwords, and knows again what it has hidden.
type mask struct{}

func (mask) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	return []byte(strings.ReplaceAll(string(p.Content), "correct-horse-battery", "HIDDEN")), nil
}

func (m mask) Same(ctx context.Context, p event.Plaintext) (bool, error) {
	hidden, err := m.Encrypt(ctx, p)
	return string(hidden) == string(p.Stored), err
}

func TestWhatIsIgnoredMakesNoCommitAndWhatIsSensitiveIsNeverPlain(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("ignoring.git")
	ns := c.namespace()
	group := ns + ".example"
	c.apply(crds, replace(crd, "PLURAL", "databases", "KIND", "Database", "GROUP", group, "SCOPE", "Namespaced"))
	databases := schema.GroupVersionResource{Group: group, Version: "v1", Resource: "databases"}
	eventually(t, func() bool {
		_, err := c.client.Resource(databases).Namespace(ns).List(t.Context(), metav1.ListOptions{})
		return err == nil
	}, func() string { return "the type is not served" })
	c.apply(databases, fmt.Sprintf("{apiVersion: %s/v1, kind: Database, metadata: {name: main, namespace: %s}, spec: {password: correct-horse-battery}}", group, ns))
	c.apply(configMaps, lockYAML(ns, 0, "a", "b"))
	rules := func(ignored string) kubescribe.Rules {
		return load(t, ignoring, "NS", ns, "REPO", repo.URL(), "GROUP", group, "IGNORED", ignored)
	}
	opts := options(t)
	m := start(c, rules("one"), opts)
	file := func(folder, data string) map[string]string {
		return map[string]string{ns + "/configmaps/lock.yaml": fmt.Sprintf("apiVersion: v1\ndata:\n%skind: ConfigMap\nmetadata:\n  name: lock\n  namespace: %s\n", data, ns)}
	}
	becomes(t, repo, "main", "less", file("less", "  two: b\n"))
	becomes(t, repo, "main", "all", file("all", "  one: a\n  two: b\n"))
	st := m.status(ref(ns, "less"), func(st kubescribe.DestinationStatus) bool { return st.Watch.RefusedCount == 1 })
	require.ErrorIs(t, st.Watch.Refused[0].Err, event.ErrSecret)
	require.Equal(t, "databases."+group+"/"+ns+"/main", st.Watch.Refused[0].ID.String())

	// A leader renews its lock: nothing happens. What the other folder has changes there alone.
	before := commits(repo, "main")
	for renewal := range 5 {
		c.apply(configMaps, lockYAML(ns, renewal+1, "a", "b"))
	}
	c.apply(configMaps, lockYAML(ns, 6, "c", "b"))
	becomes(t, repo, "main", "all", file("all", "  one: c\n  two: b\n"))
	require.Equal(t, before+1, commits(repo, "main"), "a commit for the change, and for nothing else")
	becomes(t, repo, "main", "less", file("less", "  two: b\n"))

	// The files follow the rules.
	require.NoError(t, m.SetRules(rules("two")))
	becomes(t, repo, "main", "less", file("less", "  one: c\n"))
	becomes(t, repo, "main", "all", file("all", "  one: c\n  two: b\n"))
	m.stop()

	// With an Encryptor the sensitive type is written, and never in plain.
	opts = options(t)
	opts.Write.Encryptor = mask{}
	m = start(c, rules("two"), opts)
	eventually(t, func() bool { return folder(repo, "main", "less")[ns+"/databases."+group+"/main.yaml"] != "" }, func() string { return "it is not written" })
	require.Contains(t, folder(repo, "main", "less")[ns+"/databases."+group+"/main.yaml"], "password: HIDDEN")
	m.synced()
	before = commits(repo, "main")
	require.NoError(t, m.Resync(ref(ns, "less")))
	m.synced()
	require.Equal(t, before, commits(repo, "main"), "what is encrypted already makes no commit")
	m.stop()
	require.NotContains(t, repo.Git("log", "-p", "main"), "correct-horse")
}

// An autoscaler writes the number of replicas by way of the subresource scale, under the name of
// the controller manager. The author's own number stays until then.
func TestReplicasThatAnAutoscalerHasSetAreLeftOut(t *testing.T) {
	if !real() {
		t.Skip("the in-process API server has no subresource scale")
	}
	c := sharedCluster(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("scaled.git")
	ns := c.namespace()
	c.apply(deployments, fmt.Sprintf(`{apiVersion: apps/v1, kind: Deployment, metadata: {name: web, namespace: %s}, spec: {replicas: 2,
		selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}`, ns))
	rules := load(t, strings.NewReplacer(`apiGroups: [""], resources: [configmaps]`, "resources: [deployments]", "destinationRef: {name: $DEST}", "destinationRef: {name: $DEST}\n  skip: [Autoscaled]").
		Replace(oneDestination), "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	m := start(c, rules, nil)
	content := func() string { return folder(repo, "main", "f")[ns+"/deployments.apps/web.yaml"] }
	eventually(t, func() bool { return strings.Contains(content(), "replicas: 2") }, content)
	scale := func(replicas int64) {
		client := c.client.Resource(deployments).Namespace(ns)
		s, err := client.Get(t.Context(), "web", metav1.GetOptions{}, "scale")
		require.NoError(t, err)
		require.NoError(t, unstructured.SetNestedField(s.Object, replicas, "spec", "replicas"))
		_, err = client.Update(t.Context(), s, metav1.UpdateOptions{FieldManager: "kube-controller-manager"}, "scale")
		require.NoError(t, err)
	}
	scale(3)
	eventually(t, func() bool { return content() != "" && !strings.Contains(content(), "replicas") }, content)
	m.synced()
	before := commits(repo, "main")
	for replicas := range int64(5) {
		scale(4 + replicas)
	}
	c.apply(configMaps, configMapYAML(ns, "marker", "x"))
	require.NoError(t, m.Resync(ref(ns, "dest")))
	m.synced()
	require.Equal(t, before, commits(repo, "main"))
	m.stop()
}
