package event

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// typeComponent joins resource and group by the first dot of the component: a dot inside resource
// is escaped.
func typeComponent(resource, group string) string {
	s := strings.ReplaceAll(escape(resource), ".", "%2E")
	if group != "" {
		s += "." + escape(group)
	}
	return s
}

// splitType returns what typeComponent joined, if it was not cut to so many bytes.
func splitType(component string, most int) (resource, group string, ok bool) {
	if len(component) > most {
		return "", "", false
	}
	before, after, _ := strings.Cut(component, ".")
	// what is no escape is "", which is written as no other component
	resource, _ = url.PathUnescape(before)
	group, _ = url.PathUnescape(after)
	return resource, group, typeComponent(resource, group) == component
}

// maxComponent is the length of a component of one word, in bytes and without extension.
const maxComponent = 200

const (
	hashBytes  = sha256.Size / 2
	hashDigits = 2 * hashBytes
)

// isName reports whether a name can have been written as component, in whole or cut to so many
// bytes.
func isName(component string, most int) bool {
	head, hash, cut := strings.Cut(component, "~")
	if !cut {
		_, ok := unescape(component, most)
		return ok
	}
	if len(hash) != hashDigits || strings.Trim(hash, "0123456789abcdef") != "" {
		return false
	}
	if len(component) > most || len(component) < most-len("%X") {
		return false
	}
	// something followed, so that a dot at the end of head is not the last
	_, ok := unescape(head+"-", most)
	return ok
}

// shorten cuts an escaped component of more than so many bytes, but never an escape in two. At
// least 36 bytes have to be allowed.
func shorten(component string, most int) string {
	if len(component) <= most {
		return component
	}
	head := component[:most-len("~")-hashDigits]
	if i := strings.LastIndexByte(head, '%'); i > len(head)-len("%XX") {
		head = head[:i]
	}
	sum := sha256.Sum256([]byte(component))
	return head + "~" + hex.EncodeToString(sum[:hashBytes])
}

// escape writes s as a component. Escaped text holds neither "_" nor "~", and no letters in the
// other case.
func escape(s string) string {
	if s == "" {
		return "_" // in no valid event; it keeps paths well-formed all the same
	}
	first := 0
	if isReserved(s) {
		first = 1
	}
	if first == 0 && strings.IndexFunc(s, isEscaped) < 0 && s[0] != '.' && s[len(s)-1] != '.' {
		return s
	}
	const digits = "0123456789ABCDEF"
	escaped := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		c := s[i]
		edge := c == '.' && (i == 0 || i == len(s)-1)
		if i < first || edge || isEscaped(rune(c)) {
			escaped = append(escaped, '%', digits[c>>4], digits[c&15])
		} else {
			escaped = append(escaped, c)
		}
	}
	return string(escaped)
}

// unescape returns the one string that escape writes as component, if there is one and it was not
// cut to so many bytes.
func unescape(component string, most int) (string, bool) {
	if len(component) > most {
		return "", false
	}
	// what is no escape is "", which is written as no other component
	s, _ := url.PathUnescape(component)
	return s, escape(s) == component
}

func isEscaped(c rune) bool {
	return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.')
}

// isReserved reports whether a file of this name plus extension means something to others: Windows
// opens a device whatever follows the first dot, and kustomize takes kustomization.yaml for its
// instructions.
func isReserved(s string) bool {
	if s == "kustomization" {
		return true
	}
	device, _, _ := strings.Cut(s, ".")
	switch len(device) {
	case 3:
		return device == "con" || device == "prn" || device == "aux" || device == "nul"
	case 4:
		port := device[:3]
		return (port == "com" || port == "lpt") && '0' <= device[3] && device[3] <= '9'
	}
	return false
}
