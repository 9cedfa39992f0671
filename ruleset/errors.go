package ruleset

import (
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
)

// What can be wrong with a rule. Match the errors of Compile and RuleSet.Err with errors.Is. A rule
// whose destination the Set does not hold has destination.ErrUnknown; if the Set knows why the
// destination is invalid, the error wraps that, too.
var (
	// ErrInvalid means that a value breaks the rules for its field.
	ErrInvalid = errors.New("invalid")

	// ErrNamespaceNotAllowed means that a rule refers to a destination of another namespace that
	// does not allow it, or that does not exist. It is destination.ErrNamespaceNotAllowed.
	ErrNamespaceNotAllowed = destination.ErrNamespaceNotAllowed
)

// What keeps a valid rule from a type. Match the errors of Watches with errors.Is.
var (
	// ErrNotServed means that the server does not serve a type that a rule names, or in no version
	// that the rule allows. The type may come back: conclude nothing about its objects.
	ErrNotServed = errors.New("not served by the cluster")

	// ErrNotWatchable means that a type is served but cannot be listed and watched, or that the
	// rule cannot see it: a cluster-scoped type is outside of a rule with a namespace.
	ErrNotWatchable = errors.New("not to be watched for this rule")

	// ErrOtherVersion means that the rule allows a version that is served, but the type is read in
	// another one: another rule allows that, and the server prefers it.
	ErrOtherVersion = errors.New("read in another version")
)

// RuleError is one fault of one rule.
type RuleError struct {
	Rule  types.NamespacedName
	Field string // the Go field, "Resources[0].Operations[1]"
	Value string // what it holds
	// Err is the fault and what to do about it. It wraps ErrInvalid, destination.ErrUnknown or
	// ErrNamespaceNotAllowed.
	Err error
}

// Error names the rule, the field, its value and the fault.
func (e *RuleError) Error() string {
	return fmt.Sprintf("%s: %s %q: %v", describe(e.Rule), e.Field, e.Value, e.Err)
}

// Unwrap returns Err.
func (e *RuleError) Unwrap() error { return e.Err }

// TypeError says that a valid rule asks for a type and does not get it. The other types of the rule
// are not affected.
type TypeError struct {
	Rule        types.NamespacedName
	Destination destination.Ref // of the rule
	Groups      []string        // the API groups that were searched; "*" is any
	Resource    string          // "*" if the rule names only groups
	// Meant are the types that the author of the rule may have meant, by the names that discovery
	// knows for them: plural, singular, kind and short names, or one letter away from these. Most
	// often it is empty.
	Meant []schema.GroupResource
	// Err is why, and what to do about it. It wraps ErrNotServed, ErrNotWatchable or
	// ErrOtherVersion.
	Err error
}

// Error names the rule, the type and the reason.
func (e *TypeError) Error() string {
	return fmt.Sprintf("%s: resource %q of API groups %q: %v", describe(e.Rule), e.Resource, e.Groups, e.Err)
}

// Unwrap returns Err.
func (e *TypeError) Unwrap() error { return e.Err }

// ConditionError says that a Condition could not be evaluated for one object. Other objects are not
// affected.
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
