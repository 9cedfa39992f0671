package event_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	yaml3 "go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
)

func encode(t testing.TB, content map[string]any) []byte {
	t.Helper()
	text, err := event.Encode(&unstructured.Unstructured{Object: content})
	require.NoError(t, err)
	return text
}

// requireReads fails unless a YAML 1.1 and a YAML 1.2 parser both read content in text.
func requireReads(t testing.TB, content map[string]any, text []byte) {
	t.Helper()
	want, err := json.Marshal(content)
	require.NoError(t, err)
	var normal map[string]any // as JSON has it: 1.0 is 1
	require.NoError(t, utiljson.Unmarshal(want, &normal))

	converted, err := yaml.YAMLToJSONStrict(text)
	require.NoError(t, err, "%s", text)
	var old map[string]any
	require.NoError(t, utiljson.Unmarshal(converted, &old))
	require.Empty(t, cmp.Diff(normal, old), "YAML 1.1 reads something else in\n%s", text)

	var recent map[string]any
	require.NoError(t, yaml3.Unmarshal(text, &recent), "%s", text)
	converted, err = json.Marshal(recent)
	require.NoError(t, err)
	recent = nil
	require.NoError(t, utiljson.Unmarshal(converted, &recent))
	require.Empty(t, cmp.Diff(normal, recent), "YAML 1.2 reads something else in\n%s", text)
}

func TestEncodeWritesWhatKubectlPrints(t *testing.T) {
	for _, manifest := range []string{
		`apiVersion: apps/v1
kind: Deployment
metadata:
  annotations:
    note: 'a: b # c'
    time: "2020-01-01"
  labels:
    version: 1.2.3
  name: web
spec:
  empty: {}
  none: []
  nothing: null
  paused: false
  replicas: 3
  template:
    spec:
      containers:
      - args:
        - -v
        - "8"
        - '*'
        - ""
        image: example.com/web:1.0@sha256:abc
        name: web
      - command:
        - sh
        - -c
        - |
          set -e
            exec web
        name: side
  weight: 0.5
`,
		`apiVersion: v1
data:
  a.sh: |-
    #!/bin/sh
    echo "a"
  b: |+
    b

  c: "yes"
  d: |
    d
kind: ConfigMap
metadata:
  name: x
`,
	} {

		var content map[string]any
		require.NoError(t, yaml.Unmarshal([]byte(manifest), &content))
		reference, err := yaml.Marshal(content)
		require.NoError(t, err)
		require.Equal(t, string(reference), manifest, "the expectation itself is not what sigs.k8s.io/yaml writes")
		require.Empty(t, cmp.Diff(manifest, string(encode(t, content))))
	}
}

// kubectl prints it in one line.
func TestTextWithTabsIsABlock(t *testing.T) {
	makefile := map[string]any{"Makefile": "all:\n\techo \"a\"\n"}
	require.Equal(t, "Makefile: |\n  all:\n  \techo \"a\"\n", string(encode(t, makefile)))
	requireReads(t, makefile, encode(t, makefile))
}

// What waits in a queue is counted by its length, so that is what it must take.
func TestEncodedContentTakesNoMoreThanItsLength(t *testing.T) {
	for _, size := range []int{1, 100, 1000, 2100, 5000, 33_000, 600_000} {
		text := encode(t, map[string]any{"data": strings.Repeat("x", size)})
		// the allocator rounds up
		require.LessOrEqual(t, cap(text), len(text)*5/4+16, "%d bytes", len(text))
	}
}

func TestEncodeFoldsNoLine(t *testing.T) {
	line := strings.Repeat("word ", 100)
	require.Equal(t, "a: 'x "+line+"'\nb: "+strings.TrimSpace(line)+"\n", string(encode(t, map[string]any{"a": "x " + line, "b": strings.TrimSpace(line)})))
}

func TestTextStaysTextInYAMLOfAnyVersion(t *testing.T) {
	for _, s := range []string{
		"yes", "Yes", "YES", "no", "on", "off", "y", "n", "Y", "true", "False", "null", "NULL", "~", "", "=", "<<",
		"0", "1", "-1", "+1", "0x1", "0o7", "0777", "08", "0b1", "1e3", "1E+3", "1.5", ".5", "5.", "1_000", "1,000", "-0", "1:20", "1.2.3:4", "190:20:30.15", "80:80",
		".inf", "-.INF", "+.Inf", ".nan", ".NaN", "2020-01-01", "2020-1-1", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43.10 -5",
	} {
		text := encode(t, map[string]any{"a": s, s: "b"})
		require.Contains(t, string(text), `a: "`+s+`"`, "not quoted")
		requireReads(t, map[string]any{"a": s, s: "b"}, text)
	}
	for _, s := range []string{"1.2.3", "10.0.0.1", "v1", "a-b", ".", "1Gi", "100m", "5s", "2020-01-01x", "-v", "abc", "1-2"} {
		require.Equal(t, "a: "+s+"\n", string(encode(t, map[string]any{"a": s})))
	}
}

// YAML 1.1 breaks lines at these, YAML 1.2 does not.
func TestWhatOnlySomeParsersTakeForALineBreakIsEscaped(t *testing.T) {
	for s, escaped := range map[string]string{"\u0085": `\N`, "\u2028": `\L`, "\u2029": `\P`} {
		for _, around := range []string{"", "a", " "} {
			require.Equal(t, `a: "`+around+escaped+`b"`+"\n", string(encode(t, map[string]any{"a": around + s + "b"})))
		}
	}
}

