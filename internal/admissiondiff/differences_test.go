package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/object"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/predicates/rules"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

var update = flag.Bool("update", false, "write the table of differences into the documentation")

// differences is the table in docs/rules.md and in the documentation of ruleset: each row is
// checked on both sides.
var differences = []struct {
	what, admission, here string
	check                 func(t *testing.T)
}{
	{"empty list", "refused by the API", `all; apiGroups [""] is the core group`, func(t *testing.T) {
		require.False(t, inAdmission(admissionv1.RuleWithOperations{}, pod()), "the matcher alone takes it for nothing")
		require.True(t, here(t, ruleset.ResourceRule{}, pod()))
		require.True(t, here(t, ruleset.ResourceRule{APIGroups: []string{""}}, pod()))
		require.False(t, here(t, ruleset.ResourceRule{APIGroups: []string{""}}, of("apps", "v1", "deployments", "x", "d")))
	}},
	{`"*" beside other values`, "refused by the API", "everything", func(t *testing.T) {
		r := ruleset.ResourceRule{Resources: []string{"nodes", "*"}}
		require.True(t, inAdmission(translate(r), pod()))
		require.True(t, here(t, r, pod()))
	}},
	{`subresources, "pods/*"`, "requests to subresources", "a fault: they are never mirrored", func(t *testing.T) {
		for _, resource := range []string{"pods/log", "pods/*", "*/*", "*/status"} {
			fault(t, ruleset.ResourceRule{Resources: []string{resource}})
		}
		scale := admission.NewAttributesRecord(nil, nil, attributesOf(pod(), event.Update).GetKind(), "x", "p",
			attributesOf(pod(), event.Update).GetResource(), "status", admission.Update, nil, false, nil)
		m := rules.Matcher{Rule: translate(ruleset.ResourceRule{Resources: []string{"pods/*"}}), Attr: scale}
		require.True(t, m.Matches())
		m.Rule = translate(ruleset.ResourceRule{Resources: []string{"*"}})
		require.False(t, m.Matches(), "nor does * include them")
	}},
	{"CONNECT", "an operation", "a fault: it changes nothing", func(t *testing.T) {
		fault(t, ruleset.ResourceRule{Operations: []event.Operation{"CONNECT"}})
	}},
	{`"apps*"`, "never matches", "a fault", func(t *testing.T) {
		r := ruleset.ResourceRule{APIGroups: []string{"apps*"}}
		require.False(t, inAdmission(translate(r), of("apps", "v1", "deployments", "x", "d")))
		fault(t, r)
	}},
	{"rules in a namespace", "do not exist", "see their own namespace only", func(t *testing.T) {
		r := ruleOf(ruleset.ResourceRule{})
		r.Name.Namespace = "x"
		s := compiled(t, r)
		require.NotNil(t, s.Match(pod()))
		require.Nil(t, s.Match(of("", "v1", "pods", "y", "p")))
		require.Nil(t, s.Match(of("", "v1", "nodes", "", "x")))
	}},
	{"matchPolicy", "Equivalent by default", "Exact, in the version that is read", func(t *testing.T) {
		r := ruleset.ResourceRule{APIVersions: []string{"v1beta1"}}
		require.False(t, inAdmission(translate(r), of("apps", "v1", "deployments", "x", "d")), "the matcher alone is Exact")
		require.False(t, here(t, r, of("apps", "v1", "deployments", "x", "d")))
	}},
	{"a Namespace object", "lies in itself", "lies in no namespace", func(t *testing.T) {
		ns := of("", "v1", "namespaces", "", "x")
		require.Equal(t, "x", attributesOf(ns, event.Update).GetNamespace())
		for scope, want := range map[ruleset.Scope]bool{ruleset.ClusterScope: true, ruleset.NamespacedScope: false} {
			r := ruleset.ResourceRule{Scope: scope}
			require.Equal(t, want, inAdmission(translate(r), ns))
			require.Equal(t, want, here(t, r, ns))
		}
	}},
	{"namespaces of other groups", "are taken for Namespaces", "are objects like any other", func(t *testing.T) {
		in := of("example.com", "v1", "namespaces", "", "n")
		r := ruleOf(ruleset.ResourceRule{})
		r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}
		w, err := newWebhook(r)
		require.NoError(t, err)
		got, err := w.matches(attributesOf(in, event.Update), listerOf(in))
		require.NoError(t, err)
		require.False(t, got, "its own labels lack team")
		require.NotNil(t, compiled(t, r).Match(in))
	}},
	{"namespaceSelector", "of all webhooks", "of cluster rules only, else a fault", func(t *testing.T) {
		r := ruleOf(ruleset.ResourceRule{})
		r.Name.Namespace, r.NamespaceSelector = "x", &metav1.LabelSelector{}
		_, err := ruleset.Compile(oneDestination(t), r)
		require.ErrorIs(t, err, ruleset.ErrInvalid)
	}},
	{"objectSelector", "old or new object", "new object; no longer selected: a delete", func(t *testing.T) {
		red := &metav1.LabelSelector{MatchLabels: map[string]string{"team": "red"}}
		w, err := newWebhook(ruleset.Rule{ObjectSelector: red})
		require.NoError(t, err)
		old := &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Labels: red.MatchLabels}}
		attributes := admission.NewAttributesRecord(&metav1.PartialObjectMetadata{}, old, attributesOf(pod(), event.Update).GetKind(), "x", "p",
			attributesOf(pod(), event.Update).GetResource(), "", admission.Update, nil, false, nil)
		got, status := (&object.Matcher{}).MatchObjectSelector(w, attributes)
		require.Nil(t, status)
		require.True(t, got)
		r := ruleOf(ruleset.ResourceRule{})
		r.ObjectSelector = red
		require.Nil(t, compiled(t, r).Match(pod()))
	}},
	{"exclusions", "names, of policies only", "also globs, as in path.Match; they win", func(t *testing.T) {
		r := ruleOf(ruleset.ResourceRule{})
		r.Exclude = []ruleset.Exclusion{{Names: []string{"p*"}}}
		require.Nil(t, compiled(t, r).Match(pod()))
		require.NotNil(t, compiled(t, r).Match(of("", "v1", "pods", "x", "q")))
	}},
	{"matchConditions", "object, oldObject, request", "object, part of request: ruleset/cel", func(t *testing.T) {
		r := ruleOf(ruleset.ResourceRule{})
		r.Condition = never{}
		require.Nil(t, compiled(t, r).Match(pod()))
	}},
	{"failurePolicy", "Fail or Ignore", "neither: the file stays as it is", func(t *testing.T) {
		r := ruleOf(ruleset.ResourceRule{})
		r.Condition = unknown{}
		matches := compiled(t, r).Match(pod())
		require.Len(t, matches, 1)
		require.False(t, matches[0].Writes)
		require.Error(t, matches[0].Err)
	}},
}

