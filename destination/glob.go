package destination

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// The grammar of path.Match, with "**" besides: what a bracket may list, and
// what a pattern is a sequence of.
const (
	bracketCharacter = `(?:\\.|[^\\\-\]])`
	bracketRange     = `(?:` + bracketCharacter + `(?:-` + bracketCharacter + `)?)`
	// A "^" in front always negates: it never begins a range, as in "[^-0]".
	bracketList = `(?:\^` + bracketRange + `+|(?:\\.|[^\\\-\]^])(?:-` + bracketCharacter + `)?` + bracketRange + `*)`
	globElement = `(?s)^(?:\*+|\?|\[` + bracketList + `\]|\\.|[^*?[\\])`
)

var (
	globElements      = regexp.MustCompile(globElement)
	bracketCharacters = regexp.MustCompile(`(?s)` + bracketCharacter)
)

// compileGlob compiles a glob to an expression that matches whole branches: the
// syntax of path.Match, and "**" for any characters including "/". Matching
// takes time linear in the branch, whatever the glob.
func compileGlob(glob string) (*regexp.Regexp, error) {
	if glob == "" {
		return nil, invalid("the glob is empty: to allow every branch, give no globs at all")
	}
	if !utf8.ValidString(glob) {
		return nil, invalid("the glob is not UTF-8")
	}
	var expression strings.Builder
	for rest := glob; rest != ""; {
		element := globElements.FindString(rest)
		if element == "" {
			return nil, invalid(`the glob is malformed at %q: put a backslash before a character that stands for itself`, rest)
		}
		expression.WriteString(translateElement(element))
		rest = rest[len(element):]
	}
	compiled, err := regexp.Compile(`(?s)\A` + expression.String() + `\z`)
	if err != nil {
		return nil, invalid("the glob has a range in brackets that runs backwards")
	}
	return compiled, nil
}

func translateElement(element string) string {
	switch {
	case element == "*":
		return `[^/]*`
	case element == "?":
		return `[^/]`
	case element[0] == '*':
		return `.*`
	case element[0] == '[':
		list, negated := strings.CutPrefix(element[1:len(element)-1], "^")
		list = bracketCharacters.ReplaceAllStringFunc(list, escapeRune)
		if negated {
			return "[^" + list + "]"
		}
		return "[" + list + "]"
	}
	return escapeRune(element)
}

// escapeRune returns the expression for a character, which may follow a
// backslash.
func escapeRune(character string) string {
	r, _ := utf8.DecodeLastRuneInString(character)
	return fmt.Sprintf(`\x{%x}`, r)
}
