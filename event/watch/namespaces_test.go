package watch

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/internal/memcluster"
)

// An object that comes before its namespace is matched by labels that are asked for. If nobody answers, it is matched
// wrongly, and has to be matched again.
func TestANamespaceThatCouldNotBeReadIsMadeGoodWhenItsStreamTellsIt(t *testing.T) {
	cluster := memcluster.New(nil)
	t.Logf("memcluster.Options{Seed: %d}", cluster.Seed())
	defer cluster.Close()
	client, err := dynamic.NewForConfig(cluster.Config())
	require.NoError(t, err)
	changed := make(chan struct{}, 1)
	n := newNamespaces(clientFor(client, namespaceType), changed)
	n.completed(t.Context(), nil)

	ns := object("v1", "Namespace", "", "team", map[string]any{})
	ns.SetLabels(map[string]string{"env": "prod"})
	require.NoError(t, cluster.Apply(ns))
	remove := cluster.Fail(func(memcluster.FaultRequest) *memcluster.Fault {
		return &memcluster.Fault{Error: apierrors.NewServiceUnavailable("later")}
	})
	require.Empty(t, n.labels(t.Context(), "team"))
	remove()
	require.Empty(t, changed)
	n.object(t.Context(), nil, ns, added)
	require.Len(t, changed, 1)
	require.Equal(t, "prod", n.labels(t.Context(), "team")["env"])

	<-changed
	n.object(t.Context(), nil, ns, modified)
	require.Empty(t, changed, "nothing new")
}
