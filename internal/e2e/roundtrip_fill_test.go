package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
)

// filler sets the optional fields of objects, one after the other, as the server's own OpenAPI has
// them. Validation knows more than a schema: a value is tried, and stays if a dry run accepts it
// and gives it back. What does not go together with the fields before it is tried in an object of
// its own.
//
// Fields are told by the definition that they are in, so that a pod's are set in one kind and not
// in nine.
type filler struct {
	t           *testing.T
	definitions map[string]definition
	walked      map[string]bool // definitions
	requests    int
}

type definition = map[string]any

func newFiller(t *testing.T, client discovery.DiscoveryInterface) *filler {
	t.Helper()
	f := &filler{t: t, definitions: map[string]definition{}, walked: map[string]bool{}}
	paths, err := client.OpenAPIV3().Paths()
	require.NoError(t, err)
	for _, group := range paths {
		text, err := group.Schema("application/json")
		require.NoError(t, err)
		var document struct {
			Components struct{ Schemas map[string]definition }
		}
		require.NoError(t, json.Unmarshal(text, &document))
		maps.Copy(f.definitions, document.Components.Schemas)
	}
	return f
}

// of returns the name of the definition of a kind, "" if there is none.
func (f *filler) of(gvk schema.GroupVersionKind) string {
	for name, d := range f.definitions {
		kinds, _ := d["x-kubernetes-group-version-kind"].([]any)
		for _, k := range kinds {
			k := k.(map[string]any)
			if len(kinds) == 1 && k["group"] == gvk.Group && k["version"] == gvk.Version && k["kind"] == gvk.Kind {
				return name
			}
		}
	}
	return ""
}

// target is a definition's name and schema.
func (f *filler) target(property map[string]any) (string, definition) {
	if all, ok := property["allOf"].([]any); ok && len(all) == 1 {
		property = all[0].(map[string]any)
	}
	if ref, ok := property["$ref"].(string); ok {
		name := strings.TrimPrefix(ref, "#/components/schemas/")
		return name, f.definitions[name]
	}
	return "", property
}

// notTried are the fields that are the server's by nature, or set by hand.
var notTried = map[string]bool{
	"ObjectMeta": true, "ManagedFieldsEntry": true, "FieldsV1": true, "JSONSchemaProps": true, "RawExtension": true, "Status": true,
}

// fill returns obj with as much as goes together, and more objects for the rest.
func (f *filler) fill(client dynamic.ResourceInterface, obj *unstructured.Unstructured) []*unstructured.Unstructured {
	f.t.Helper()
	name := f.of(obj.GroupVersionKind())
	if name == "" {
		return []*unstructured.Unstructured{obj}
	}
	o := &filling{filler: f, client: client, base: obj, all: []*unstructured.Unstructured{obj}}
	o.walk(name, nil, obj.GetName())
	return o.all
}

// filling is the filler at one object.
type filling struct {
	*filler
	client dynamic.ResourceInterface
	base   *unstructured.Unstructured
	all    []*unstructured.Unstructured // the first has most
}

func (o *filling) walk(name string, path []any, root string) {
	if o.walked[name] || notTried[name[strings.LastIndexByte(name, '.')+1:]] {
		return
	}
	o.walked[name] = true
	properties, _ := o.definitions[name]["properties"].(map[string]any)
	for _, field := range slices.Sorted(maps.Keys(properties)) {
		if len(path) == 0 && slices.Contains([]string{"apiVersion", "kind", "metadata", "status"}, field) {
			continue
		}
		property, _ := properties[field].(map[string]any)
		at := append(slices.Clone(path), field)
		in, at := o.try(name, field, at, property)
		if in < 0 {
			continue
		}
		below, step := o.below(property)
		if below == "" {
			continue
		}
		o.all[0], o.all[in] = o.all[in], o.all[0] // go on in the object that has it
		o.walk(below, append(at, step...), root)
		o.all[0], o.all[in] = o.all[in], o.all[0]
	}
}

