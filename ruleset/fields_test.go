package ruleset_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/ruleset"
)

const leaderLock = "control-plane.alpha.kubernetes.io/leader"

// locked is a ConfigMap with fields that rules ignore.
func locked() ruleset.Input {
	in := object("", "v1", "configmaps", "x", "lock")
	in.Object = map[string]any{
		"metadata": map[string]any{"name": "lock", "annotations": map[string]any{leaderLock: "a", "note": "b"}},
		"data":     map[string]any{"a": "1", "b": "2"},
	}
	return in
}

func ignoring(name, to string, selectors ...ruleset.FieldSelector) ruleset.Rule {
	r := rule("", name, to, ruleset.ResourceRule{})
	r.Ignore = selectors
	return r
}

func pointers(list ...string) ruleset.FieldSelector { return ruleset.FieldSelector{Pointers: list} }

func TestAFieldIsIgnoredIfAllRulesOfADestinationIgnoreIt(t *testing.T) {
	deleting := ignoring("d", "a")
	deleting.Resources[0].Operations = []event.Operation{event.Delete}
	keeping := ignoring("k", "a", pointers("/data/a"))
	keeping.Keep = ruleset.DefaultPresets()
	other := ruleset.FieldSelector{APIGroups: []string{"apps"}, Pointers: []string{"/data/b"}}
	lock := "/metadata/annotations/control-plane.alpha.kubernetes.io~1leader"
	for name, tt := range map[string]struct {
		rules []ruleset.Rule
		want  []string
	}{
		"by default":               {[]ruleset.Rule{ignoring("r", "a")}, []string{lock}},
		"kept":                     {[]ruleset.Rule{keeping}, []string{"/data/a"}},
		"one rule":                 {[]ruleset.Rule{ignoring("r", "a", pointers("/data/a"), pointers("/data/b"))}, []string{"/data/a", "/data/b", lock}},
		"of another type":          {[]ruleset.Rule{ignoring("r", "a", other)}, []string{lock}},
		"two that agree":           {[]ruleset.Rule{ignoring("r", "a", pointers("/data/a")), ignoring("s", "a", pointers("/data/a"))}, []string{"/data/a", lock}},
		"two of which one has all": {[]ruleset.Rule{ignoring("r", "a", pointers("/data")), ignoring("s", "a", pointers("/data/a"))}, []string{"/data/a", lock}},
		"one that wants it":        {[]ruleset.Rule{ignoring("r", "a", pointers("/data/a")), ignoring("s", "a")}, []string{lock}},
		"one that wants the lock":  {[]ruleset.Rule{ignoring("r", "a", pointers("/data/a")), keeping}, []string{"/data/a"}},
		"one that only deletes":    {[]ruleset.Rule{ignoring("r", "a", pointers("/data/a")), deleting}, []string{"/data/a", lock}},
	} {
		t.Run(name, func(t *testing.T) {
			s := compile(t, tt.rules...)
			e := s.Explain(locked())
			require.Len(t, e.Matches, 1)
			require.Equal(t, tt.want, e.LeftOut[0])
			require.Contains(t, e.String(), "without "+tt.want[0])
		})
	}
}

// Whoever compares two destinations compares pointers: equal ones are one.
func TestDestinationsThatIgnoreTheSameHaveOneIgnored(t *testing.T) {
	s := compile(t, ignoring("r", "a", pointers("/data/a", "/data/b")), ignoring("s", "b", pointers("/data/b"), pointers("/data/a")), ignoring("t", "c"))
	for range 2 {
		m := s.Match(locked())
		require.Len(t, m, 3)
		require.Same(t, m[0].Ignored, m[1].Ignored)
		require.NotSame(t, m[0].Ignored, m[2].Ignored)
	}
	pod := s.Match(object("", "v1", "pods", "x", "p"))
	require.NotNil(t, pod[0].Ignored)
	require.Nil(t, pod[2].Ignored, "no preset is for Pods")
}

func TestWhoMadeAChangeDecidesNothingAboutItsContent(t *testing.T) {
	r := ignoring("r", "a", pointers("/data/a"))
	r.IgnoreManagers = []string{"flux"}
	s := compile(t, r, ignoring("s", "a", pointers("/data")))
	in := locked()
	standing := s.Match(in)[0].Ignored
	in.Managers = []string{"flux"}
	require.Same(t, standing, s.Match(in)[0].Ignored)
}