type never struct{}

func (never) Holds(ruleset.Input) (bool, error) { return false, nil }

type unknown struct{}

func (unknown) Holds(ruleset.Input) (bool, error) { return false, fmt.Errorf("no such key") }

func TestEachDifferenceFromAdmissionIsOneOnBothSides(t *testing.T) {
	for _, d := range differences {
		t.Run(d.what, d.check)
	}
}

func TestTheDocumentationShowsTheseDifferences(t *testing.T) {
	var markdown, comment strings.Builder
	markdown.WriteString("| | admission | here |\n|---|---|---|\n")
	fmt.Fprintf(&comment, "//\t%-27s%-27s%s\n", "", "admission", "here")
	for _, d := range differences {
		fmt.Fprintf(&markdown, "| %s | %s | %s |\n", d.what, d.admission, d.here)
		fmt.Fprintf(&comment, "//\t%-27s%-27s%s\n", d.what, d.admission, d.here)
	}
	section(t, "../../docs/rules.md", "<!-- differences -->\n\n", "\n<!-- end of differences -->", markdown.String())
	section(t, "../../ruleset/doc.go", "// except for these:\n//\n", "//\n// As in admission,", comment.String())
	for line := range strings.Lines(comment.String()) {
		require.LessOrEqual(t, len(line)+2, 100, "columns, with a tab of four: %s", line)
	}
}

// section checks that a file has the text between two marks, or writes it there.
func section(t *testing.T, file, from, to, want string) {
	t.Helper()
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, ok := strings.Cut(string(content), from)
	require.True(t, ok, "%s lacks %q", file, from)
	got, after, ok := strings.Cut(rest, to)
	require.True(t, ok, "%s lacks %q", file, to)
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+from+want+to+after), 0o644))
		return
	}
	require.Equal(t, want, got, "%s: go test -update", file)
}

func pod() ruleset.Input { return of("", "v1", "pods", "x", "p") }

func of(group, version, resource, namespace, name string) ruleset.Input {
	return ruleset.Input{Resource: event.Resource{
		ID: event.ID{Group: group, Resource: resource, Namespace: namespace, Name: name}, Version: version,
	}}
}

func ruleOf(r ruleset.ResourceRule) ruleset.Rule {
	return ruleset.Rule{Name: types.NamespacedName{Name: "r"}, Destination: refForBench(0), Resources: []ruleset.ResourceRule{r}}
}

func inAdmission(r admissionv1.RuleWithOperations, in ruleset.Input) bool {
	m := rules.Matcher{Rule: r, Attr: attributesOf(in, event.Update)}
	return m.Matches()
}

func here(t *testing.T, r ruleset.ResourceRule, in ruleset.Input) bool {
	t.Helper()
	return compiled(t, ruleOf(r)).Match(in) != nil
}

func compiled(t *testing.T, r ruleset.Rule) *ruleset.RuleSet {
	t.Helper()
	s, err := ruleset.Compile(oneDestination(t), r)
	require.NoError(t, err)
	return s
}

func oneDestination(t *testing.T) destination.Set {
	t.Helper()
	set, err := destinationsForBench(1)
	require.NoError(t, err)
	return set
}

func fault(t *testing.T, r ruleset.ResourceRule) {
	t.Helper()
	_, err := ruleset.Compile(oneDestination(t), ruleOf(r))
	require.ErrorIs(t, err, ruleset.ErrInvalid)
}
