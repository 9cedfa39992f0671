package ruleset

import (
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Preset is a ready-made choice of what is rarely wanted in Git: of objects, which it excludes, or
// of fields, which it ignores. It applies to a Rule that names it in Skip; those of DefaultPresets
// apply to a Rule unless it names them in Keep. One that excludes whole types takes them out of the
// rule: they are not even watched for it, and files that the rule has written stay as they are.
type Preset string

// The presets that exclude objects.
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

	// SkipHelmReleases excludes what Helm stores of its releases: Secrets of Helm 3, ConfigMaps of
	// its other driver, and both of Helm 2. Each holds a whole chart with its values, in the clear,
	// and there is a new one with each upgrade. It is one of DefaultPresets.
	SkipHelmReleases Preset = "HelmReleases"

	// SkipTokens excludes Secrets with tokens: those of service accounts, and those by which nodes
	// join the cluster. A controller makes them anew, and no other cluster accepts them. It is one
	// of DefaultPresets.
	SkipTokens Preset = "Tokens"
)

// The presets that ignore fields.
const (
	// IgnoreLeaderLocks ignores the annotation by which leaders hold a ConfigMap or Endpoints as
	// their lock, and renew it every few seconds. It is one of DefaultPresets. Locks that are
	// leases, which hold nothing else, are excluded by SkipLeases.
	IgnoreLeaderLocks Preset = "LeaderLocks"

	// IgnoreToolMarks ignores labels and annotations by which tools know what is theirs: Flux, Argo
	// CD, Helm, kro, kcp, and kubectl's apply sets. Applied to another cluster they claim what
	// belongs to nobody there. What people write for these tools stays, as
	// kustomize.toolkit.fluxcd.io/prune and argocd.argoproj.io/sync-options.
	IgnoreToolMarks Preset = "ToolMarks"

	// IgnoreCABundles ignores the caBundle of webhooks, APIServices and CRDs, which cert-manager
	// and others write and renew. Whoever writes one by hand must not name this preset.
	IgnoreCABundles Preset = "CABundles"

	// IgnoreAutoscaled ignores replicas that a HorizontalPodAutoscaler has set, and nobody else
	// since.
	IgnoreAutoscaled Preset = "Autoscaled"
)

// Presets lists every Preset.
func Presets() []Preset {
	return []Preset{
		SkipEvents, SkipLeases, SkipEndpoints, SkipRootCA, SkipGenerated, SkipHelmReleases, SkipTokens,
		IgnoreLeaderLocks, IgnoreToolMarks, IgnoreCABundles, IgnoreAutoscaled,
	}
}

// DefaultPresets lists those that apply to each Rule that does not name them in Keep.
func DefaultPresets() []Preset {
	return []Preset{SkipGenerated, SkipHelmReleases, SkipTokens, IgnoreLeaderLocks}
}

// Ignored returns the fields that a Preset ignores; nil if it ignores none.
func (p Preset) Ignored() []FieldSelector {
	switch p {
	case IgnoreLeaderLocks:
		return []FieldSelector{{
			APIGroups: []string{""}, Resources: []string{"configmaps", "endpoints"},
			Annotations: []string{"control-plane.alpha.kubernetes.io/leader"},
		}}
	case IgnoreToolMarks:
		return []FieldSelector{{
			Labels: []string{
				"kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace", "kustomize.toolkit.fluxcd.io/checksum",
				"helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace", "argocd.argoproj.io/instance",
				"applyset.kubernetes.io/part-of", "kro.run/*", "internal.kro.run/*",
			},
			Annotations: []string{
				"kustomize.toolkit.fluxcd.io/checksum", "argocd.argoproj.io/tracking-id", "argocd.argoproj.io/installation-id",
				"meta.helm.sh/*", "kcp.io/cluster", "internal.kcp.io/*",
			},
		}}
	case IgnoreCABundles:
		return []FieldSelector{
			pointer("admissionregistration.k8s.io", "/webhooks/*/clientConfig/caBundle", "mutatingwebhookconfigurations", "validatingwebhookconfigurations"),
			pointer("apiregistration.k8s.io", "/spec/caBundle", "apiservices"),
			pointer("apiextensions.k8s.io", "/spec/conversion/webhook/clientConfig/caBundle", "customresourcedefinitions"),
		}
	case IgnoreAutoscaled:
		return []FieldSelector{{Managers: controllerManagers(), Subresource: "scale"}}
	}
	return nil
}

func pointer(group, pointer string, resources ...string) FieldSelector {
	return FieldSelector{APIGroups: []string{group}, Resources: resources, Pointers: []string{pointer}}
}

// controllerManagers are the field managers of Kubernetes' own controllers, also in distributions
// that are one program.
func controllerManagers() []string { return []string{"kube-controller-manager", "k3s", "kubelite"} }

// Exclusions returns the objects that a Preset excludes; nil if it excludes none.
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
	case SkipHelmReleases:
		secrets := ofType("", "secrets")
		secrets.SecretTypes = []string{"helm.sh/release.v1"}
		configMaps := labelled("", "configmaps", "owner", "helm")
		configMaps.Names = []string{"sh.helm.release.v1.*"}
		return []Exclusion{secrets, configMaps, labelled("", "configmaps", "OWNER", "TILLER"), labelled("", "secrets", "OWNER", "TILLER")}
	case SkipTokens:
		tokens := ofType("", "secrets")
		tokens.SecretTypes = []string{"kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"}
		return []Exclusion{tokens}
	}
	return nil
}

// endpoints excludes by the label of the controller. Endpoints from before Kubernetes 1.33 have no
// such label: there the field managers decide.
func endpoints() []Exclusion {
	unlabelled := ofType("", "endpoints")
	unlabelled.Managers = controllerManagers()
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

// namedPreset is a preset that applies to a rule, and where it comes from.
type namedPreset struct {
	preset Preset
	field  string
}

// presets returns those that a rule skips, and the default ones that it does not keep.
func (c *compiler) presets(skip, keep []Preset) (applied []namedPreset) {
	for i, p := range skip {
		field := fmt.Sprintf("Skip[%d]", i)
		if !slices.Contains(Presets(), p) {
			c.fault(field, string(p), invalid("use one of %q", Presets()))
		}
		if !slices.Contains(skip[:i], p) {
			applied = append(applied, namedPreset{p, field})
		}
	}
	for i, p := range keep {
		if !slices.Contains(DefaultPresets(), p) {
			c.fault(fmt.Sprintf("Keep[%d]", i), string(p), invalid("use one of %q", DefaultPresets()))
		}
	}
	for _, p := range DefaultPresets() {
		if !slices.Contains(keep, p) && !slices.Contains(skip, p) {
			applied = append(applied, namedPreset{p, "preset " + string(p)})
		}
	}
	return applied
}

// presetExclusions returns the objects that presets exclude.
func (c *compiler) presetExclusions(presets []namedPreset) (exclusions []compiled.Exclusion) {
	for _, p := range presets {
		for _, e := range p.preset.Exclusions() {
			exclusions = append(exclusions, c.exclusion(p.field, e))
		}
	}
	return exclusions
}
