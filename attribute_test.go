package kubescribe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

func TestChangesOfTwoPeopleInOneWindowAreTwoCommitsInTheirOrder(t *testing.T) {
	c := cluster(t)
	sink, repo := newFake()
	opts := quick(kubescribe.Options{
		GitSink: sink,
		Source:  source.Options{Attribute: source.FieldManager},
		Write:   gitsink.WriterOptions{CommitPer: gitsink.PerAuthor},
	})
	opts.Queue.Window = queue.Window{Debounce: time.Second}
	m, err := kubescribe.New(c.Config(), opts)
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	start(t, m)
	synced(t, m)

	client, err := dynamic.NewForConfig(c.Config())
	require.NoError(t, err)
	create := func(manager, name string) {
		t.Helper()
		_, err := client.Resource(configMaps).Namespace("default").Create(t.Context(), &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": name, "namespace": "default"},
			"data": map[string]any{"by": manager},
		}}, metav1.CreateOptions{FieldManager: manager})
		require.NoError(t, err)
	}
	create("ann", "a")
	create("ann", "b")
	create("bob", "c")
	holds := func(path string) bool { _, ok := repo.Files("main")[path]; return ok }
	require.Eventually(t, func() bool { return holds("prod/default/configmaps/c.yaml") }, 30*time.Second, 10*time.Millisecond)
	log := repo.Log("main")
	require.Len(t, log, 2, "one window, and one commit for each of them: %v", log)
	require.Equal(t, []string{"bob", "ann"}, []string{log[0].Author, log[1].Author}, "newest first")
	require.Equal(t, "ann@field-manager.invalid", log[1].AuthorEmail)
	require.NotEqual(t, log[0].Author, log[0].Committer)
	first, second := repo.Show(log[1].Hash), repo.Show(log[0].Hash)
	require.Contains(t, first, "prod/default/configmaps/a.yaml")
	require.Contains(t, first, "prod/default/configmaps/b.yaml")
	require.NotContains(t, first, "prod/default/configmaps/c.yaml")
	require.Contains(t, second, "prod/default/configmaps/c.yaml")

	require.NoError(t, c.Delete(configMaps, "default", "a"))
	require.Eventually(t, func() bool { return !holds("prod/default/configmaps/a.yaml") }, 30*time.Second, 10*time.Millisecond)
	deletion := repo.Log("main")[0]
	require.Equal(t, deletion.Committer, deletion.Author, "nobody knows who deleted it")
}
