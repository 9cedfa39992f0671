package event

import (
	"errors"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"
)

// FieldSet names fields of objects that are left out of their files: each field that one of its
// parts names. The zero FieldSet names none.
type FieldSet struct {
	// Paths are the steps of JSON pointers, as ParsePointer returns them.
	Paths [][]string
	// Annotations and Labels are globs, as in path.Match, of the keys in metadata. "*" matches no
	// slash, so "example.com/*" is needed for the keys of a domain.
	Annotations, Labels []string
	// Managers name fields by who owns them.
	Managers []FieldManagers
}

// FieldManagers names the fields that only some field managers own, by metadata.managedFields. What
// anybody else owns as well is not among them, nor is what nobody owns.
type FieldManagers struct {
	Names []string
	// Subresource restricts Names to what they wrote by way of it, as "scale". Default: whatever
	// they wrote.
	Subresource string
}

// Validate returns an error that names each path, glob and manager that cannot be: an empty one, a
// glob with a syntax error, and a path to apiVersion, kind, metadata.name or metadata.namespace, or
// to what these lie in.
func (s *FieldSet) Validate() error {
	var faults []error
	for i, steps := range s.Paths {
		if len(steps) == 0 || slices.Contains(steps, "") {
			faults = append(faults, fmt.Errorf("event: Paths[%d]: a step is empty", i))
		} else if err := checkIdentity(steps); err != nil {
			faults = append(faults, fmt.Errorf("event: Paths[%d]: %w", i, err))
		}
	}
	for _, globs := range [][]string{s.Annotations, s.Labels} {
		for _, glob := range globs {
			if err := CheckGlob(glob); err != nil {
				faults = append(faults, fmt.Errorf("event: glob %q: %w", glob, err))
			}
		}
	}
	for i, m := range s.Managers {
		if len(m.Names) == 0 || slices.Contains(m.Names, "") {
			faults = append(faults, fmt.Errorf("event: Managers[%d]: a name is empty", i))
		}
	}
	return errors.Join(faults...)
}

// CheckGlob returns an error for a glob of keys that matches nothing, as it is empty or no glob.
func CheckGlob(glob string) error {
	if glob == "" {
		return errors.New("the glob is empty")
	}
	_, err := path.Match(glob, "")
	return err
}

// empty reports whether the set names no field.
func (s *FieldSet) empty() bool {
	return len(s.Paths) == 0 && len(s.Annotations) == 0 && len(s.Labels) == 0 && len(s.Managers) == 0
}

// key says the same of two sets that name the same fields in the same words.
func (s *FieldSet) key() string {
	var b strings.Builder
	add := func(kind byte, words []string) {
		for _, word := range slices.Compact(slices.Sorted(slices.Values(words))) {
			fmt.Fprintf(&b, "%c%q", kind, word)
		}
	}
	pointers := make([]string, len(s.Paths))
	for i, steps := range s.Paths {
		pointers[i] = FormatPointer(steps)
	}
	add('p', pointers)
	add('a', s.Annotations)
	add('l', s.Labels)
	managers := make([]string, len(s.Managers))
	for i, m := range s.Managers {
		managers[i] = fmt.Sprintf("%q%q", m.Subresource, slices.Compact(slices.Sorted(slices.Values(m.Names))))
	}
	add('m', managers)
	return b.String()
}

// Ignored are the fields that are left out of the files of some objects: those that each of its
// sets names. It never changes, and may be used concurrently. Nil leaves nothing out.
type Ignored struct {
	sets []ignoredSet
	key  string
}

// ignoredSet is a FieldSet, made ready.
type ignoredSet struct {
	FieldSet
	paths *pathTree
}

// NewIgnored returns what all of the sets name; nil, for nothing, if there is no set, or one that
// names no field. The sets are those that FieldSet.Validate accepts, and must not be changed
// afterwards.
func NewIgnored(sets ...FieldSet) *Ignored {
	var g Ignored
	var keys []string
	for _, s := range sets {
		if s.empty() {
			return nil
		}
		if key := s.key(); !slices.Contains(keys, key) {
			keys = append(keys, key)
			g.sets = append(g.sets, ignoredSet{s, newPathTree(s)})
		}
	}
	if len(g.sets) == 0 {
		return nil
	}
	slices.Sort(keys)
	g.key = strings.Join(keys, "&")
	return &g
}

// And returns what both leave out.
func (g *Ignored) And(o *Ignored) *Ignored {
	if g == nil || o == nil {
		return nil
	}
	return NewIgnored(append(g.Sets(), o.Sets()...)...)
}

// Sets returns the sets: a field is left out if each of them names it. They must not be changed.
func (g *Ignored) Sets() []FieldSet {
	if g == nil {
		return nil
	}
	sets := make([]FieldSet, len(g.sets))
	for i := range g.sets {
		sets[i] = g.sets[i].FieldSet
	}
	return sets
}

// All yields the sets, which must not be changed.
func (g *Ignored) All() iter.Seq[*FieldSet] {
	return func(yield func(*FieldSet) bool) {
		if g == nil {
			return
		}
		for i := range g.sets {
			if !yield(&g.sets[i].FieldSet) {
				return
			}
		}
	}
}

// Key is the same for two that leave out the same in the same words, whatever their order; "" for
// nil.
func (g *Ignored) Key() string {
	if g == nil {
		return ""
	}
	return g.key
}

// pathTree has the fields that a FieldSet names by paths and globs.
type pathTree struct {
	below map[string]*pathTree // by step
	globs []string             // for the keys that lie here
	whole bool                 // all of it is named
}

func newPathTree(s FieldSet) *pathTree {
	root := &pathTree{}
	for _, steps := range s.Paths {
		root.at(steps...).whole = true
	}
	for key, globs := range map[string][]string{"annotations": s.Annotations, "labels": s.Labels} {
		if len(globs) > 0 {
			root.at("metadata", key).globs = globs
		}
	}
	return root
}

// at returns the node at some steps, and makes it if there is none.
func (t *pathTree) at(steps ...string) *pathTree {
	for _, step := range steps {
		if t.below == nil {
			t.below = map[string]*pathTree{}
		}
		if t.below[step] == nil {
			t.below[step] = &pathTree{}
		}
		t = t.below[step]
	}
	return t
}

// names reports whether all of the field at a step is named, and appends to next where else the
// path goes on.
func (t *pathTree) names(step string, next []*pathTree) (whole bool, _ []*pathTree) {
	if n := t.below[step]; n != nil {
		whole, next = n.whole, append(next, n)
	}
	// A key may be a star itself. Its node counts once, or they would double with each level.
	if n := t.below[AnyStep]; n != nil && step != AnyStep {
		whole, next = whole || n.whole, append(next, n)
	}
	whole = whole || slices.ContainsFunc(t.globs, func(glob string) bool {
		matched, _ := path.Match(glob, step) // Validate has checked the syntax
		return matched
	})
	return whole, next
}
