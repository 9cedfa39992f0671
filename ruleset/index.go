package ruleset

import (
	"cmp"
	"slices"
)

// typeKey is a group and a resource as rules name them: each may be the wildcard.
type typeKey struct{ group, resource string }

// keysOf returns the keys under which rules for a type stand.
func keysOf(group, resource string) [4]typeKey {
	return [4]typeKey{{group, resource}, {group, wildcard}, {wildcard, resource}, {wildcard, wildcard}}
}

// entry is one selection of one rule.
type entry struct {
	rule      *rule
	selection *selection
}

// bucket holds the entries of one key, so that matching never looks at rules of other namespaces.
type bucket struct {
	cluster    []entry            // of rules without a namespace
	namespaced map[string][]entry // of the others, by the rule's namespace
}

type index map[typeKey]*bucket

func (x index) add(r *rule) {
	for i := range r.selections {
		for _, group := range orWildcard(r.selections[i].groups) {
			for _, resource := range orWildcard(r.selections[i].resources) {
				x.bucket(typeKey{group, resource}).add(entry{r, &r.selections[i]})
			}
		}
	}
}

func (x index) bucket(key typeKey) *bucket {
	b, ok := x[key]
	if !ok {
		b = &bucket{namespaced: make(map[string][]entry)}
		x[key] = b
	}
	return b
}

func (b *bucket) add(e entry) {
	if ns := e.rule.name.Namespace; ns != "" {
		b.namespaced[ns] = append(b.namespaced[ns], e)
	} else {
		b.cluster = append(b.cluster, e)
	}
}

func orWildcard(list []string) []string {
	if list == nil {
		return []string{wildcard}
	}
	return list
}

// rulesOf returns the rules that have a selection for the type, in their order.
func rulesOf(group, resource string, indexes ...index) []*rule {
	var rules []*rule
	collect := func(entries []entry) {
		for _, e := range entries {
			rules = append(rules, e.rule)
		}
	}
	for _, x := range indexes {
		for _, key := range keysOf(group, resource) {
			if b, ok := x[key]; ok {
				collect(b.cluster)
				for _, entries := range b.namespaced {
					collect(entries)
				}
			}
		}
	}
	slices.SortFunc(rules, func(a, b *rule) int { return cmp.Compare(a.order, b.order) })
	return slices.Compact(rules)
}