func TestTextSurvivesWhateverItsCharacters(t *testing.T) {
	for _, s := range []string{
		"\u0085", "\u2028", "\u2029", "\ufeff", "\ufffe", "\x00", "\x7f", "\u0080", "\t", "\r", "a\r\nb", "\n", "\n\n", " \n", "\n a", " a\nb", "\ta\nb",
		"a\n", "a\n\n", "a\n \n", "a \nb", "a\n\tb", "a\n---\nb", "--- a", "...", "a\u0085\nb", "\U0001f600", "\U0001f600\nb", "é", "#", "a #b\nc", "- a\n- b",
		"? a", ": a", "a:", "{a}", "[a]", "!a", "&a", "*a", "|", ">", "%a", "@a", "`a", "'", `"`, `\`, "a\n'", strings.Repeat("x", 2000), strings.Repeat("x ", 1000) + "\ny",
	} {
		for _, content := range []map[string]any{
			{"a": s}, {s: "a"}, {"a": []any{s, []any{s}, map[string]any{s: s}}}, {"a": map[string]any{"b": map[string]any{s: []any{s}}}},
		} {
			requireReads(t, content, encode(t, content))
		}
	}
}

func TestNumbersSurvive(t *testing.T) {
	for want, n := range map[string]any{
		"9007199254740993": int64(9007199254740993), "-9223372036854775808": int64(math.MinInt64), "9223372036854775807": int64(math.MaxInt64),
		"1": 1.0, "0": math.Copysign(0, -1), "100000000": 1e8, "0.1": 0.1, "1.5": 1.5, "0.000001": 1e-6, "9.5e-07": 9.5e-7, "100000000000000000000": 1e20, "7": 7,
		"1.0e+30": 1e30, "1.5e-07": 1.5e-7, "5.0e-324": 5e-324, "1.7976931348623157e+308": math.MaxFloat64, "-1.0e+21": -1e21,
	} {
		text := encode(t, map[string]any{"a": n})
		require.Equal(t, "a: "+want+"\n", string(text))
		requireReads(t, map[string]any{"a": n}, text)
	}
}

func TestEncodeRefusesWhatJSONCannotHoldAndDoesNotQuoteIt(t *testing.T) {
	for want, v := range map[string]any{
		"UTF-8": "hunter2\xff", "finite": math.NaN(), "is not finite": math.Inf(-1), "[]string": []string{"hunter2"}, "[]byte": nil,
	} {
		if v == nil {
			v, want = []byte("hunter2"), "[]uint8"
		}
		for _, content := range []map[string]any{{"a": v}, {"a": []any{v}}, {"a": map[string]any{"b": v}}} {
			_, err := event.Encode(&unstructured.Unstructured{Object: content})
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "hunter2")
		}
	}
	_, err := event.Encode(&unstructured.Unstructured{Object: map[string]any{"a\xff": 1}})
	require.ErrorContains(t, err, "UTF-8")
	_, err = event.Encode(nil)
	require.Error(t, err)
}

func TestAnObjectThatContainsItselfIsRefused(t *testing.T) {
	obj := object(t, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}`)
	obj.Object["data"] = []any{obj.Object}
	require.Nil(t, event.Sanitize(obj))
	_, err := event.Encode(obj)
	require.ErrorContains(t, err, "nested deeper")
	_, err = event.ContentOf(obj, nil)
	require.ErrorContains(t, err, "nested deeper")
}

// FuzzEncode states that both YAML versions read any JSON object back, and that equal objects have
// equal bytes.
func FuzzEncode(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"a":{"b":[{},[],null,true,-1,1.5,1e300,"x"]}}`, `{"a":[[["x\ny"]],{"b":[{"c":"\n x"}]}]}`, `{"":""}`, `{"yes":"no","1":"2"}`,
		`{"a":"\u0000\u0085\u2028\ufeff"}`, `{"a":9007199254740993,"b":1E21,"c":-0.0,"d":1e-7}`, `{"a\nb":"c\n","<<":{"=":"<<"}}`, `{"a":"x \n y\n\n"}`,
		`{"a":"` + strings.Repeat("long ", 300) + `"}`, `{"` + strings.Repeat("k", 1100) + `":["` + strings.Repeat("v", 1100) + `"]}`, `{"a":"1:20","b":"0o7","c":"1e3"}`,
		`{"a":"x \n y\r\n\ue000","b":[["\n \n "],{"c":" x\ny"}],"x \ny":"\ue001 \n\ue000"}`,
	} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var content map[string]any
		if utiljson.Unmarshal(text, &content) != nil || content == nil {
			return
		}
		canonical, err := json.Marshal(content)
		require.NoError(t, err)
		encoded := encode(t, content)
		requireReads(t, content, encoded)
		var again map[string]any
		require.NoError(t, utiljson.Unmarshal(canonical, &again))
		require.Equal(t, string(encoded), string(encode(t, again)))
	})
}

func BenchmarkContent(b *testing.B) {
	obj := object(b, `{apiVersion: v1, kind: ConfigMap, metadata: {name: x, namespace: y, uid: u, labels: {a: b}}}`)
	obj.Object["data"] = map[string]any{"key": strings.Repeat("abcdefghi ", 200)}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := event.ContentOf(obj, nil); err != nil {
			b.Fatal(err)
		}
	}
}
