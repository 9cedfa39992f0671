package quote

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxWords is the most bytes that Words returns.
const MaxWords = 2 << 10

const (
	lineBreak = "; " // what takes its place
	ellipsis  = "…"  // what takes the place of what is cut
)

// escapeSequence is one of ECMA-48: a control sequence, a string such as a window's title or a
// link, or a single function. One that does not end goes to the end of its line.
var escapeSequence = regexp.MustCompile("(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d\u009e\u009f])[^\x07\x1b\u009c\r\n]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-Z\\\\^-~]?")

// Words returns what a server or another stranger said, for a log, an error or a status: as one
// line of at most MaxWords bytes of valid UTF-8, without terminal escapes, control characters and
// those that turn the direction of writing. Empty lines are left out. Words of its own result is
// that result.
//
// Written as it is, a line break could begin another line of a log, and an escape sequence would
// reach a terminal.
func Words(said string) string { return Cut(Line(said), MaxWords) }

// Line is Words of any length: for whoever has to look for something in it before it is cut.
func Line(said string) string {
	said = escapeSequence.ReplaceAllString(strings.ToValidUTF8(said, "?"), "")
	var b strings.Builder
	for line := range strings.FieldsFuncSeq(said, isLineBreak) {
		line = strings.TrimSpace(strings.Map(visible, line))
		if line == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(lineBreak)
		}
		b.WriteString(line)
	}
	return b.String()
}

func isLineBreak(r rune) bool {
	return '\n' <= r && r <= '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

func visible(r rune) rune {
	switch {
	case r == '\t' || unicode.Is(unicode.Zs, r):
		return ' '
	case unicode.IsPrint(r):
		return r
	}
	return -1
}

// Cut shortens a text between two characters to at most limit bytes, of which the last say that it
// was cut. A limit without room for these leaves nothing.
func Cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	if limit < len(ellipsis) {
		return ""
	}
	text = text[:limit-len(ellipsis)]
	for len(text) > 0 {
		if r, size := utf8.DecodeLastRuneInString(text); r != utf8.RuneError || size != 1 {
			break
		}
		text = text[:len(text)-1]
	}
	return text + ellipsis
}
