package kubescribe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestABatchTakesNoExcludedFolderOutOfTheStatus(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	for _, object := range []map[string]any{
		{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": "team"}},
		{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "b", "namespace": "team"}},
	} {
		require.NoError(t, c.Apply(&unstructured.Unstructured{Object: object}))
	}
	told := make(chan kubescribe.DestinationStatus, 100)
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		OnStatus: func(_ destination.Ref, st kubescribe.DestinationStatus) { told <- st },
	}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	theirs := gitservertest.File{Content: "source: theirs\n"}
	repo.Commit("main", map[string]gitservertest.File{"prod/default/" + gitsink.OwnerFile: theirs, "prod/team/" + gitsink.OwnerFile: theirs}, "ours")
	require.NoError(t, m.Resync(prodRef))
	for st := range told {
		if st.Excluded != nil { // by now the sweep has asked for another: somebody else has written
			break
		}
	}
	require.ErrorIs(t, m.WaitSynced(limited(t)), gitsink.ErrOwned)
	done := func() uint64 { return m.Status().Queue.Counts.Done }
	before := done()
	require.NoError(t, c.Delete(schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}, "default", "a"))
	require.Eventually(t, func() bool { return done() > before }, 30*time.Second, 10*time.Millisecond)
	st, _ := m.DestinationStatus(prodRef)
	require.Equal(t, 2, st.Excluded.Count)
	require.NoError(t, stop())
	require.Contains(t, repo.Tree("main"), "prod/default/configmaps/a.yaml")
}
