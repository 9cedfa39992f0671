package kubescribe_test

import (
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/event/source"
)

// transport counts requests.
type transport struct {
	http.RoundTripper
	requests *atomic.Int64
}

func (c transport) RoundTrip(r *http.Request) (*http.Response, error) {
	c.requests.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// The caches of controller-runtime list in no order, so an operator sets its rules in another one
// whenever anything changes.
func TestTheSameRulesInAnotherOrderCostNothing(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	sink, repo := newFake()
	configMap(t, c, "a", "one")
	var requests atomic.Int64
	config := rest.CopyConfig(c.Config())
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return transport{next, &requests} })
	m, err := kubescribe.New(config, quick(kubescribe.Options{GitSink: sink, Source: source.Options{Rediscover: time.Hour}}))
	require.NoError(t, err)
	rules := rulesFor(repo, prodRef, devRef)
	require.NoError(t, m.SetRules(rules))
	start(t, m)
	synced(t, m)
	before := requests.Load()
	for range 50 {
		slices.Reverse(rules.Destinations)
		slices.Reverse(rules.Rules)
		require.NoError(t, m.SetRules(rules))
		synced(t, m)
	}
	require.Equal(t, before, requests.Load(), "requests to the API server")
	rules.Rules[0].Resources[0].Resources = []string{"configmaps", "serviceaccounts"}
	require.NoError(t, m.SetRules(rules))
	synced(t, m)
	require.Greater(t, requests.Load(), before, "other rules are read")
	set, compiled := m.Compiled()
	require.Equal(t, 2, set.Len())
	require.NoError(t, compiled.Err(rules.Rules[0].Name))
}
