package gitattr

import "strings"

// token is a piece of a pattern.
type token struct {
	kind kind
	set  *[256]bool // of the kind one
}

type kind int

const (
	one    kind = iota // one byte of the set
	star               // any number of bytes that are no slash
	deep               // any number of bytes
	never              // nothing: git gives up at a damaged pattern
	folder             // deep, with a slash as its next token; both may be left out
)

// compile reads a pattern, which begins with a wildcard or is empty.
func compile(pattern string) (tokens []token) {
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; c {
		case '*':
			end := i
			for end < len(pattern) && pattern[end] == '*' {
				end++
			}
			kind := star
			after := pattern[end:]
			if end-i > 1 && (i == 0 || pattern[i-1] == '/') {
				switch {
				case strings.HasPrefix(after, "/"):
					kind = folder
				case after == "", strings.HasPrefix(after, `\/`):
					kind = deep
				}
			}
			tokens = append(tokens, token{kind: kind})
			i = end
		case '?':
			tokens = append(tokens, token{set: except('/')})
			i++
		case '[':
			set, n := class(pattern[i:])
			if set == nil {
				return append(tokens, token{kind: never})
			}
			tokens = append(tokens, token{set: set})
			i += n
		default:
			if c == '\\' {
				if i++; i == len(pattern) {
					return append(tokens, token{kind: never})
				}
			}
			set := new([256]bool)
			set[pattern[i]] = true
			tokens = append(tokens, token{set: set})
			i++
		}
	}
	return tokens
}

func except(b byte) *[256]bool {
	set := new([256]bool)
	for i := range set {
		set[i] = byte(i) != b
	}
	return set
}

// class reads "[...]" at the start of a pattern, and returns its bytes and its length; nil if it is
// damaged. A slash is in none.
func class(p string) (*[256]bool, int) {
	var in [256]bool
	at := func(i int) byte { // zero behind the end
		if i < len(p) {
			return p[i]
		}
		return 0
	}
	i := 1
	negated := at(i) == '!' || at(i) == '^'
	if negated {
		i++
	}
	for before, first := byte(0), true; first || at(i) != ']'; first = false {
		c := at(i)
		switch {
		case c == 0:
			return nil, 0
		case c == '\\':
			i++
			if c = at(i); c == 0 {
				return nil, 0
			}
			in[c] = true
			before = c
		case c == '-' && before != 0 && at(i+1) != 0 && at(i+1) != ']':
			i++
			if at(i) == '\\' {
				i++
			}
			if at(i) == 0 {
				return nil, 0
			}
			for b := int(before); b <= int(at(i)); b++ {
				in[b] = true
			}
			before = 0
		case c == '[' && at(i+1) == ':':
			end := strings.IndexByte(p[i+2:], ']')
			if end < 0 {
				return nil, 0
			}
			name, closed := strings.CutSuffix(p[i+2:i+2+end], ":")
			if !closed {
				in['['] = true
				before = '['
				break
			}
			if !addNamed(&in, name) {
				return nil, 0
			}
			i += 2 + end
			before = 0
		default:
			in[c] = true
			before = c
		}
		i++
	}
	for b := range in {
		in[b] = in[b] != negated
	}
	in['/'] = false
	return &in, i + 1
}

// named are the classes of POSIX, as git has them: of ASCII only.
var named = map[string]func(byte) bool{
	"alnum":  func(b byte) bool { return isAlpha(b) || isDigit(b) },
	"alpha":  isAlpha,
	"blank":  func(b byte) bool { return b == ' ' || b == '\t' },
	"cntrl":  func(b byte) bool { return b < ' ' || b == 0x7f },
	"digit":  isDigit,
	"graph":  isGraph,
	"lower":  isLower,
	"print":  func(b byte) bool { return isGraph(b) || b == ' ' },
	"punct":  func(b byte) bool { return isGraph(b) && !isAlpha(b) && !isDigit(b) },
	"space":  func(b byte) bool { return strings.IndexByte(" \t\n\r", b) >= 0 },
	"upper":  func(b byte) bool { return isAlpha(b) && !isLower(b) },
	"xdigit": func(b byte) bool { return isDigit(b) || b|0x20 >= 'a' && b|0x20 <= 'f' },
}

func isLower(b byte) bool { return b >= 'a' && b <= 'z' }
func isAlpha(b byte) bool { return isLower(b | 0x20) }
func isDigit(b byte) bool { return b >= '0' && b <= '9' }
func isGraph(b byte) bool { return b > ' ' && b < 0x7f }

func addNamed(in *[256]bool, name string) bool {
	has, ok := named[name]
	if !ok {
		return false
	}
	for b := range in {
		in[b] = in[b] || has(byte(b))
	}
	return true
}

// match reports whether the tokens are about all of the text. It follows all ways at the same time,
// so its time is bounded by the product of both lengths, whoever wrote the pattern.
func match(tokens []token, text string) bool {
	if len(tokens) == 0 {
		return text == ""
	}
	now, next := make([]bool, len(tokens)+1), make([]bool, len(tokens)+1)
	reach(tokens, now, 0)
	for i := range len(text) {
		clear(next)
		alive := false
		for j, on := range now[:len(tokens)] {
			if !on {
				continue
			}
			switch t := tokens[j]; t.kind {
			case one:
				if t.set[text[i]] {
					reach(tokens, next, j+1)
					alive = true
				}
			case star:
				if text[i] != '/' {
					reach(tokens, next, j)
					alive = true
				}
			case deep, folder:
				// Not by reach: the slash of a folder may be left out only where nothing was taken
				// of it. If it was reached at this byte as well, that was a slash, which the next
				// token has taken here too.
				next[j] = true
				reach(tokens, next, j+1)
				alive = true
			}
		}
		if !alive {
			return false
		}
		now, next = next, now
	}
	return now[len(tokens)]
}

// reach marks a place in the tokens, and those behind it that need no byte.
func reach(tokens []token, places []bool, j int) {
	for !places[j] {
		places[j] = true
		if j == len(tokens) {
			return
		}
		switch tokens[j].kind {
		case folder:
			reach(tokens, places, j+2)
		case star, deep:
		default:
			return
		}
		j++
	}
}
