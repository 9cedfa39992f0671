package ruleset_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/ruleset"
)

// The words are as a real server has them.
func TestATypoGetsAHint(t *testing.T) {
	known := func(plural, singular, kind string, short ...string) metav1.APIResource {
		r := namespaced(plural)
		r.SingularName, r.Kind, r.ShortNames = singular, kind, short
		return r
	}
	lists := []*metav1.APIResourceList{
		list("v1", known("configmaps", "configmap", "ConfigMap", "cm"), known("pods", "pod", "Pod", "po"), known("events", "event", "Event", "ev")),
		list("apps/v1", known("deployments", "deployment", "Deployment", "deploy")),
		list("events.k8s.io/v1", known("events", "event", "Event", "ev")),
		list("cert-manager.io/v1", known("certificates", "certificate", "Certificate", "cert")),
	}
	in := func(group string, resources ...string) ruleset.ResourceRule {
		return ruleset.ResourceRule{APIGroups: []string{group}, Resources: resources}
	}
	for _, tt := range []struct {
		rule ruleset.ResourceRule
		hint string
	}{
		{in("v1", "configmaps"), `"v1" is a version, which belongs in apiVersions; the core group is ""`},
		{in("v1beta1", "deployments"), `"v1beta1" is a version, which belongs in apiVersions; the core group is ""`},
		{resources("configmap"), "did you mean configmaps"},
		{resources("ConfigMap"), "did you mean configmaps"},
		{resources("cm"), "did you mean configmaps"},
		{resources("deployment"), "did you mean deployments.apps"},
		{in("", "deployments"), "did you mean deployments.apps"},
		{resources("event"), "did you mean events or events.events.k8s.io"},
		{resources("deploymnets"), "did you mean deployments.apps"},
		{resources("deploments"), "did you mean deployments.apps"},
		{resources("deploymentts"), "did you mean deployments.apps"},
		{resources("deploymentz"), "did you mean deployments.apps"},
		{in("app"), "did you mean the API group apps"},
		{in("cert-manager"), "did you mean the API group cert-manager.io"},
		{in("cert-manager", "issuers"), "did you mean the API group cert-manager.io"},
		{resources("po1"), "check the spelling of group and plural name, or install what serves it"},
		{resources("widgets"), "check the spelling of group and plural name, or install what serves it"},
		{in("example.com"), "check the spelling of group and plural name, or install what serves it"},
	} {
		_, err := compile(t, rule("", "r", "a", tt.rule)).Watches(served(lists))
		require.ErrorIs(t, err, ruleset.ErrNotServed)
		require.True(t, strings.HasSuffix(err.Error(), ": "+tt.hint), "%v", err)
	}
}
