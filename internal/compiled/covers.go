package compiled

import (
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Covers reports whether rules of a destination ask for the objects of a collection, whether the
// server has the type or not, and in whatever version. It answers for the valid rules, and for the
// faulty ones, which might ask for the collection once they are corrected.
//
// An exclusion counts only where it takes a type out in every version, whatever the object.
func (s *Rules) Covers(to destination.Ref, c event.Collection) (valid, faulty bool) {
	return covers(s.Index, to, c), covers(s.Invalid, to, c)
}

func covers(x Index, to destination.Ref, c event.Collection) bool {
	for _, r := range For(c.Group, c.Resource, x) {
		if r.Destination.Ref == to && r.covers(c) {
			return true
		}
	}
	return false
}

func (r *Rule) covers(c event.Collection) bool {
	if r.Name.Namespace != "" && r.Name.Namespace != c.Namespace {
		return false
	}
	namespaced := c.Namespace != ""
	var asked Operations
	for i := range r.Selections {
		if s := &r.Selections[i]; s.Covers(c.Group, c.Resource, namespaced) {
			asked |= s.Operations
		}
	}
	for i := range r.Exclude {
		e := &r.Exclude[i]
		if !e.Partial() && e.Versions == nil && e.Covers(c.Group, c.Resource, namespaced) {
			asked &^= e.Operations
		}
	}
	return asked != 0
}
