package cel

import (
	"errors"
	"fmt"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	celconfig "k8s.io/apiserver/pkg/apis/cel"

	"github.com/kubescribe/kubescribe/ruleset"
)

// condition is immutable; its programs may be evaluated concurrently.
type condition struct{ expressions []expression }

// costOfAll is what the expressions may cost together on one object; the environment limits each of
// them.
const costOfAll uint64 = celconfig.RuntimeCELCostBudgetMatchConditions

type expression struct {
	name    string
	program cel.Program
}

// Holds evaluates the expressions in order until one is false. Errors of others do not count then.
func (c *condition) Holds(in ruleset.Input) (bool, error) {
	if in.Object == nil {
		return false, errors.New("the object is not known: Input.Object is nil")
	}
	variables := map[string]any{"object": in.Object, "request": request(in)}
	budget := costOfAll
	var faults []error
	for _, e := range c.expressions {
		holds, cost, err := e.evaluate(variables)
		if cost > budget {
			return false, fmt.Errorf("expression %s: %w: all expressions together exceed %d", e.name, ErrCost, costOfAll)
		}
		budget -= cost
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("expression %s: %w", e.name, err))
		case !holds:
			return false, nil
		}
	}
	return len(faults) == 0, errors.Join(faults...)
}

func (e *expression) evaluate(variables map[string]any) (holds bool, cost uint64, err error) {
	value, details, err := e.program.Eval(variables)
	if details != nil && details.ActualCost() != nil {
		cost = *details.ActualCost()
	}
	if err != nil {
		if cost > celconfig.PerCallLimit {
			err = fmt.Errorf("%w: more than %d", ErrCost, celconfig.PerCallLimit)
		}
		return false, cost, err
	}
	return value == types.True, cost, nil
}

func request(in ruleset.Input) map[string]any {
	r := in.Resource
	return map[string]any{
		"kind":      map[string]any{"group": r.Group, "version": r.Version, "kind": r.Kind},
		"resource":  map[string]any{"group": r.Group, "version": r.Version, "resource": r.Resource},
		"name":      r.Name,
		"namespace": r.Namespace,
	}
}
