package quote_test

import (
	"net/url"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/quote"
)

func TestNameQuotesWhatMeansSomethingToOthers(t *testing.T) {
	for name, want := range map[string]string{
		"system:controller:job-controller": "system:controller:job-controller",
		"v1.apps":                          "v1.apps",
		"Größe":                            "Größe",
		"a\n\nSigned-off-by: eve <e@x>":    "a%0A%0ASigned-off-by:%20eve%20%3Ce%40x%3E",
		"[skip ci]":                        "%5Bskip%20ci%5D",
		"***NO_CI***":                      "%2A%2A%2ANO_CI%2A%2A%2A",
		"@org/team":                        "%40org%2Fteam",
		"\x1b[31m":                         "%1B%5B31m",
		"a\u202eb":                         "a%E2%80%AEb",
		"a\u2028b":                         "a%E2%80%A8b",
		"\xff":                             "%FF",
		"a%41":                             "a%2541",
		"\ufffd":                           "%EF%BF%BD",
		"":                                 "",
	} {
		require.Equal(t, want, quote.Name(name))
	}
	require.Equal(t, "clusters/%5Bci%20skip%5D/prod", quote.Path("clusters/[ci skip]/prod"))
}

func FuzzName(f *testing.F) {
	f.Add("system:node")
	f.Add("[skip ci]\nCo-authored-by: x")
	f.Fuzz(func(t *testing.T, name string) {
		quoted := quote.Name(name)
		require.False(t, strings.ContainsFunc(quoted, func(r rune) bool {
			return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune("[]@#<>/*\"'", r)
		}), quoted)
		back, err := url.PathUnescape(quoted)
		require.NoError(t, err)
		require.Equal(t, name, back)
	})
}
