package orphan

import "fmt"

// Policy says when files that have lost their object are removed.
type Policy string

// The policies.
const (
	// Never keeps files, also after a delete that a watch delivers.
	Never Policy = "Never"
	// OnDelete removes a file only after a delete that a watch delivers, or by an order to prune.
	OnDelete Policy = "OnDelete"
	// Always also has a SeedSync remove what was deleted unseen. It is the default.
	Always Policy = "Always"
)

// Options bound a search. The zero value and nil mean the defaults.
type Options struct {
	// Policy says whether to search at all: Find finds nothing unless it is Always. Default:
	// Always.
	Policy Policy
	// MaxFiles and MaxFraction are the blast-radius limit. Find returns ErrTooMany if more than
	// MaxFiles files AND more than MaxFraction of the files in the collections would go. A negative
	// MaxFiles is no limit, a negative MaxFraction leaves MaxFiles as the only one. Default: 10 and
	// 0.5.
	MaxFiles    int
	MaxFraction float64
}

const (
	defaultMaxFiles    = 10
	defaultMaxFraction = 0.5
)

// Validate returns an error that matches ErrInvalid if the Policy is unknown. Find and
// gitsink.Writer call it, so that a misspelt Never does not pass for Always.
func (o Options) Validate() error {
	switch o.Policy {
	case "", Never, OnDelete, Always:
		return nil
	}
	return fmt.Errorf("%w: Policy %q: use %s, %s or %s", ErrInvalid, o.Policy, Never, OnDelete, Always)
}

// Hold applies the blast-radius limit to the removal of orphans, which are some of so many files.
// It returns nil if they may go or are approved, and else a *TooManyError. Find calls it. Nil
// Options mean the defaults.
func (o *Options) Hold(orphans []string, files int, approval Approval) error {
	if o == nil {
		o = &Options{}
	}
	maxFiles, maxFraction := o.MaxFiles, o.MaxFraction
	if maxFiles == 0 {
		maxFiles = defaultMaxFiles
	}
	if maxFraction == 0 {
		maxFraction = defaultMaxFraction
	}
	within := maxFiles < 0 || len(orphans) <= maxFiles || float64(len(orphans)) <= maxFraction*float64(files)
	if within || approval.includes(orphans) {
		return nil
	}
	return &TooManyError{Found: *NewFound(orphans), Files: files}
}
