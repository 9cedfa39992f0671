package canonical_test

import (
	"encoding/json"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubescribe/kubescribe/internal/canonical"
)

func TestNestingIsBoundedWhereClientGoBoundsIt(t *testing.T) {
	for _, form := range []struct{ before, begin, end, after string }{
		{`{"a":`, `[`, `]`, `}`}, {``, `{"a":`, `}`, ``}, {`{"a":`, `[{"b":`, `}]`, `}`},
	} {
		for _, depth := range []int{4999, 5000, 9998, 9999, 10_000, 10_001, 200_000} {
			text := []byte(form.before + strings.Repeat(form.begin, depth) + "1" + strings.Repeat(form.end, depth) + form.after)
			var object map[string]any
			refused := utiljson.Unmarshal(text, &object)
			var d canonical.Document
			err := d.Parse(text)
			require.Equal(t, refused != nil, err != nil, "%q, %d: %v and %v", form.begin, depth, refused, err)
			if err != nil {
				require.ErrorContains(t, err, "nested deeper than 10000")
				continue
			}
			require.NoError(t, d.Load(object))
			d.Sanitize()
		}
	}
}

func TestAnObjectThatContainsItselfIsAnError(t *testing.T) {
	object := map[string]any{}
	object["a"] = []any{object}
	var d canonical.Document
	require.ErrorContains(t, d.Load(object), "nested deeper")
	require.Zero(t, d.Root())
}

// Indentation grows by the square of the depth: 60 kB of these objects would be 150 MB of YAML, and
// the 3 MB that an API server accepts some gigabytes.
func TestIndentationFillsNoMemory(t *testing.T) {
	for _, text := range []string{
		strings.Repeat(`{"a":`, 9000) + "1" + strings.Repeat("}", 9000),
		`{"a":` + strings.Repeat(`[`, 5000) + strings.Repeat("1,", 20_000) + "1" + strings.Repeat("]", 5000) + "}",
		`{"a":` + strings.Repeat(`[`, 5000) + `"` + strings.Repeat(`x\n`, 20_000) + `"` + strings.Repeat("]", 5000) + "}",
		`{"a":` + strings.Repeat(`[`, 5000) + `"` + strings.Repeat(` \n`, 20_000) + `"` + strings.Repeat("]", 5000) + "}",
		strings.Repeat(`{"a\n":`, 4000) + `"` + strings.Repeat(`x\n`, 20_000) + `"` + strings.Repeat("}", 4000),
	} {
		d := parsed(t, text)
		written, err := d.AppendYAML([]byte("before"))
		require.EqualError(t, err, "the object's YAML has more than 64 MiB")
		require.Equal(t, "before", string(written))
	}
}

