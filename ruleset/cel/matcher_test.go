package cel_test

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	apiservercel "k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	"k8s.io/apiserver/pkg/cel/environment"
)

var admissionCompiler = sync.OnceValue(func() apiservercel.ConditionCompiler {
	return apiservercel.NewConditionCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
})

// inAdmission evaluates expressions on an update with the API server's own matcher of
// matchConditions.
func inAdmission(t *testing.T, object map[string]any, expressions ...string) matchconditions.MatchResult {
	t.Helper()
	var accessors []apiservercel.ExpressionAccessor
	for _, e := range expressions {
		accessors = append(accessors, &matchconditions.MatchCondition{Name: e, Expression: e})
	}
	fail := admissionv1.Fail
	evaluator := admissionCompiler().CompileCondition(accessors, apiservercel.OptionalVariableDeclarations{HasAuthorizer: true}, environment.NewExpressions)
	u := &unstructured.Unstructured{Object: object}
	kind, resource := schema.GroupVersionKind{Version: "v1", Kind: "ConfigMap"}, schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
	versioned := &admission.VersionedAttributes{
		Attributes:    admission.NewAttributesRecord(u, u, kind, "x", "a", resource, "", admission.Update, nil, false, nil),
		VersionedKind: kind,
	}
	versioned.VersionedObject.Set(u)
	versioned.VersionedOldObject.Set(u)
	return matchconditions.NewMatcher(evaluator, &fail, "webhook", "test", "test").Match(context.Background(), versioned, nil, nil)
}

func TestExpressionsMeanWhatTheyMeanInMatchConditions(t *testing.T) {
	long := make([]any, 300)
	for i := range long {
		long[i] = int64(i)
	}
	objects := []map[string]any{
		{}, {"spec": nil}, {"spec": map[string]any{}}, active, {"list": long},
		{"spec": map[string]any{"replicas": "3", "ports": []any{}}, "list": []any{"a", int64(1), nil, true, 1.5}},
		{"metadata": map[string]any{"labels": map[string]any{"a": "b"}, "name": "ä"}, "spec": map[string]any{"replicas": 2.5}},
	}
	expressions := []string{
		"true", "false", "has(object.spec)", "has(object.spec.replicas)", "object.spec.replicas > 2", "object.spec.replicas == 2.5", "object.spec == null",
		"object.?spec.?replicas.orValue(0) == 0", "object.spec.ports.all(p, p.port > 1)", "object.metadata.name.size() == 1", "size(object.list) == 300",
		"object.list.exists(x, x == 1)", "object.list.exists(x, x == 'a')", "object.metadata.labels['a'] == 'b'", "'mirror' in object.metadata.annotations",
		"object.metadata.name.matches('^[a-z]$')", "object.metadata.name.upperAscii() == 'A'", "request.name == 'a'", "request.resource.resource == 'configmaps'",
		"request.kind.kind != 'ConfigMap'", "type(object.spec.replicas) == int", "int(object.spec.replicas) == 3", "1 / 0 == 1", "object.spec.replicas in [1, 2, 3]",
		"object.list.all(a, object.list.all(b, a + b >= 0))", "object.list.all(a, object.list.all(b, object.list.all(c, a + b + c >= 0)))",
	}
	outcomes := map[string]int{}
	compare := func(object map[string]any, expressions ...string) {
		want := inAdmission(t, object, expressions...)
		holds, err := compile(t, expressions...).Holds(configMap(object))
		require.Equal(t, want.Error != nil, err != nil, "%q on %v: admission %v, here %v", expressions, object, want.Error, err)
		require.Equal(t, want.Matches, holds, "%q on %v", expressions, object)
		switch {
		case err != nil:
			outcomes["error"]++
		case holds:
			outcomes["holds"]++
		default:
			outcomes["does not hold"]++
		}
	}
	for _, object := range objects {
		for i, e := range expressions {
			compare(object, e)
			compare(object, e, expressions[(i+7)%len(expressions)])
		}
	}
	for _, outcome := range []string{"error", "holds", "does not hold"} {
		require.Greater(t, outcomes[outcome], 20, "%v", outcomes)
	}
}
