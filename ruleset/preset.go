package ruleset

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Preset is a ready-made Exclusion of objects that change by themselves and are rarely wanted in
// Git. It applies to a Rule that names it in Skip; those of DefaultPresets apply to a Rule unless
// it names them in Keep. One that excludes whole types takes them out of the rule: they are not
// even watched for it, and files that the rule has written stay as they are.
type Preset string

// The presets.
const (
	// SkipEvents excludes events: of the core group, and of events.k8s.io, which serves the same
	// objects.
	SkipEvents Preset = "Events"

	// SkipLeases excludes leases of coordination.k8s.io. Each node and each leader renews one every
	// few seconds.
	SkipLeases Preset = "Leases"

	// SkipEndpoints excludes endpoints, and endpointslices of discovery.k8s.io, that controllers
	// make of the Pods of a Service or of other endpoints. Those that somebody wrote stay.
	SkipEndpoints Preset = "Endpoints"

	// SkipRootCA excludes the ConfigMap kube-root-ca.crt, which Kubernetes puts in each namespace.
	SkipRootCA Preset = "RootCA"

	// SkipGenerated excludes what a cluster makes for itself and would make again:
	//
	//	SkipEndpoints and SkipRootCA
	//	ConfigMaps, Service and endpoints of the API server: its address and certificates
	//	ServiceCIDRs of the cluster, and the IPAddress beside each address of a Service
	//	APIServices that the API server registers for its own types and those of CRDs
	//	leases of API servers, and those by which kubelets report that they live
	//
	// It is one of DefaultPresets. Each of these objects follows from another object or from this
	// one cluster, would be wrong in another, and holds nothing that anybody wrote.
	SkipGenerated Preset = "Generated"
)

// Presets lists every Preset.
func Presets() []Preset {
	return []Preset{SkipEvents, SkipLeases, SkipEndpoints, SkipRootCA, SkipGenerated}
}

// DefaultPresets lists those that apply to each Rule that does not name them in Keep.
func DefaultPresets() []Preset { return []Preset{SkipGenerated} }

// Exclusions returns what a Preset leaves out; nil if there is no such Preset.
func (p Preset) Exclusions() []Exclusion {
	switch p {
	case SkipEvents:
		return []Exclusion{ofType("", "events"), ofType("events.k8s.io", "events")}
	case SkipLeases:
		return []Exclusion{ofType("coordination.k8s.io", "leases")}
	case SkipEndpoints:
		return endpoints()
	case SkipRootCA:
		return []Exclusion{named("", "configmaps", "", "kube-root-ca.crt")}
	case SkipGenerated:
		return slices.Concat(endpoints(), SkipRootCA.Exclusions(), []Exclusion{
			named("", "configmaps", "kube-system", "extension-apiserver-authentication", "kube-apiserver-legacy-service-account-token-tracking"),
			named("", "services", "default", "kubernetes"),
			named("", "endpoints", "default", "kubernetes"),
			named("discovery.k8s.io", "endpointslices", "default", "kubernetes"),
			named("networking.k8s.io", "servicecidrs", "", "kubernetes"),
			labelled("networking.k8s.io", "ipaddresses", "ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io"),
			labelled("apiregistration.k8s.io", "apiservices", "kube-aggregator.kubernetes.io/automanaged", "true", "onstart"),
			labelled("coordination.k8s.io", "leases", "apiserver.kubernetes.io/identity", "kube-apiserver"),
			inNamespace("coordination.k8s.io", "leases", "kube-node-lease"),
		})
	}
	return nil
}

// endpoints excludes by the label of the controller. Endpoints from before Kubernetes 1.33 have no
// such label: there the field managers decide.
func endpoints() []Exclusion {
	unlabelled := ofType("", "endpoints")
	// and distributions in one program
	unlabelled.Managers = []string{"kube-controller-manager", "k3s", "kubelite"}
	return []Exclusion{
		labelled("", "endpoints", "endpoints.kubernetes.io/managed-by", "endpoint-controller"),
		unlabelled,
		labelled("discovery.k8s.io", "endpointslices", "endpointslice.kubernetes.io/managed-by",
			"endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io"),
	}
}

func ofType(group string, resources ...string) Exclusion {
	return Exclusion{ResourceRule: ResourceRule{APIGroups: []string{group}, Resources: resources}}
}

// named excludes objects of a namespace by name, or with "" those of all namespaces.
func named(group, resource, namespace string, names ...string) Exclusion {
	e := ofType(group, resource)
	if namespace != "" {
		e.Namespaces = []string{namespace}
	}
	e.Names = names
	return e
}

func inNamespace(group, resource, namespace string) Exclusion {
	e := ofType(group, resource)
	e.Namespaces = []string{namespace}
	return e
}

func labelled(group, resource, label string, values ...string) Exclusion {
	e := ofType(group, resource)
	e.ObjectSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{
		{Key: label, Operator: metav1.LabelSelectorOpIn, Values: values},
	}}
	return e
}

// presets returns the exclusions of the presets that a rule skips, and of the default ones that it
// does not keep.
func (c *compiler) presets(skip, keep []Preset) []compiled.Exclusion {
	var exclusions []compiled.Exclusion
	add := func(field string, p Preset) {
		for _, e := range p.Exclusions() {
			exclusions = append(exclusions, c.exclusion(field, e))
		}
	}
	for i, p := range skip {
		field := fmt.Sprintf("Skip[%d]", i)
		if !slices.Contains(Presets(), p) {
			c.fault(field, string(p), invalid("use one of %q", Presets()))
		}
		add(field, p)
	}
	for i, p := range keep {
		if !slices.Contains(DefaultPresets(), p) {
			c.fault(fmt.Sprintf("Keep[%d]", i), string(p), invalid("use one of %q", DefaultPresets()))
		}
	}
	for _, p := range DefaultPresets() {
		if !slices.Contains(keep, p) && !slices.Contains(skip, p) {
			add("preset "+string(p), p)
		}
	}
	return exclusions
}
