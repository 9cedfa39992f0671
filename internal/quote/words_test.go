package quote_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/quote"
)

func TestWordsAreOneLineThatATerminalOnlyShows(t *testing.T) {
	for said, want := range map[string]string{
		"":                                 "",
		"pre-receive hook declined":        "pre-receive hook declined",
		"one\n\ntwo\r\nthree\rfour\n":      "one; two; three; four",
		"a\u2028b\u2029c\u0085d\ve\ff":     "a; b; c; d; e; f",
		"\x1b[31mred\x1b[0m":               "red",
		"\u009b31mred":                     "red",
		"\x1b]0;title\x07text":             "text",
		"\x1b]8;;http://x\x1b\\link":       "link",
		"\x1b]0;never ends\nnext":          "next",
		"\x1bPq\x1b\\after":                "after",
		"\x1b(Bplain\x1bM\x1b7":            "plain",
		"bell\a null\x00 backspace\b":      "bell null backspace",
		"a\u202eb\u2066c\u200bd":           "abcd",
		"a\tb\u00a0c":                      "a b c",
		"\xff\xfe":                         "?",
		"größer, 大きい":                      "größer, 大きい",
		"ends in an escape \x1b":           "ends in an escape",
		"forged\nlevel=error msg=\"gone\"": "forged; level=error msg=\"gone\"",
	} {
		require.Equal(t, want, quote.Words(said), "%q", said)
	}
}

func TestLongWordsAreCutBetweenCharacters(t *testing.T) {
	for _, said := range []string{strings.Repeat("ä", 54<<10), strings.Repeat("word\n", 54<<10), strings.Repeat("大", 1000)} {
		words := quote.Words(said)
		require.LessOrEqual(t, len(words), quote.MaxWords)
		require.Greater(t, len(words), quote.MaxWords-16)
		require.True(t, utf8.ValidString(words))
		require.True(t, strings.HasSuffix(words, "…"))
	}
}

func FuzzWords(f *testing.F) {
	for _, said := range []string{"", "a\nb", "\x1b[31m", "\x1b]0;x\x07", "\x1b\x1b[[", "\xff", "\u202e", strings.Repeat("a", 3000)} {
		f.Add(said)
	}
	f.Fuzz(func(t *testing.T, said string) {
		words := quote.Words(said)
		require.LessOrEqual(t, len(words), quote.MaxWords)
		require.True(t, utf8.ValidString(words))
		require.NotContains(t, words, "\x1b")
		require.False(t, strings.ContainsFunc(words, func(r rune) bool { return !unicode.IsPrint(r) }))
		require.Equal(t, words, quote.Words(words))
	})
}
