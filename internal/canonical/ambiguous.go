package canonical

import (
	"strconv"
	"strings"
)

// isAmbiguous reports whether a parser of YAML 1.1 or 1.2 could take plain s for a null, bool,
// number, time or merge key.
func isAmbiguous(s string) bool {
	if s == "" {
		return true
	}
	switch c := s[0]; {
	case c == '+' || c == '-' || c == '.' || isDigit(c):
		return isNumber(s) || isOtherNumber(s) || isTime(s) || isRead(s)
	case c == '~' || c == '=' || c == '<' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z':
		return isWord(s)
	}
	return false
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isWord(s string) bool {
	switch len(s) {
	case 1:
		return s == "~" || s == "=" || s[0]|0x20 == 'y' || s[0]|0x20 == 'n'
	case 2:
		return s == "<<" || isFold(s, "no") || isFold(s, "on")
	case 3:
		return isFold(s, "yes") || isFold(s, "off")
	case 4:
		return isFold(s, "null") || isFold(s, "true")
	case 5:
		return isFold(s, "false")
	}
	return false
}

// isFold reports whether s is the word, whatever the case of its letters. They are as many.
func isFold(s, word string) bool {
	for i := range len(word) {
		if s[i]|0x20 != word[i] {
			return false
		}
	}
	return true
}

// skip returns the number of bytes of s, from i on, that are in set.
func skip(s string, i int, set string) int {
	start := i
	for i < len(s) && strings.IndexByte(set, s[i]) >= 0 {
		i++
	}
	return i - start
}

const (
	decimal     = "0123456789"
	hexadecimal = "0123456789abcdefABCDEF_"
)

// isNumber reports whether s could be decimal, an integer of base 60 or a float, with whatever
// separators. It is not if it has several points and no colon, as a version has.
func isNumber(s string) bool {
	i := skip(s[:1], 0, "+-")
	i += skip(s, i, "._")
	if i == len(s) || !isDigit(s[i]) {
		return false
	}
	i += skip(s, i, decimal+"_,.:")
	if i < len(s) {
		if s[i]|0x20 != 'e' {
			return false
		}
		if i++; i < len(s) && (s[i] == '+' || s[i] == '-') {
			i++
		}
		if digits := skip(s, i, decimal); digits == 0 || i+digits < len(s) {
			return false
		}
	}
	return strings.Count(s, ".") < 2 || strings.Contains(s, ":")
}

// isOtherNumber reports whether s could be hexadecimal, octal or binary, or no finite number.
func isOtherNumber(s string) bool {
	s = s[skip(s[:1], 0, "+-"):]
	if len(s) < 3 {
		return false
	}
	switch s[0] {
	case '0':
		switch s[1] | 0x20 {
		case 'x':
			return skip(s, 2, hexadecimal) == len(s)-2
		case 'b', 'o':
			return skip(s, 2, decimal+"_") == len(s)-2
		}
	case '.':
		return len(s) == 4 && (isFold(s[1:], "inf") || isFold(s[1:], "nan"))
	}
	return false
}

// isTime reports whether s could be a day, or a time of one.
func isTime(s string) bool {
	if skip(s, 0, decimal) != 4 {
		return false
	}
	i := 4
	for range 2 {
		if i == len(s) || s[i] != '-' {
			return false
		}
		i++
		digits := skip(s, i, decimal)
		if digits != 1 && digits != 2 {
			return false
		}
		i += digits
	}
	return i == len(s) || strings.IndexByte("tT \t\n\f\r", s[i]) >= 0 && !strings.Contains(s[i+1:], "\n")
}

// isRead reports whether go.yaml.in/yaml/v3 reads s as a number although neither version of YAML
// has it for one: it drops every underscore unless a point is first, and allows a sign within.
func isRead(s string) bool {
	underscore := strings.IndexByte(s, '_') >= 0
	if !underscore && !strings.HasPrefix(s, "0b") && !strings.HasPrefix(s, "0o") {
		return false
	}
	if s[0] == '.' { // as Go reads it, which allows underscores between digits alone
		_, err := strconv.ParseFloat(s, 64)
		return err == nil
	}
	s = strings.ReplaceAll(s, "_", "")
	if isInteger(s, 0) {
		return true
	}
	if isNumber(s) && !strings.ContainsAny(s, ",:") {
		_, err := strconv.ParseFloat(s, 64)
		return err == nil
	}
	sign := ""
	if rest, ok := strings.CutPrefix(s, "-"); ok {
		sign, s = "-", rest
	}
	if digits, ok := strings.CutPrefix(s, "0b"); ok {
		return isInteger(sign+digits, 2)
	}
	if digits, ok := strings.CutPrefix(s, "0o"); ok {
		return isInteger(sign+digits, 8)
	}
	return false
}

func isInteger(s string, base int) bool {
	if _, err := strconv.ParseInt(s, base, 64); err == nil {
		return true
	}
	_, err := strconv.ParseUint(s, base, 64)
	return err == nil
}
