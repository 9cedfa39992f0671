package canonical

import (
	"math"
	"strconv"
	"strings"
)

// Load reads an object from what client-go decodes into. The document points to its texts, but not
// to its maps and lists, so that it changes nothing of obj. The error is that of an object that is
// nested deeper than 10,000 maps and lists, as one is that contains itself.
//
// A value that JSON does not know is a Foreign. AppendYAML returns an error for it, which names the
// type, unless it was removed before: what nobody writes need not be JSON.
func (d *Document) Load(obj map[string]any) error {
	d.begin()
	if _, err := d.load(obj, 0); err != nil {
		d.Reset()
		return err
	}
	return nil
}

func (d *Document) load(v any, depth int) (Node, error) {
	if depth > maxDepth {
		return 0, errDepth
	}
	switch v := v.(type) {
	case map[string]any:
		return d.loadMap(v, depth+1)
	case []any:
		return d.loadList(v, depth+1)
	case string:
		n := d.add(String)
		d.nodes[n].text = v
		return n, nil
	case nil:
		return d.add(Null), nil
	case bool:
		if v {
			return d.add(True), nil
		}
		return d.add(False), nil
	case int:
		return d.loadNumber(strconv.AppendInt(d.scratch, int64(v), 10)), nil
	case int64:
		return d.loadNumber(strconv.AppendInt(d.scratch, v, 10)), nil
	case float64:
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			return d.loadNumber(strconv.AppendFloat(d.scratch, v, 'e', -1, 64)), nil
		}
	}
	n := d.add(Foreign)
	d.nodes[n].child = Node(len(d.foreign))
	d.foreign = append(d.foreign, v)
	return n, nil
}

// loadNumber is given the scratch with the digits behind. Those of a float have an exponent.
func (d *Document) loadNumber(scratch []byte) Node {
	digits := scratch[len(d.scratch):]
	d.scratch = scratch
	n := d.add(Number)
	d.nodes[n].text = view(digits)
	return n
}

func (d *Document) loadMap(m map[string]any, depth int) (Node, error) {
	n := d.add(Map)
	last := Node(0)
	for key, value := range m {
		c, err := d.load(value, depth)
		if err != nil {
			return 0, err
		}
		d.nodes[c].key, d.nodes[c].next = key, last
		last = c
	}
	d.nodes[n].child = last
	d.link(n)
	return n, nil
}

func (d *Document) loadList(list []any, depth int) (Node, error) {
	n := d.add(List)
	last := Node(0)
	for i, value := range list {
		c, err := d.load(value, depth)
		if err != nil {
			return 0, err
		}
		if i == 0 {
			d.nodes[n].child = c
		} else {
			d.nodes[last].next = c
		}
		last = c
	}
	return n, nil
}

// Object returns the object in maps of its own, as client-go's dynamic client has it; nil without
// one.
func (d *Document) Object() map[string]any {
	m, _ := d.Value(d.Root()).(map[string]any)
	return m
}

// Value returns n as client-go's dynamic client has it: a map[string]any, []any, string, bool,
// int64, float64 or nil. A Foreign is what was given to Load. It shares nothing with the document.
func (d *Document) Value(n Node) any {
	switch d.Kind(n) {
	case Map:
		m := map[string]any{}
		for key, value := range d.Each(n) {
			m[d.keep(key)] = d.Value(value)
		}
		return m
	case List:
		list := []any{}
		for _, value := range d.Each(n) {
			list = append(list, d.Value(value))
		}
		return list
	case String:
		return d.keep(d.nodes[n].text)
	case False, True:
		return d.nodes[n].kind == True
	case Number:
		whole, float, isWhole := number(d.nodes[n].text)
		if isWhole {
			return whole
		}
		return float
	case Foreign:
		return d.foreign[d.nodes[n].child]
	}
	return nil
}

// keep returns a text that stays when what was parsed does not.
func (d *Document) keep(s string) string {
	if d.source == "" {
		return s
	}
	return strings.Clone(s)
}

// number returns the number whose digits are in range: an int64 if it has no point and fits one, as
// client-go decides it.
func number(digits string) (whole int64, float float64, isWhole bool) {
	if !strings.ContainsAny(digits, ".eE") {
		if whole, err := strconv.ParseInt(digits, 10, 64); err == nil {
			return whole, 0, true
		}
	}
	float, _ = strconv.ParseFloat(digits, 64)
	return 0, float, false
}
