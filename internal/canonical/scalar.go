package canonical

import (
	"errors"
	"strings"
	"unicode/utf8"
)

var errNotUTF8 = errors.New("a string is not UTF-8")

// style is what decides how a text is written.
type style struct {
	// breaks reports whether the text has what any version of YAML takes for a line break.
	breaks bool
	// lines reports whether it has line feeds.
	lines bool
	// escape reports whether it has a character that must be escaped: what a parser may refuse,
	// drop, or take for the end of a line.
	escape bool
	tab    bool
	// colon, hash and quote report whether it has one.
	colon, hash, quote bool
	invalid            bool // it is not UTF-8
}

// The classes of bytes.
const (
	control = 1 << iota
	carriageReturn
	lineFeed
	tabulator
	colon
	hash
	singleQuote
	beyondASCII
)

var classes = func() (c [256]uint8) {
	for b := range c {
		switch {
		case b < ' ' || b == 0x7f:
			c[b] = control
		case b >= utf8.RuneSelf:
			c[b] = beyondASCII
		}
	}
	c['\r'] = control | carriageReturn
	c['\n'], c['\t'], c[':'], c['#'], c['\''] = lineFeed, tabulator, colon, hash, singleQuote
	return c
}()

func analyze(s string) style {
	all := uint8(0)
	i := 0
	for ; len(s)-i >= 4; i += 4 {
		all |= classes[s[i]] | classes[s[i+1]] | classes[s[i+2]] | classes[s[i+3]]
	}
	for ; i < len(s); i++ {
		all |= classes[s[i]]
	}
	r := style{
		breaks: all&(lineFeed|carriageReturn) != 0,
		lines:  all&lineFeed != 0,
		escape: all&control != 0,
		tab:    all&tabulator != 0,
		colon:  all&colon != 0,
		hash:   all&hash != 0,
		quote:  all&singleQuote != 0,
	}
	if all&beyondASCII != 0 {
		r.beyondASCII(s)
	}
	return r
}

// beyondASCII looks at the characters that are no ASCII.
func (r *style) beyondASCII(s string) {
	if !utf8.ValidString(s) {
		r.invalid = true
		return
	}
	for _, c := range s {
		if c < utf8.RuneSelf {
			continue
		}
		if needsEscape(c) {
			r.escape = true
		}
		if c == '\u0085' || c == '\u2028' || c == '\u2029' {
			r.breaks = true
		}
	}
}

// needsEscape reports whether a parser may refuse a character that is no ASCII, drop it, or take it
// for the end of a line. Those outside the first plane need no escape, but have always had one, and
// files stay as they are.
func needsEscape(r rune) bool {
	return r <= '\u009f' || r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == '\ufffe' || r >= '\uffff'
}

// isBlock reports whether a text of several lines can be a literal block: some parsers read none of
// text with a character that must be escaped, a line that ends in a blank, or a blank or an empty
// line at the start, for which a block needs an indentation indicator.
func (r *style) isBlock(s string) bool {
	return !r.escape && s[0] != ' ' && s[0] != '\t' && s[0] != '\n' && s[len(s)-1] != ' ' && !strings.Contains(s, " \n")
}

// isPlain reports whether a text in one line needs no quotes.
func (r *style) isPlain(s string) bool {
	switch s[0] {
	case ' ', '#', ',', '[', ']', '{', '}', '&', '*', '!', '|', '>', '\'', '"', '%', '@', '`':
		return false
	case '-', '?', ':':
		if len(s) == 1 || s[1] == ' ' {
			return false
		}
	}
	return s[len(s)-1] != ' ' && !strings.HasPrefix(s, "---") && !strings.HasPrefix(s, "...") &&
		!(r.colon && (s[len(s)-1] == ':' || strings.Contains(s, ": "))) &&
		!(r.hash && strings.Contains(s, " #"))
}

// key writes a key, whose own lines, if it is an explicit one, are indented below it.
func (w *writer) key(key string, r style, indent int) {
	if r.lines && !r.invalid && r.isBlock(key) && !isAmbiguous(key) {
		w.block(key, indent+indentation)
		return
	}
	w.oneLine(key, r)
}

// text writes a value.
func (w *writer) text(s string, indent, folded int) {
	r := analyze(s)
	switch {
	case !r.lines || r.invalid:
		w.oneLine(s, r)
	case !r.isBlock(s):
		w.folded(s, folded)
	case isAmbiguous(s):
		w.oneLine(s, r)
	default:
		w.block(s, indent)
	}
}

// oneLine writes a text in one line.
func (w *writer) oneLine(s string, r style) {
	switch {
	case r.invalid:
		w.fail(errNotUTF8)
	case r.escape || r.lines || r.tab || isAmbiguous(s):
		w.quoted(s)
	case r.isPlain(s):
		w.b = append(w.b, s...)
	case !r.quote:
		w.b = append(w.b, '\'')
		w.b = append(w.b, s...)
		w.b = append(w.b, '\'')
	default:
		w.b = append(w.b, '\'')
		for i := range len(s) {
			if s[i] == '\'' {
				w.b = append(w.b, '\'')
			}
			w.b = append(w.b, s[i])
		}
		w.b = append(w.b, '\'')
	}
}

// block writes a literal block, whose last line break it leaves out if the text has none.
func (w *writer) block(s string, indent int) {
	w.b = append(w.b, '|')
	switch {
	case s[len(s)-1] != '\n':
		w.b = append(w.b, '-')
	case len(s) > 1 && s[len(s)-2] == '\n':
		w.b = append(w.b, '+')
	}
	w.b = append(w.b, '\n')
	for s != "" {
		end := strings.IndexByte(s, '\n') + 1
		if end == 0 {
			end = len(s)
		}
		if end > 1 || s[0] != '\n' {
			w.indent(indent)
		}
		w.b = append(w.b, s[:end]...)
		s = s[end:]
	}
}
