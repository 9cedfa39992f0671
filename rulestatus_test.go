package kubescribe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// A typo in a rule selects nothing, so everything it asks for is written. It must not read as well.
func TestATypoInARuleDoesNotReadAsInSync(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	sink, repo := newFake()
	configMap(t, c, "a", "one")
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{GitSink: sink}))
	require.NoError(t, err)
	rules := rulesFor(repo, prodRef, devRef)
	prod, dev := rules.Rules[0].Name, rules.Rules[1].Name
	rules.Rules[0].Resources[0].Resources = []string{"configmap"}
	require.NoError(t, m.SetRules(rules))
	require.Equal(t, kubescribe.RuleStatus{Presets: ruleset.DefaultPresets()}, m.RuleStatus(prod), "nobody has asked the cluster")
	require.Zero(t, m.RuleStatus(types.NamespacedName{Name: "unknown"}))
	stop := start(t, m)

	err = m.WaitSynced(limited(t))
	require.ErrorIs(t, err, ruleset.ErrNotServed)
	require.ErrorContains(t, err, `ClusterWatchRule prod: resource "configmap" of API groups [""]: not served by the cluster: did you mean configmaps`)
	st, _ := m.DestinationStatus(prodRef)
	require.False(t, st.Synced)
	require.Nil(t, st.Uncovered)
	require.Equal(t, st.Watch.Faults, m.RuleStatus(prod).Faults)
	require.Empty(t, m.RuleStatus(dev).Faults)
	st, _ = m.DestinationStatus(devRef)
	require.True(t, st.Synced, "no fault of others")

	rules.Rules[0].Resources[0].Resources = []string{"configmaps"}
	rules.Rules[1].Destination = types.NamespacedName{Namespace: "nobody", Name: "nobody"}
	require.ErrorIs(t, m.SetRules(rules), destination.ErrUnknown)
	require.ErrorIs(t, m.RuleStatus(dev).Err, destination.ErrUnknown)
	synced(t, m)
	require.Contains(t, repo.Tree("main"), "prod/default/configmaps/a.yaml")
	require.NoError(t, stop())
}

func TestWakeNamesADestinationThatThereIsNot(t *testing.T) {
	t.Parallel()
	m, err := kubescribe.New(cluster(t).Config(), nil)
	require.NoError(t, err)
	require.ErrorIs(t, m.Wake(prodRef), destination.ErrUnknown)
}
