// Package quote shows names that others chose in lines that people and programs read.
package quote

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name returns name as it may stand in a log, an error or a commit message. Letters, digits and
// "-._:" stay, each byte of anything else becomes %XX, and no two names look the same.
//
// Kubernetes lets RBAC objects have any name without "/" and "%". Written as it is, a line break in
// it could begin a trailer of a commit, "[skip ci]" would stop the pipeline of a branch, "@team"
// and "#1" would call people and close issues, and an escape sequence would reach a terminal.
func Name(name string) string {
	if !strings.ContainsFunc(name, isUnsafe) {
		return name
	}
	const digits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(name); {
		r, size := utf8.DecodeRuneInString(name[i:])
		for ; size > 0; size-- {
			if isUnsafe(r) {
				b.Write([]byte{'%', digits[name[i]>>4], digits[name[i]&15]})
			} else {
				b.WriteByte(name[i])
			}
			i++
		}
	}
	return b.String()
}

// Path is Name for each component of a path.
func Path(path string) string {
	components := strings.Split(path, "/")
	for i, c := range components {
		components[i] = Name(c)
	}
	return strings.Join(components, "/")
}

func isUnsafe(r rune) bool {
	return r == utf8.RuneError || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-._:", r)
}
