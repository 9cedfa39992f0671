package ruleset

import (
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// Asks tells whether rules of a destination ask for the objects of a type in one namespace, or at cluster scope, whether
// the server has the type or not and in whatever version: valid ones, and faulty ones, which might ask for it once they
// are corrected. An exclusion counts only where it takes a type out in every version, whatever the object.
func (s *RuleSet) Asks(to destination.Ref, scope event.Collection) (valid, faulty bool) {
	return asks(s.index, to, scope), asks(s.invalid, to, scope)
}

func asks(x index, to destination.Ref, scope event.Collection) bool {
	for _, r := range rulesOf(scope.Group, scope.Resource, x) {
		if r.destination.Ref == to && r.asks(scope) {
			return true
		}
	}
	return false
}

func (r *rule) asks(scope event.Collection) bool {
	if r.name.Namespace != "" && r.name.Namespace != scope.Namespace {
		return false
	}
	namespaced := scope.Namespace != ""
	var asked operations
	for i := range r.selections {
		if s := &r.selections[i]; s.covers(scope.Group, scope.Resource, namespaced) {
			asked |= s.operations
		}
	}
	for i := range r.exclude {
		if e := &r.exclude[i]; !e.partial() && e.versions == nil && e.covers(scope.Group, scope.Resource, namespaced) {
			asked &^= e.operations
		}
	}
	return asked != 0
}
