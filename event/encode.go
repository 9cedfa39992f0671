package event

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/internal/canonical"
)

// Encode returns obj as canonical YAML: one document in block style, two spaces of indentation,
// lists not indented, keys in byte order. It looks as kubectl prints it, except that no line is
// broken but where the text has a break.
//
// Text of several lines keeps them apart: it is a literal block, or where it cannot be one (a line
// ends in a blank, as trailing blanks get lost on the way; the first line is empty or begins with
// one; there are control characters or carriage returns) double-quoted with each line break both
// written out and escaped:
//
//	text: "one \n\
//	  two\n"
//
// A YAML 1.1 and a YAML 1.2 parser read the same values back, namely those of the object's JSON: a
// float without a fraction is an integer, text that either version would take for something else is
// quoted, and floats have a point and a signed exponent. Values that JSON does not have (NaN, text
// that is not UTF-8, other Go types) are an error; it names the type and not the value. So are
// objects that are nested deeper than 10,000 maps and lists, and those whose YAML has more than 64
// MiB.
func Encode(obj *unstructured.Unstructured) ([]byte, error) {
	if obj == nil {
		return nil, errors.New("event: cannot encode a nil object")
	}
	return encode(obj, func(*canonical.Document) {})
}

// encode returns the canonical YAML of obj after a change of it.
func encode(obj *unstructured.Unstructured, change func(*canonical.Document)) ([]byte, error) {
	m := memories.Get().(*memory)
	defer m.release()
	if err := m.document.Load(obj.Object); err != nil {
		return nil, fmt.Errorf("event: cannot encode the object: %w", err)
	}
	change(&m.document)
	var err error
	if m.text, err = m.document.AppendYAML(m.text[:0]); err != nil {
		return nil, fmt.Errorf("event: cannot encode the object: %w", err)
	}
	// What has grown is up to twice as large as what is in it, and content waits in queues in great
	// numbers: what is counted there must be what is held.
	return bytes.Clone(m.text), nil
}

// memory is used for one object after the other.
type memory struct {
	document canonical.Document
	text     []byte
}

var memories = sync.Pool{New: func() any { return new(memory) }}

// release gives m back without what it knows of an object.
func (m *memory) release() {
	m.document.Reset()
	if cap(m.text) > 1<<20 {
		m.text = nil
	}
	memories.Put(m)
}
