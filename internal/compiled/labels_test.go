package compiled_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/ruleset"
)

func TestSelectsNamespacesReportsWhetherTheirLabelsMatter(t *testing.T) {
	r := rule("", "r", "a", ruleset.ResourceRule{})
	r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}
	require.False(t, compile(t, r).SelectsNamespaces())
	r.NamespaceSelector = &metav1.LabelSelector{}
	require.False(t, compile(t, r).SelectsNamespaces(), "an empty selector asks for no labels")
	r.NamespaceSelector = r.ObjectSelector
	require.True(t, compile(t, r).SelectsNamespaces())
}

func TestRelabelledAsksTheSelectorsOfTheTypeOnly(t *testing.T) {
	team := rule("", "r", "a", resources("pods", "nodes"))
	team.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
	conditional := rule("x", "c", "a", resources("services"))
	conditional.Condition = constant(true)
	s := compile(t, team, conditional, rule("", "s", "a", resources("secrets")))
	in, out := map[string]string{"team": "a"}, map[string]string{"team": "b"}
	require.True(t, s.Relabelled(pods, "x", in, out))
	require.True(t, s.Relabelled(pods, "x", nil, in))
	require.False(t, s.Relabelled(pods, "x", out, nil), "neither is selected")
	require.True(t, s.Relabelled(pods, "x", out, in, nil), "it was selected for a while")
	require.False(t, s.Relabelled(pods, "x", in), "they were always these")
	require.False(t, s.Relabelled(nodes, "", in, out), "no namespace has them")
	require.False(t, s.Relabelled(secrets, "x", in, out))
	require.True(t, s.Relabelled(services, "x", in, out), "a Condition may look at them")
	require.False(t, s.Relabelled(services, "x"), "there were none that it could have seen")
	require.False(t, s.Relabelled(services, "y", in, out), "that of another namespace does not")
}
