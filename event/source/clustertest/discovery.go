package clustertest

import (
	"net/http"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/version"
)

// serverVersion is what /version says.
var serverVersion = version.Info{
	Major: "1", Minor: "37", GitVersion: "v1.37.0+clustertest", GitTreeState: "clean",
	GoVersion: "go", Compiler: "gc", Platform: "linux/amd64",
}

// serveDiscovery answers with the aggregated document where the client takes it, else with the
// older ones.
func (c *Cluster) serveDiscovery(w http.ResponseWriter, accept, path string) error {
	if c.wantsAggregated(accept, path) {
		c.writeAggregated(w, path)
		return nil
	}
	document, err := c.discover(strings.Split(path, "/"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, document)
	return nil
}

func (c *Cluster) discover(path []string) (any, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	core := path[0] == "api"
	switch {
	case core && len(path) == 1:
		return &metav1.APIVersions{
			TypeMeta: metav1.TypeMeta{Kind: "APIVersions"}, Versions: c.versions(""),
			ServerAddressByClientCIDRs: []metav1.ServerAddressByClientCIDR{},
		}, nil
	case core:
		return c.discoverVersion(schema.GroupVersion{Version: path[1]})
	case len(path) == 1:
		list := &metav1.APIGroupList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupList", APIVersion: "v1"}, Groups: []metav1.APIGroup{}}
		for _, group := range c.groups() {
			if group != "" {
				list.Groups = append(list.Groups, c.discoverGroup(group))
			}
		}
		return list, nil
	case len(path) == 2:
		group := c.discoverGroup(path[1])
		if len(group.Versions) == 0 {
			return nil, errNoResource(schema.GroupResource{Group: path[1]})
		}
		group.TypeMeta = metav1.TypeMeta{Kind: "APIGroup", APIVersion: "v1"}
		return &group, nil
	}
	return c.discoverVersion(schema.GroupVersion{Group: path[1], Version: path[2]})
}

func (c *Cluster) discoverGroup(name string) metav1.APIGroup {
	group := metav1.APIGroup{Name: name}
	for _, v := range c.versions(name) {
		gv := schema.GroupVersion{Group: name, Version: v}
		group.Versions = append(group.Versions, metav1.GroupVersionForDiscovery{GroupVersion: gv.String(), Version: v})
	}
	if len(group.Versions) > 0 {
		group.PreferredVersion = group.Versions[0]
	}
	return group
}

func (c *Cluster) discoverVersion(gv schema.GroupVersion) (any, error) {
	if !slices.Contains(c.versions(gv.Group), gv.Version) {
		return nil, errNoResource(schema.GroupResource{Group: gv.Group})
	}
	list := &metav1.APIResourceList{
		TypeMeta: metav1.TypeMeta{Kind: "APIResourceList", APIVersion: "v1"}, GroupVersion: gv.String(),
		APIResources: []metav1.APIResource{},
	}
	for _, r := range c.resourcesIn(gv.Group, gv.Version) {
		list.APIResources = append(list.APIResources, r.def.discovery()...)
	}
	return list, nil
}

// groups returns the served groups, in any order.
func (c *Cluster) groups() []string {
	var groups []string
	for gr := range c.resources {
		if !slices.Contains(groups, gr.Group) {
			groups = append(groups, gr.Group)
		}
	}
	slices.Sort(groups)
	shuffle(c, groups)
	return groups
}

// resourcesIn returns the types that a group serves in a version, in any order.
func (c *Cluster) resourcesIn(group, version string) []*resource {
	var found []*resource
	for _, r := range c.sortedResources() {
		if r.def.Group == group && slices.Contains(r.def.Versions, version) {
			found = append(found, r)
		}
	}
	shuffle(c, found)
	return found
}

var (
	mainVerbs   = metav1.Verbs{"create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"}
	statusVerbs = metav1.Verbs{"get", "patch", "update"}
)

func (d *definition) discovery() []metav1.APIResource {
	all := []metav1.APIResource{{
		Name: d.Resource, SingularName: d.Singular, Namespaced: d.Namespaced, Kind: d.Kind, ShortNames: d.ShortNames,
		Verbs: mainVerbs,
	}}
	if d.Status {
		all = append(all, metav1.APIResource{
			Name: d.Resource + "/status", Namespaced: d.Namespaced, Kind: d.Kind, Verbs: statusVerbs,
		})
	}
	return all
}
