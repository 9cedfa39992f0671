package ruleset

import (
	"fmt"
	"slices"
)

// Preset is a ready-made Exclusion of what changes by itself and is rarely wanted in Git. None applies unless a Rule names
// it in Skip. As an Exclusion without Names does, one of whole types takes them out of the rule: they are not even watched
// for it, and files that it had written are left as they are.
type Preset string

// The presets.
const (
	// SkipEvents leaves out events, of the core group and of events.k8s.io, where the same objects are served again.
	SkipEvents Preset = "Events"

	// SkipLeases leaves out leases of coordination.k8s.io: each node and each leader renews one every few seconds.
	SkipLeases Preset = "Leases"

	// SkipEndpoints leaves out endpoints and the endpointslices of discovery.k8s.io, which follow the Pods of a Service.
	SkipEndpoints Preset = "Endpoints"

	// SkipRootCA leaves out the ConfigMap kube-root-ca.crt, which Kubernetes puts in each namespace.
	SkipRootCA Preset = "RootCA"
)

// Presets lists every Preset.
func Presets() []Preset { return []Preset{SkipEvents, SkipLeases, SkipEndpoints, SkipRootCA} }

// Exclusions returns what a Preset leaves out; nil if there is no such Preset.
func (p Preset) Exclusions() []Exclusion {
	types := func(group string, resources ...string) Exclusion {
		return Exclusion{ResourceRule: ResourceRule{APIGroups: []string{group}, Resources: resources}}
	}
	switch p {
	case SkipEvents:
		return []Exclusion{types("", "events"), types("events.k8s.io", "events")}
	case SkipLeases:
		return []Exclusion{types("coordination.k8s.io", "leases")}
	case SkipEndpoints:
		return []Exclusion{types("", "endpoints"), types("discovery.k8s.io", "endpointslices")}
	case SkipRootCA:
		e := types("", "configmaps")
		e.Names = []string{"kube-root-ca.crt"}
		return []Exclusion{e}
	}
	return nil
}

func (c *compiler) presets(list []Preset) []exclusion {
	var exclusions []exclusion
	for i, p := range list {
		field := fmt.Sprintf("Skip[%d]", i)
		if !slices.Contains(Presets(), p) {
			c.fault(field, string(p), invalid("use one of %q", Presets()))
			continue
		}
		for _, e := range p.Exclusions() {
			exclusions = append(exclusions, exclusion{c.selection(field, e.ResourceRule), e.Names, field})
		}
	}
	return exclusions
}
