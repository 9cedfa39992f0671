package event

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// ownership is what metadata.managedFields say of a field, in the format FieldsV1 of the API server
// (https://kubernetes.io/docs/reference/using-api/server-side-apply/): what some managers own, and
// what all others do. A node has "f:NAME" for each field, and for the items of a list "k:{KEYS}",
// "v:VALUE" or "i:INDEX". One without children owns all that lies there, "." the field itself.
type ownership struct {
	own, others []map[string]any
	all         bool // of the field around it, all is owned, and by nobody else
}

// ownershipOf returns what managers own of an object that is read in a version; false if that is
// nothing. What they wrote in another version may have other names there. What others wrote counts
// in any version.
func ownershipOf(m FieldManagers, managed []any, version string) (o ownership, found bool) {
	for _, entry := range managed {
		e, _ := entry.(map[string]any)
		fields, _ := e["fieldsV1"].(map[string]any)
		if fields == nil {
			continue
		}
		subresource, _ := e["subresource"].(string)
		name, _ := e["manager"].(string)
		ours := slices.Contains(m.Names, name) && (m.Subresource == "" || m.Subresource == subresource)
		switch {
		case !ours:
			o.others = append(o.others, fields)
		case e["apiVersion"] == version:
			o.own = append(o.own, fields)
		}
	}
	return o, len(o.own) > 0
}

// alone reports whether the managers own the field with all that lies there, or the item of a list,
// and nobody else owns it or anything in it. Of an item they may own no more than that it is there.
func (o *ownership) alone(item bool) bool {
	return len(o.others) == 0 && (o.all || slices.ContainsFunc(o.own, func(node map[string]any) bool {
		return len(node) == 0 || item && ownsItself(node)
	}))
}

// hollow reports whether the managers alone own that the field is there, so that it goes when
// nothing is left in it.
func (o *ownership) hollow() bool {
	return len(o.others) == 0 && slices.ContainsFunc(o.own, ownsItself)
}

func ownsItself(node map[string]any) bool {
	_, itself := node["."]
	return itself
}

// field returns what is owned of a field of an object; false: nothing in it is the managers' alone.
func (o *ownership) field(key string) (next ownership, ok bool) {
	step := "f:" + key
	for _, node := range o.others {
		if !next.addOther(len(node) == 0, childOf(node, step)) {
			return ownership{}, false
		}
	}
	next.all = o.all
	for _, node := range o.own {
		next.addOwn(len(node) == 0, childOf(node, step))
	}
	return next, next.all || len(next.own) > 0
}

// addOther takes note of what somebody else's node says of a field; false if that one owns all of
// what is around it.
func (o *ownership) addOther(whole bool, below map[string]any) bool {
	if below != nil {
		o.others = append(o.others, below)
	}
	return !whole
}

// addOwn takes note of what a node of the managers says of a field.
func (o *ownership) addOwn(whole bool, below map[string]any) {
	o.all = o.all || whole
	if below != nil {
		o.own = append(o.own, below)
	}
}

// childOf returns a child of a node; nil if there is none.
func childOf(node map[string]any, step string) map[string]any {
	below, _ := node[step].(map[string]any)
	return below
}

// itemFinder finds what is owned of the items of one list.
type itemFinder struct {
	of          *ownership
	own, others []items
}

func newItemFinder(o *ownership) itemFinder {
	f := itemFinder{of: o}
	for _, node := range o.own {
		f.own = append(f.own, itemsOf(node))
	}
	for _, node := range o.others {
		f.others = append(f.others, itemsOf(node))
	}
	return f
}

// item is field for an item of the list.
func (f *itemFinder) item(index int, v any) (next ownership, ok bool) {
	for i := range f.others {
		if !next.addOther(f.others[i].whole, f.others[i].find(index, v)) {
			return ownership{}, false
		}
	}
	next.all = f.of.all
	for i := range f.own {
		next.addOwn(f.own[i].whole, f.own[i].find(index, v))
	}
	return next, next.all || len(next.own) > 0
}

// items are the children of a node that stand for items of a list.
type items struct {
	whole   bool // the node has no children
	indexes map[int]map[string]any
	values  map[string]map[string]any
	keyed   []keyedItems
}

// keyedItems are items that are told apart by the values of some of their fields.
type keyedItems struct {
	names []string
	nodes map[string]map[string]any // by the values, in the order of the names
}

// maxKeys bounds the ways in which the items of one list are told apart. A schema has one.
const maxKeys = 8

func itemsOf(node map[string]any) items {
	found := items{whole: len(node) == 0}
	for step, child := range node {
		below, _ := child.(map[string]any)
		kind, rest, _ := strings.Cut(step, ":")
		switch {
		case below == nil:
		case kind == "i":
			if i, err := strconv.Atoi(rest); err == nil {
				setNode(&found.indexes, i, below)
			}
		case kind == "v":
			var value any
			if json.Unmarshal([]byte(rest), &value) == nil && scalar(value) != "" {
				setNode(&found.values, scalar(value), below)
			}
		case kind == "k":
			var fields map[string]any
			if json.Unmarshal([]byte(rest), &fields) == nil {
				found.addKeyed(fields, below)
			}
		}
	}
	return found
}

func setNode[K comparable](m *map[K]map[string]any, key K, node map[string]any) {
	if *m == nil {
		*m = map[K]map[string]any{}
	}
	(*m)[key] = node
}

func (s *items) addKeyed(fields, node map[string]any) {
	var names []string
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	i := slices.IndexFunc(s.keyed, func(k keyedItems) bool { return slices.Equal(k.names, names) })
	if i < 0 {
		if len(s.keyed) == maxKeys {
			return
		}
		i = len(s.keyed)
		s.keyed = append(s.keyed, keyedItems{names, map[string]map[string]any{}})
	}
	if values, ok := valuesOf(fields, names); ok {
		s.keyed[i].nodes[values] = node
	}
}

// valuesOf returns the values of some fields as one text; false if one is absent.
func valuesOf(fields map[string]any, names []string) (string, bool) {
	var b strings.Builder
	for _, name := range names {
		v, ok := fields[name]
		if !ok {
			return "", false
		}
		b.WriteString(scalar(v))
		b.WriteByte(' ')
	}
	return b.String(), true
}

// scalar returns a value as text that is the same for equal values, however JSON was read.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return strconv.Quote(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return strconv.FormatInt(int64(v), 10)
		}
		return strconv.FormatFloat(v, 'g', -1, 64)
	case bool, nil:
		return fmt.Sprint(v)
	}
	return "" // no key and no member of a set
}

// find returns the node of an item; nil if there is none.
func (s *items) find(index int, v any) map[string]any {
	if node := s.indexes[index]; node != nil {
		return node
	}
	if len(s.values) > 0 {
		if node := s.values[scalar(v)]; node != nil {
			return node
		}
	}
	fields, _ := v.(map[string]any)
	for _, k := range s.keyed {
		if values, ok := valuesOf(fields, k.names); ok && k.nodes[values] != nil {
			return k.nodes[values]
		}
	}
	return nil
}
