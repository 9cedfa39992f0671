package event

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/opaque"
)

// Plaintext is what an Encryptor encrypts. Its contents show in no log and no error, however it is
// printed.
type Plaintext struct {
	Destination destination.Destination
	Resource    Resource
	// Path is that of the file from the root of the repository, with slashes.
	Path string
	// Content is the canonical YAML of the object.
	Content []byte
	// Fields are JSON pointers (RFC 6901) to what must not be stored in plain. Without any, that
	// is data and stringData of a Secret, and of any other object all but apiVersion, kind and
	// metadata.
	Fields []string
	// Stored is the file as it stands; nil if there is none.
	Stored []byte
}

// String names the object and where it goes.
func (p Plaintext) String() string {
	return fmt.Sprintf("%s for %s", p.Resource.ID, p.Destination.Ref)
}

// GoString is String, so that not even %#v shows the contents.
func (p Plaintext) GoString() string { return p.String() }

// MarshalLog implements logr.Marshaler with String.
func (p Plaintext) MarshalLog() any { return p.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (p Plaintext) Format(f fmt.State, verb rune) { opaque.Format(f, verb, p.String()) }

// LogValue implements slog.LogValuer with String.
func (p Plaintext) LogValue() slog.Value { return opaque.LogValue(p.String()) }

// MarshalJSON implements json.Marshaler with String.
func (p Plaintext) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(p.String()) }

// In returns the Fields of a Plaintext with this content: pointers with "*" as those that the
// object has. Nil, for all but apiVersion, kind and metadata, if there are none or if the content
// is no object: what is not understood is encrypted as a whole.
func (s *Sensitive) In(content []byte) (pointers []string) {
	if len(s.Fields) == 0 {
		return nil
	}
	object := parsed(content)
	if object == nil {
		return nil
	}
	for _, pointer := range s.Fields {
		steps, err := ParsePointer(pointer)
		if err != nil {
			return nil
		}
		if !slices.Contains(steps, AnyStep) {
			pointers = append(pointers, pointer)
			continue
		}
		for _, found := range fieldsAt(object, steps, nil) {
			pointers = append(pointers, FormatPointer(found))
		}
	}
	slices.Sort(pointers)
	return slices.Compact(pointers)
}

// parsed returns a YAML document; nil if it is no object.
func parsed(content []byte) map[string]any {
	var object map[string]any
	if yaml.Unmarshal(content, &object) != nil {
		return nil
	}
	return object
}

// fieldsAt returns the paths of the fields that a pattern selects.
func fieldsAt(v any, pattern, path []string) (found [][]string) {
	if len(pattern) == 0 {
		return [][]string{slices.Clone(path)}
	}
	for step, child := range children(v) {
		if pattern[0] == AnyStep || pattern[0] == step {
			found = append(found, fieldsAt(child, pattern[1:], append(path, step))...)
		}
	}
	return found
}

// children yields what an object or a list has, by the steps of a pointer.
func children(v any) func(yield func(string, any) bool) {
	return func(yield func(string, any) bool) {
		switch v := v.(type) {
		case map[string]any:
			for key, child := range v {
				if !yield(key, child) {
					return
				}
			}
		case []any:
			for i, child := range v {
				if !yield(strconv.Itoa(i), child) {
					return
				}
			}
		}
	}
}

// shortest is the length, in bytes, from which on a text is looked for anywhere in a result. What
// is shorter is in ciphertext, or in what an Encryptor writes beside it, by chance.
const shortest = 12

// Leaks reports whether what is to be stored has the plain value of a field that must not be, and
// returns the pointer to the first. It looks at the fields themselves, if the result is YAML, and
// for lines of their text of twelve bytes or more anywhere in it, in base64 and without. What
// stands in the plain part of the object as well is no leak.
func (p *Plaintext) Leaks(stored []byte) (pointer string, leaks bool) {
	object := parsed(p.Content)
	if object == nil {
		return "", false
	}
	l := leakSearch{stored: stored, result: parsed(stored), public: map[string]bool{}}
	l.look(object, nil, p.hides())
	slices.SortFunc(l.hidden, func(a, b hiddenText) int { return slices.Compare(a.path, b.path) })
	for _, h := range l.hidden {
		if l.shows(h) {
			return FormatPointer(h.path), true
		}
	}
	return "", false
}

// hides returns the paths of what must not be stored in plain.
func (p *Plaintext) hides() func(path []string) bool {
	var fields [][]string
	for _, pointer := range p.Fields {
		if steps, err := ParsePointer(pointer); err == nil {
			fields = append(fields, steps)
		}
	}
	switch {
	case len(fields) > 0:
		return func(path []string) bool {
			return slices.ContainsFunc(fields, func(f []string) bool { return slices.Equal(f, path) })
		}
	case IsSecret(p.Resource.ID) || IsSecretKind(p.Resource):
		return func(path []string) bool { return len(path) == 1 && (path[0] == "data" || path[0] == "stringData") }
	}
	return func(path []string) bool {
		return len(path) == 1 && path[0] != "apiVersion" && path[0] != "kind" && path[0] != "metadata"
	}
}

// leakSearch is a search for what is hidden in what is to be stored.
type leakSearch struct {
	stored []byte
	result map[string]any  // the same, if it is YAML
	public map[string]bool // keys, and texts of what is not hidden
	hidden []hiddenText
}

// hiddenText is a value that must not be stored in plain, as text.
type hiddenText struct {
	path []string
	text string
}

// look sorts keys and values into what is public and what is hidden.
func (l *leakSearch) look(v any, path []string, hides func([]string) bool) {
	hidden := len(path) > 0 && hides(path)
	if hidden {
		hides = func([]string) bool { return true }
	}
	list, scalar := true, true
	switch v.(type) {
	case map[string]any:
		list, scalar = false, false
	case []any:
		scalar = false
	}
	for step, child := range children(v) {
		if !list {
			l.public[step] = true
		}
		l.look(child, append(path, step), hides)
	}
	switch text := fmt.Sprint(v); {
	case !scalar || v == nil || text == "":
	case hidden:
		l.hidden = append(l.hidden, hiddenText{slices.Clone(path), text})
	default:
		for line := range strings.Lines(text) {
			l.public[strings.TrimSpace(line)] = true
		}
	}
}

// shows reports whether a hidden value can be read in what is to be stored.
func (l *leakSearch) shows(h hiddenText) bool {
	if now, ok := valueAt(l.result, h.path); ok && fmt.Sprint(now) == h.text {
		return true
	}
	texts := []string{h.text}
	if decoded, err := base64.StdEncoding.DecodeString(h.text); err == nil {
		texts = append(texts, string(decoded))
	}
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if line = strings.TrimSpace(line); len(line) >= shortest && !l.public[line] && bytes.Contains(l.stored, []byte(line)) {
				return true
			}
		}
	}
	return false
}

// valueAt returns what is at a path.
func valueAt(v any, path []string) (any, bool) {
	for _, step := range path {
		switch of := v.(type) {
		case map[string]any:
			child, ok := of[step]
			if !ok {
				return nil, false
			}
			v = child
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i < 0 || i >= len(of) {
				return nil, false
			}
			v = of[i]
		default:
			return nil, false
		}
	}
	return v, true
}
