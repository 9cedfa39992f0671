package source

import (
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// An object that comes before its namespace is matched by labels that are asked for. If nobody
// answers, it is matched wrongly, and has to be matched again.
func TestANamespaceThatCouldNotBeReadIsMadeGoodWhenItsReflectorTellsIt(t *testing.T) {
	cluster := clustertest.New(nil)
	t.Logf("clustertest.Options{Seed: %d}", cluster.Seed())
	defer cluster.Close()
	client, err := NewClient(cluster.Config())
	require.NoError(t, err)
	changed := make(chan struct{}, 1)
	n := newNamespaces(clientFor(client, namespaceType, ""), changed)
	n.release()

	ns := newObject("v1", "Namespace", "", "team", map[string]any{})
	ns.SetLabels(map[string]string{"env": "prod"})
	require.NoError(t, cluster.Apply(ns))
	remove := cluster.Fail(func(clustertest.FaultRequest) *clustertest.Fault {
		return &clustertest.Fault{Error: apierrors.NewServiceUnavailable("later")}
	})
	require.Empty(t, n.labels(t.Context(), "team"))
	remove()
	require.Empty(t, changed)
	other := newObject("v1", "Namespace", "", "other", map[string]any{})
	other.SetLabels(map[string]string{"env": "dev"})
	require.NoError(t, cluster.Apply(other))
	require.Equal(t, "dev", n.labels(t.Context(), "other")["env"], "its reflector is behind that of its objects")
	n.upsert(read(t, ns), added)
	require.Len(t, changed, 1)
	require.Equal(t, "prod", n.labels(t.Context(), "team")["env"])

	<-changed
	n.upsert(read(t, ns), modified)
	require.Empty(t, changed, "nothing new")
}

func TestOnlyLabelsThatChangeMoveObjects(t *testing.T) {
	changed := make(chan struct{}, 1)
	n := newNamespaces(nil, changed)
	team := func(env string) *object {
		ns := newObject("v1", "Namespace", "", "team", map[string]any{})
		ns.SetLabels(map[string]string{"env": env})
		return read(t, ns)
	}
	env := func(env string) map[string]string { return map[string]string{"env": env} }
	n.upsert(team("a"), listed)
	n.upsert(team("b"), listed)
	require.Empty(t, n.take(), "nothing is matched before all labels are known")
	n.release()
	n.upsert(team("b"), modified)
	require.Empty(t, n.take())
	require.Empty(t, changed)
	n.upsert(team("c"), modified)
	n.upsert(team("d"), added)
	require.Len(t, changed, 1)
	require.Equal(t, map[string][]map[string]string{"team": {env("b"), env("c"), env("d")}}, n.take(), "each may have matched")
	require.Empty(t, n.take(), "once")
	n.delete(team("d"))
	n.upsert(team("a"), added)
	require.Empty(t, n.take(), "its objects come after it")
	n.delete(team("a"))
	n.upsert(team("b"), modified)
	require.NotEmpty(t, n.take(), "that it was made was missed")
	require.Nil(t, n.labels(t.Context(), ""), "what is in no namespace has none")
	var none *namespaces
	require.Nil(t, none.labels(t.Context(), "team"))
	require.Empty(t, none.take())
}

// Whoever asks for a namespace may get his answer long after the reflector has told its labels.
func TestALateAnswerHidesNoMoveOfANamespace(t *testing.T) {
	n := newNamespaces(nil, make(chan struct{}, 1))
	labelled := newObject("v1", "Namespace", "", "y", map[string]any{})
	labelled.SetLabels(map[string]string{"team": "a"})
	before, after := lasting(newObject("v1", "Namespace", "", "y", map[string]any{})), lasting(labelled)
	n.upsert(before, listed) // objects are matched by it
	require.Empty(t, n.put(after))
	n.release()
	n.upsert(after, modified)
	require.Len(t, n.take(), 1)
}
