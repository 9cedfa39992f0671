package sops

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The bounds of a document. An object of the API server has 3 MB at most; each encrypted value adds
// some 120 bytes and 11 of the marks.
const (
	maxBytes = 16 << 20
	maxDepth = 100
	// maxMarks bounds the characters with which a node of YAML can begin: what the parser makes of
	// each takes some 200 bytes.
	maxMarks = 1 << 19
)

// A document is a tree of branches, lists ([]any) and leaves: string, int64, float64, bool, nil.
type (
	// branch is a mapping in the order in which it was written: the MAC depends on it.
	branch []member
	member struct {
		key   string
		value any
	}
)

var (
	errYAML   = errors.New("it is not YAML of one document that is a mapping")
	errTwice  = errors.New("a key stands there twice")
	errAnchor = errors.New("it has anchors, aliases or tags of YAML")
	errKey    = errors.New("a key is not text")
	errScalar = errors.New("a value is of no type that JSON has")
	errNumber = errors.New("a number is too large for SOPS, and is not encrypted")
	errDeep   = errors.New("it is nested too deeply")
	errLarge  = errors.New("it is too large")
)

// parse reads a document. Its errors have nothing of the text in them, unlike those of the parser.
func parse(text []byte) (root *yaml.Node, err error) {
	if len(text) > maxBytes || countMarks(text) > maxMarks {
		return nil, errLarge
	}
	defer func() {
		if recover() != nil { // a parser of what anybody may have written
			root, err = nil, errYAML
		}
	}()
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var doc, second yaml.Node
	if decoder.Decode(&doc) != nil || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errYAML
	}
	if !errors.Is(decoder.Decode(&second), io.EOF) {
		return nil, errYAML
	}
	return doc.Content[0], check(doc.Content[0], maxDepth)
}

func countMarks(text []byte) int {
	n := 0
	for _, c := range text {
		switch c {
		case '\n', ',', ':', '-', '?', '[', '{':
			n++
		}
	}
	return n
}

// check returns an error unless a node is a tree of plain YAML that is not too deep.
func check(n *yaml.Node, depth int) error {
	switch {
	case depth < 0:
		return errDeep
	case n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0 && !isText(n):
		return errAnchor
	}
	for _, below := range n.Content {
		if err := check(below, depth-1); err != nil {
			return err
		}
	}
	return nil
}

// value makes a tree of a node that check has passed.
func value(n *yaml.Node) (any, error) {
	switch n.Kind {
	case yaml.MappingNode:
		return mapping(n)
	case yaml.SequenceNode:
		list := make([]any, len(n.Content))
		for i, item := range n.Content {
			var err error
			if list[i], err = value(item); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return scalar(n)
}

func mapping(n *yaml.Node) (branch, error) {
	b := make(branch, 0, len(n.Content)/2)
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		if key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str" {
			return nil, errKey
		}
		if seen[key.Value] {
			return nil, errTwice
		}
		seen[key.Value] = true
		v, err := value(n.Content[i+1])
		if err != nil {
			return nil, err
		}
		b = append(b, member{key.Value, v})
	}
	return b, nil
}

// scalar reads a leaf as SOPS does, which uses the same parser.
func scalar(n *yaml.Node) (any, error) {
	if isText(n) {
		return n.Value, nil
	}
	var v any
	if n.Decode(&v) != nil {
		return nil, errScalar
	}
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case int:
		return int64(v), nil
	case int64:
		return v, nil
	case uint64:
		return float64(v), nil
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return v, nil
		}
	}
	return nil, errScalar
}

// isText reports whether a node is text. That of "<<" is written by SOPS with the tag of a merge.
func isText(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && (n.ShortTag() == "!!str" || n.ShortTag() == "!!merge")
}

// get returns the value of a key.
func (b branch) get(key string) (any, bool) {
	for _, m := range b {
		if m.key == key {
			return m.value, true
		}
	}
	return nil, false
}

// sorted returns the tree with the keys of each branch in byte order, as event.Encode writes them.
func sorted(v any) any {
	switch v := v.(type) {
	case branch:
		out := make(branch, len(v))
		for i, m := range v {
			out[i] = member{m.key, sorted(m.value)}
		}
		slices.SortFunc(out, func(a, b member) int { return strings.Compare(a.key, b.key) })
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = sorted(v[i])
		}
		return out
	}
	return v
}

// object returns the tree as an object of JSON.
func object(v any) any {
	switch v := v.(type) {
	case branch:
		out := make(map[string]any, len(v))
		for _, m := range v {
			out[m.key] = object(m.value)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = object(v[i])
		}
		return out
	}
	return v
}

// equal reports whether two trees are the same object: the order of keys does not count, nor
// whether a whole number was written as a float.
func equal(a, b any) bool {
	switch a := a.(type) {
	case branch:
		b, ok := b.(branch)
		return ok && equalBranches(a, b)
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	}
	switch b.(type) {
	case branch, []any:
		return false
	}
	return whole(a) == whole(b)
}

func equalBranches(a, b branch) bool {
	if len(a) != len(b) {
		return false
	}
	of := make(map[string]any, len(b))
	for _, m := range b {
		of[m.key] = m.value
	}
	for _, m := range a {
		if other, ok := of[m.key]; !ok || !equal(m.value, other) {
			return false
		}
	}
	return true
}

// whole makes an integer of a float that is one, as far as floats tell integers apart.
func whole(leaf any) any {
	if f, ok := leaf.(float64); ok && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return int64(f)
	}
	return leaf
}

// unreadable reports whether SOPS cannot read a number where it stands in plain: its parser makes
// an integer of another type of it.
func unreadable(leaf any) bool {
	f, ok := leaf.(float64)
	return ok && f >= 1<<63 && f < 1<<64
}
