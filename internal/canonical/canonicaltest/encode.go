package canonicaltest

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Encode returns obj as canonical YAML, as event.Encode does.
func Encode(obj *unstructured.Unstructured) ([]byte, error) {
	if obj == nil {
		return nil, errors.New("canonicaltest: cannot encode a nil object")
	}
	for mark := firstMark; ; mark++ {
		if mark > lastMark {
			mark = 0 // the text has all of them
		}
		if text, ok, err := encode(obj.Object, mark); ok || err != nil {
			return text, err
		}
	}
}

// encode returns false if the mark is of no use, since the object has it. With mark 0 nothing is
// folded.
func encode(obj map[string]any, mark rune) ([]byte, bool, error) {
	e := encoder{mark: mark}
	root, err := e.mapping(obj, 0)
	if err != nil {
		return nil, false, fmt.Errorf("canonicaltest: cannot encode the object: %w", err)
	}
	emitted := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(emitted)
	emitted.Reset()
	emitter := yaml.NewEncoder(emitted)
	emitter.SetIndent(indentation)
	emitter.CompactSeqIndent()
	if err := errors.Join(emitter.Encode(root), emitter.Close()); err != nil {
		// the emitter's words could quote the content
		return nil, false, errors.New("canonicaltest: cannot encode the object as YAML")
	}
	if len(e.folded) == 0 {
		return bytes.Clone(emitted.Bytes()), true, nil
	}
	filled := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(filled)
	filled.Reset()
	if !fill(filled, emitted.Bytes(), mark, e.folded) {
		return nil, false, nil
	}
	return bytes.Clone(filled.Bytes()), true, nil
}

// buffers are written to by Encode. A buffer that grows is up to twice as large as what is in it,
// and content waits in queues in great numbers: what is counted there must be what is held.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

const indentation = 2

// encoder makes the nodes of one document. Each method is given the column at which its value's own
// lines begin.
type encoder struct {
	mark   rune
	folded []foldedText // what stands at each mark, in the order of the document
}

func (e *encoder) node(v any, column int) (*yaml.Node, error) {
	switch v := v.(type) {
	case map[string]any:
		return e.mapping(v, column)
	case []any:
		return e.sequence(v, column)
	case string:
		if !utf8.ValidString(v) {
			return nil, errors.New("a string is not UTF-8")
		}
		if e.mark != 0 && isFolded(v) {
			e.folded = append(e.folded, foldedText{v, column})
			return plain(string(e.mark)), nil
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v, Style: style(v)}, nil
	case nil:
		return plain("null"), nil
	case bool:
		return plain(strconv.FormatBool(v)), nil
	case int:
		return plain(strconv.Itoa(v)), nil
	case int64:
		return plain(strconv.FormatInt(v, 10)), nil
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, errors.New("a number is not finite")
		}
		return plain(formatFloat(v)), nil
	default:
		return nil, fmt.Errorf("a value has the type %T, which JSON does not know", v)
	}
}

func plain(s string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: s} }

func (e *encoder) mapping(m map[string]any, column int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Content: make([]*yaml.Node, 0, 2*len(m))}
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !utf8.ValidString(key) {
			return nil, errors.New("a string is not UTF-8")
		}
		k := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key, Style: style(key)}
		below := column + indentation
		if _, ok := m[key].([]any); ok {
			below = column // a list is not indented
		}
		v, err := e.node(m[key], below)
		if err != nil {
			return nil, err
		}
		n.Content = append(n.Content, k, v)
	}
	return n, nil
}

func (e *encoder) sequence(list []any, column int) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Content: make([]*yaml.Node, len(list))}
	for i, value := range list {
		var err error
		if n.Content[i], err = e.node(value, column+indentation); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// formatFloat writes what JSON writes, and makes a float of it for YAML 1.1 too, whose exponents
// need a point and a sign.
func formatFloat(f float64) string {
	if f == 0 {
		return "0" // of -0, too
	}
	if size := math.Abs(f); 1e-6 <= size && size < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	mantissa, exponent, _ := strings.Cut(strconv.FormatFloat(f, 'e', -1, 64), "e")
	if !strings.Contains(mantissa, ".") {
		mantissa += ".0"
	}
	return mantissa + "e" + exponent
}

// style chooses how text is written. The zero Style leaves it to the emitter: plain, or single
// quotes where the syntax needs them.
func style(s string) yaml.Style {
	switch {
	case strings.ContainsFunc(s, needsEscape), isAmbiguous(s):
		return yaml.DoubleQuotedStyle
	case !strings.Contains(s, "\n"):
		return 0
	case !isBlock(s):
		return yaml.DoubleQuotedStyle
	default:
		return yaml.LiteralStyle
	}
}

// needsEscape is true for what a parser may refuse, drop, or take for the end of a line, and for
// what the emitter escapes although it need not.
func needsEscape(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) ||
		r == '\u2028' || r == '\u2029' || r == '\ufeff' || r == '\ufffe' || r >= '\uffff'
}

// isAmbiguous reports whether a parser of YAML 1.1 or 1.2 could take plain s for a null, bool,
// number, time or merge key.
func isAmbiguous(s string) bool {
	if s == "" {
		return true
	}
	if !strings.ContainsRune("+-.0123456789", rune(s[0])) {
		return len(s) <= len("false") && ambiguousWords[strings.ToLower(s)]
	}
	return ambiguousNumber.MatchString(s) && (strings.Count(s, ".") < 2 || strings.Contains(s, ":")) || ambiguousOther.MatchString(s)
}

var ambiguousWords = map[string]bool{
	"~": true, "null": true, "true": true, "false": true, "yes": true, "no": true, "on": true, "off": true,
	"y": true, "n": true, "=": true, "<<": true,
}

var (
	ambiguousNumber = regexp.MustCompile(`^[-+]?[._]*[0-9][0-9_,.:]*([eE][-+]?[0-9]+)?$`)
	ambiguousOther  = regexp.MustCompile(`^[-+]?(0[xX][0-9a-fA-F_]+|0[bBoO][0-9_]+|\.[iI][nN][fF]|\.[nN][aA][nN])$` +
		`|^[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([tT\s].*)?$`)
)
