package orphan

import (
	"errors"
	"fmt"
)

var (
	// ErrInvalid means that a field holds none of the values that it may have.
	ErrInvalid = errors.New("orphan: invalid")
	// ErrNever means that the policy keeps a file from being removed.
	ErrNever = errors.New("orphan: the policy is Never")
	// ErrTooMany is matched by a *TooManyError.
	ErrTooMany = errors.New("orphan: too many orphans")
)

// TooManyError means that the blast-radius limit held a deletion back.
type TooManyError struct {
	Found     // the files that were to go
	Files int // the number of files in the collections
}

// Error says how many files would have gone.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("%v: %d of %d files would go, first %q; approve to delete them", ErrTooMany, e.Count, e.Files, e.Sample)
}

// Is matches ErrTooMany.
func (e *TooManyError) Is(target error) bool { return target == ErrTooMany }
