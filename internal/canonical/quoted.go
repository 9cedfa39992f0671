package canonical

import (
	"strings"
	"unicode/utf8"
)

// quoted writes a text in double quotes, in one line.
func (w *writer) quoted(s string) {
	// An older writer took every character behind a byte order mark for another one. Files stay as
	// they are.
	all := strings.HasPrefix(s, "\ufeff")
	w.b = append(w.b, '"')
	w.escaped(s, all)
	w.b = append(w.b, '"')
}

// folded writes a text of several lines in double quotes, each of its lines in one of its own at an
// indentation. Each line break is escaped: a parser of any version drops it together with the
// blanks that follow, which is why a line's own blank at the start needs an escape.
func (w *writer) folded(s string, indent int) {
	w.b = append(w.b, '"')
	for first := true; s != ""; first = false {
		end := strings.IndexByte(s, '\n') + 1
		if end == 0 {
			end = len(s)
		}
		if !first {
			w.b = append(w.b, '\\', '\n')
			w.indent(indent)
			if s[0] == ' ' {
				w.b = append(w.b, '\\')
			}
		}
		w.escaped(s[:end], false)
		s = s[end:]
	}
	w.b = append(w.b, '"')
}

// indent begins a line of a text. After an error there is no indentation, so that the text ends
// soon.
func (w *writer) indent(indent int) {
	if len(w.b)-w.start > maxYAML {
		w.fail(errTooLarge)
	}
	if w.err == nil {
		w.spaces(indent)
	}
}

// escaped writes the inside of double quotes; all escapes every character.
func (w *writer) escaped(s string, all bool) {
	for w.err == nil {
		run := 0
		for run < len(s) && !all && escapes[s[run]] == 0 {
			run++
		}
		w.b = append(w.b, s[:run]...)
		if s = s[run:]; s == "" {
			return
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			w.fail(errNotUTF8)
		case r < utf8.RuneSelf && escapes[r] > 1:
			w.b = append(w.b, '\\', escapes[r])
		case r < utf8.RuneSelf || all || needsEscape(r):
			w.escape(r)
		default:
			w.b = append(w.b, s[:size]...)
		}
		s = s[size:]
	}
}

// escape writes the escape of a character that is not in escapes.
func (w *writer) escape(r rune) {
	const hexadecimal = "0123456789ABCDEF"
	digits := 0
	switch {
	case r == '\u0085':
		w.b = append(w.b, `\N`...)
	case r == '\u00a0':
		w.b = append(w.b, `\_`...)
	case r == '\u2028':
		w.b = append(w.b, `\L`...)
	case r == '\u2029':
		w.b = append(w.b, `\P`...)
	case r <= 0xff:
		w.b, digits = append(w.b, `\x`...), 2
	case r <= 0xffff:
		w.b, digits = append(w.b, `\u`...), 4
	default:
		w.b, digits = append(w.b, `\U`...), 8
	}
	for digits--; digits >= 0; digits-- {
		w.b = append(w.b, hexadecimal[r>>(4*digits)&15])
	}
}

// escapes has for each byte the letter of its escape, 0 if it stands for itself, and 1 if that is
// told by the character.
var escapes = func() (e [256]uint8) {
	for b := range e {
		if b < ' ' || b >= 0x7f {
			e[b] = 1
		}
	}
	for i, b := range []byte("\x00\a\b\t\n\v\f\r\x1b\"\\") {
		e[b] = `0abtnvfre"\`[i]
	}
	return e
}()
