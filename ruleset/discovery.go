package ruleset

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// servedType is a group and resource in all versions that the server has, the preferred one first.
type servedType struct {
	group, resource string
	versions        []servedVersion
}

type servedVersion struct {
	Type
	watchable bool // it can be listed and watched
}

// discovery is what the server serves.
type discovery struct {
	types []*servedType // by group and resource
	byKey map[typeKey][]*servedType
}

// readDiscovery leaves out lists that it cannot read and returns what is wrong with them.
func readDiscovery(lists []*metav1.APIResourceList) (discovery, []error) {
	var faults []error
	served := make(map[typeKey]*servedType)
	for _, list := range lists {
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
			key := typeKey{gv.Group, r.Name}
			t, ok := served[key]
			if !ok {
				t = &servedType{group: gv.Group, resource: r.Name}
				served[key] = t
			}
			t.versions = append(t.versions, servedVersion{
				Type:      Type{Group: gv.Group, Version: gv.Version, Resource: r.Name, Kind: r.Kind, Namespaced: r.Namespaced},
				watchable: slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch"),
			})
		}
	}
	d := discovery{byKey: make(map[typeKey][]*servedType)}
	d.types = slices.SortedFunc(maps.Values(served), func(a, b *servedType) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.resource, b.resource))
	})
	for _, t := range d.types {
		for _, key := range keysOf(t.group, t.resource) {
			d.byKey[key] = append(d.byKey[key], t)
		}
	}
	return d, faults
}

// choose returns the version in which the type is read: of those that can be watched and that some rule allows, the one
// that the server prefers. It does not depend on how many rules allow a version, so that a rule of one team cannot change
// in which version the files of all others are written.
func (t *servedType) choose(rules []*rule) (*Type, bool) {
	for i := range t.versions {
		v := &t.versions[i]
		if v.watchable && slices.ContainsFunc(rules, func(r *rule) bool { return r.valid && r.covers(&v.Type, false) != 0 }) {
			return &v.Type, true
		}
	}
	return nil, false
}
