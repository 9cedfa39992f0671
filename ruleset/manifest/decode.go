package manifest

import (
	"encoding/base64"
	"fmt"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
)

// object is a document while it is read. What stays of it is where its fields are.
type object struct {
	position   Position
	kind       string
	apiVersion string // that of the kind
	ref        types.NamespacedName
	node       *yaml.Node     // nil once it has been read
	lines      map[string]int // by the path of a field
	faults     []*Error
}

func (o *object) id() id { return id{o.kind, o.ref} }

// at returns where a field is, or the one around it if it is absent.
func (o *object) at(path string) Position {
	for path != "" {
		if line, ok := o.lines[path]; ok {
			return Position{o.position.File, line}
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return o.position
}

func (o *object) fault(path, format string, args ...any) {
	o.faultAt(o.at(path).Line, path, format, args...)
}

func (o *object) faultAt(line int, path, format string, args ...any) {
	p := Position{o.position.File, line}
	o.faults = append(o.faults, &Error{Position: p, Field: path, Message: fmt.Sprintf(format, args...)})
}

// badValue is a fault that shows the value, except where people put credentials, be it by mistake.
func (o *object) badValue(path string, n *yaml.Node, what string) {
	if o.kind == kindSecret || strings.HasPrefix(path, "spec.secretRef") {
		o.fault(path, "%s", what)
		return
	}
	o.fault(path, "%s (%q)", what, n.Value)
}

// wrongType is a fault that does not show the value: it may be a credential in the wrong place.
func (o *object) wrongType(path string, n *yaml.Node, wanted string) {
	if n.Kind == yaml.AliasNode {
		o.fault(path, "YAML aliases are not supported, write the value here")
		return
	}
	o.fault(path, "must be %s, not %s", wanted, typeOf(n))
}

func typeOf(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "an object"
	case yaml.SequenceNode:
		return "a list"
	}
	switch n.ShortTag() {
	case "!!str", "!!timestamp":
		return "a string"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "a boolean"
	case "!!null":
		return "null"
	}
	return "a value with a YAML tag"
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// decode reads a value into the variable that it was made for. What is wrong with the value becomes
// a fault of o.
type decode func(o *object, path string, n *yaml.Node)

// fields says how the fields of a mapping are read.
type fields map[string]decode

// mapping reads the known fields of a mapping. Others are faults, and so is the absence of a
// required one.
func mapping(known fields, required ...string) decode {
	return func(o *object, path string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			o.wrongType(path, n, "an object")
			return
		}
		present := make(map[string]bool)
		for key, value := range o.entries(path, n) {
			present[key] = !isNull(value)
			read, ok := known[key]
			switch {
			case !ok:
				o.fault(field(path, key), "unknown field, use one of %s", strings.Join(slices.Sorted(maps.Keys(known)), ", "))
			case present[key]:
				read(o, field(path, key), value)
			}
		}
		for _, key := range required {
			if !present[key] {
				o.fault(field(path, key), "is required")
			}
		}
	}
}

// entries yields each key of a mapping once, with its value, and notes its line.
func (o *object) entries(path string, n *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if key.Kind != yaml.ScalarNode {
				o.faultAt(key.Line, path, "the name of a field must be a string, not %s", typeOf(key))
				continue
			}
			p := field(path, key.Value)
			if first, ok := o.lines[p]; ok {
				o.faultAt(key.Line, p, "is here a second time, first on line %d", first)
				continue
			}
			o.lines[p] = key.Line
			if !yield(key.Value, n.Content[i+1]) {
				return
			}
		}
	}
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// field returns the path of a field of what is at path.
func field(path, key string) string {
	switch {
	case !plainKey.MatchString(key):
		return fmt.Sprintf("%s[%q]", path, key)
	case path == "":
		return key
	}
	return path + "." + key
}

// sequence reads a list.
func sequence[T any](to *[]T, item func(*T) decode) decode {
	return func(o *object, path string, n *yaml.Node) {
		if n.Kind != yaml.SequenceNode {
			o.wrongType(path, n, "a list")
			return
		}
		*to = make([]T, len(n.Content))
		for i, value := range n.Content {
			p := fmt.Sprintf("%s[%d]", path, i)
			o.lines[p] = value.Line
			item(&(*to)[i])(o, p, value)
		}
	}
}

