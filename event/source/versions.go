package source

import (
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/ruleset"
)

// versions are those in which types are read. Every file of a type says the version, so another
// version rewrites all files. A version stays until it is gone, no rule allows it, or its group
// prefers another one than before.
type versions map[schema.GroupResource]reading

type reading struct {
	version   string
	preferred string // by the group, when the version was chosen
}

// kept returns the versions that stay if they are served and allowed.
func (v versions) kept(served ruleset.Served) map[schema.GroupResource]string {
	keep := make(map[schema.GroupResource]string, len(v))
	for gr, r := range v {
		if served.Preferred(gr.Group) == r.preferred {
			keep[gr] = r.version
		}
	}
	return keep
}

// read takes note of what is watched from now on. Types of an unread group stay as they are. Other
// types that nobody watches are forgotten.
func (v versions) read(watches []ruleset.Watch, served ruleset.Served, unread map[string]bool) {
	for gr := range v {
		if !unread[gr.Group] {
			delete(v, gr)
		}
	}
	for _, w := range watches {
		v[groupResource(w.Resource)] = reading{w.Resource.Version, served.Preferred(w.Resource.Group)}
	}
}