func TestAnObjectIsSensitiveIfOneRuleOfItsDestinationSaysSo(t *testing.T) {
	sensitive := func(name, to string, types ...event.SensitiveType) ruleset.Rule {
		r := rule("", name, to, ruleset.ResourceRule{})
		r.Sensitive = types
		return r
	}
	configMaps := event.SensitiveType{Resources: []string{"configmaps"}, Pointers: []string{"/data/a"}}
	s := compile(t, sensitive("r", "a", configMaps), sensitive("s", "a"), sensitive("t", "b"), sensitive("u", "c", configMaps, event.SensitiveType{}))
	m := s.Match(locked())
	require.Equal(t, []string{"/data/a"}, m[0].Sensitive.Fields)
	require.Nil(t, m[1].Sensitive)
	require.Empty(t, m[2].Sensitive.Fields)
	require.NotNil(t, m[2].Sensitive)
	require.Nil(t, s.Match(object("", "v1", "pods", "x", "p"))[0].Sensitive)
	e := s.Explain(locked())
	require.Contains(t, e.String(), "encrypted: /data/a")
	require.Contains(t, e.String(), "encrypted: all but apiVersion, kind and metadata")
	require.Contains(t, e.Verdicts[0].Message, "; sensitive by Sensitive[0]")
}

func TestExplainNamesTheRuleAndThePresetThatLeaveAFieldOut(t *testing.T) {
	r := ignoring("r", "a", pointers("/absent"), pointers("/data/b"))
	r.Skip = []ruleset.Preset{ruleset.IgnoreToolMarks}
	e := compile(t, r).Explain(locked())
	require.Equal(t, "asks for CREATE, UPDATE, DELETE; without the fields of Ignore[1], preset LeaderLocks", e.Verdicts[0].Message)
}

func TestARuleHasNoMoreThanItsShareOfIgnoredFields(t *testing.T) {
	many := ignoring("r", "a", slices.Repeat([]ruleset.FieldSelector{pointers("/data/a")}, 33)...)
	many.Sensitive = make([]event.SensitiveType, 33)
	_, err := ruleset.Compile(destinations(t, "a"), many)
	require.ErrorContains(t, err, "Ignore")
	require.ErrorContains(t, err, "Sensitive")
	_, err = ruleset.Compile(destinations(t, "a"), ignoring("r", "a", pointers(slices.Repeat([]string{"/data/a"}, 257)...)))
	require.ErrorContains(t, err, "Ignore[0]")
	most := ignoring("r", "a", slices.Repeat([]ruleset.FieldSelector{pointers("/data/a")}, 32)...)
	most.Skip = ruleset.Presets()
	s := compile(t, most)
	require.Less(t, len(s.Compiled().Valid[0].Ignore), compiled.MaxFields)
}

