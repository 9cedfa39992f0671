//go:build unix

package main

import (
	"context"
	"fmt"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// embeds runs a Mirror as an operator has it, with series of its own for a destination, and returns
// what answers its scrapes.
func (f *fixture) embeds(opts kubescribe.Options, rules kubescribe.Rules) exporter {
	f.t.Helper()
	all, err := newMetrics()
	require.NoError(f.t, err)
	opts.MeterProvider, opts.MetricsPerDestination = all.provider, 1
	opts.Queue.Window = queue.Window{Debounce: 20 * time.Millisecond}
	opts.DrainTimeout = time.Second
	m, err := kubescribe.New(f.cluster.Config(), &opts)
	require.NoError(f.t, err)
	_ = m.SetRules(rules) // which may be a fault
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = m.Start(ctx) // some faults leave events behind
	}()
	f.t.Cleanup(func() {
		cancel()
		<-ended
	})
	return func() string {
		answer := httptest.NewRecorder()
		all.handler.ServeHTTP(answer, httptest.NewRequestWithContext(f.t.Context(), "GET", "/metrics", nil))
		return answer.Body.String()
	}
}

// rules are those of an embedder: ConfigMaps go to a folder.
func (f *fixture) rules() kubescribe.Rules {
	repo := types.NamespacedName{Namespace: "default", Name: "repo"}
	prod := types.NamespacedName{Namespace: "default", Name: "prod"}
	return kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: repo, URL: f.repo.URL()}},
		Destinations: []destination.Spec{{Ref: prod, RepositoryRef: repo, Branch: "main", BaseFolder: "prod"}},
		Rules: []ruleset.Rule{{
			Name: types.NamespacedName{Name: "all"}, Destination: prod,
			Resources: []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{"configmaps"}}},
		}},
	}
}

// embedded are the faults that mirror does not have: it refuses such rules, and has no OnStatus.
var embedded = map[string]fault{
	"a rule is not valid": {
		end: []string{"KubescribeRuleFaulty", "KubescribeNotReady"},
		record: func(t *testing.T) recording {
			f := newFixture(t, nil)
			rules := f.rules()
			rules.Rules = append(rules.Rules, rules.Rules[0])
			rules.Rules[1].Name.Name, rules.Rules[1].Resources = "none", nil
			return fixed(f.embeds(kubescribe.Options{}, rules).reason(t, "RuleInvalid"))
		},
	},
	"no rule leads to a destination": {
		end: []string{"KubescribeRuleFaulty", "KubescribeNotReady"},
		record: func(t *testing.T) recording {
			f := newFixture(t, nil)
			rules := f.rules()
			rules.Rules = nil
			return fixed(f.embeds(kubescribe.Options{}, rules).reason(t, "NoRules"))
		},
	},
	"OnStatus does not return": {
		end:    []string{"KubescribeStuck"},
		record: unheard,
	},
	"the queue has no room": {
		end:    []string{"KubescribeQueueFull", "KubescribeRemoteUnavailable", "KubescribeNotReady"},
		record: crowded,
	},
}

// unheard is a run in which OnStatus hangs: longer than the loop takes for a turn.
func unheard(t *testing.T) recording {
	const age = "kubescribe_progress_seconds"
	f := newFixture(t, nil)
	f.configMap("a", "one")
	forever := make(chan struct{})
	metrics := f.embeds(kubescribe.Options{OnStatus: func(_ destination.Ref, st kubescribe.DestinationStatus) {
		if st.Synced {
			<-forever
		}
	}}, f.rules())
	t.Cleanup(func() { close(forever) }) // before the Mirror ends
	return ages(t, metrics, age, metrics.until(t, func(s scrape) bool { return s.sum(age) > 6 }))
}

// crowded is a run in which changes come while the server is down and the queue has room for two.
func crowded(t *testing.T) recording {
	f := newFixture(t, nil)
	metrics := f.embeds(kubescribe.Options{Queue: queue.Options{MaxEvents: 2}}, f.rules())
	metrics.until(t, func(s scrape) bool { return s.sum("kubescribe_destinations", `reason="InSync"`) == 1 })
	f.git.Intercept(func(gitservertest.Request) gitservertest.Fault { return gitservertest.Fault{Status: 503} })
	refused := func(more float64) scrape {
		for i := range 8 {
			f.configMap(fmt.Sprint("cm-", i), fmt.Sprint(more))
		}
		return metrics.until(t, func(s scrape) bool { return s.sum("kubescribe_queue_refused_total") > more })
	}
	refused(0)
	before := metrics.reason(t, "ServerUnavailable")
	return recording{before: before, after: refused(before.sum("kubescribe_queue_refused_total"))}
}
