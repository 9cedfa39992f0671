package event

import (
	"errors"
	"fmt"
	"strings"
)

// AnyStep is the step of a JSON pointer that stands for every key of an object and every item of a
// list.
const AnyStep = "*"

// maxSteps bounds the steps of a pointer. No field of Kubernetes lies as deep.
const maxSteps = 64

// ParsePointer returns the steps of a JSON pointer (RFC 6901), in which the step "*" stands for
// every key and every item; ~1 is a slash and ~0 a tilde. The pointer to the whole document and one
// with an empty step are errors, and so is "-", behind the last item of a list.
func ParsePointer(pointer string) ([]string, error) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, errors.New(`a JSON pointer begins with a slash, "/spec/replicas"`)
	}
	steps := strings.Split(pointer[1:], "/")
	if len(steps) > maxSteps {
		return nil, fmt.Errorf("a JSON pointer has at most %d steps", maxSteps)
	}
	for i, step := range steps {
		switch {
		case step == "":
			return nil, errors.New("a step of the JSON pointer is empty; write the name of a field, or * for all")
		case step == "-":
			return nil, errors.New(`"-" points behind the last item of a list, where nothing is`)
		case strings.HasSuffix(step, "~") || strings.Count(step, "~") != strings.Count(step, "~0")+strings.Count(step, "~1"):
			return nil, errors.New("a tilde is written ~0 in a JSON pointer, and a slash in a name ~1")
		}
		steps[i] = strings.ReplaceAll(strings.ReplaceAll(step, "~1", "/"), "~0", "~")
	}
	return steps, nil
}

// FormatPointer returns the JSON pointer of some steps, as ParsePointer reads it.
func FormatPointer(steps []string) string {
	var b strings.Builder
	for _, step := range steps {
		b.WriteByte('/')
		b.WriteString(strings.ReplaceAll(strings.ReplaceAll(step, "~", "~0"), "/", "~1"))
	}
	return b.String()
}

// identity are the fields by which a file is told to be of its object. Nothing takes them out of
// it, and nothing encrypts them.
var identity = [][]string{{"apiVersion"}, {"kind"}, {"metadata", "name"}, {"metadata", "namespace"}}

// checkIdentity returns an error for a pointer to the identity of an object, or to what it lies in.
func checkIdentity(steps []string) error {
	for _, field := range identity {
		if meets(steps, field) {
			return fmt.Errorf("%s must stay: without it nobody could tell what the file is of; name the fields that you mean", FormatPointer(field))
		}
	}
	return nil
}

// meets reports whether a pattern selects a field, or something around or in it.
func meets(pattern, field []string) bool {
	for i := range min(len(pattern), len(field)) {
		if pattern[i] != AnyStep && pattern[i] != field[i] {
			return false
		}
	}
	return true
}