// below returns the definition of what a field holds, and the steps to it.
func (o *filling) below(property map[string]any) (string, []any) {
	name, d := o.target(property)
	if name != "" && d["properties"] != nil {
		return name, nil
	}
	if items, ok := d["items"].(map[string]any); ok {
		name, steps := o.below(items)
		return name, append([]any{0}, steps...)
	}
	if values, ok := d["additionalProperties"].(map[string]any); ok {
		name, steps := o.below(values)
		return name, append([]any{"a"}, steps...)
	}
	return "", nil
}

// try sets a field somewhere and returns in which object, and where; -1 if the server wants none of
// it.
func (o *filling) try(name, field string, at []any, property map[string]any) (int, []any) {
	for i, obj := range o.all {
		if _, ok := find(obj.Object, at); ok {
			return i, at
		}
	}
	candidates := o.candidates(name, field, property, 0)
	for _, value := range candidates {
		trial := o.all[0].DeepCopy()
		if put(trial.Object, at, value) && o.accepted(trial, at) {
			o.all[0] = trial
			return 0, at
		}
	}
	for _, value := range candidates {
		if trial, there := o.another(name, field, at, value); trial != nil && o.accepted(trial, there) {
			o.all[0] = trial
			return 0, there
		}
	}
	for _, from := range []*unstructured.Unstructured{o.base, o.all[0]} {
		for _, without := range append([]string{""}, siblings(from, at)...) {
			for _, value := range candidates[:min(len(candidates), 4)] {
				if trial := o.instead(from, at, without, value); trial != nil && o.accepted(trial, at) {
					o.all = append(o.all, trial)
					return len(o.all) - 1, at
				}
			}
		}
	}
	return -1, at
}

// another puts the field into an item of its own, beside the one of a list that cannot have it: a
// list's items are often one of many kinds.
func (o *filling) another(name, field string, at []any, value any) (*unstructured.Unstructured, []any) {
	if len(at) < 3 || value == nil {
		return nil, nil
	}
	if _, inList := at[len(at)-2].(int); !inList {
		return nil, nil
	}
	trial := o.all[0].DeepCopy()
	list, _ := find(trial.Object, at[:len(at)-2])
	items, ok := list.([]any)
	if !ok {
		return nil, nil
	}
	item, _ := o.objects(name, o.definitions[name], 3)[0].(map[string]any)
	item = maps.Clone(item)
	if _, named := item["name"]; named {
		item["name"] = fmt.Sprintf("a%d", len(items))
	}
	item[field] = value
	item = (&unstructured.Unstructured{Object: item}).DeepCopy().Object
	put(trial.Object, at[:len(at)-2], append(items, item))
	there := slices.Clone(at)
	there[len(at)-2] = len(items)
	return trial, there
}

// instead puts the field into an object of its own, in the place of another.
func (o *filling) instead(from *unstructured.Unstructured, at []any, without string, value any) *unstructured.Unstructured {
	if slices.Contains([]string{"IPAddress", "CSINode", "APIService", "ClusterTrustBundle"}, from.GetKind()) {
		return nil // their names say what they are
	}
	trial := from.DeepCopy()
	trial.SetName(fmt.Sprintf("%s-%d", o.base.GetName(), len(o.all)))
	around, _ := find(trial.Object, at[:len(at)-1])
	m, _ := around.(map[string]any)
	delete(m, without)
	if !put(trial.Object, at, value) {
		return nil
	}
	return trial
}

// siblings are the fields beside the one at a path.
func siblings(obj *unstructured.Unstructured, at []any) []string {
	around, _ := find(obj.Object, at[:len(at)-1])
	m, _ := around.(map[string]any)
	if len(at) == 1 || len(m) > 12 {
		return nil
	}
	return slices.Sorted(maps.Keys(m))
}

