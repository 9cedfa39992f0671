package destination

import (
	"errors"
	"iter"
	"maps"
	"slices"
)

// Set is the valid destinations that Resolve found, and what is wrong with the
// others. It never changes and may be used concurrently. The zero Set is empty.
type Set struct {
	sorted           []Destination
	index            map[Ref]int // into sorted
	faults           map[Ref]error
	repositoryFaults map[Ref]error
	allowed          map[Ref][]string // of the valid ones and those that overlap
}

// Get returns the destination of this Ref, if it is valid.
func (s Set) Get(ref Ref) (Destination, bool) {
	i, ok := s.index[ref]
	if !ok {
		return Destination{}, false
	}
	return s.sorted[i], true
}

// Allows reports whether a rule of a namespace may send objects to the
// GitDestination of this Ref: one of the same namespace, one without a namespace,
// which is the administrator's, or one that Spec.AllowedNamespaces names. A Ref
// that was not given, or has a fault other than ErrOverlap, allows no others.
func (s Set) Allows(ref Ref, namespace string) bool {
	return namespace == "" || namespace == ref.Namespace || allowsNamespace(s.allowed[ref], namespace)
}

// All yields the destinations, sorted by namespace and name.
func (s Set) All() iter.Seq[Destination] { return slices.Values(s.sorted) }

// Len returns the number of destinations.
func (s Set) Len() int { return len(s.sorted) }

// Err returns what is wrong with the GitDestination of this Ref, one or more
// *Error, joined. It returns nil if the destination is valid or was not given.
func (s Set) Err(ref Ref) error { return s.faults[ref] }

// RepositoryErr returns what is wrong with the GitRepoConfig of this Ref, one or
// more *Error, joined. It returns nil if it is valid or was not given.
func (s Set) RepositoryErr(ref Ref) error { return s.repositoryFaults[ref] }

func (s Set) err() error {
	return errors.Join(append(sortedFaults(s.repositoryFaults), sortedFaults(s.faults)...)...)
}

func sortedFaults(faults map[Ref]error) []error {
	var errs []error
	for _, ref := range slices.SortedFunc(maps.Keys(faults), compareRefs) {
		errs = append(errs, faults[ref])
	}
	return errs
}
