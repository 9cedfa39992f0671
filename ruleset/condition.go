package ruleset

import "github.com/kubescribe/kubescribe/internal/compiled"

// Condition is a test of a whole object. It is asked after everything else has selected the object,
// and filters, as a selector does: an object for which it no longer holds is a delete, and its file
// is an orphan. Package ruleset/cel makes a Condition of CEL expressions.
type Condition interface {
	// Holds reports whether the rule selects the object. The answer depends on nothing but the
	// argument, which Holds must not change. Holds may be called concurrently. With an error nobody
	// knows the answer: the object keeps its file as it is, and Match.Err has the error.
	Holds(in Input) (bool, error)
}

// holds asks the condition of a rule; the error is a *ConditionError.
func holds(r *compiled.Rule, in *Input) (bool, error) {
	if r.Condition == nil {
		return true, nil
	}
	ok, err := r.Condition.(Condition).Holds(*in)
	if err != nil {
		return false, &ConditionError{Rule: r.Name, Err: err}
	}
	return ok, nil
}