func (o *filling) accepted(obj *unstructured.Unstructured, at []any) bool {
	o.requests++
	got, err := o.client.Create(context.Background(), obj, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
	if err != nil {
		return false
	}
	_, ok := find(got.Object, at)
	return ok
}

// hints are values that validation asks for, by definition and field or by field.
var hints = map[string][]any{
	"Toleration.operator": {"Equal"}, "NodeSelectorRequirement.values": {[]any{"a"}}, "LabelSelectorRequirement.values": {[]any{"a"}}, "LabelSelectorRequirement.operator": {"In"},
	"NodeSelectorRequirement.operator": {"In"}, "reason": {"Invalid", "a"}, "mode": {int64(420)}, "defaultMode": {int64(420)}, "scope": {"Cluster", "Namespace"},
	"IngressRule.http":                {map[string]any{"paths": []any{map[string]any{"pathType": "Prefix", "path": "/a", "backend": map[string]any{"service": map[string]any{"name": "a", "port": map[string]any{"number": int64(80)}}}}}}},
	"SeccompProfile.localhostProfile": {"a"}, "resourceClaimTemplateName": {"a"}, "serviceAccountTokenInSecrets": {true}, "loadBalancerClass": {"example.com/a"},
	"stopSignal": {"SIGTERM"}, "nonResourceURLs": {[]any{"/a"}}, "volumeLifecycleModes": {[]any{"Persistent"}}, "except": {[]any{"192.0.2.0/28"}}, "trafficDistribution": {"PreferClose"},
	"os": {map[string]any{"name": "linux"}}, "priorityClassName": {"high"}, "maxSurge": {int64(1)}, "endpoint": {"a"},
	"mountPath": {"/m"}, "path": {"/a", "a"}, "ip": {"192.0.2.1"}, "hostIP": {"192.0.2.1"}, "effect": {"NoSchedule"}, "fieldPath": {"metadata.name", "spec.nodeName"},
	"operator": {"Exists", "In"}, "key": {"a", "example.com/a"}, "resource": {"limits.cpu", "pods"}, "topologyKey": {"example.com/a"}, "url": {"https://example.com/a"},
	"schedule": {"1 2 3 4 *"}, "timeZone": {"Etc/UTC"}, "expression": {"true"}, "cidr": {"192.0.2.0/24"}, "volumePath": {"/a"}, "devicePath": {"/a"},
	"readOnly": {true, false}, "finalizers": {[]any{"example.com/a"}}, "matchLabelKeys": {[]any{"c"}}, "mismatchLabelKeys": {[]any{"c"}}, "driver": {"driver.example.com"},
	"iqn": {"iqn.2001-04.com.example:a"}, "targetPortal": {"192.0.2.1:3260"}, "initiatorName": {"iqn.2001-04.com.example:b"}, "pdID": {"a"}, "whenUnsatisfiable": {"DoNotSchedule"},
	"protocol": {"TCP"}, "nodePort": {int64(30123)}, "healthCheckNodePort": {int64(30124)}, "clusterIP": {"10.0.0.88"}, "clusterIPs": {[]any{"10.0.0.88"}},
	"externalIPs": {[]any{"192.0.2.5"}}, "loadBalancerSourceRanges": {[]any{"192.0.2.0/24"}}, "externalName": {"example.com"}, "sysctls": {[]any{map[string]any{"name": "kernel.shm_rmid_forced", "value": "1"}}},
	"storage": {"1Gi"}, "accessModes": {[]any{"ReadWriteOnce"}}, "caBundle": {nil}, "type": {"RuntimeDefault", "RollingUpdate", "Utilization", "Directory", "Pods"},
	"whenDeleted": {"Delete"}, "whenScaled": {"Delete"}, "policyTypes": {[]any{"Ingress"}}, "podCIDR": {"192.0.2.0/24"}, "podCIDRs": {[]any{"192.0.2.0/24"}},
	"scopes": {[]any{"NotTerminating"}}, "scopeName": {"PriorityClass"}, "hostname": {"host"}, "subdomain": {"sub"}, "nameservers": {[]any{"192.0.2.1"}},
}

// candidates are the values that are tried for a field.
func (o *filling) candidates(name, field string, property map[string]any, depth int) []any {
	kind := name[strings.LastIndexByte(name, '.')+1:]
	return slices.Concat(hints[kind+"."+field], hints[field], o.values(property, depth))
}

// values are those of a schema.
func (o *filling) values(property map[string]any, depth int) []any {
	if depth > 8 {
		return nil
	}
	name, d := o.target(property)
	if enum, ok := d["enum"].([]any); ok {
		return enum
	}
	switch {
	case d["format"] == "int-or-string":
		return []any{int64(1), "50%"}
	case strings.HasSuffix(name, ".Quantity"):
		return []any{"1"}
	case strings.HasSuffix(name, ".Time"):
		return []any{"2026-01-01T00:00:00Z"}
	case strings.HasSuffix(name, ".MicroTime"):
		return []any{"2026-01-01T00:00:00.000000Z"}
	case strings.HasSuffix(name, ".RawExtension"):
		return []any{map[string]any{"a": "b"}}
	}
	switch d["type"] {
	case "boolean":
		return []any{true, false}
	case "integer":
		return []any{int64(1), int64(0), int64(100), int64(1000), int64(8080)}
	case "number":
		return []any{1.5}
	case "string":
		if d["format"] == "byte" {
			return []any{"YQ=="}
		}
		return []any{"a", "example.com/a", "192.0.2.1", "Always"}
	case "array":
		items, _ := d["items"].(map[string]any)
		var lists []any
		for _, v := range o.values(items, depth+1) {
			lists = append(lists, []any{v})
		}
		return lists
	}
	if values, ok := d["additionalProperties"].(map[string]any); ok {
		var all []any
		for _, v := range o.values(values, depth+1) {
			all = append(all, map[string]any{"a": v}, map[string]any{"example.com/a": v})
		}
		return all
	}
	return o.objects(name, d, depth)
}

// objects are one with the required fields, and one with each other field added.
func (o *filling) objects(name string, d definition, depth int) []any {
	properties, _ := d["properties"].(map[string]any)
	least := map[string]any{}
	required, _ := d["required"].([]any)
	for _, field := range required {
		field := field.(string)
		property, _ := properties[field].(map[string]any)
		if c := o.candidates(name, field, property, depth+1); len(c) > 0 {
			least[field] = c[0]
		}
	}
	all := []any{least}
	if depth > 2 {
		return all
	}
	for _, field := range slices.Sorted(maps.Keys(properties)) {
		if _, ok := least[field]; ok || len(all) > 5 {
			continue
		}
		property, _ := properties[field].(map[string]any)
		if c := o.candidates(name, field, property, depth+3); len(c) > 0 {
			more := maps.Clone(least)
			more[field] = c[0]
			all = append(all, more)
		}
	}
	return all
}

// find returns what is at a path of field names and list indices.
func find(v any, path []any) (any, bool) {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := v.(map[string]any)
			inner, ok := m[step]
			if !ok {
				return nil, false
			}
			v = inner
		case int:
			list, _ := v.([]any)
			if step >= len(list) {
				return nil, false
			}
			v = list[step]
		}
	}
	return v, true
}

// put sets a field where its surroundings are there.
func put(obj map[string]any, path []any, value any) bool {
	last := len(path) - 1
	around, ok := find(obj, path[:last])
	m, isMap := around.(map[string]any)
	field, isField := path[last].(string)
	if !ok || !isMap || !isField || value == nil {
		return false
	}
	m[field] = (&unstructured.Unstructured{Object: map[string]any{"v": value}}).DeepCopy().Object["v"]
	return true
}
