package kubescribe

import (
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/kubescribe/kubescribe/gitsink"
)

// Reason is why a destination is ready or not, as the reason of a condition in Kubernetes: a stable
// word in CamelCase. It is one of those below, or one of gitsink.Reason while its writes fail.
// docs/monitoring/runbook.md has a section for each, which says what to do.
type Reason string

// The reasons of a destination whose writes do not fail.
const (
	// ReasonInSync: the folder equals what the rules select of the cluster.
	ReasonInSync Reason = "InSync"
	// ReasonWriting: it did a moment ago, and changes are on their way.
	ReasonWriting Reason = "Writing"
	// ReasonSeeding: it has not been compared with all that lives yet.
	ReasonSeeding Reason = "Seeding"
	// ReasonNoRules: no valid rule sends objects to the destination.
	ReasonNoRules Reason = "NoRules"
	// ReasonRuleInvalid: a rule of the destination is not valid and was left out.
	ReasonRuleInvalid Reason = "RuleInvalid"
	// ReasonTypeNotServed: the cluster does not have a type that a rule names.
	ReasonTypeNotServed Reason = "TypeNotServed"
	// ReasonForbidden: the API server does not allow a type to be listed or watched.
	ReasonForbidden Reason = "Forbidden"
	// ReasonListingFailed: a type or an object cannot be read for another reason.
	ReasonListingFailed Reason = "ListingFailed"
	// ReasonNotFollowed: the watch of a type has failed for half a minute, so that what has changed
	// since is not known.
	ReasonNotFollowed Reason = "NotFollowed"
	// ReasonFolderExcluded: a folder below has an owner file of its own; what may be an orphan
	// there stays.
	ReasonFolderExcluded Reason = "FolderExcluded"
	// ReasonFolderNotAdopted: files without an object stay until Adopt.
	ReasonFolderNotAdopted Reason = gitsink.ReasonFolderNotAdopted
	// ReasonDeletionsHeld: more files have lost their object than may go at once; they wait for
	// Approve.
	ReasonDeletionsHeld Reason = "DeletionsHeld"
	// ReasonObjectsLeftOut: objects that the rules select cannot be written, as Secrets without an
	// Encryptor.
	ReasonObjectsLeftOut Reason = "ObjectsLeftOut"
)

// Ready is the verdict on a destination: whether its folder equals what the rules select of the
// cluster, but for changes of the last moments. If it does not, the reason is the one that somebody
// has to act upon first, and the message says what is known of it, in a line without URL.
// Files that no rule covers any more are not against it.
func (s DestinationStatus) Ready() (ready bool, reason Reason, message string) {
	for _, judge := range []func() (Reason, string){s.judgeWrites, s.judgeRules, s.judgeReading, s.judgeFolder} {
		if reason, message := judge(); reason != "" {
			return false, reason, message
		}
	}
	switch {
	case s.LastSeed.IsZero() || s.Watch.Seeds == 0:
		return false, ReasonSeeding, s.progress()
	case !s.Synced:
		return true, ReasonWriting, s.progress()
	}
	message = "the folder equals the cluster"
	if s.Uncovered != nil {
		message += fmt.Sprintf("; %d files that no rule covers any more stay until they are pruned", s.Uncovered.Count)
	}
	return true, ReasonInSync, message
}

// judgeWrites judges what keeps the destination from being written to.
func (s *DestinationStatus) judgeWrites() (Reason, string) {
	err := s.Line.Err
	if err == nil {
		err = s.Err
	}
	if err == nil {
		err = s.BranchErr
	}
	return Reason(gitsink.Reason(err)), gitsink.Brief(err)
}

