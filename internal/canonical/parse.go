package canonical

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"unsafe"
)

// maxDepth is how deep maps and lists may stand in each other. It is the bound of Kubernetes.
const maxDepth = 10_000

var errRange = errors.New("canonical: a number is out of the range of a float64")

// Parse reads one JSON object, as client-go's dynamic client reads it: of members with one name the
// last counts, what is not UTF-8 becomes U+FFFD, and a number out of range is an error, as is
// nesting deeper than 10,000 maps and lists. Nothing may change data before the next Parse, Load or
// Reset: the document points into it. No error quotes data.
func (d *Document) Parse(data []byte) error {
	inRange, err := d.parse(unsafe.String(unsafe.SliceData(data), len(data)))
	if err == nil && !inRange {
		err = errRange
	}
	if err != nil {
		d.Reset()
	}
	return err
}

// parse reports whether all numbers are in range. One that is not stands there as a null.
func (d *Document) parse(s string) (inRange bool, err error) {
	d.begin()
	if len(s) > math.MaxInt32 {
		return false, errors.New("canonical: an object of more than 2 GiB")
	}
	d.source = s
	p := parser{d: d, s: s, inRange: true}
	p.blanks()
	if p.at == len(s) || s[p.at] != '{' {
		return false, p.fail("a JSON object begins with {")
	}
	if _, err = p.value(0); err != nil {
		return false, err
	}
	if p.blanks(); p.at < len(s) {
		return false, p.fail("there is more behind the object")
	}
	return p.inRange, nil
}

// parser reads the text s into the nodes of d.
type parser struct {
	d       *Document
	s       string
	at      int
	inRange bool
}

func (p *parser) fail(what string) error {
	if p.at >= len(p.s) {
		return errors.New("canonical: no JSON object: it ends too early")
	}
	return fmt.Errorf("canonical: no JSON object, at byte %d: %s", p.at, what)
}

func (p *parser) blanks() {
	for p.at < len(p.s) && (p.s[p.at] == ' ' || p.s[p.at] == '\n' || p.s[p.at] == '\t' || p.s[p.at] == '\r') {
		p.at++
	}
}

// take steps over blanks, c, and the blanks behind it, and reports whether c was there.
func (p *parser) take(c byte) bool {
	p.blanks()
	if p.at == len(p.s) || p.s[p.at] != c {
		return false
	}
	p.at++
	p.blanks()
	return true
}

// value reads a value that stands in depth maps and lists.
func (p *parser) value(depth int) (Node, error) {
	if p.at == len(p.s) {
		return 0, p.fail("")
	}
	switch c := p.s[p.at]; c {
	case '{', '[':
		if depth++; depth > maxDepth {
			return 0, fmt.Errorf("canonical: the object is nested deeper than %d", maxDepth)
		}
		if c == '[' {
			n := p.d.add(List)
			return n, p.elements(n, depth)
		}
		n := p.d.add(Map)
		return n, p.members(n, depth)
	case '"':
		text, err := p.text()
		if err != nil {
			return 0, err
		}
		n := p.d.add(String)
		p.d.nodes[n].text = text
		return n, nil
	case 'n':
		return p.word("null", Null)
	case 't':
		return p.word("true", True)
	case 'f':
		return p.word("false", False)
	default:
		return p.number()
	}
}

func (p *parser) members(n Node, depth int) error {
	p.at++
	if p.take('}') {
		return nil
	}
	last, sorted := Node(0), true
	for {
		if p.at == len(p.s) || p.s[p.at] != '"' {
			return p.fail("the name of a member is missing")
		}
		key, err := p.text()
		if err != nil {
			return err
		}
		if !p.take(':') {
			return p.fail("a colon is missing")
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
		if last = c; p.take(',') {
			continue
		}
		if !p.take('}') {
			return p.fail("a map goes on with a comma or ends with }")
		}
		if !sorted {
			p.d.link(n)
		}
		return nil
	}
}

func (p *parser) elements(n Node, depth int) error {
	p.at++
	if p.take(']') {
		return nil
	}
	last := Node(0)
	for {
		c, err := p.value(depth)
		if err != nil {
			return err
		}
		if last == 0 {
			p.d.nodes[n].child = c
		} else {
			p.d.nodes[last].next = c
		}
		if last = c; p.take(',') {
			continue
		}
		if !p.take(']') {
			return p.fail("a list goes on with a comma or ends with ]")
		}
		return nil
	}
}

func (p *parser) word(word string, kind Kind) (Node, error) {
	if len(p.s)-p.at < len(word) || p.s[p.at:p.at+len(word)] != word {
		return 0, p.fail("a value is missing")
	}
	p.at += len(word)
	return p.d.add(kind), nil
}

// number reads a number by the grammar of JSON.
func (p *parser) number() (Node, error) {
	start := p.at
	if p.s[p.at] == '-' {
		p.at++
	}
	whole := p.at
	if p.digits() == 0 {
		return 0, p.fail("a value is missing")
	}
	if p.s[whole] == '0' && p.at > whole+1 {
		p.at = whole + 1
		return 0, p.fail("a number begins with a zero")
	}
	if p.at < len(p.s) && p.s[p.at] == '.' {
		if p.at++; p.digits() == 0 {
			return 0, p.fail("a digit is missing")
		}
	}
	far := p.at-start > shortNumber
	if p.at < len(p.s) && p.s[p.at]|0x20 == 'e' {
		far = true
		if p.at++; p.at < len(p.s) && (p.s[p.at] == '+' || p.s[p.at] == '-') {
			p.at++
		}
		if p.digits() == 0 {
			return 0, p.fail("a digit is missing")
		}
	}
	text := p.s[start:p.at]
	if far {
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			p.inRange = false
			return p.d.add(Null), nil
		}
	}
	n := p.d.add(Number)
	p.d.nodes[n].text = text
	return n, nil
}

// shortNumber is the length up to which a number without an exponent is surely in range.
const shortNumber = 300

func (p *parser) digits() (count int) {
	for p.at < len(p.s) && '0' <= p.s[p.at] && p.s[p.at] <= '9' {
		p.at++
		count++
	}
	return count
}
