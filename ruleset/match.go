package ruleset

import (
	"cmp"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Match is one destination that wants an object.
//
// With neither Writes nor Delete the destination claims the object, but this change is not written:
// IgnoreManagers made it, or Err says that a Condition could not be evaluated. The file stays as it
// is and is no orphan.
type Match struct {
	Destination destination.Destination
	// Rules are those that claim the object, in the order of their names.
	Rules []types.NamespacedName
	// Writes is set if some rule asks for CREATE or UPDATE.
	Writes bool
	// Precondition is that of the write, the weakest of all rules. Always if not Writes.
	Precondition event.Precondition
	// Delete is set if some rule asks for DELETE.
	Delete bool
	// Ignored are the fields that are left out of the file; nil: none. Equal ones of one RuleSet
	// are one value.
	Ignored *event.Ignored
	// Sensitive says that the file must be encrypted, and what of it; nil: it need not, unless the
	// object is a core v1 Secret.
	Sensitive *event.Sensitive
	// Err joins a *ConditionError for each Condition that could not be evaluated. Its rule asks for
	// no write.
	Err error
}

// hit is a rule that claims the object, with what it asks for.
type hit struct {
	rule  *compiled.Rule
	asked compiled.Operations
	// standing is asked, whoever made the change and whatever a condition says.
	standing compiled.Operations
	err      error // its condition could not be evaluated
}

// Match returns the destinations that want the object, each once, in the order of their names; nil
// if there are none. It looks only at rules for the type and the namespace of the object, takes no
// lock, and may be called concurrently. The caller owns the result.
func (s *RuleSet) Match(in Input) []Match {
	var few [16]hit // stays on the stack: matching nothing, the common case, allocates nothing
	hits := few[:0]
	for _, key := range compiled.KeysOf(in.Resource.Group, in.Resource.Resource) {
		b, ok := s.rules.Index[key]
		if !ok {
			continue
		}
		hits = appendHits(hits, b.Cluster, &in)
		// none for a cluster-scoped object
		hits = appendHits(hits, b.Namespaced[in.Resource.Namespace], &in)
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.rule.Order, b.rule.Order) })
	if hits = settle(hits, &in); len(hits) == 0 {
		return nil
	}
	return s.combine(hits, &in)
}

func appendHits(hits []hit, entries []compiled.Candidate, in *Input) []hit {
	for _, e := range entries {
		if !e.Selection.InScope(in.Resource.Namespace != "") || !e.Selection.InVersion(in.Resource.Version) || !selects(e.Rule, in) {
			continue
		}
		asked := remaining(e.Rule, e.Selection.Operations, in)
		if asked == 0 {
			continue
		}
		standing := asked
		if ignores(e.Rule, in.Managers) {
			asked &= compiled.Deletes
		}
		hits = append(hits, hit{rule: e.Rule, asked: asked, standing: standing})
	}
	return hits
}

// settle joins the hits of each rule into one and evaluates its condition once. If that fails, the
// rule claims the object and still asks for its delete, but for no write.
func settle(hits []hit, in *Input) []hit {
	settled := hits[:0]
	for len(hits) > 0 {
		h := hits[0]
		for hits = hits[1:]; len(hits) > 0 && hits[0].rule == h.rule; hits = hits[1:] {
			h.asked |= hits[0].asked
			h.standing |= hits[0].standing
		}
		selected, err := holds(h.rule, in)
		switch {
		case err != nil:
			h.asked &= compiled.Deletes
			h.err = err
		case !selected:
			continue
		}
		settled = append(settled, h)
	}
	return settled
}

// combine joins the hits of each destination into one Match. They stand next to each other.
func (s *RuleSet) combine(hits []hit, in *Input) []Match {
	matches := make([]Match, 0, count(hits))
	names := make([]types.NamespacedName, 0, len(hits))
	for len(hits) > 0 {
		first, start, all := hits[0].rule, len(names), hits
		var asked compiled.Operations
		var faults []error
		for len(hits) > 0 && hits[0].rule.Ref == first.Ref {
			names = append(names, hits[0].rule.Name)
			asked |= hits[0].asked
			if hits[0].err != nil {
				faults = append(faults, hits[0].err)
			}
			hits = hits[1:]
		}
		all = all[:len(all)-len(hits)]
		matches = append(matches, Match{
			Destination:  first.Destination,
			Rules:        names[start:len(names):len(names)],
			Writes:       asked&compiled.Writes != 0,
			Precondition: asked.Precondition(),
			Delete:       asked&compiled.Deletes != 0,
			Ignored:      s.ignoredBy(all, in),
			Sensitive:    sensitiveBy(all, in),
			Err:          errors.Join(faults...),
		})
	}
	return matches
}

// count returns the number of destinations.
func count(hits []hit) int {
	n := 1
	for i := 1; i < len(hits); i++ {
		if hits[i].rule.Ref != hits[i-1].rule.Ref {
			n++
		}
	}
	return n
}