func TestAnErrorQuotesNothingOfTheObject(t *testing.T) {
	for _, text := range []string{
		`{"hunter2":}`, `{"hunter2":"\hunter2"}`, `{"a":hunter2}`, `{"a":1}hunter2`, `hunter2`, `"hunter2"`, `{"hunter2":1e999}`, `{"hunter2"`, `{"hunter2":01}`, "{\"hunter2\":\"\x00\"}",
		`{"hunter2":[1 2]}`, `{"hunter2":{"hunter2":{]}}`, ``, ` `, `{"a":"hunter2`,
	} {
		var d canonical.Document
		err := d.Parse([]byte(text))
		require.Error(t, err, text)
		require.NotContains(t, err.Error(), "hunter2", text)
	}
	for _, value := range []any{"hunter2\xff", "hunter2\xff\n", "\xff hunter2 \n", []byte("hunter2"), math.NaN(), math.Inf(1), map[string]any{"hunter2\xff": 1}, map[string]any{"hunter2\n\xff": 1}} {
		var d canonical.Document
		require.NoError(t, d.Load(map[string]any{"hunter2": value}))
		_, err := d.AppendYAML(nil)
		require.Error(t, err, "%q", value)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestAnotherObjectOfThatSizeAsksForNoMemory(t *testing.T) {
	service := `{"apiVersion":"v1","kind":"Service","metadata":{"name":"x","annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"ports\":[{\"port\":80}]}}\n"},` +
		`"managedFields":[{"manager":"kubectl","fieldsV1":{"f:spec":{"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":{"f:nodePort":{}}}}}}]},` +
		`"spec":{"clusterIP":"10.0.0.1","ports":[{"port":80,"protocol":"TCP","nodePort":30080},{"port":81,"protocol":"TCP","nodePort":30081}]}}`
	for _, s := range append(samples(), sample{"Service", []byte(service)}) {
		var d canonical.Document
		var text []byte
		once := func() {
			if err := d.Parse(s.json); err != nil {
				panic(err)
			}
			d.Sanitize()
			var err error
			if text, err = d.AppendYAML(text[:0]); err != nil {
				panic(err)
			}
			d.Reset()
		}
		once()
		require.Zero(t, testing.AllocsPerRun(20, once), s.name)
		require.NotContains(t, string(text), "managedFields", s.name)
	}
	require.Contains(t, service, "nodePort")
}

// A document that has had a large object does not hold its memory for ever.
func TestTheMemoryOfAnUnusualObjectIsGivenBack(t *testing.T) {
	var d canonical.Document
	large := fmt.Sprintf(`{"a":"%s","b":[%s1]}`, strings.Repeat(`\n`, 2<<20), strings.Repeat("1,", 1<<20))
	require.NoError(t, d.Parse([]byte(large)))
	require.Greater(t, d.Held(), 3<<20)
	d.Reset()
	require.Less(t, d.Held(), 2<<20)

	applied, err := json.Marshal(map[string]any{"kubectl.kubernetes.io/last-applied-configuration": large})
	require.NoError(t, err)
	require.NoError(t, d.Parse([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":`+string(applied)+`}}`)))
	d.Sanitize()
	require.Greater(t, d.Held(), 3<<20)
	d.Reset()
	require.Less(t, d.Held(), 2<<20)
}

func TestNothingOfAnObjectIsHeldAfterReset(t *testing.T) {
	var d canonical.Document
	text := []byte(`{"a":"` + strings.Repeat("x", 1000) + `"}`)
	parsed := weak.Make(&text[0])
	require.NoError(t, d.Parse(text))
	d.Reset()
	runtime.GC()
	require.Nil(t, parsed.Value(), "what was parsed")

	value := &struct{ a [1000]byte }{}
	loaded := weak.Make(value)
	require.NoError(t, d.Load(map[string]any{"a": value}))
	d.Reset()
	runtime.GC()
	require.Nil(t, loaded.Value(), "what was loaded")
	runtime.KeepAlive(&d)
}

func TestAnErrorOfParseSaysWhereTheMistakeIs(t *testing.T) {
	for text, want := range map[string]string{
		``: "ends too early", ` `: "ends too early", `{`: "ends too early", `{"a"`: "ends too early", `{"a":`: "ends too early", `{"a":1`: "ends too early", `{"a":[1`: "ends too early",
		`{"a":"x`: "ends too early", `{"a":"\`: "ends too early", `{"a":tr`: "ends too early", `{"a":-`: "ends too early", `{"a":{"b":[{}`: "ends too early",
		`[]`: "begin with {", `null`: "begin with {", `"a"`: "begin with {", `1`: "begin with {", `{}{}`: "more behind", `{} x`: "more behind", `{}]`: "more behind",
		`x`: "at byte 0", `{x`: "at byte 1", `{"a" 1}`: "at byte 5", `{"a":x}`: "at byte 5", `{"a":1]`: "at byte 6", `{"a":[1}`: "at byte 7", `{"a":1,}`: "at byte 6", `{"a":01}`: "at byte 6",
		`{"a":"\x"}`: "at byte 6", `{"a":1e999}`: "out of the range", `{"a":{"b":[1e999]},"c":1}`: "out of the range",
	} {
		var d canonical.Document
		require.ErrorContains(t, d.Parse([]byte(text)), want, text)
		require.Zero(t, d.Root())
	}
}
