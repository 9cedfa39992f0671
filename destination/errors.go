package destination

import (
	"errors"
	"fmt"
)

// What can be wrong with a destination or a repository. Match with errors.Is.
var (
	// ErrInvalid means that a value breaks the rules for its field, or that a
	// destination refers to a repository that does.
	ErrInvalid = errors.New("invalid")

	// ErrOverlap means that two destinations in one RemoteBranch have equal or nested
	// base folders: each would remove the files of the other. It is on the younger,
	// or on both.
	ErrOverlap = errors.New("base folders overlap")

	// ErrBranchNotAllowed means that no glob of the repository's
	// AllowedBranches matches the branch.
	ErrBranchNotAllowed = errors.New("branch not allowed")

	// ErrNamespaceNotAllowed means that an object refers to one of another namespace that does not
	// allow it, or that does not exist: whoever may not use an object is not told whether it
	// exists.
	ErrNamespaceNotAllowed = errors.New("namespace not allowed")

	// ErrLocalNotAllowed means that a repository is a path of this machine, in no
	// folder of Policy.AllowedLocalFolders.
	ErrLocalNotAllowed = errors.New("local repository not allowed")

	// ErrUnknown means that a name is not that of a valid destination.
	ErrUnknown = errors.New("unknown destination")

	// ErrUnknownRepository means that a destination refers to a repository of its
	// own namespace, or one that it may use, that was not given.
	ErrUnknownRepository = errors.New("unknown repository")
)

// The kinds of object that an Error is about, named as in the seed manifests.
const (
	KindDestination = "GitDestination"
	KindRepository  = "GitRepoConfig"
)

// Error is one fault of one destination or repository.
type Error struct {
	// Kind is KindDestination or KindRepository.
	Kind string
	// Ref is the object with the fault.
	Ref Ref
	// Field is the name of the Go field with the fault: "Branch".
	Field string
	// Value is what the field holds, credentials masked.
	Value string
	// Err is the fault and what to do about it. It wraps one of the sentinels.
	Err error
}

// Error names the object, the field, its value and the fault.
func (e *Error) Error() string {
	return fmt.Sprintf("%s %s: %s %q: %v", e.Kind, e.Ref, e.Field, e.Value, e.Err)
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// fault wraps err in an *Error; nil stays nil.
func fault(kind string, ref Ref, field, value string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Kind: kind, Ref: ref, Field: field, Value: value, Err: err}
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}
