package canonical_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubescribe/kubescribe/internal/canonical"
	"github.com/kubescribe/kubescribe/internal/canonical/canonicaltest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func parsed(t testing.TB, text string) *canonical.Document {
	t.Helper()
	var d canonical.Document
	require.NoError(t, d.Parse([]byte(text)))
	return &d
}

func yamlOf(t testing.TB, d *canonical.Document) string {
	t.Helper()
	text, err := d.AppendYAML(nil)
	require.NoError(t, err)
	return string(text)
}

func TestADocumentIsLookedInto(t *testing.T) {
	d := parsed(t, `{"b":{"c":[1,"x",null,true,false,{"k":2}]},"a":"one","a":"tw\u006f"}`)
	require.Equal(t, "two", d.Text(d.Get(d.Root(), "a")))
	require.Equal(t, "a", d.Key(d.Get(d.Root(), "a")))
	require.Equal(t, d.Root(), d.Get(d.Root()))
	var names []string
	for name := range d.Each(d.Root()) {
		names = append(names, name)
	}
	require.Equal(t, []string{"a", "b"}, names)
	for name := range d.Each(d.Root()) {
		require.Equal(t, "a", name)
		break
	}
	var kinds []canonical.Kind
	for _, n := range d.Each(d.Get(d.Root(), "b", "c")) {
		kinds = append(kinds, d.Kind(n))
	}
	require.Equal(t, []canonical.Kind{canonical.Number, canonical.String, canonical.Null, canonical.True, canonical.False, canonical.Map}, kinds)
	require.Equal(t, []any{int64(1), "x", nil, true, false, map[string]any{"k": int64(2)}}, d.Value(d.Get(d.Root(), "b", "c")))
	for _, path := range [][]string{{"z"}, {"a", "b"}, {"b", "c", "k"}, {"z", "y", "x"}} {
		n := d.Get(d.Root(), path...)
		require.Zero(t, n, path)
		require.Equal(t, canonical.None, d.Kind(n))
		require.Empty(t, d.Text(n))
		require.Empty(t, d.Key(n))
		require.Nil(t, d.Value(n))
		require.False(t, d.Empty(n))
	}
	require.Empty(t, d.Text(d.Root()))
}

func TestANodeOfAnotherObjectIsNone(t *testing.T) {
	d := parsed(t, `{"a":1}`)
	for _, n := range []canonical.Node{-1, 0, 3, 1 << 30} {
		require.Equal(t, canonical.None, d.Kind(n))
		require.Zero(t, d.Get(n, "a"))
		d.Remove(n)
		d.RemoveField(n, 2, "a", "b")
		d.RemoveField(n, 2)
	}
	d.Remove(d.Root()) // the object itself stays
	require.Equal(t, "a: 1\n", yamlOf(t, d))
}

func TestADocumentWithoutAnObjectHasNothing(t *testing.T) {
	var d canonical.Document
	for range 2 {
		require.Zero(t, d.Root())
		require.Nil(t, d.Object())
		d.Sanitize()
		d.SetKind("v1", "Pod")
		d.Remove(d.Root())
		for range d.Each(d.Root()) {
			t.Error("there is something")
		}
		text, err := d.AppendYAML([]byte("x"))
		require.Error(t, err)
		require.Equal(t, "x", string(text))
		require.Error(t, d.Parse([]byte(`{"a":1`)))
	}
}

func TestAKindIsSetWhereItStandsInTheOrder(t *testing.T) {
	for in, out := range map[string]string{
		`{}`:          "apiVersion: apps/v1\nkind: Deployment\n",
		`{"a":1}`:     "a: 1\napiVersion: apps/v1\nkind: Deployment\n",
		`{"z":1}`:     "apiVersion: apps/v1\nkind: Deployment\nz: 1\n",
		`{"kind":[]}`: "apiVersion: apps/v1\nkind: Deployment\n",
		`{"b":1,"kind":"x","apiVersion":"y","c":2}`: "apiVersion: apps/v1\nb: 1\nc: 2\nkind: Deployment\n",
	} {
		d := parsed(t, in)
		d.SetKind("apps/v1", "Deployment")
		require.Equal(t, out, yamlOf(t, d), in)
		require.Equal(t, "Deployment", d.Text(d.Get(d.Root(), "kind")))
	}
	d := parsed(t, `{"kind":"x","z":1}`)
	d.Remove(d.Get(d.Root(), "kind"))
	d.SetKind("v1", "Pod")
	require.Equal(t, "apiVersion: v1\nkind: Pod\nz: 1\n", yamlOf(t, d))
}

