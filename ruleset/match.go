package ruleset

import (
	"cmp"
	"slices"

	"k8s.io/apimachinery/pkg/types"
)

// hit is a rule that claims the object, with what it asks for.
type hit struct {
	rule  *rule
	asked operations
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
	if len(hits) == 0 {
		return nil
	}
	slices.SortFunc(hits, func(a, b hit) int { return cmp.Compare(a.rule.order, b.rule.order) })
	return combine(hits)
}

func appendHits(hits []hit, entries []entry, in *Input) []hit {
	for _, e := range entries {
		if !e.selection.inScope(in.Resource.Namespace != "") || !e.selection.inVersion(in.Resource.Version) || !e.rule.selects(in) {
			continue
		}
		asked := e.rule.remaining(e.selection.operations, &in.Resource)
		if asked == 0 {
			continue
		}
		if e.rule.ignores(in.Managers) {
			asked &= deletes
		}
		hits = append(hits, hit{e.rule, asked})
	}
	return hits
}

// combine makes one Match of all hits of a destination. The order of rules puts hits of a rule, and rules of a
// destination, next to each other.
func combine(hits []hit) []Match {
	matches := make([]Match, 0, count(hits))
	names := make([]types.NamespacedName, 0, len(hits))
	for len(hits) > 0 {
		first, start := hits[0].rule, len(names)
		var asked operations
		for len(hits) > 0 && hits[0].rule.destination.Ref == first.destination.Ref {
			if r := hits[0].rule; len(names) == start || names[len(names)-1] != r.name {
				names = append(names, r.name)
			}
			asked |= hits[0].asked
			hits = hits[1:]
		}
		matches = append(matches, Match{
			Destination: first.destination,
			Rules:       names[start:len(names):len(names)],
			Writes:      asked&writes != 0,
			Condition:   asked.condition(),
			Delete:      asked&deletes != 0,
		})
	}
	return matches
}

// count returns the number of destinations.
func count(hits []hit) int {
	n := 1
	for i := 1; i < len(hits); i++ {
		if hits[i].rule.destination.Ref != hits[i-1].rule.destination.Ref {
			n++
		}
	}
	return n
}
