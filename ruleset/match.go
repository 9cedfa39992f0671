package ruleset

import (
	"cmp"
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// hit is a rule that claims the object, with what it asks for.
type hit struct {
	rule  *rule
	asked operations
	err   error // its condition could not be evaluated
}

// Match returns the destinations that want the object, each once, in the order of their names; nil if there are none. It
// looks only at rules for the object's own type and namespace, takes no lock, and may be called concurrently. The caller
// owns the result.
func (s *RuleSet) Match(in Input) []Match {
	var few [16]hit // stays on the stack: matching nothing, the common case, allocates nothing
	hits := few[:0]
	for _, key := range keysOf(in.Resource.Group, in.Resource.Resource) {
		b, ok := s.index[key]
		if !ok {
			continue
		}
		hits = appendHits(hits, b.cluster, &in)
		hits = appendHits(hits, b.namespaced[in.Resource.Namespace], &in) // none for a cluster-scoped object
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.rule.order, b.rule.order) })
	if hits = settle(hits, &in); len(hits) == 0 {
		return nil
	}
	return combine(hits)
}

func appendHits(hits []hit, entries []entry, in *Input) []hit {
	for _, e := range entries {
		if !e.selection.inScope(in.Resource.Namespace != "") || !e.selection.inVersion(in.Resource.Version) || !e.rule.selects(in) {
			continue
		}
		asked := e.rule.remaining(e.selection.operations, in)
		if asked == 0 {
			continue
		}
		if e.rule.ignores(in.Managers) {
			asked &= deletes
		}
		hits = append(hits, hit{rule: e.rule, asked: asked})
	}
	return hits
}

// settle makes one hit of those of a rule, and asks the rule's condition, once. Where that cannot be evaluated, the rule
// claims the object and still asks for its delete, but for no write.
func settle(hits []hit, in *Input) []hit {
	settled := hits[:0]
	for len(hits) > 0 {
		h := hits[0]
		for hits = hits[1:]; len(hits) > 0 && hits[0].rule == h.rule; hits = hits[1:] {
			h.asked |= hits[0].asked
		}
		holds, err := h.rule.holds(in)
		switch {
		case err != nil:
			h.asked &= deletes
			h.err = err
		case !holds:
			continue
		}
		settled = append(settled, h)
	}
	return settled
}

// combine makes one Match of all hits of a destination. The order of rules puts them next to each other.
func combine(hits []hit) []Match {
	matches := make([]Match, 0, count(hits))
	names := make([]types.NamespacedName, 0, len(hits))
	for len(hits) > 0 {
		first, start := hits[0].rule, len(names)
		var asked operations
		var faults []error
		for len(hits) > 0 && hits[0].rule.ref == first.ref {
			names = append(names, hits[0].rule.name)
			asked |= hits[0].asked
			if hits[0].err != nil {
				faults = append(faults, hits[0].err)
			}
			hits = hits[1:]
		}
		matches = append(matches, Match{
			Destination:  first.destination,
			Rules:        names[start:len(names):len(names)],
			Writes:       asked&writes != 0,
			Precondition: asked.condition(),
			Delete:       asked&deletes != 0,
			Err:          errors.Join(faults...),
		})
	}
	return matches
}

// count returns the number of destinations.
func count(hits []hit) int {
	n := 1
	for i := 1; i < len(hits); i++ {
		if hits[i].rule.ref != hits[i-1].rule.ref {
			n++
		}
	}
	return n
}
