package source

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/ruleset"
)

// inNamespaces returns a rule of its own for each namespace, all to one destination.
func inNamespaces(to string, namespaces ...string) []ruleset.Rule {
	var rules []ruleset.Rule
	for _, ns := range namespaces {
		r := rule(to, to, "configmaps")
		r.Name.Namespace = ns
		rules = append(rules, r)
	}
	return rules
}

func TestRulesOfManyNamespacesShareOneWatchAndReceiveNothingElse(t *testing.T) {
	f := newFixture(t, -1, &Options{Collapse: 2})
	for _, ns := range []string{"one", "two", "three", "other"} {
		f.apply(newObject("v1", "Namespace", "", ns, map[string]any{}))
		f.apply(configMap(ns, "a", "1"))
	}
	rules := append(inNamespaces("prod", "one", "two", "three"), inNamespaces("dev", "one")...)
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, rules...)
	f.seeded("prod", "dev")
	require.Len(t, f.files, 4)
	require.NotContains(t, f.files, "prod configmaps/other/a")
	one := func() bool { return f.cluster.Requests("watch", configMaps.GroupResource()) == 1 }
	require.Eventually(t, one, wait, tick)

	require.NoError(t, f.watcher.Sweep(ref("dev")))
	scopes, living := view(t, f.next())
	require.Equal(t, []event.Collection{{Resource: "configmaps", Namespace: "one"}}, scopes, "no more may be pruned than the rule covers")
	require.Equal(t, []string{"configmaps/one/a"}, living)

	f.apply(configMap("other", "a", "2"), configMap("two", "a", "2"))
	require.Equal(t, "UPDATE configmaps/two/a for default/prod", f.next().String())
	require.True(t, one())
}

func TestSingleNamespacesAreWatchedOneByOneWhereTheServerRefusesAll(t *testing.T) {
	f := newFixture(t, -1, &Options{Collapse: 1, Rediscover: time.Hour})
	f.apply(newObject("v1", "Namespace", "", "one", map[string]any{}), newObject("v1", "Namespace", "", "two", map[string]any{}))
	f.apply(configMap("one", "a", "1"), configMap("two", "a", "1"))
	var refused atomic.Int32
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Resource == configMaps && r.Namespace == "" {
			refused.Add(1)
			return &clustertest.Fault{Error: apierrors.NewForbidden(configMaps.GroupResource(), "", nil)}
		}
		return nil
	})
	f.setRules([]destination.Spec{spec("prod", "main")}, inNamespaces("prod", "one", "two")...)
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("prod")); return st.Complete == 2 }, wait, tick)
	for len(f.files) < 2 {
		f.next()
	}
	f.apply(configMap("two", "a", "2"))
	for f.files["prod configmaps/two/a"] == f.files["prod configmaps/one/a"] || len(f.files) < 2 {
		f.next()
	}
	require.Equal(t, int32(1), refused.Load(), "it is not asked again")
}

// phase is a Condition on the status, which no file shows.
type phase string

func (p phase) Holds(in ruleset.Input) (bool, error) {
	status, ok := in.Object["status"].(map[string]any)
	if !ok {
		return false, errors.New("no such key: status")
	}
	return status["phase"] == string(p), nil
}

func TestAConditionDecidesWithEachChangeOfTheObject(t *testing.T) {
	f := newFixture(t, -1, nil)
	r := rule("prod", "prod", "configmaps")
	r.Condition = phase("Active")
	obj := configMap("default", "a", "1")
	f.apply(obj)
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	e := f.next()
	require.Equal(t, event.SeedSync, e.Operation)
	_, living := view(t, e)
	require.Equal(t, []string{"configmaps/default/a"}, living, "nobody knows: the file is no orphan")
	st, _ := f.watcher.Status(ref("prod"))
	require.Len(t, st.Refused, 1)
	require.ErrorContains(t, st.Refused[0].Err, "no such key: status")

	for _, step := range []struct{ phase, want string }{
		{"Active", "UPDATE configmaps/default/a for default/prod"},
		{"Gone", "DELETE configmaps/default/a for default/prod"},
		{"Active", "UPDATE configmaps/default/a for default/prod"},
	} {
		obj.Object["status"] = map[string]any{"phase": step.phase}
		f.apply(obj)
		require.Equal(t, step.want, f.next().String())
		st, _ := f.watcher.Status(ref("prod"))
		require.Empty(t, st.Refused)
	}
}

func TestAnObjectThatLeavesOneDestinationStaysInTheOthers(t *testing.T) {
	f := newFixture(t, -1, nil)
	obj := configMap("default", "a", "1")
	obj.SetLabels(map[string]string{"mirror": "yes"})
	f.apply(obj)
	selective := rule("prod", "prod", "configmaps")
	selective.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"mirror": "yes"}}
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, selective, rule("dev", "dev", "configmaps"))
	f.seeded("prod", "dev")
	obj.SetLabels(nil)
	f.apply(obj)
	got := []string{f.next().String(), f.next().String()}
	require.ElementsMatch(t, []string{"DELETE configmaps/default/a for default/prod", "UPDATE configmaps/default/a for default/dev"}, got)
	require.Len(t, f.files, 1)
	obj.SetLabels(map[string]string{"mirror": "yes"})
	f.apply(obj)
	got = []string{f.next().String(), f.next().String()}
	require.ElementsMatch(t, []string{"UPDATE configmaps/default/a for default/prod", "UPDATE configmaps/default/a for default/dev"}, got)
	require.Len(t, f.files, 2, fmt.Sprint(f.files))
}

func TestAWildcardTakesInTypesThatAppearLater(t *testing.T) {
	f := newFixture(t, -1, nil)
	r := rule("prod", "prod", "*")
	r.Resources[0].APIGroups = []string{"", "example.com"}
	r.Skip = []ruleset.Preset{ruleset.SkipRootCA}
	r.Exclude = []ruleset.Exclusion{{ResourceRule: ruleset.ResourceRule{Resources: []string{"namespaces", "secrets", "serviceaccounts"}}}}
	f.apply(configMap("default", "a", "1"), configMap("default", "kube-root-ca.crt", "1"))
	f.setRules([]destination.Spec{spec("prod", "main")}, r)
	f.seeded("prod")
	require.Contains(t, f.files, "prod configmaps/default/a")
	require.NotContains(t, f.files, "prod configmaps/default/kube-root-ca.crt")
	require.NoError(t, f.cluster.AddType(clustertest.Type{
		Group: "example.com", Versions: []string{"v1", "v1beta1"}, Resource: "widgets", Kind: "Widget", Namespaced: true,
	}))
	f.apply(newObject("example.com/v1", "Widget", "default", "w", map[string]any{"spec": map[string]any{"size": int64(3)}}))
	got := f.next()
	require.Equal(t, "widgets.example.com/default/w", got.Resource.ID.String())
	require.Equal(t, "v1", got.Resource.Version, "once, in the version that the server prefers")
	require.Equal(t, event.SeedSync, f.next().Operation)
}
