package source

import (
	"path"
	"slices"
	"strconv"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/canonical"
)

// touched reports whether something of the object may be left out: each of the sets names a field
// that it has. To leave fields out it is decoded whole, which most objects need not be.
func (o *object) touched(g *event.Ignored) bool {
	for set := range g.All() {
		if !o.named(set) {
			return false
		}
	}
	return g != nil
}

// named reports whether a set names a field that the object has.
func (o *object) named(s *event.FieldSet) bool {
	metadata := o.doc.Get(o.doc.Root(), "metadata")
	return slices.ContainsFunc(s.Paths, func(steps []string) bool { return o.leads(o.doc.Root(), steps) }) ||
		len(s.Annotations) > 0 && o.hasKey(o.doc.Get(metadata, "annotations"), s.Annotations) ||
		len(s.Labels) > 0 && o.hasKey(o.doc.Get(metadata, "labels"), s.Labels) ||
		slices.ContainsFunc(s.Managers, o.managedBy)
}

// leads reports whether something is where a path leads to.
func (o *object) leads(at canonical.Node, steps []string) bool {
	if len(steps) == 0 {
		return at != 0
	}
	if steps[0] != event.AnyStep && o.doc.Kind(at) == canonical.Map {
		return o.leads(o.doc.Get(at, steps[0]), steps[1:])
	}
	i := 0
	for _, below := range o.doc.Each(at) {
		if (steps[0] == event.AnyStep || steps[0] == strconv.Itoa(i)) && o.leads(below, steps[1:]) {
			return true
		}
		i++
	}
	return false
}

// hasKey reports whether a map has a key that one of the globs matches.
func (o *object) hasKey(at canonical.Node, globs []string) bool {
	for key := range o.doc.Each(at) {
		for _, glob := range globs {
			if matched, _ := path.Match(glob, key); matched { // Validate has checked the syntax
				return true
			}
		}
	}
	return false
}

// managedBy reports whether one of some field managers has written to the object.
func (o *object) managedBy(m event.FieldManagers) bool {
	for _, entry := range o.doc.Each(o.doc.Get(o.doc.Root(), "metadata", "managedFields")) {
		if slices.Contains(m.Names, o.doc.Text(o.doc.Get(entry, "manager"))) &&
			(m.Subresource == "" || m.Subresource == o.doc.Text(o.doc.Get(entry, "subresource"))) {
			return true
		}
	}
	return false
}
