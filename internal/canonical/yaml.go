package canonical

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	indentation = 2
	// maxKey is the number of bytes up to which a key stands before its colon in one line. What is
	// longer is an explicit key, as YAML requires from 1,024 characters on.
	maxKey = 128
	// maxYAML bounds what an object becomes. Indentation makes lists in lists grow by the square of
	// their depth, so that an object that an API server accepts could fill a memory.
	maxYAML = 64 << 20
)

var errTooLarge = fmt.Errorf("the object's YAML has more than %d MiB", maxYAML>>20)

// AppendYAML appends the object as canonical YAML: one document in block style, two spaces of
// indentation, lists not indented, keys in byte order, a line break at the end. The errors are
// those of values that JSON does not have, of text that is not UTF-8, which only Load finds, and of
// an object whose YAML has more than 64 MiB. None of them quotes a value.
func (d *Document) AppendYAML(dst []byte) ([]byte, error) {
	if d.Root() == 0 {
		return dst, errors.New("there is no object to write")
	}
	w := writer{d: d, b: dst, start: len(dst)}
	if d.first(root) == 0 {
		return append(dst, "{}\n"...), nil
	}
	w.mapping(root, 0, 0)
	w.endLine()
	if w.err != nil {
		return dst, w.err
	}
	return w.b, nil
}

// writer appends the YAML of d to b. Its methods write what stands at an indentation. That of the
// lines of folded text is another one below an explicit key: a list is indented there, the text in
// it is not.
type writer struct {
	d     *Document
	b     []byte
	start int
	err   error // the first one; what is behind it does not count
}

func (w *writer) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// endLine ends the line, unless a block of text has done so.
func (w *writer) endLine() {
	if w.b[len(w.b)-1] != '\n' {
		w.b = append(w.b, '\n')
	}
}

// line begins a new line. After an error lines have no indentation, so that they end soon.
func (w *writer) line(indent int) {
	w.endLine()
	if len(w.b)-w.start > maxYAML {
		w.fail(errTooLarge)
	}
	if w.err == nil {
		w.spaces(indent)
	}
}

const blanks = "                                                                "

func (w *writer) spaces(n int) {
	for ; n > len(blanks); n -= len(blanks) {
		w.b = append(w.b, blanks...)
	}
	w.b = append(w.b, blanks[:n]...)
}

// mapping writes the members of a map that has some, the first of them in the line that was begun.
func (w *writer) mapping(n Node, indent, folded int) {
	first := true
	for c := w.d.first(n); c != 0 && w.err == nil; c = w.d.after(c) {
		if !first {
			w.line(indent)
		}
		first = false
		key := w.d.nodes[c].key
		if s := analyze(key); len(key) <= maxKey && !s.breaks {
			w.key(key, s, indent)
			w.b = append(w.b, ':')
			w.value(c, indent, folded)
		} else {
			w.b = append(w.b, '?', ' ')
			w.key(key, s, indent)
			w.line(indent)
			w.b = append(w.b, ':')
			w.explicit(c, indent, folded)
		}
	}
}

// value writes the value of a key in the same line, or a map or list in lines of their own.
func (w *writer) value(c Node, indent, folded int) {
	switch w.d.Kind(c) {
	case Map:
		if w.d.first(c) == 0 {
			w.b = append(w.b, " {}"...)
			return
		}
		w.line(indent + indentation)
		w.mapping(c, indent+indentation, folded+indentation)
	case List:
		if w.d.first(c) == 0 {
			w.b = append(w.b, " []"...)
			return
		}
		w.line(indent)
		w.sequence(c, indent, folded)
	default:
		w.b = append(w.b, ' ')
		w.scalar(c, indent+indentation, folded+indentation)
	}
}

// explicit writes the value of an explicit key.
func (w *writer) explicit(c Node, indent, folded int) {
	w.b = append(w.b, ' ')
	if w.d.Kind(c) == List && w.d.first(c) != 0 {
		w.sequence(c, indent+indentation, folded)
		return
	}
	w.inline(c, indent+indentation, folded+indentation)
}

// sequence writes the elements of a list that has some, the first of them in the line that was
// begun.
func (w *writer) sequence(n Node, indent, folded int) {
	first := true
	for c := w.d.first(n); c != 0 && w.err == nil; c = w.d.after(c) {
		if !first {
			w.line(indent)
		}
		first = false
		w.b = append(w.b, '-', ' ')
		w.inline(c, indent+indentation, folded+indentation)
	}
}

// inline writes a value whose first line is the one that was begun.
func (w *writer) inline(c Node, indent, folded int) {
	switch kind := w.d.Kind(c); {
	case kind != Map && kind != List:
		w.scalar(c, indent, folded)
	case w.d.first(c) == 0 && kind == Map:
		w.b = append(w.b, "{}"...)
	case w.d.first(c) == 0:
		w.b = append(w.b, "[]"...)
	case kind == Map:
		w.mapping(c, indent, folded)
	default:
		w.sequence(c, indent, folded)
	}
}

// scalar writes a value whose own lines begin at an indentation.
func (w *writer) scalar(c Node, indent, folded int) {
	n := &w.d.nodes[c]
	switch n.kind {
	case String:
		w.text(n.text, indent, folded)
	case Number:
		w.b = appendNumber(w.b, n.text)
	case True:
		w.b = append(w.b, "true"...)
	case False:
		w.b = append(w.b, "false"...)
	case Null:
		w.b = append(w.b, "null"...)
	default:
		switch v := w.d.foreign[n.child].(type) {
		case float64:
			w.fail(errors.New("a number is not finite"))
		default:
			w.fail(fmt.Errorf("a value has the type %T, which JSON does not know", v))
		}
	}
}

// appendNumber appends a number as JSON has it. A float without a fraction is an integer; any other
// is one for YAML 1.1 too, whose exponents need a point and a sign.
func appendNumber(b []byte, digits string) []byte {
	if len(digits) < len("9223372036854775807") && !strings.ContainsAny(digits, ".eE") && digits != "-0" {
		return append(b, digits...)
	}
	whole, f, isWhole := number(digits)
	if isWhole {
		return strconv.AppendInt(b, whole, 10)
	}
	if f == 0 {
		return append(b, '0') // of -0, too
	}
	if size := math.Abs(f); 1e-6 <= size && size < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	start := len(b)
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	mantissa, exponent, _ := strings.Cut(string(b[start:]), "e")
	if strings.Contains(mantissa, ".") {
		return b
	}
	b = append(b[:start], mantissa...)
	b = append(b, ".0e"...)
	return append(b, exponent...)
}
