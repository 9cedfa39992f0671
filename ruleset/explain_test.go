package ruleset_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

var red = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}

// reasons is also a table in docs/rules.md. Each change of a rule for everything and of a Pod x/p
// leads to one reason.
var reasons = []struct {
	reason  ruleset.Reason
	message string
	change  func(r *ruleset.Rule, in *ruleset.Input)
}{
	{ruleset.ReasonInvalid, "the rule has faults and is left out", func(r *ruleset.Rule, _ *ruleset.Input) { r.Resources[0].Scope = "x" }},
	{ruleset.ReasonOtherNamespace, "the rule sees namespace y only", func(r *ruleset.Rule, _ *ruleset.Input) { r.Name.Namespace = "y" }},
	{ruleset.ReasonOtherNamespace, "the object is cluster-scoped, the rule sees namespace y only", func(r *ruleset.Rule, in *ruleset.Input) {
		r.Name.Namespace, in.Resource.Namespace = "y", ""
	}},
	{ruleset.ReasonResources, `Resources[0]: APIGroups ["apps"] lack ""`, func(r *ruleset.Rule, _ *ruleset.Input) { r.Resources[0].APIGroups = []string{"apps"} }},
	{ruleset.ReasonResources, `Resources[0]: Resources ["nodes"] lack "pods"; Resources[1]: APIVersions ["v2"] lack "v1", in which the type is read; Resources[2]: Scope is Cluster`,
		func(r *ruleset.Rule, _ *ruleset.Input) {
			r.Resources = []ruleset.ResourceRule{resources("nodes"), {APIVersions: []string{"v2"}}, {Scope: ruleset.ClusterScope}}
		}},
	{ruleset.ReasonControlled, "the object has a controller owner, and SkipControlled is on", func(r *ruleset.Rule, in *ruleset.Input) {
		r.SkipControlled, in.Controlled = true, true
	}},
	{ruleset.ReasonObjectSelector, `ObjectSelector "team=red" does not select the labels map["app":"web"]`, func(r *ruleset.Rule, in *ruleset.Input) {
		r.ObjectSelector, in.Labels = red, map[string]string{"app": "web"}
	}},
	{ruleset.ReasonNamespaceSelector, `NamespaceSelector "team=red" does not select the labels map["team":"blue"]`, func(r *ruleset.Rule, in *ruleset.Input) {
		r.NamespaceSelector, in.NamespaceLabels = red, map[string]string{"team": "blue"}
	}},
	{ruleset.ReasonNamespaceSelector, `NamespaceSelector "team=red" does not select the labels map["team":"green"]`, func(r *ruleset.Rule, in *ruleset.Input) {
		*in = object("", "v1", "namespaces", "", "n")
		r.NamespaceSelector, in.Labels = red, map[string]string{"team": "green"}
	}},
	{ruleset.ReasonExcluded, "Exclude[0], Skip[0] leaves nothing", func(r *ruleset.Rule, in *ruleset.Input) {
		*in = object("", "v1", "events", "x", "e")
		r.Exclude, r.Skip = []ruleset.Exclusion{{}}, []ruleset.Preset{ruleset.SkipEvents}
	}},
	{ruleset.ReasonCondition, "Condition does not hold", func(r *ruleset.Rule, _ *ruleset.Input) { r.Condition = &counting{} }},
	{ruleset.ReasonConditionError, "ClusterWatchRule r: Condition: over budget", func(r *ruleset.Rule, _ *ruleset.Input) {
		r.Condition = &counting{err: errors.New("over budget")}
	}},
	{ruleset.ReasonIgnoredManagers, `only ["flux"] made this change, and IgnoreManagers has them`, func(r *ruleset.Rule, in *ruleset.Input) {
		r.IgnoreManagers, in.Managers = []string{"flux"}, []string{"flux"}
	}},
	{ruleset.ReasonSelected, "asks for CREATE, UPDATE, DELETE", func(*ruleset.Rule, *ruleset.Input) {}},
	{ruleset.ReasonSelected, "asks for UPDATE, which Exclude[1] leaves", func(r *ruleset.Rule, _ *ruleset.Input) {
		r.Exclude = []ruleset.Exclusion{{Names: []string{"q"}}, {ResourceRule: operations(ruleset.ResourceRule{}, event.Create, event.Delete)}}
	}},
}

func TestExplainGivesTheReasonOfEachRule(t *testing.T) {
	for _, tt := range reasons {
		t.Run(string(tt.reason), func(t *testing.T) {
			r, in := rule("", "r", "a", ruleset.ResourceRule{}), pod("x", "p")
			tt.change(&r, &in)
			s, err := ruleset.Compile(destinations(t, "a"), r)
			require.Equal(t, tt.reason == ruleset.ReasonInvalid, err != nil)
			got := s.Explain(in)
			require.Len(t, got.Verdicts, 1)
			require.Equal(t, tt.reason, got.Verdicts[0].Reason)
			require.Equal(t, tt.message, got.Verdicts[0].Message)
			require.Equal(t, s.Match(in) != nil, got.Verdicts[0].Reason.Claims())
			require.Equal(t, s.Match(in), got.Matches)
		})
	}
}

func TestAnExplanationIsReadByPeople(t *testing.T) {
	s := compile(t,
		rule("x", "all", "a", ruleset.ResourceRule{}),
		rule("", "created", "b", operations(resources("pods"), event.Create)),
		rule("y", "mine", "b", resources("pods")),
	)
	require.Empty(t, cmp.Diff(`pods/x/p (version v1)
  to git/a (https://example.com/org/repository#main:a): writes its file, removes it with the object
  to git/b (https://example.com/org/repository#main:b): writes its file where there is none, leaves it when the object goes
  WatchRule x/all, to git/a: Selected: asks for CREATE, UPDATE, DELETE
  ClusterWatchRule created, to git/b: Selected: asks for CREATE
  WatchRule y/mine, to git/b: OtherNamespace: the rule sees namespace y only
`, s.Explain(pod("x", "p")).String()))
	require.Contains(t, compile(t, rule("", "updated", "a", operations(resources("pods"), event.Update))).Explain(pod("x", "p")).String(),
		": writes its file where there is one, leaves it when the object goes\n")
	failing := rule("", "failing", "a", resources("pods"))
	failing.Condition = &counting{err: errors.New("over budget")}
	require.Contains(t, compile(t, failing).Explain(pod("x", "p")).String(), `: keeps its file as it is, removes it with the object
    although not everything is known: ClusterWatchRule failing: Condition: over budget
`)
	require.Equal(t, "services/z/s (version v1)\n  to no destination\n", compile(t).Explain(object("", "v1", "services", "z", "s")).String())
}

func TestExplainNamesTheDestinationOfARuleThatHasNone(t *testing.T) {
	s, err := ruleset.Compile(destinations(t, "a"), rule("", "lost", "nowhere", ruleset.ResourceRule{}))
	require.ErrorIs(t, err, destination.ErrUnknown)
	got := s.Explain(pod("x", "p")).Verdicts
	require.Equal(t, []ruleset.Verdict{{
		Rule: name("", "lost"), Destination: name("git", "nowhere"), Reason: ruleset.ReasonInvalid, Message: "the rule has faults and is left out",
	}}, got)
}
