package ruleset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Type is an API type as discovery serves it, in the one version in which it is read.
type Type struct {
	Group, Version, Resource, Kind string
	Namespaced                     bool
}

func (t *Type) compiled() *compiled.Type { return (*compiled.Type)(t) }

// Served is what a server serves: the results of ServerGroupsAndResources of client-go's discovery.
// The order of the lists means nothing: client-go makes those of an aggregated discovery by ranging
// over a map.
//
// If discovery failed for one version of a group, leave the whole group out with Without, and go on
// watching it. Otherwise the types of that version would be read in the next one until discovery
// succeeds again, and all their files be written anew.
type Served struct {
	// Groups has the preferred version of each group. A group that is absent prefers none.
	Groups []*metav1.APIGroup
	// Resources are the resources of all served versions of all groups.
	Resources []*metav1.APIResourceList
	// Keep has the version in which a type is read already. The type keeps that version while it is
	// served and some rule allows it, so that a new rule or a new version does not rewrite all
	// files of the type. Leave a type out once its group prefers another version than before.
	// Default: none.
	Keep map[schema.GroupResource]string
}

// Preferred returns the version that a group prefers, "" if that is unknown.
func (s Served) Preferred(group string) string {
	for _, g := range s.Groups {
		if g.Name == group {
			return g.PreferredVersion.Version
		}
	}
	return ""
}

// Without returns what is served, without these groups.
func (s Served) Without(groups map[string]bool) Served {
	left := Served{Keep: s.Keep}
	for _, g := range s.Groups {
		if !groups[g.Name] {
			left.Groups = append(left.Groups, g)
		}
	}
	for _, list := range s.Resources {
		if gv, err := schema.ParseGroupVersion(list.GroupVersion); err != nil || !groups[gv.Group] {
			left.Resources = append(left.Resources, list)
		}
	}
	return left
}

// Types returns each served type once, by group and resource: in the version in which Watches would
// read it if the rules allowed every version and each could be watched. Lists that cannot be read
// are left out.
func (s Served) Types() []Type {
	served, _ := readDiscovery(s)
	types := make([]Type, 0, len(served.types))
	for _, t := range served.types {
		types = append(types, t.versions[0].Type)
	}
	return types
}

// servedType is a group and resource in all versions that the server has, the preferred one first.
type servedType struct {
	group, resource string
	words           []string // other names of it, in lower case
	versions        []servedVersion
}

type servedVersion struct {
	Type
	watchable bool // it can be listed and watched
}

// discovery is what the server serves.
type discovery struct {
	types []*servedType // by group and resource
	byKey map[compiled.Key][]*servedType
}

// readDiscovery leaves out lists that it cannot read and returns what is wrong with them.
func readDiscovery(from Served) (discovery, []error) {
	var faults []error
	served := make(map[compiled.Key]*servedType)
	for _, list := range from.Resources {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil || gv.Version == "" {
			faults = append(faults, fmt.Errorf("ruleset: discovery: group and version %q of a resource list: not GROUP/VERSION", list.GroupVersion))
			continue
		}
		for i := range list.APIResources {
			r := &list.APIResources[i]
			if strings.Contains(r.Name, "/") {
				continue // a subresource
			}
			key := compiled.Key{Group: gv.Group, Resource: r.Name}
			t, ok := served[key]
			if !ok {
				t = &servedType{group: gv.Group, resource: r.Name}
				served[key] = t
			}
			t.words = append(t.words, words(r)...)
			t.versions = append(t.versions, servedVersion{
				Type:      Type{Group: gv.Group, Version: gv.Version, Resource: r.Name, Kind: r.Kind, Namespaced: r.Namespaced},
				watchable: slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch"),
			})
		}
	}
	d := discovery{byKey: make(map[compiled.Key][]*servedType)}
	d.types = slices.SortedFunc(maps.Values(served), func(a, b *servedType) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.resource, b.resource))
	})
	for _, t := range d.types {
		preferred := from.Preferred(t.group)
		slices.SortFunc(t.versions, func(a, b servedVersion) int { return compareVersions(a.Version, b.Version, preferred) })
		for _, key := range compiled.KeysOf(t.group, t.resource) {
			d.byKey[key] = append(d.byKey[key], t)
		}
	}
	return d, faults
}

// compareVersions orders the versions of a type: the preferred one of its group, then by
// Kubernetes' version priority.
func compareVersions(a, b, preferred string) int {
	if a != b && (a == preferred || b == preferred) {
		if a == preferred {
			return -1
		}
		return 1
	}
	return version.CompareKubeAwareVersionStrings(b, a)
}

func (t *servedType) groupResource() schema.GroupResource {
	return schema.GroupResource{Group: t.group, Resource: t.resource}
}

// choose returns the version in which the type is read, as Watches says. The number of rules that
// allow a version does not count: otherwise a rule of one team could change the version of the
// files of all others.
func (t *servedType) choose(rules []*compiled.Rule, keep string) (chosen *Type, ok bool) {
	for i := range t.versions {
		v := &t.versions[i]
		if !v.watchable || !slices.ContainsFunc(rules, func(r *compiled.Rule) bool { return r.Valid && r.Asks(v.compiled(), false) != 0 }) {
			continue
		}
		if v.Version == keep {
			return &v.Type, true
		}
		if chosen == nil {
			chosen = &v.Type
		}
	}
	return chosen, chosen != nil
}
