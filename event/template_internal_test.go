package event

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// FuzzTemplate holds the compiled template of DefaultLayout against DefaultLayout, which is written
// by hand, for any object and any path.
func FuzzTemplate(f *testing.F) {
	for _, name := range []string{"a", "A", "con", "_cluster", "a.b", "..", "", "x~y", "é", "kustomization"} {
		f.Add(name, "deployments", "default", name, name+"/pods/x.yaml")
	}
	compiled, err := parseTemplate(defaultTemplate)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, group, resource, namespace, name, path string) {
		r := Resource{ID: ID{Group: group, Resource: resource, Namespace: namespace, Name: name}}
		require.Equal(t, DefaultLayout.Path(r), compiled.Path(r))
		for _, p := range []string{path, DefaultLayout.Path(r)} {
			want, ok := DefaultLayout.Collection(p)
			got, is := compiled.Collection(p)
			require.Equal(t, ok, is, "%q", p)
			if ok {
				require.Equal(t, want, got)
			}
		}
	})
}
