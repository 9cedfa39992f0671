package e2e

import (
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// requireEveryField fails for a field that no object has as the server stores it, unless
// testdata/roundtrip/unset.txt says why that is so. KUBESCRIBE_UPDATE=1 writes the fields down, as
// a new version of Kubernetes asks for; the reasons are yours.
func (s *site) requireEveryField(f *filler) {
	known := map[string]bool{}
	set := map[string]bool{}
	for gvk, r := range s.stored() {
		name := f.of(gvk)
		if name == "" {
			continue
		}
		f.fields(known, map[string]any{"$ref": "#/components/schemas/" + name}, true)
		gvr := schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}
		list, err := s.client.Resource(gvr).List(s.t.Context(), metav1.ListOptions{})
		require.NoError(s.t, err, gvr)
		for _, obj := range list.Items {
			f.has(set, name, obj.Object, true)
		}
	}
	var unset []string
	for _, field := range slices.Sorted(maps.Keys(known)) {
		if !set[field] {
			unset = append(unset, field)
		}
	}
	s.t.Logf("%d fields, %d of them in no object", len(known), len(unset))
	s.requireUnset(unset)
}

func (s *site) requireUnset(unset []string) {
	const file = "testdata/roundtrip/unset.txt"
	text, err := os.ReadFile(file)
	require.NoError(s.t, err)
	reasons := map[string]string{}
	for line := range strings.Lines(string(text)) {
		field, reason, _ := strings.Cut(strings.TrimSpace(line), ": ")
		reasons[field] = reason
	}
	if os.Getenv("KUBESCRIBE_UPDATE") != "" {
		var text strings.Builder
		for _, field := range unset {
			text.WriteString(field + ": " + reasons[field] + "\n")
		}
		require.NoError(s.t, os.WriteFile(file, []byte(text.String()), 0o644))
	}
	require.Empty(s.t, cmp.Diff(slices.Sorted(maps.Keys(reasons)), unset), "fields that no object sets")
	for field, reason := range reasons {
		require.NotEmpty(s.t, reason, field)
	}
}

// fields notes the fields of a schema and of all that it refers to.
func (f *filler) fields(known map[string]bool, property map[string]any, root bool) {
	name, d := f.target(property)
	if items, ok := d["items"].(map[string]any); ok {
		f.fields(known, items, false)
	}
	if values, ok := d["additionalProperties"].(map[string]any); ok {
		f.fields(known, values, false)
	}
	properties, _ := d["properties"].(map[string]any)
	if name == "" || skipped(name) {
		return
	}
	for field, property := range properties {
		if key := fieldKey(name, field); !known[key] && !(root && ofTheServer[field]) {
			known[key] = true
			f.fields(known, property.(map[string]any), false)
		}
	}
}

// has notes the fields that a value has.
func (f *filler) has(set map[string]bool, name string, value map[string]any, root bool) {
	properties, _ := f.definitions[name]["properties"].(map[string]any)
	if skipped(name) {
		return
	}
	for field, v := range value {
		if property, ok := properties[field].(map[string]any); ok && !(root && ofTheServer[field]) {
			set[fieldKey(name, field)] = true
			f.hasBelow(set, property, v)
		}
	}
}

func (f *filler) hasBelow(set map[string]bool, property map[string]any, value any) {
	name, d := f.target(property)
	switch value := value.(type) {
	case map[string]any:
		if values, ok := d["additionalProperties"].(map[string]any); ok {
			for _, v := range value {
				f.hasBelow(set, values, v)
			}
			return
		}
		f.has(set, name, value, false)
	case []any:
		if items, ok := d["items"].(map[string]any); ok {
			for _, v := range value {
				f.hasBelow(set, items, v)
			}
		}
	}
}

// ofTheServer are fields of every object.
var ofTheServer = map[string]bool{"apiVersion": true, "kind": true, "metadata": true, "status": true}

func skipped(definition string) bool {
	return notTried[definition[strings.LastIndexByte(definition, '.')+1:]]
}

// fieldKey shortens io.k8s.api.core.v1.Pod to core.v1.Pod.
func fieldKey(definition, field string) string {
	for _, prefix := range []string{"io.k8s.api.", "io.k8s.kube-aggregator.pkg.apis.", "io.k8s.apiextensions-apiserver.pkg.apis."} {
		definition = strings.TrimPrefix(definition, prefix)
	}
	return definition + "." + field
}
