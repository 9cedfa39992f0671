package event_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// oneLine is how the emitter writes text in double quotes.
func oneLine(t testing.TB, s string) string {
	t.Helper()
	text, err := yaml.Marshal(&yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: s})
	require.NoError(t, err)
	return strings.TrimSuffix(string(text), "\n")
}

func TestALongTextWithATrailingBlankKeepsItsLinesApart(t *testing.T) {
	script := "#!/bin/sh\nset -e \n\n  exec \"web\"\n"
	content := map[string]any{"data": map[string]any{"run.sh": script}, "list": []any{script, []any{script}, map[string]any{"k": script}}}
	text := encode(t, content)
	require.Equal(t, `data:
  run.sh: "#!/bin/sh\n\
    set -e \n\
    \n\
    \  exec \"web\"\n"
list:
- "#!/bin/sh\n\
  set -e \n\
  \n\
  \  exec \"web\"\n"
- - "#!/bin/sh\n\
    set -e \n\
    \n\
    \  exec \"web\"\n"
- k: "#!/bin/sh\n\
    set -e \n\
    \n\
    \  exec \"web\"\n"
`, string(text))
	requireReads(t, content, text)
}

// differentLines counts the lines that two texts, of as many lines each, do not have in common.
func differentLines(t *testing.T, a, b []byte) int {
	t.Helper()
	before, after := strings.Split(string(a), "\n"), strings.Split(string(b), "\n")
	require.Len(t, after, len(before))
	n := 0
	for i := range before {
		if before[i] != after[i] {
			n++
		}
	}
	return n
}

func TestAChangedLineOfATextIsOneChangedLineOfTheFile(t *testing.T) {
	for name, text := range map[string]string{
		"plain":                   "one\ntwo\nthree\nfour\n",
		"trailing blank":          "one \ntwo\nthree\nfour\n",
		"blank at the end":        "one\ntwo\nthree\nfour ",
		"blank at the start":      " one\ntwo\nthree\nfour\n",
		"line at the start":       "\none\ntwo\nthree\nfour\n",
		"carriage returns":        "one\r\ntwo\r\nthree\r\nfour\r\n",
		"control character":       "one\x1b[0m\ntwo\nthree\nfour",
		"outside the first plane": "one \U0001f600\ntwo\nthree\nfour",
		"no character":            "one\ufffe\ntwo\nthree\nfour\n",
		"only blanks":             "one\n   \ntwo\nthree\nfour\n",
		"a mark of our own":       "one \n\ue000two\n\ue001three\nfour\n",
	} {
		t.Run(name, func(t *testing.T) {
			before := map[string]any{"data": map[string]any{"a": text, "b": "\ue000"}}
			after := map[string]any{"data": map[string]any{"a": strings.Replace(text, "three", "3 \" \\ ", 1), "b": "\ue000"}}
			if name == "plain" {
				after["data"].(map[string]any)["a"] = strings.Replace(text, "three", "3", 1)
			}
			a, b := encode(t, before), encode(t, after)
			require.Equal(t, 1, differentLines(t, a, b), "%s\n%s", a, b)
			requireReads(t, before, a)
			requireReads(t, after, b)
		})
	}
}

// A text is found by its place, not by a character that nothing else may have.
func TestTextIsFoldedWhateverElseIsInTheObject(t *testing.T) {
	var private strings.Builder
	for r := '\ue000'; r <= '\uf8ff'; r++ {
		private.WriteRune(r)
	}
	content := map[string]any{"a": "x \ny\n", private.String(): "b", "c": []any{"x \ny\n"}}
	text := encode(t, content)
	requireReads(t, content, text)
	require.True(t, strings.HasPrefix(string(text), "a: \"x \\n\\\n  y\\n\"\nc:\n- \"x \\n\\\n  y\\n\"\n"))
}

// texts makes text of several lines from what is hard to write.
func texts(r *rand.Rand) string {
	parts := []string{
		" ", "  ", "\n", "\n", "\n", "\t", "\r", "a", "b c", `"`, `\`, "'", "#", ": ", "- ", "\u00a0", "\u0085", "\u2028", "\ufeff", "é", "\U0001f600",
		"\x00", "\x7f", "\ue000", "\ue001", "---", "...", "%", "&", "*", "!", "|", ">", "\uffff", "\U0010ffff",
	}
	var b strings.Builder
	for range 1 + r.IntN(12) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// Folded text is what the emitter writes, but for the line breaks; no value of several lines is
// written in one.
func TestFoldedTextIsTheEmittersWithLineBreaks(t *testing.T) {
	testsize.Sampled(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	breaks := regexp.MustCompile(`\\\n +(\\( ))?`)
	for range 20_000 {
		s := texts(r)
		text := string(encode(t, map[string]any{"a": s}))
		requireReads(t, map[string]any{"a": s}, []byte(text))
		inner := strings.TrimSuffix(s, "\n")
		if !strings.Contains(inner, "\n") {
			continue
		}
		value := strings.TrimPrefix(text, "a: ")
		if strings.HasPrefix(value, "|") {
			continue
		}
		require.Equal(t, strings.Count(inner, "\n")+1, strings.Count(text, "\n"), "%q is\n%s", s, text)
		if strings.HasPrefix(s, "\ufeff") {
			continue // the emitter takes each of its characters for a byte order mark
		}
		require.Equal(t, oneLine(t, s)+"\n", breaks.ReplaceAllString(value, "$2"), fmt.Sprintf("%q", s))
	}
}