// Of the presets that ignore fields, what each takes out of an object that has them all, and what
// it leaves.
func TestPresetsIgnoreWhatTheyNameAndNothingElse(t *testing.T) {
	mark := map[string]any{
		"metadata": map[string]any{
			"name": "x",
			"labels": map[string]any{
				"app": "x", "app.kubernetes.io/instance": "x", "app.kubernetes.io/managed-by": "Helm", "kustomize.toolkit.fluxcd.io/name": "x",
				"kustomize.toolkit.fluxcd.io/namespace": "x", "helm.toolkit.fluxcd.io/name": "x", "argocd.argoproj.io/instance": "x",
				"applyset.kubernetes.io/part-of": "x", "kro.run/owned": "true", "internal.kro.run/node-id": "x",
			},
			"annotations": map[string]any{
				"kustomize.toolkit.fluxcd.io/prune": "disabled", "argocd.argoproj.io/sync-options": "x", "argocd.argoproj.io/tracking-id": "x",
				"argocd.argoproj.io/installation-id": "x", "meta.helm.sh/release-name": "x", "helm.sh/resource-policy": "keep", "kcp.io/cluster": "x", leaderLock: "x",
			},
		},
		"webhooks": []any{map[string]any{"name": "x", "clientConfig": map[string]any{"caBundle": "Zm9v"}}},
		"spec":     map[string]any{"caBundle": "Zm9v", "replicas": int64(3), "conversion": map[string]any{"webhook": map[string]any{"clientConfig": map[string]any{"caBundle": "Zm9v"}}}},
	}
	for name, tt := range map[string]struct {
		preset          ruleset.Preset
		group, resource string
		want            []string
	}{
		"locks":       {ruleset.IgnoreLeaderLocks, "", "endpoints", []string{"/metadata/annotations/control-plane.alpha.kubernetes.io~1leader"}},
		"other locks": {ruleset.IgnoreLeaderLocks, "apps", "deployments", nil},
		"marks": {ruleset.IgnoreToolMarks, "apps", "deployments", []string{
			"/metadata/annotations/argocd.argoproj.io~1installation-id", "/metadata/annotations/argocd.argoproj.io~1tracking-id",
			"/metadata/annotations/kcp.io~1cluster", "/metadata/annotations/meta.helm.sh~1release-name",
			"/metadata/labels/applyset.kubernetes.io~1part-of", "/metadata/labels/argocd.argoproj.io~1instance", "/metadata/labels/helm.toolkit.fluxcd.io~1name",
			"/metadata/labels/internal.kro.run~1node-id", "/metadata/labels/kro.run~1owned", "/metadata/labels/kustomize.toolkit.fluxcd.io~1name",
			"/metadata/labels/kustomize.toolkit.fluxcd.io~1namespace",
		}},
		"webhooks":    {ruleset.IgnoreCABundles, "admissionregistration.k8s.io", "validatingwebhookconfigurations", []string{"/webhooks/0/clientConfig/caBundle"}},
		"APIServices": {ruleset.IgnoreCABundles, "apiregistration.k8s.io", "apiservices", []string{"/spec/caBundle"}},
		"CRDs":        {ruleset.IgnoreCABundles, "apiextensions.k8s.io", "customresourcedefinitions", []string{"/spec/conversion/webhook/clientConfig/caBundle"}},
		"others":      {ruleset.IgnoreCABundles, "example.com", "apiservices", nil},
		"unmanaged":   {ruleset.IgnoreAutoscaled, "apps", "deployments", nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := ignoring("r", "a")
			r.Skip, r.Keep = []ruleset.Preset{tt.preset}, ruleset.DefaultPresets()
			in := object(tt.group, "v1", tt.resource, "x", "x")
			in.Object = mark
			require.Equal(t, tt.want, compile(t, r).Explain(in).LeftOut[0])
		})
	}
}

// What is ignored or sensitive decides which objects are matched again under new rules.
func TestNewRulesThatIgnoreOtherFieldsAreOthersForTheirTypes(t *testing.T) {
	of := func(r ruleset.Rule) *compiled.Rules { return compile(t, r).Compiled() }
	none := func(destination.Destination) bool { return false }
	configMaps, pods := compiled.Type{Version: "v1", Resource: "configmaps", Namespaced: true}, compiled.Type{Version: "v1", Resource: "pods", Namespaced: true}
	plain := of(ignoring("r", "a"))
	only := pointers("/data/a")
	only.Resources = []string{"configmaps"}
	sensitive := ignoring("r", "a")
	sensitive.Sensitive = []event.SensitiveType{{Resources: []string{"configmaps"}}}
	fields := ignoring("r", "a")
	fields.Sensitive = []event.SensitiveType{{Resources: []string{"configmaps"}, Pointers: []string{"/data"}}}
	kept := ignoring("r", "a")
	kept.Keep = []ruleset.Preset{ruleset.IgnoreLeaderLocks}
	for name, next := range map[string]*compiled.Rules{"ignored": of(ignoring("r", "a", only)), "sensitive": of(sensitive), "fields": of(fields), "kept": of(kept)} {
		for _, pair := range [][2]*compiled.Rules{{next, plain}, {plain, next}} {
			all, _ := pair[0].Diff(pair[1], configMaps, none)
			require.True(t, all, name)
			all, _ = pair[0].Diff(pair[1], pods, none)
			require.False(t, all, name)
			require.Len(t, pair[0].ChangedDestinations(pair[1]), 1, name)
		}
		to := next.Valid[0].Ref
		require.Equal(t, name == "sensitive" || name == "fields", next.MoreSensitive(plain, to), name)
		require.False(t, plain.MoreSensitive(next, to), name)
		require.False(t, next.MoreSensitive(next, to), name)
	}
	all, _ := of(sensitive).Diff(of(fields), configMaps, none)
	require.True(t, all)
	all, _ = of(ignoring("r", "a", only)).Diff(of(ignoring("r", "a", only)), configMaps, none)
	require.False(t, all)
}
