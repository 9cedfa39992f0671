package ruleset

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
)

// What can be wrong with a rule. Match the errors of Compile and Err with errors.Is. A rule that
// refers to a destination which the Set does not hold has destination.ErrUnknown; if the Set knows
// it as an invalid one, the error wraps what is wrong with it, too.
var (
	// ErrInvalid means that a value breaks the rules for its field.
	ErrInvalid = errors.New("invalid")

	// ErrNamespaceNotAllowed means that a rule refers to a destination of another namespace which
	// does not allow that, or which is not there. It is destination's.
	ErrNamespaceNotAllowed = destination.ErrNamespaceNotAllowed
)

// Why a rule does not get a type. Match the errors of Watches with errors.Is.
var (
	// ErrNotServed means that discovery does not have a type that a rule names, or not in a version
	// that the rule allows. It may come back: nothing may be concluded about its objects.
	ErrNotServed = errors.New("not served by the cluster")

	// ErrNotWatchable means that a type that a rule names is served, but cannot be listed and
	// watched, or lies outside the rule's scope, as a cluster-scoped type does for a rule with a
	// namespace.
	ErrNotWatchable = errors.New("not to be watched for this rule")

	// ErrOtherVersion means that a type is read in a version that the rule does not allow, although
	// one that it allows is served, because another rule allows a version that the server prefers.
	ErrOtherVersion = errors.New("read in another version")
)

// RuleError is one fault of one rule.
type RuleError struct {
	Rule  types.NamespacedName
	Field string // the Go field, "Resources[0].Operations[1]"
	Value string // what it holds
	// what is wrong and what to do; wraps ErrInvalid, destination.ErrUnknown or
	// ErrNamespaceNotAllowed
	Err error
}

// Error names the rule, the field, its value and the fault.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s: %s %q: %v", describe(e.Rule), e.Field, e.Value, e.Err)
}

// Unwrap returns Err.
func (e *RuleError) Unwrap() error { return e.Err }

// TypeError is a type that a valid rule asks for and does not get. All else that the rule asks for
// is not affected.
type TypeError struct {
	Rule     types.NamespacedName
	Groups   []string // the API groups that were searched; "*" is any
	Resource string   // "*" if the rule names only groups
	Err      error    // why; wraps ErrNotServed, ErrNotWatchable or ErrOtherVersion
}

// Error names the rule, the type and the reason.
func (e *TypeError) Error() string {
	return fmt.Sprintf("%s: resource %q of API groups %q: %v", describe(e.Rule), e.Resource, e.Groups, e.Err)
}

// Unwrap returns Err.
func (e *TypeError) Unwrap() error { return e.Err }

// ConditionError is a Condition of a rule that could not be evaluated for an object. It is no fault
// of the rule as such: other objects are not affected.
type ConditionError struct {
	Rule types.NamespacedName
	Err  error
}

// Error names the rule and the reason.
func (e *ConditionError) Error() string {
	return fmt.Sprintf("%s: Condition: %v", describe(e.Rule), e.Err)
}

// Unwrap returns Err.
func (e *ConditionError) Unwrap() error { return e.Err }

// describe names a rule by its kind in the manifests.
func describe(rule types.NamespacedName) string {
	if rule.Namespace == "" {
		return "ClusterWatchRule " + rule.Name
	}
	return "WatchRule " + rule.String()
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
