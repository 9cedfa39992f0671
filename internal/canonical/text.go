package canonical

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
	"unsafe"
)

// text reads a text in quotes. It stands in the source as it is, or is put into the scratch.
func (p *parser) text() (string, error) {
	p.at++
	start, high, escaped := p.at, false, false
	for {
		p.at = skipSimple(p.s, p.at)
		if p.at == len(p.s) {
			return "", p.fail("")
		}
		switch c := p.s[p.at]; {
		case c == '"':
			text := p.s[start:p.at]
			p.at++
			if !escaped && (!high || utf8.ValidString(text)) {
				return text, nil
			}
			return p.d.unescape(text), nil
		case c == '\\':
			escaped = true
			if err := p.escape(); err != nil {
				return "", err
			}
		case c < ' ':
			return "", p.fail("a control character in a text")
		default:
			high = true
			for p.at < len(p.s) && p.s[p.at] >= utf8.RuneSelf {
				p.at++
			}
		}
	}
}

// escape checks an escape, and steps over it.
func (p *parser) escape() error {
	if p.at++; p.at == len(p.s) {
		return p.fail("")
	}
	switch p.s[p.at] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		p.at++
		return nil
	case 'u':
		p.at++
		for range 4 {
			if p.at == len(p.s) || !isHex(p.s[p.at]) {
				return p.fail("an escape of four hexadecimal digits")
			}
			p.at++
		}
		return nil
	}
	return p.fail("an escape that JSON does not know")
}

func isHex(c byte) bool { return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f' }

// skipSimple returns the index of the first byte from at on that is a quote, a backslash, a control
// character or no ASCII.
func skipSimple(s string, at int) int {
	for len(s)-at >= 8 {
		word := s[at : at+8]
		x := uint64(word[0]) | uint64(word[1])<<8 | uint64(word[2])<<16 | uint64(word[3])<<24 |
			uint64(word[4])<<32 | uint64(word[5])<<40 | uint64(word[6])<<48 | uint64(word[7])<<56
		quote, backslash := x^eachByte*'"', x^eachByte*'\\'
		// Each term has the highest bit of a byte that it looks for, and of none before the first.
		if (x|(x-eachByte*' ')|(quote-eachByte)|(backslash-eachByte))&(eachByte*0x80) != 0 {
			break
		}
		at += 8
	}
	for at < len(s) && ' ' <= s[at] && s[at] < utf8.RuneSelf && s[at] != '"' && s[at] != '\\' {
		at++
	}
	return at
}

const eachByte = 0x0101010101010101

// unescape returns the text of what stands between two quotes, whose escapes are in order.
func (d *Document) unescape(s string) string {
	start := len(d.scratch)
	b := d.scratch
	for s != "" {
		run := strings.IndexByte(s, '\\')
		if run < 0 {
			run = len(s)
		}
		if utf8.ValidString(s[:run]) {
			b = append(b, s[:run]...)
		} else {
			b = appendValid(b, s[:run])
		}
		if s = s[run:]; s == "" {
			break
		}
		switch c := s[1]; c {
		case 'u':
			var r rune
			r, s = escapedRune(s)
			b = utf8.AppendRune(b, r)
			continue
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		default:
			b = append(b, c)
		}
		s = s[2:]
	}
	d.scratch = b
	return unsafe.String(unsafe.SliceData(b[start:]), len(b)-start)
}

// appendValid puts U+FFFD in the place of each byte that is not UTF-8.
func appendValid(b []byte, s string) []byte {
	for _, r := range s {
		b = utf8.AppendRune(b, r)
	}
	return b
}

// escapedRune returns the character of an escape \u, or of two that are one character, and what is
// behind. Half a pair is U+FFFD.
func escapedRune(s string) (rune, string) {
	r := hexRune(s[2:6])
	s = s[6:]
	if !utf16.IsSurrogate(r) {
		return r, s
	}
	if len(s) >= 6 && s[0] == '\\' && s[1] == 'u' {
		if pair := utf16.DecodeRune(r, hexRune(s[2:6])); pair != utf8.RuneError {
			return pair, s[6:]
		}
	}
	return utf8.RuneError, s
}

func hexRune(digits string) (r rune) {
	for i := range len(digits) {
		c := rune(digits[i] | 0x20)
		if r <<= 4; c <= '9' {
			r |= c - '0'
		} else {
			r |= c - 'a' + 10
		}
	}
	return r
}