// judgeRules judges what is asked for.
func (s *DestinationStatus) judgeRules() (Reason, string) {
	switch {
	case len(s.InvalidRules) > 0:
		return ReasonRuleInvalid, fmt.Sprintf("%s is left out%s", s.InvalidRules[0], more(len(s.InvalidRules)))
	case s.Rules == 0:
		return ReasonNoRules, "no rule sends objects here"
	case len(s.Watch.Faults) > 0:
		return ReasonTypeNotServed, gitsink.Brief(s.Watch.Faults[0]) + more(len(s.Watch.Faults))
	}
	return "", ""
}

// judgeReading judges what cannot be read of the cluster.
func (s *DestinationStatus) judgeReading() (Reason, string) {
	for _, forbidden := range []bool{true, false} { // what somebody must allow comes first
		for _, part := range s.Watch.Incomplete {
			if (apierrors.IsForbidden(part.Err) || apierrors.IsUnauthorized(part.Err)) == forbidden {
				reason := ReasonListingFailed
				if forbidden {
					reason = ReasonForbidden
				}
				return reason, fmt.Sprintf("%s: %s%s", part.Collection, gitsink.Brief(part.Err), more(len(s.Watch.Incomplete)))
			}
		}
	}
	if s.Watch.Err != nil {
		return ReasonListingFailed, gitsink.Brief(s.Watch.Err)
	}
	if parts := s.Watch.NotFollowed; len(parts) > 0 {
		return ReasonNotFollowed, fmt.Sprintf("%s: %s%s", parts[0].Collection, gitsink.Brief(parts[0].Err), more(len(parts)))
	}
	return "", ""
}

// judgeFolder judges what stays in the folder though it has no object, and what is not there.
func (s *DestinationStatus) judgeFolder() (Reason, string) {
	left := s.Watch.RefusedCount + max(s.SkippedCount, len(s.Skipped))
	switch {
	case s.Excluded != nil:
		return ReasonFolderExcluded, fmt.Sprintf("%s has a %s of its own%s", first(s.Excluded.Sample), gitsink.OwnerFile, more(s.Excluded.Count))
	case len(s.Unadopted) > 0:
		return ReasonFolderNotAdopted, fmt.Sprintf("%d files without an object stay until the folder is adopted, first %s", len(s.Unadopted), s.Unadopted[0])
	case s.Held != nil:
		return ReasonDeletionsHeld, fmt.Sprintf("%d of %d files have lost their object and wait for approval, first %s", s.Held.Count, s.Held.Files, first(s.Held.Sample))
	case len(s.Watch.Refused) > 0:
		one := s.Watch.Refused[0]
		return ReasonObjectsLeftOut, fmt.Sprintf("%s: %s%s", one.ID, gitsink.Brief(one.Err), more(left))
	case len(s.Skipped) > 0:
		one := s.Skipped[0]
		return ReasonObjectsLeftOut, fmt.Sprintf("%s: %s%s", one.Resource.ID, gitsink.Brief(one.Err), more(left))
	case left > 0: // of which the first hundred were written since
		return ReasonObjectsLeftOut, fmt.Sprintf("%d objects cannot be written", left)
	}
	return "", ""
}

// progress says what is on its way.
func (s *DestinationStatus) progress() string {
	var parts []string
	if s.Watch.Complete < s.Watch.Streams {
		parts = append(parts, fmt.Sprintf("%d of %d collections are listed", s.Watch.Complete, s.Watch.Streams))
	}
	if n := s.Watch.Waiting; n > 0 {
		parts = append(parts, fmt.Sprintf("%d objects wait to be read", n))
	}
	if n := s.Line.Waiting + s.Line.InHand; n > 0 {
		parts = append(parts, fmt.Sprintf("%d changes wait to be written", n))
	}
	if len(parts) == 0 {
		return "the folder is compared with the cluster"
	}
	return strings.Join(parts, ", ")
}

func first(sample []string) string {
	if len(sample) == 0 {
		return ""
	}
	return sample[0]
}

// more says that there are others than the first.
func more(count int) string {
	if count <= 1 {
		return ""
	}
	return fmt.Sprintf(", and %d more", count-1)
}
