package kubescribe

import (
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// RepositoryStatus is the state of one repository, by that of the destinations that refer to it.
type RepositoryStatus struct {
	// Err says why the repository is not valid; nil if it is.
	Err error
	// Destinations are those that refer to it, valid or not, in the order of SetRules. NotReady are
	// those of them that are not Ready.
	Destinations, NotReady []destination.Ref

	// The verdict on the first of NotReady.
	reason  Reason
	message string
}

// RepositoryStatus returns the state of a repository of the rules; false if they have none of this
// name.
func (m *Mirror) RepositoryStatus(ref destination.Ref) (RepositoryStatus, bool) {
	m.mu.Lock()
	users, ok := m.repositories[ref]
	st := RepositoryStatus{Err: m.set.RepositoryErr(ref), Destinations: users}
	m.mu.Unlock()
	for _, user := range users {
		of, known := m.DestinationStatus(user)
		ready, reason, message := of.Ready()
		if !known || ready {
			continue
		}
		if len(st.NotReady) == 0 {
			st.reason, st.message = reason, message
		}
		st.NotReady = append(st.NotReady, user)
	}
	return st, ok
}

// Ready is the verdict on a repository: it is valid, and so is all that is written to it. The
// reason is that of the first destination that is not ready, which the message names.
func (s RepositoryStatus) Ready() (ready bool, reason Reason, message string) {
	switch {
	case s.Err != nil:
		return false, Reason(gitsink.Reason(s.Err)), gitsink.Brief(s.Err)
	case len(s.NotReady) > 0:
		return false, s.reason, fmt.Sprintf("%d of %d destinations are not ready, first %s: %s",
			len(s.NotReady), len(s.Destinations), s.NotReady[0], s.message)
	case len(s.Destinations) == 0:
		return true, ReasonInSync, "no destination refers to it"
	}
	return true, ReasonInSync, fmt.Sprintf("all %d destinations are ready", len(s.Destinations))
}