func TestARemovedFieldTakesEmptyMapsAroundItAlong(t *testing.T) {
	for _, c := range []struct {
		in       string
		optional int
		out      string
	}{
		{`{"a":{"b":{"c":1}}}`, 0, "a:\n  b: {}\n"},
		{`{"a":{"b":{"c":1}}}`, 1, "a: {}\n"},
		{`{"a":{"b":{"c":1}}}`, 2, "{}\n"},
		{`{"a":{"b":{"c":1},"d":1}}`, 2, "a:\n  d: 1\n"},
		{`{"a":{"b":{"c":1,"d":1}}}`, 2, "a:\n  b:\n    d: 1\n"},
		{`{"a":{"b":{}}}`, 2, "a:\n  b: {}\n"},
		{`{"a":{"b":[]}}`, 2, "a:\n  b: []\n"},
		{`{"a":{"b":[{"c":1}]}}`, 2, "a:\n  b:\n  - c: 1\n"},
	} {
		d := parsed(t, c.in)
		d.RemoveField(d.Root(), c.optional, "a", "b", "c")
		require.Equal(t, c.out, yamlOf(t, d), "%s, %d", c.in, c.optional)
	}
}

// Values outlive what they were parsed from, as texts do not.
func TestAValueIsNobodyElses(t *testing.T) {
	text := []byte(`{"a":"bc","d":["e\n"]}`)
	var d canonical.Document
	require.NoError(t, d.Parse(text))
	object := d.Object()
	clear(text)
	require.NoError(t, d.Parse([]byte(`{"x":"y\n","z":"\n"}`)))
	require.Equal(t, map[string]any{"a": "bc", "d": []any{"e\n"}}, object)
}

// What the two encoders refuse is the same, but for what is removed in time.
func TestAValueThatJSONDoesNotKnowIsRefusedOnlyWhereItIsWritten(t *testing.T) {
	var d canonical.Document
	require.NoError(t, d.Load(map[string]any{"a": 1, "status": []string{"hunter2"}}))
	require.Equal(t, canonical.Foreign, d.Kind(d.Get(d.Root(), "status")))
	require.Equal(t, []string{"hunter2"}, d.Value(d.Get(d.Root(), "status")))
	_, err := d.AppendYAML(nil)
	require.EqualError(t, err, "a value has the type []string, which JSON does not know")
	d.Sanitize()
	require.Equal(t, "a: 1\n", yamlOf(t, &d))
}

// thin removes from a value, as maps and lists have it, some of what the drawing says, and the same
// from the document.
func thin(r *rand.Rand, d *canonical.Document, n canonical.Node, v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, c := range d.Each(n) {
			if r.IntN(6) == 0 {
				d.Remove(c)
				delete(v, key)
			} else {
				v[key] = thin(r, d, c, v[key])
			}
		}
	case []any:
		kept, i := []any{}, 0
		for _, c := range d.Each(n) {
			if r.IntN(6) == 0 {
				d.Remove(c)
			} else {
				kept = append(kept, thin(r, d, c, v[i]))
			}
			i++
		}
		return kept
	}
	return v
}

func TestWhatIsRemovedIsThereForNobody(t *testing.T) {
	r := testsize.Chance(t)
	draw := drawing{Rand: r}
	var d canonical.Document
	for range (testsize.Sizes{Usual: 1000, Long: 20_000}).Pick() {
		text := draw.object()
		var object map[string]any
		require.NoError(t, utiljson.Unmarshal([]byte(text), &object))
		require.NoError(t, d.Parse([]byte(text)))
		thin(r, &d, d.Root(), object)
		if got := d.Object(); !reflect.DeepEqual(object, got) {
			t.Fatalf("%q: %s", text, cmp.Diff(object, got))
		}
		d.Sanitize()
		want, err := canonicaltest.Encode(canonicaltest.Sanitize(&unstructured.Unstructured{Object: object}))
		require.NoError(t, err)
		require.Equal(t, string(want), yamlOf(t, &d), "%q", text)
	}
}
