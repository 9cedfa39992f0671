package yamldiff

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// pieces are what text is hard to write with, or easily taken for something else.
var pieces = []string{
	" ", " ", "  ", "\n", "\n", "\n", "\n\n", "\t", "\r\n", "\r", "a", "b c", "word word word", `"`, `\`, "'", "#", " #", ":", ": ", "- ", "-", "? ", "%", "@", "`",
	"&", "*", "!", "!!int", "|", ">", "{", "}", "[", "]", ",", "---", "--- ", "...", "\n---\n", "\n...\n", "~", "null", "yes", "No", "true", "on", "y", "=", "<<",
	"0", "1", "08", "0x1f", "0o7", "1e3", "1_000", "1:20", ".5", "-.inf", ".NaN", "2020-01-01", "\u00a0", "é", "日本", "\U0001f600", "\U0010ffff", "\u0085", "\u2028",
	"\u2029", "\ufeff", "\x00", "\x07", "\x1b[0m", "\x7f", "\ue000", "\ue001", "\ufffd", "\\n", `\ `, "$", "%YAML 1.1\n",
}

func text(r *rand.Rand) string {
	var b strings.Builder
	for range 1 + r.IntN(10) {
		b.WriteString(pieces[r.IntN(len(pieces))])
	}
	return b.String()
}

// document holds texts as values, in lists, below other values, and as keys.
func document(r *rand.Rand, texts int) map[string]any {
	doc := map[string]any{}
	for i := range texts {
		s := text(r)
		key := fmt.Sprintf("k%d", i)
		switch r.IntN(5) {
		case 0:
			doc[key] = []any{s, "x"}
		case 1:
			doc[key] = []any{[]any{s}, map[string]any{"k": s, "l": "x"}}
		case 2:
			doc[key] = map[string]any{"a": map[string]any{"b": []any{map[string]any{"c": s}}}}
		case 3:
			if !strings.Contains(s, "<<") { // goccy/go-yaml takes "a<<: b" for a merge
				doc[key] = map[string]any{s: s}
				break
			}
			fallthrough
		default:
			doc[key] = s
		}
	}
	return doc
}

// TestEveryReaderReadsTheSame asks about texts, most of them of several lines, in documents of five
// hundred.
func TestEveryReaderReadsTheSame(t *testing.T) {
	documents := testsize.Sizes{Usual: 8, Soak: 100}.Pick()
	r := testsize.Chance(t)
	all := readers(t)
	for range documents {
		content := document(r, 500)
		written, err := event.Encode(&unstructured.Unstructured{Object: content})
		require.NoError(t, err)
		for _, reader := range all {
			compare(t, reader, content, written)
		}
	}
	t.Logf("%d texts, %d readers", documents*500, len(all))
}

func compare(t *testing.T, r reader, content map[string]any, written []byte) {
	t.Helper()
	got, err := r.read(written)
	if err == nil && reflect.DeepEqual(got, content) {
		return
	}
	for key, want := range content { // which one?
		one, failed := event.Encode(&unstructured.Unstructured{Object: map[string]any{key: want}})
		require.NoError(t, failed)
		got, err := r.read(one)
		if err != nil || !reflect.DeepEqual(got[key], want) {
			wanted, _ := json.Marshal(want)
			t.Fatalf("%s reads %q of\n%s\nwhich is %s; error: %v", r.name, got[key], one, wanted, err)
		}
	}
	t.Fatalf("%s reads a document otherwise, and each value of it alone as it is: %v", r.name, err)
}
