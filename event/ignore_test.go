package event_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// setOf is a FieldSet as the goldens have it.
type setOf struct {
	Pointers, Annotations, Labels, Managers []string
	Subresource                             string
}

func (s setOf) fields() event.FieldSet {
	set := paths(s.Pointers...)
	set.Annotations, set.Labels = s.Annotations, s.Labels
	if len(s.Managers) > 0 {
		set.Managers = []event.FieldManagers{{Names: s.Managers, Subresource: s.Subresource}}
	}
	return set
}

func read(t testing.TB, text []byte) map[string]any {
	t.Helper()
	data, err := yaml.YAMLToJSON(text)
	require.NoError(t, err)
	var object map[string]any
	require.NoError(t, utiljson.Unmarshal(data, &object))
	return object
}

func managedOf(object map[string]any) []any {
	metadata, _ := object["metadata"].(map[string]any)
	managed, _ := metadata["managedFields"].([]any)
	return managed
}

// TestIgnored checks each archive: what its sets, of which each must name a field, leave of its
// object, and which fields they leave out.
func TestIgnored(t *testing.T) {
	archives, err := filepath.Glob("testdata/ignored/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			require.NoError(t, err)
			require.Len(t, archive.Files, 4)
			var sets []setOf
			require.NoError(t, yaml.UnmarshalStrict(archive.Files[0].Data, &sets))
			object := read(t, archive.Files[1].Data)
			before, err := json.Marshal(object)
			require.NoError(t, err)
			var all []event.FieldSet
			for _, s := range sets {
				set := s.fields()
				require.NoError(t, set.Validate())
				all = append(all, set)
			}
			g := event.NewIgnored(all...)
			rest := g.Without(object, managedOf(object))
			left, err := event.Encode(event.Sanitize(&unstructured.Unstructured{Object: rest}))
			require.NoError(t, err)
			found := strings.Join(append(g.Find(object, managedOf(object)), ""), "\n")
			after, err := json.Marshal(object)
			require.NoError(t, err)
			require.Equal(t, string(before), string(after), "the object itself has changed")
			if *update {
				archive.Files[2].Data, archive.Files[3].Data = []byte(found), left
				require.NoError(t, os.WriteFile(name, txtar.Format(archive), 0o600))
			}
			require.Equal(t, string(archive.Files[2].Data), found)
			require.Equal(t, string(archive.Files[3].Data), string(left))
		})
	}
}

// A key may be a star, at each level: the walk must not double there.
func TestKeysThatAreStarsCostNoMoreThanOthers(t *testing.T) {
	object := map[string]any{"x": "y"}
	for range 60 {
		object = map[string]any{"*": object}
	}
	pointer := "/spec" + strings.Repeat("/*", 61)
	rest := ignored(paths(pointer)).Without(map[string]any{"spec": object}, nil)
	for range 60 {
		rest = rest[map[bool]string{true: "spec", false: "*"}[rest["spec"] != nil]].(map[string]any)
	}
	require.Equal(t, map[string]any{"*": map[string]any{}}, rest)
}

func TestWhatIsLeftOutByNobodyIsTheObjectItself(t *testing.T) {
	obj := object(t, deployment).Object
	for _, g := range []*event.Ignored{nil, event.NewIgnored(), event.NewIgnored(paths("/spec/x"), event.FieldSet{}), ignored(paths("/spec/absent"))} {
		rest := g.Without(obj, managedOf(obj))
		rest["mark"] = true
		require.Contains(t, obj, "mark")
		delete(obj, "mark")
	}
	require.Nil(t, event.NewIgnored(event.FieldSet{}))
	require.Nil(t, ignored(paths("/spec/x")).And(nil))
	var none *event.Ignored
	require.Nil(t, none.And(ignored(paths("/spec/x"))))
	require.Empty(t, none.Key())
	require.Empty(t, none.Sets())
}

func TestIgnoredAreEqualWhateverTheirOrder(t *testing.T) {
	one := ignored(paths("/a", "/b"), event.FieldSet{Labels: []string{"x", "y"}})
	other := ignored(event.FieldSet{Labels: []string{"y", "x", "y"}}, paths("/b", "/a", "/a"), paths("/b", "/a"))
	require.Equal(t, one.Key(), other.Key())
	require.Equal(t, one.And(other).Key(), one.Key())
	seen := map[string]bool{}
	for _, g := range []*event.Ignored{
		one, ignored(paths("/a")), ignored(paths("/a", "/b")), ignored(paths("/a"), paths("/b")), ignored(event.FieldSet{Labels: []string{"x"}}),
		ignored(event.FieldSet{Annotations: []string{"x"}}), ignored(event.FieldSet{Managers: []event.FieldManagers{{Names: []string{"x"}}}}),
		ignored(event.FieldSet{Managers: []event.FieldManagers{{Names: []string{"x"}, Subresource: "scale"}}}),
	} {
		require.False(t, seen[g.Key()], g.Key())
		seen[g.Key()] = true
	}
}

