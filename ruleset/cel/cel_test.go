package cel_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
	"github.com/kubescribe/kubescribe/ruleset/cel"
)

func configMap(object map[string]any) ruleset.Input {
	return ruleset.Input{
		Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "x", Name: "a"}, Version: "v1", Kind: "ConfigMap"},
		Object:   object,
	}
}

func compile(t testing.TB, expressions ...string) ruleset.Condition {
	t.Helper()
	var all []cel.Expression
	for i, e := range expressions {
		all = append(all, cel.Expression{Name: fmt.Sprintf("e%d", i), Expression: e})
	}
	c, err := cel.Compile(all...)
	require.NoError(t, err)
	return c
}

var active = map[string]any{
	"metadata": map[string]any{"name": "a", "annotations": map[string]any{"mirror": "yes"}},
	"spec":     map[string]any{"replicas": int64(3), "ports": []any{map[string]any{"port": int64(80)}}},
}

func TestAllExpressionsHaveToHold(t *testing.T) {
	for _, tt := range []struct {
		expressions []string
		holds       bool
	}{
		{[]string{"object.spec.replicas > 2"}, true},
		{[]string{"object.spec.replicas > 2", "object.spec.replicas < 2"}, false},
		{[]string{"object.metadata.annotations['mirror'] == 'yes' && object.spec.ports.exists(p, p.port == 80)"}, true},
		{[]string{"has(object.spec.paused) && object.spec.paused"}, false},
		{[]string{"object.?spec.?paused.orValue(true) == true"}, true},
		{[]string{"request.kind.kind == 'ConfigMap' && request.resource.resource == 'configmaps' && request.namespace == 'x' && request.name == 'a'"}, true},
		{[]string{"request.kind.group == '' && request.kind.version == 'v1' && request.resource.group == '' && request.resource.version == 'v1'"}, true},
		{[]string{"quantity('1Gi').isGreaterThan(quantity('1Mi'))"}, true},
	} {
		holds, err := compile(t, tt.expressions...).Holds(configMap(active))
		require.NoError(t, err, tt.expressions)
		require.Equal(t, tt.holds, holds, tt.expressions)
	}
}

func TestAnExpressionThatFailsLeavesTheConditionUndecidedUnlessAnotherIsFalse(t *testing.T) {
	holds, err := compile(t, "object.spec.none == 1", "true", "object.data.none == 2").Holds(configMap(active))
	require.False(t, holds)
	require.ErrorContains(t, err, "expression e0: no such key: none")
	require.ErrorContains(t, err, "expression e2: no such key: data")
	holds, err = compile(t, "object.spec.none == 1", "false").Holds(configMap(active))
	require.False(t, holds)
	require.NoError(t, err)
	_, err = compile(t, "true").Holds(configMap(nil))
	require.ErrorContains(t, err, "Input.Object")
}

func TestCompileReportsEveryFaultOfEveryExpression(t *testing.T) {
	_, err := cel.Compile(
		cel.Expression{Name: "good", Expression: "true"},
		cel.Expression{Name: "good", Expression: "object.spec.replicas"},
		cel.Expression{Name: "not a name", Expression: "object."},
		cel.Expression{Name: "old", Expression: "object == oldObject"},
		cel.Expression{Name: "operation", Expression: "request.operation == 'CREATE'"},
		cel.Expression{Name: "empty", Expression: " "},
		cel.Expression{Name: "user", Expression: "request.userInfo.username == 'x' || authorizer.group('').resource('pods').check('get').allowed()"},
	)
	require.ErrorIs(t, err, cel.ErrInvalid)
	got := map[string]string{}
	for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
		var e *cel.Error
		require.ErrorAs(t, fault, &e)
		got[e.Field] = e.Error()
	}
	for field, want := range map[string]string{
		"[1].Name": `"good": invalid: another expression`, "[1].Expression": "must be bool, not dyn", "[2].Name": `"not a name"`,
		"[2].Expression": "Syntax error", "[3].Expression": "undeclared reference to 'oldObject'", "[4].Expression": "undefined field 'operation'",
		"[5].Expression": "the expression is empty", "[6].Expression": "undefined field 'userInfo'",
	} {
		require.Contains(t, got[field], want)
	}
	require.Len(t, got, 8)
	for _, n := range []int{0, 65} {
		_, err = cel.Compile(make([]cel.Expression, n)...)
		require.ErrorIs(t, err, cel.ErrInvalid)
		require.ErrorContains(t, err, "want 1 to 64")
	}
}

func TestAnExpressionMayCostWhatTheAPIServerAllows(t *testing.T) {
	list := make([]any, 300)
	for i := range list {
		list[i] = int64(i)
	}
	in := configMap(map[string]any{"list": list})
	// 27,000,000 steps
	dear := "object.list.all(a, object.list.all(b, object.list.all(c, a + b + c >= 0)))"
	_, err := compile(t, dear).Holds(in)
	require.ErrorIs(t, err, cel.ErrCost)
	require.ErrorContains(t, err, "more than 1000000")

	fair := "object.list.all(a, object.list.all(b, a + b >= 0))" // some 500,000
	holds, err := compile(t, fair).Holds(in)
	require.NoError(t, err)
	require.True(t, holds)
	_, err = compile(t, strings.Split(strings.Repeat(fair+"\n", 20), "\n")[:20]...).Holds(in)
	require.ErrorIs(t, err, cel.ErrCost)
	require.ErrorContains(t, err, "together exceed 2500000")
}

func TestAConditionMayBeUsedConcurrently(t *testing.T) {
	c := compile(t, "object.spec.ports.all(p, p.port == 80)", "object.spec.replicas == 3")
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 100 {
				if holds, err := c.Holds(configMap(active)); err != nil || !holds {
					t.Error("another result than alone", holds, err)
				}
			}
		})
	}
	group.Wait()
}

func BenchmarkHolds(b *testing.B) {
	c := compile(b, "object.metadata.annotations['mirror'] == 'yes' && object.spec.ports.exists(p, p.port == 80)")
	in := configMap(active)
	for b.Loop() {
		if holds, err := c.Holds(in); err != nil || !holds {
			b.Fatal(err)
		}
	}
}
