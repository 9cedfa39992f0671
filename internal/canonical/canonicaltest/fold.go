package canonicaltest

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// isBlock reports whether text of several lines can be a literal block: the emitter makes no block,
// and some parsers read none, of text with a character that must be escaped, a line that ends in a
// blank, or a blank or an empty line at the start, for which a block needs an indentation
// indicator.
func isBlock(s string) bool {
	return !strings.ContainsFunc(s, needsEscape) && !strings.Contains(s, " \n") && s[len(s)-1] != ' ' &&
		!strings.ContainsAny(s[:1], " \t\n")
}

// isFolded reports whether text is written with line breaks that are escaped: it has lines, and
// cannot be a block.
func isFolded(s string) bool {
	return strings.Contains(s, "\n") && !isBlock(s)
}

// The emitter writes double-quoted text in one line, so that every diff of it shows the whole. In
// the place of such text it is given a mark, a character for private use that is found again in
// what it has written.
const (
	firstMark = '\ue000'
	lastMark  = '\uefff' // the emitter would escape those behind it
)

// fill puts the folded texts where the marks stand, both in the order of the document. It returns
// false if the object itself has the mark somewhere else.
func fill(b *bytes.Buffer, text []byte, mark rune, folded []foldedText) bool {
	parts := bytes.Split(text, []byte(string(mark)))
	if len(parts) != len(folded)+1 {
		return false
	}
	b.Write(parts[0])
	for i, f := range folded {
		f.write(b)
		b.Write(parts[i+1])
	}
	return true
}

// foldedText is double-quoted text, each line of it on one of its own, at an indentation.
type foldedText struct {
	text   string
	indent int
}

// write escapes each line break: a parser of any version drops it together with the blanks that
// follow, which is why a line's own blank at the start needs an escape.
func (f foldedText) write(b *bytes.Buffer) {
	b.WriteByte('"')
	first := true
	for line := range strings.Lines(f.text) {
		if !first {
			b.WriteString("\\\n")
			for range f.indent {
				b.WriteByte(' ')
			}
			if line[0] == ' ' {
				b.WriteByte('\\')
			}
		}
		writeEscaped(b, line)
		first = false
	}
	b.WriteByte('"')
}

// writeEscaped writes the inside of double quotes as the emitter does.
func writeEscaped(b *bytes.Buffer, s string) {
	for _, r := range s {
		switch short := strings.IndexRune(shortEscaped, r); {
		case short >= 0:
			b.WriteByte('\\')
			b.WriteByte(shortEscapes[utf8.RuneCountInString(shortEscaped[:short])])
		case !needsEscape(r):
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(b, `\x%02X`, r)
		case r <= 0xffff:
			fmt.Fprintf(b, `\u%04X`, r)
		default:
			fmt.Fprintf(b, `\U%08X`, r)
		}
	}
}

// The characters that have an escape of one letter, and the letters.
const (
	shortEscaped = "\x00\a\b\t\n\v\f\r\x1b\"\\\u0085\u2028\u2029"
	shortEscapes = `0abtnvfre"\NLP`
)
