package clustertest

import (
	"mime"
	"net/http"
	"strings"

	apidiscovery "k8s.io/api/apidiscovery/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// aggregatedType is the media type of aggregated discovery, which all servers since 1.27 prefer.
// https://kubernetes.io/docs/concepts/overview/kubernetes-api/#aggregated-discovery
const aggregatedType = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"

// wantsAggregated reports whether a client that asks for /api or /apis takes the aggregated
// document.
func (c *Cluster) wantsAggregated(accept, path string) bool {
	if c.options.LegacyDiscovery || path != "api" && path != "apis" {
		return false
	}
	for clause := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(clause)
		if err == nil && kind == "application/json" && params["g"] == apidiscovery.GroupName && params["v"] == "v2" &&
			params["as"] == "APIGroupDiscoveryList" {
			return true
		}
	}
	return false
}

// writeAggregated answers with all groups of /api or /apis. The preferred version of a group comes
// first, as on the real server; groups and resources come in any order.
//
// A version whose own document has a fault is stale in this one, as that of an aggregated API
// server which does not answer.
func (c *Cluster) writeAggregated(w http.ResponseWriter, path string) {
	c.mu.Lock()
	list := &apidiscovery.APIGroupDiscoveryList{TypeMeta: metav1.TypeMeta{Kind: "APIGroupDiscoveryList", APIVersion: "apidiscovery.k8s.io/v2"}}
	for _, group := range c.groups() {
		if (group == "") == (path == "api") {
			list.Items = append(list.Items, c.aggregatedGroup(group))
		}
	}
	c.mu.Unlock()
	for _, group := range list.Items {
		for i := range group.Versions {
			document := FaultRequest{Verb: "discover", Resource: schema.GroupVersionResource{Group: group.Name, Version: group.Versions[i].Version}}
			if f := c.faultFor(document); f != nil && f.Error != nil {
				group.Versions[i].Freshness, group.Versions[i].Resources = apidiscovery.DiscoveryFreshnessStale, nil
			}
		}
	}
	w.Header().Set("Content-Type", aggregatedType)
	writeBody(w, http.StatusOK, mustMarshal(list))
}

func (c *Cluster) aggregatedGroup(group string) apidiscovery.APIGroupDiscovery {
	found := apidiscovery.APIGroupDiscovery{ObjectMeta: metav1.ObjectMeta{Name: group}}
	for _, version := range c.versions(group) {
		served := apidiscovery.APIVersionDiscovery{Version: version, Freshness: apidiscovery.DiscoveryFreshnessCurrent}
		for _, r := range c.resourcesIn(group, version) {
			served.Resources = append(served.Resources, r.def.aggregated(version))
		}
		found.Versions = append(found.Versions, served)
	}
	return found
}

func (d *definition) aggregated(version string) apidiscovery.APIResourceDiscovery {
	kind := &metav1.GroupVersionKind{Group: d.Group, Version: version, Kind: d.Kind}
	r := apidiscovery.APIResourceDiscovery{
		Resource: d.Resource, ResponseKind: kind, Scope: apidiscovery.ScopeCluster,
		SingularResource: d.Singular, ShortNames: d.ShortNames, Verbs: mainVerbs,
	}
	if d.Namespaced {
		r.Scope = apidiscovery.ScopeNamespace
	}
	if d.Status {
		r.Subresources = []apidiscovery.APISubresourceDiscovery{{Subresource: "status", ResponseKind: kind, Verbs: statusVerbs}}
	}
	return r
}