func TestAFieldSetThatNamesTheIdentityOfAnObjectIsRefused(t *testing.T) {
	for _, steps := range [][]string{
		{"apiVersion"}, {"kind"}, {"metadata"}, {"metadata", "name"}, {"metadata", "namespace"}, {"*"}, {"metadata", "*"}, {"*", "name"}, {"kind", "x"}, {}, {""},
	} {
		set := event.FieldSet{Paths: [][]string{steps}}
		require.ErrorContains(t, set.Validate(), "Paths[0]", "%q", steps)
	}
	for _, set := range []event.FieldSet{
		{Labels: []string{"["}}, {Annotations: []string{""}}, {Managers: []event.FieldManagers{{}}}, {Managers: []event.FieldManagers{{Names: []string{"a", ""}}}},
	} {
		require.Error(t, set.Validate(), "%v", set)
	}
	fine := event.FieldSet{Paths: [][]string{{"metadata", "labels"}, {"spec"}, {"spec", "*", "name"}}, Labels: []string{"*"}}
	require.NoError(t, fine.Validate())
}

func TestAPointerIsReadAsItIsWritten(t *testing.T) {
	for pointer, want := range map[string][]string{
		"/spec": {"spec"}, "/a/b/0": {"a", "b", "0"}, "/metadata/annotations/a.b~1c~0d": {"metadata", "annotations", "a.b/c~d"}, "/a/*/b": {"a", "*", "b"},
		"/~01": {"~1"}, "/~10": {"/0"},
	} {
		steps, err := event.ParsePointer(pointer)
		require.NoError(t, err, pointer)
		require.Equal(t, want, steps)
		require.Equal(t, pointer, event.FormatPointer(steps))
	}
	for _, pointer := range []string{"", "/", "a", "/a/", "//a", "/a//b", "/~", "/a~", "/~2", "/-", "/a/-/b", "/" + strings.Repeat("a/", 64) + "a"} {
		_, err := event.ParsePointer(pointer)
		require.Error(t, err, "%q", pointer)
	}
}

// within reports whether a value has no more than another one: fields and items are missing, none
// is new or different.
func within(part, whole any) bool {
	switch part := part.(type) {
	case map[string]any:
		of, ok := whole.(map[string]any)
		for key, v := range part {
			w, has := of[key]
			ok = ok && has && within(v, w)
		}
		return ok
	case []any:
		of, ok := whole.([]any)
		for _, v := range part {
			i := slices.IndexFunc(of, func(w any) bool { return within(v, w) })
			if i < 0 {
				return false
			}
			of = of[i+1:]
		}
		return ok
	}
	return part == whole
}

// FuzzIgnored states that whatever the object, its managedFields and the fields that are named,
// what is left is a part of the object with its identity, the object itself does not change, and
// what is left out once is not found again.
func FuzzIgnored(f *testing.F) {
	archives, err := filepath.Glob("testdata/ignored/*.txtar")
	require.NoError(f, err)
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		require.NoError(f, err)
		var sets []setOf
		require.NoError(f, yaml.Unmarshal(archive.Files[0].Data, &sets))
		object, err := yaml.YAMLToJSON(archive.Files[1].Data)
		require.NoError(f, err)
		f.Add(object, strings.Join(sets[0].Pointers, " "), strings.Join(append(sets[0].Annotations, sets[0].Labels...), " "), strings.Join(sets[0].Managers, " "))
	}
	f.Fuzz(func(t *testing.T, text []byte, pointers, globs, managers string) {
		var object, same map[string]any
		if utiljson.Unmarshal(text, &object) != nil || object == nil {
			return
		}
		require.NoError(t, utiljson.Unmarshal(text, &same))
		var set event.FieldSet
		for _, p := range strings.Fields(pointers) {
			if steps, err := event.ParsePointer(p); err == nil {
				set.Paths = append(set.Paths, steps)
			}
		}
		set.Annotations, set.Labels = strings.Fields(globs), strings.Fields(globs)
		if names := strings.Fields(managers); len(names) > 0 {
			set.Managers = []event.FieldManagers{{Names: names}}
		}
		if set.Validate() != nil {
			return
		}
		g := event.NewIgnored(set)
		managed := managedOf(object)
		rest := g.Without(object, managed)
		require.Equal(t, same, object, "the object has changed")
		require.True(t, within(rest, any(object)), "%v is no part of %v", rest, object)
		for _, field := range []string{"apiVersion", "kind"} {
			require.Equal(t, object[field], rest[field])
		}
		if metadata, ok := object["metadata"].(map[string]any); ok {
			left, _ := rest["metadata"].(map[string]any)
			require.Equal(t, metadata["name"], left["name"])
			require.Equal(t, metadata["namespace"], left["namespace"])
		}
		// Where items are named by their place, others have moved up.
		if len(set.Managers) == 0 && !strings.ContainsAny(pointers, "0123456789") {
			require.Empty(t, g.Find(rest, managed))
		}
	})
}