// dictionary reads a mapping whose fields are not known beforehand.
func dictionary[T any](to *map[string]T, value func(*T) decode) decode {
	return func(o *object, path string, n *yaml.Node) {
		if n.Kind != yaml.MappingNode {
			o.wrongType(path, n, "an object")
			return
		}
		*to = make(map[string]T, len(n.Content)/2)
		for key, entry := range o.entries(path, n) {
			var v T
			value(&v)(o, field(path, key), entry)
			(*to)[key] = v
		}
	}
}

// optional makes the variable that a value is read into, which stays nil if there is none.
func optional[T any](to **T, read func(*T) decode) decode {
	return func(o *object, path string, n *yaml.Node) {
		*to = new(T)
		read(*to)(o, path, n)
	}
}

// text reads a string.
func text[T ~string](to *T) decode {
	return func(o *object, path string, n *yaml.Node) {
		switch {
		case n.Kind == yaml.ScalarNode && typeOf(n) == "a string":
			*to = T(n.Value)
		case n.Kind == yaml.ScalarNode && !isNull(n):
			o.badValue(path, n, fmt.Sprintf("must be a string, not %s: put it in quotes", typeOf(n)))
		default:
			o.wrongType(path, n, "a string")
		}
	}
}

var arrowNote = regexp.MustCompile(`\s+←.*$`)

// branch reads a string and cuts off a note behind an arrow. No branch has a space in it, so the
// note is no part of it.
func branch(to *string) decode {
	return func(o *object, path string, n *yaml.Node) {
		text(to)(o, path, n)
		if n.Style == 0 { // neither quoted nor a block
			*to = arrowNote.ReplaceAllString(*to, "")
		}
	}
}

// oneOf reads one of several strings.
func oneOf[T ~string](accepted ...T) func(*T) decode {
	return checked(func(s T) string {
		if slices.Contains(accepted, s) {
			return ""
		}
		return fmt.Sprintf("must be one of %q", accepted)
	})
}

// checked reads a string that check has no complaint about.
func checked[T ~string](check func(T) string) func(*T) decode {
	return func(to *T) decode {
		return func(o *object, path string, n *yaml.Node) {
			var s T
			before := len(o.faults)
			text(&s)(o, path, n)
			if len(o.faults) > before {
				return
			}
			if complaint := check(s); complaint != "" {
				o.badValue(path, n, complaint)
				return
			}
			*to = s
		}
	}
}

var (
	objectName = checked(func(s string) string {
		if len(validation.IsDNS1123Subdomain(s)) > 0 {
			return "must be a name as in Kubernetes: lower-case letters, digits, - and ., with a letter or digit at both ends"
		}
		return ""
	})
	namespaceName = checked(func(s string) string {
		if len(validation.IsDNS1123Label(s)) > 0 {
			return "must be a namespace as in Kubernetes: lower-case letters, digits and -, with a letter or digit at both ends"
		}
		return ""
	})
)

func boolean(to *bool) decode {
	return func(o *object, path string, n *yaml.Node) {
		value, err := strconv.ParseBool(n.Value)
		if n.Kind != yaml.ScalarNode || n.ShortTag() != "!!bool" || err != nil {
			o.wrongType(path, n, "true or false")
			return
		}
		*to = value
	}
}

// integer reads a number that ok accepts; wanted says which these are.
func integer(to *int, wanted string, ok func(int) bool) decode {
	return func(o *object, path string, n *yaml.Node) {
		i, err := strconv.Atoi(n.Value)
		switch {
		case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!int" && n.ShortTag() != "!!float":
			o.wrongType(path, n, wanted)
		case err != nil || !ok(i):
			o.badValue(path, n, "must be "+wanted)
		default:
			*to = i
		}
	}
}

// positiveDuration reads a time.Duration.
func positiveDuration(to *time.Duration) decode {
	return func(o *object, path string, n *yaml.Node) {
		var s string
		checked(func(s string) string {
			if d, err := time.ParseDuration(s); err != nil || d <= 0 {
				return `must be a duration of more than 0, like "10s" or "1m30s"`
			}
			return ""
		})(&s)(o, path, n)
		*to, _ = time.ParseDuration(s) // 0 after a fault
	}
}

// secretData reads what is in base64, as the data of a Secret.
func secretData(to *[]byte) decode {
	return func(o *object, path string, n *yaml.Node) {
		var s string
		text(&s)(o, path, n)
		data, err := base64.StdEncoding.DecodeString(s)
		if err != nil {
			o.fault(path, "must be base64; use stringData for plain text")
		}
		*to = data
	}
}
