package canonical

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth is how deep maps and lists may stand in each other. It is the bound of Kubernetes.
const maxDepth = 10_000

var (
	errDepth = fmt.Errorf("the object is nested deeper than %d maps and lists", maxDepth)
	errRange = errors.New("a number is out of the range of a float64")
)

// Parse reads one JSON object, as client-go's dynamic client reads it: of members with one name the
// last counts, what is not UTF-8 becomes U+FFFD, and a number out of range is an error, as is
// nesting deeper than 10,000 maps and lists. Nothing may change data before the next Parse, Load or
// Reset: the document points into it. No error quotes data.
func (d *Document) Parse(data []byte) error {
	inRange, err := d.parse(data)
	if err == nil && !inRange {
		err = errRange
	}
	if err != nil {
		d.Reset()
	}
	return err
}

// parse reports whether all numbers are in range. One that is not stands there as a null.
func (d *Document) parse(data []byte) (inRange bool, err error) {
	d.begin()
	if len(data) > math.MaxInt32 {
		return false, errors.New("an object of more than 2 GiB")
	}
	d.source = view(data)
	d.input = *bytes.NewBuffer(data)
	d.decoder.Reset(&d.input, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	p := parser{d: d, in: &d.decoder, s: d.source, inRange: true}
	if kind := p.in.PeekKind(); kind != '{' {
		if kind == 0 {
			_, err = p.in.ReadToken()
			return false, p.fail(err)
		}
		return false, errors.New("no JSON object: it does not begin with {")
	}
	if _, err = p.value(0); err != nil {
		return false, err
	}
	if _, err = p.in.ReadToken(); err != io.EOF { //nolint:errorlint // the decoder returns it as it is
		return false, errors.New("no JSON object: there is more behind it")
	}
	return p.inRange, nil
}

// view returns b as a string without a copy of it. Nothing may change b as long as it is used.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// parser makes the tokens of the text s the nodes of d.
type parser struct {
	d       *Document
	in      *jsontext.Decoder
	s       string
	inRange bool
}

// fail returns the error for one of the decoder, which could quote names.
func (p *parser) fail(err error) error {
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("no JSON object: a mistake at byte %d", syntax.ByteOffset)
	}
	return errors.New("no JSON object: it ends too early")
}

// value reads a value that stands in depth maps and lists.
func (p *parser) value(depth int) (Node, error) {
	switch kind := p.in.PeekKind(); kind {
	case '{', '[':
		if depth++; depth > maxDepth {
			return 0, errDepth
		}
		if _, err := p.in.ReadToken(); err != nil {
			return 0, p.fail(err)
		}
		if kind == '[' {
			n := p.d.add(List)
			return n, p.elements(n, depth)
		}
		n := p.d.add(Map)
		return n, p.members(n, depth)
	case '"':
		text, err := p.text()
		n := p.d.add(String)
		p.d.nodes[n].text = text
		return n, err
	case '0':
		return p.number()
	default:
		token, err := p.in.ReadToken()
		if err != nil {
			return 0, p.fail(err)
		}
		switch token.Kind() {
		case 'n':
			return p.d.add(Null), nil
		case 't':
			return p.d.add(True), nil
		default:
			return p.d.add(False), nil
		}
	}
}

func (p *parser) members(n Node, depth int) error {
	last, sorted := Node(0), true
	for p.in.PeekKind() == '"' {
		key, err := p.text()
		if err != nil {
			return err
		}
		c, err := p.value(depth)
		if err != nil {
			return err
		}
		nodes := p.d.nodes
		nodes[c].key = key
		if last == 0 {
			nodes[n].child = c
		} else {
			nodes[last].next = c
			sorted = sorted && nodes[last].key < key
		}
		last = c
	}
	if _, err := p.in.ReadToken(); err != nil {
		return p.fail(err)
	}
	if !sorted {
		p.d.link(n)
	}
	return nil
}

func (p *parser) elements(n Node, depth int) error {
	last := Node(0)
	for kind := p.in.PeekKind(); kind != ']' && kind != 0; kind = p.in.PeekKind() {
		c, err := p.value(depth)
		if err != nil {
			return err
		}
		if last == 0 {
			p.d.nodes[n].child = c
		} else {
			p.d.nodes[last].next = c
		}
		last = c
	}
	if _, err := p.in.ReadToken(); err != nil {
		return p.fail(err)
	}
	return nil
}

// read reads a text with its quotes, or a number, and returns where it stands in the source.
func (p *parser) read() (string, error) {
	value, err := p.in.ReadValue()
	if err != nil {
		return "", p.fail(err)
	}
	end := int(p.in.InputOffset())
	return p.s[end-len(value) : end], nil
}

// text reads a text. It stands in the source as it is, or is put into the scratch.
func (p *parser) text() (string, error) {
	quoted, err := p.read()
	if err != nil {
		return "", err
	}
	if strings.IndexByte(quoted, '\\') < 0 && utf8.ValidString(quoted) {
		return quoted[1 : len(quoted)-1], nil
	}
	start := len(p.d.scratch)
	// The error is that of text which is not UTF-8.
	p.d.scratch, _ = jsontext.AppendUnquote(p.d.scratch, quoted)
	return view(p.d.scratch[start:]), nil
}

// shortNumber is the length up to which a number without an exponent is surely in range.
const shortNumber = 300

func (p *parser) number() (Node, error) {
	digits, err := p.read()
	if err != nil {
		return 0, err
	}
	if len(digits) > shortNumber || strings.ContainsAny(digits, "eE") {
		if _, err := strconv.ParseFloat(digits, 64); err != nil {
			p.inRange = false
			return p.d.add(Null), nil
		}
	}
	n := p.d.add(Number)
	p.d.nodes[n].text = digits
	return n, nil
}
