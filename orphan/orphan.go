package orphan

import (
	"errors"
	"fmt"
)

// Policy says when files that have lost their object are removed.
type Policy string

// The policies.
const (
	Never    Policy = "Never"    // files stay, also when a watch delivers the delete
	OnDelete Policy = "OnDelete" // only deletes that a watch delivered, and explicit pruning, remove files; a SeedSync removes none
	Always   Policy = "Always"   // a SeedSync also removes what was deleted unseen; the default
)

// Options bound a search. The zero value and nil mean the defaults.
type Options struct {
	// Policy says whether to look at all: Find finds nothing unless it is Always. Default: Always.
	Policy Policy
	// MaxFiles and MaxFraction are the blast-radius limit: Find returns ErrTooMany if more than MaxFiles files AND more
	// than MaxFraction of the files in the scopes would go. A negative MaxFiles is no limit, a negative MaxFraction leaves
	// MaxFiles as the only one. Default: 10 and 0.5.
	MaxFiles    int
	MaxFraction float64
	// Approved lifts the limit for this search, whatever it finds. Default: false.
	Approved bool
	// ApprovedFor lifts the limit for files that an earlier search found: if nothing else would go, all go. One file more
	// than was seen, and the limit counts again. Default: none.
	ApprovedFor *Found
}

// ErrInvalid says that a value is none of those that its field may have.
var ErrInvalid = errors.New("orphan: invalid")

// Validate returns an error that matches ErrInvalid if the Policy is unknown. Find and gitsink.Writer call it, so that a
// misspelt Never never passes for Always.
func (o Options) Validate() error {
	switch o.Policy {
	case "", Never, OnDelete, Always:
		return nil
	}
	return fmt.Errorf("%w: Policy %q: use %s, %s or %s", ErrInvalid, o.Policy, Never, OnDelete, Always)
}

// ErrNever says that the policy keeps a file from being removed.
var ErrNever = errors.New("orphan: the policy is Never")

// ErrTooMany is matched by a *TooManyError.
var ErrTooMany = errors.New("orphan: too many orphans")

// TooManyError says that the blast-radius limit held a deletion back.
type TooManyError struct {
	Found     // the files that were to go
	Files int // files in the scopes
}

// Error says how many files would have gone.
func (e *TooManyError) Error() string {
	return fmt.Sprintf("%v: %d of %d files would go, first %q; approve to delete them", ErrTooMany, e.Count, e.Files, e.Sample)
}

// Is matches ErrTooMany.
func (e *TooManyError) Is(target error) bool { return target == ErrTooMany }
