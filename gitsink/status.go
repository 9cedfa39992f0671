package gitsink

import (
	"slices"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/orphan"
)

// Status is what is known of a destination's folder from writing to it. In a Report it is what one
// batch found out; With adds that to what was known before.
type Status struct {
	// Destination is the one that this is about.
	Destination destination.Destination
	// Err is why the last batch was not written; its events are tried again. It is nil after a
	// success.
	Err error
	// LastSeed is when a sweep last compared the folder with all that lives, held deletions apart.
	// LastCommit is when a commit was last pushed. Zero: never.
	LastSeed, LastCommit time.Time
	// Tip is the branch's commit when it was last looked at; "" if there is no branch.
	Tip string
	// Held are the files without an object that the last sweep left, because they are too many.
	Held *orphan.TooManyError
	// Unadopted are the files without an object that it left, because the folder is not adopted.
	Unadopted []string
	// Uncovered are the files that could be ours and that no rule covers any more. They stay until
	// they are pruned.
	Uncovered *orphan.Found
	// Excluded are the folders below this one, each with a slash at its end, that have an OwnerFile
	// of their own, and in which that kept files of our types and namespaces from being deleted or
	// looked at. They may have lost their object. Remove that OwnerFile, or those files.
	Excluded *orphan.Found
	// Kustomizations are the KustomizationFiles of somebody else that stand where one of ours was
	// to be (Policy.Kustomization). They are left as they are.
	Kustomizations *orphan.Found
	// Skipped are objects that are left out, since they cannot be written: MaxSkipped at most.
	// SkippedCount is the number of all of them. An object is left out until it is written or gone,
	// or a sweep finds nothing against it.
	Skipped      []Skipped
	SkippedCount int
	// Filtered are the lines of a .gitattributes with a filter that files of ours should have gone
	// through and did not, MaxFiltered at most. See WriterOptions.RefuseFiltered.
	Filtered []Filtered

	skipped left // all of them
	tried   left // in a Report: the objects of the batch
}

// With returns what is known after a batch has found out more. The slices of s are left as they
// are, since a caller may hold them.
func (s Status) With(found Status) Status {
	s.Destination, s.Err = found.Destination, found.Err
	if found.Err != nil {
		return s
	}
	swept := !found.LastSeed.IsZero()
	s.Skipped, s.skipped = s.withSkipped(found, swept)
	s.Tip, s.SkippedCount = found.Tip, max(len(s.skipped), len(s.Skipped))
	if !found.LastCommit.IsZero() {
		s.LastCommit = found.LastCommit
	}
	if swept { // a sweep has looked at all files and folders
		s.LastSeed, s.Held, s.Unadopted, s.Uncovered = found.LastSeed, found.Held, found.Unadopted, found.Uncovered
		s.Filtered, s.Excluded, s.Kustomizations = found.Filtered, found.Excluded, found.Kustomizations
		return s
	}
	// A batch of changes looks only at what it meets. That comes beside what is known, and takes
	// nothing away.
	s.Filtered = withFiltered(s.Filtered, found.Filtered)
	if found.Excluded != nil && (s.Excluded == nil || s.Excluded.Count < found.Excluded.Count) {
		s.Excluded = found.Excluded
	}
	if found.Kustomizations != nil && (s.Kustomizations == nil || s.Kustomizations.Count < found.Kustomizations.Count) {
		s.Kustomizations = found.Kustomizations
	}
	return s
}

func withFiltered(known, found []Filtered) []Filtered {
	known = slices.Clip(known)
	for _, f := range found {
		if len(known) < MaxFiltered && !slices.Contains(known, f) {
			known = append(known, f)
		}
	}
	return known
}
