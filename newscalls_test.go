package kubescribe_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// An operator writes a status for each call, so their number must not grow with what is looked at.
func TestOnStatusIsCalledAFewTimesForEachDestinationThatChanges(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	sink, repo := newFake()
	configMap(t, c, "a", "one")
	var refs []destination.Ref
	for i := range (testsize.Sizes{Usual: 100, Long: 1000, Soak: 1000}).Pick() {
		refs = append(refs, types.NamespacedName{Namespace: "default", Name: fmt.Sprintf("d-%04d", i)})
	}
	var calls atomic.Int64
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		GitSink: sink, OnStatus: func(destination.Ref, kubescribe.DestinationStatus) { calls.Add(1) },
	}))
	require.NoError(t, err)
	rules := rulesFor(repo, refs...)
	for i := range rules.Destinations {
		rules.Destinations[i].Branch = rules.Destinations[i].Ref.Name
	}
	require.NoError(t, m.SetRules(rules))
	stop := start(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	require.NoError(t, m.WaitSynced(ctx))
	seeded := calls.Load()
	require.LessOrEqual(t, seeded, int64(6*len(refs)), "the first look, the seed, the commit, the sweep")
	configMap(t, c, "a", "two")
	last := refs[len(refs)-1]
	require.Eventually(t, func() bool {
		st, _ := m.DestinationStatus(last)
		return st.Synced && calls.Load() >= seeded+int64(len(refs))
	}, 60*time.Second, 20*time.Millisecond)
	require.NoError(t, stop())
	require.LessOrEqual(t, calls.Load()-seeded, int64(4*len(refs)))
	t.Logf("%d destinations: %d calls for the seeds, %d for a change of all", len(refs), seeded, calls.Load()-seeded)
}
