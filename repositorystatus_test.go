package kubescribe_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

func TestARepositoryIsReadyIfAllThatIsWrittenToItIs(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	sink, repo := newFake()
	configMap(t, c, "a", "one")
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{GitSink: sink}))
	require.NoError(t, err)
	_, known := m.RepositoryStatus(repoRef)
	require.False(t, known)
	rules := rulesFor(repo, prodRef, devRef)
	faulty, idle := types.NamespacedName{Namespace: "default", Name: "faulty"}, types.NamespacedName{Namespace: "default", Name: "idle"}
	rules.Repositories = append(rules.Repositories,
		destination.Repository{Ref: faulty, URL: "ftp://host/r"}, destination.Repository{Ref: idle, URL: "https://host/r"})
	require.Error(t, m.SetRules(rules))
	start(t, m)
	synced(t, m)

	verdict := func(ref destination.Ref) (ready bool, reason kubescribe.Reason, message string) {
		st, known := m.RepositoryStatus(ref)
		require.True(t, known)
		return st.Ready()
	}
	ready, reason, _ := verdict(repoRef)
	require.True(t, ready)
	require.Equal(t, kubescribe.ReasonInSync, reason)
	ready, reason, _ = verdict(faulty)
	require.False(t, ready)
	require.Equal(t, kubescribe.Reason(gitsink.ReasonInvalid), reason)
	ready, _, message := verdict(idle)
	require.True(t, ready)
	require.Contains(t, message, "no destination")

	rules.Rules = rules.Rules[:1]
	require.Error(t, m.SetRules(rules))
	synced(t, m)
	ready, reason, message = verdict(repoRef)
	require.False(t, ready)
	require.Equal(t, kubescribe.ReasonNoRules, reason)
	require.Contains(t, message, "1 of 2 destinations are not ready, first default/dev")
	st, _ := m.RepositoryStatus(repoRef)
	require.Equal(t, []destination.Ref{prodRef, devRef}, st.Destinations)
	require.Equal(t, []destination.Ref{devRef}, st.NotReady)
}
