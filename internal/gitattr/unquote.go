package gitattr

import "strings"

// escapes are the letters of a C string behind a backslash.
var escapes = map[byte]byte{'a': '\a', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', 'v': '\v', '\\': '\\', '"': '"'}

// unquote reads the C string that a line begins with; false if it begins with none.
func unquote(line string) (word, rest string, ok bool) {
	if !strings.HasPrefix(line, `"`) {
		return "", "", false
	}
	var b strings.Builder
	for i := 1; i < len(line); i++ {
		switch c := line[i]; c {
		case '"':
			return b.String(), line[i+1:], true
		case '\\':
			i++
			if i == len(line) {
				return "", "", false
			}
			if e, ok := escapes[line[i]]; ok {
				b.WriteByte(e)
				continue
			}
			n, ok := octal(line[i:])
			if !ok {
				return "", "", false
			}
			b.WriteByte(n)
			i += 2
		default:
			b.WriteByte(c)
		}
	}
	return "", "", false
}

// octal reads three digits, of which the first is 3 at most.
func octal(s string) (n byte, ok bool) {
	if len(s) < 3 || s[0] > '3' {
		return 0, false
	}
	for i := range 3 {
		if s[i] < '0' || s[i] > '7' {
			return 0, false
		}
		n = n<<3 | (s[i] - '0')
	}
	return n, true
}
