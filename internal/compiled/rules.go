package compiled

import (
	"cmp"
	"slices"
)

// Rules are the rules of one RuleSet. The zero value has none.
type Rules struct {
	All     []*Rule // by destination, then by name
	Valid   []*Rule // in the same order
	Index   Index   // of the valid ones
	Invalid Index   // of the others: they forbid sweeping in their destination, if that is known
}

// NewRules returns Rules that hold none.
func NewRules() Rules { return Rules{Index: Index{}, Invalid: Index{}} }

// Add adds a rule, in the order of the rules.
func (s *Rules) Add(r *Rule) {
	s.All = append(s.All, r)
	if !r.Valid {
		s.Invalid.add(r)
		return
	}
	s.Valid = append(s.Valid, r)
	s.Index.add(r)
}

// Wildcard stands for every value of a list.
const Wildcard = "*"

// Key is a group and a resource as rules name them: each may be the Wildcard.
type Key struct{ Group, Resource string }

// KeysOf returns the keys under which rules for a type stand.
func KeysOf(group, resource string) [4]Key {
	return [4]Key{{group, resource}, {group, Wildcard}, {Wildcard, resource}, {Wildcard, Wildcard}}
}

// Candidate is one selection of one rule, which may select the objects of a key.
type Candidate struct {
	Rule      *Rule
	Selection *Selection
}

// Bucket holds the candidates of one key, so that matching never looks at rules of other
// namespaces.
type Bucket struct {
	Cluster    []Candidate            // of rules without a namespace
	Namespaced map[string][]Candidate // of the others, by the rule's namespace
}

// Index finds the rules for a type.
type Index map[Key]*Bucket

func (x Index) add(r *Rule) {
	for i := range r.Selections {
		for _, group := range OrWildcard(r.Selections[i].Groups) {
			for _, resource := range OrWildcard(r.Selections[i].Resources) {
				x.bucket(Key{group, resource}).add(Candidate{r, &r.Selections[i]})
			}
		}
	}
}

func (x Index) bucket(key Key) *Bucket {
	b, ok := x[key]
	if !ok {
		b = &Bucket{Namespaced: make(map[string][]Candidate)}
		x[key] = b
	}
	return b
}

func (b *Bucket) add(e Candidate) {
	if ns := e.Rule.Name.Namespace; ns != "" {
		b.Namespaced[ns] = append(b.Namespaced[ns], e)
	} else {
		b.Cluster = append(b.Cluster, e)
	}
}

// OrWildcard returns the list, or the Wildcard in the place of one that stands for all values.
func OrWildcard(list []string) []string {
	if list == nil {
		return []string{Wildcard}
	}
	return list
}

// For returns the rules of some indexes that have a selection for the type, in their order.
func For(group, resource string, indexes ...Index) []*Rule {
	var rules []*Rule
	collect := func(entries []Candidate) {
		for _, e := range entries {
			rules = append(rules, e.Rule)
		}
	}
	for _, x := range indexes {
		for _, key := range KeysOf(group, resource) {
			if b, ok := x[key]; ok {
				collect(b.Cluster)
				for _, entries := range b.Namespaced {
					collect(entries)
				}
			}
		}
	}
	slices.SortFunc(rules, func(a, b *Rule) int { return cmp.Compare(a.Order, b.Order) })
	return slices.Compact(rules)
}

// Looks says what rules look at in objects beside names and owners.
type Looks struct {
	Labels   bool // of the object
	Whole    bool // for a condition, all of its field managers, or the type of a Secret
	Managers bool // those of the last change
}

// LooksAt returns what the rules look at in objects of a type. A Namespace is selected by its own
// labels.
func (s *Rules) LooksAt(group, resource string) (l Looks) {
	for _, r := range For(group, resource, s.Index) {
		l.Whole = l.Whole || r.Condition != nil
		l.Labels = l.Labels || r.Condition != nil || r.ObjectSelector != nil || r.NamespaceSelector != nil && resource == "namespaces"
		l.Managers = l.Managers || r.Condition != nil || len(r.IgnoreManagers) > 0
		for i := range r.Exclude {
			if e := &r.Exclude[i]; Allows(e.Groups, group) && Allows(e.Resources, resource) {
				l.Labels, l.Whole = l.Labels || e.Objects != nil, l.Whole || e.Managers != nil || e.SecretTypes != nil
			}
		}
	}
	return l
}
