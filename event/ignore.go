package event

import (
	"maps"
	"slices"
	"strconv"
)

// Without returns an object without what is left out of it. It changes nothing: it shares with the
// object what stays as it is, and is the object itself if nothing is left out. managed is the
// metadata.managedFields that the server sent with it, which the object itself need not have any
// more. apiVersion, kind, metadata.name and metadata.namespace always stay.
//
// Labels and annotations that become empty go as a whole, as they do in Sanitize. Other maps and
// lists stay, empty, since a schema may require them.
func (g *Ignored) Without(object map[string]any, managed []any) map[string]any {
	rest, _ := g.remove(object, managed, nil)
	return rest
}

// Find returns JSON pointers to the fields of an object that Without leaves out.
func (g *Ignored) Find(object map[string]any, managed []any) []string {
	var found []string
	g.remove(object, managed, func(path []string) { found = append(found, FormatPointer(path)) })
	slices.Sort(found)
	return found
}

func (g *Ignored) remove(object map[string]any, managed []any, tell func(path []string)) (map[string]any, bool) {
	if g == nil {
		return object, false
	}
	version, _ := object["apiVersion"].(string)
	var room [4]naming
	at := room[:0]
	for i := range g.sets {
		n := naming{paths: []*pathTree{g.sets[i].paths}}
		for _, m := range g.sets[i].Managers {
			if o, found := ownershipOf(m, managed, version); found {
				n.owned = append(n.owned, o)
			}
		}
		at = append(at, n)
	}
	r := remover{tell: tell}
	return r.mapping(object, at)
}

// remover walks through an object, along the paths that some sets name.
type remover struct {
	path []string // where it is
	tell func(path []string)
}

// naming is what one set says of the field where the walk is.
type naming struct {
	whole  bool        // the set names all of it
	hollow bool        // it goes when nothing is left in it
	paths  []*pathTree // goes on in these
	owned  []ownership
}

// below returns what the set says of a field or an item. dead: of nothing in it.
func (n *naming) below(step string, item bool, child func(*ownership) (ownership, bool)) (next naming, dead bool) {
	if n.whole {
		return naming{whole: true}, false
	}
	for _, t := range n.paths {
		var whole bool
		if whole, next.paths = t.names(step, next.paths); whole {
			return naming{whole: true}, false
		}
	}
	for i := range n.owned {
		if o, goesOn := child(&n.owned[i]); goesOn {
			if o.alone(item) {
				return naming{whole: true}, false
			}
			next.hollow = next.hollow || o.hollow()
			next.owned = append(next.owned, o)
		}
	}
	return next, len(next.paths) == 0 && len(next.owned) == 0
}

// verdict is what becomes of a field.
type verdict int

const (
	stays verdict = iota
	goes
	looked // inside
)

// judge returns what all sets together say of a field or an item.
func judge(at []naming, room []naming, step string, item bool, child func(*ownership) (ownership, bool)) ([]naming, verdict) {
	all := true
	for i := range at {
		next, dead := at[i].below(step, item, child)
		if dead {
			return nil, stays
		}
		all = all && next.whole
		room = append(room, next)
	}
	if all {
		return nil, goes
	}
	return room, looked
}

// value returns a value without what the sets name in it.
func (r *remover) value(v any, at []naming) (any, bool) {
	switch v := v.(type) {
	case map[string]any:
		return r.mapping(v, at)
	case []any:
		return r.list(v, at)
	}
	return v, false
}

func (r *remover) mapping(m map[string]any, at []naming) (map[string]any, bool) {
	out, changed := m, false
	change := func() {
		if !changed {
			out, changed = maps.Clone(m), true
		}
	}
	for key, v := range m {
		var room [4]naming
		next, verdict := judge(at, room[:0], key, false, func(o *ownership) (ownership, bool) { return o.field(key) })
		if verdict == stays {
			continue
		}
		r.path = append(r.path, key)
		switch of := identityAt(r.path); {
		case of == itself:
		case verdict == goes && of == apart:
			r.gone()
			change()
			delete(out, key)
		default:
			if verdict == goes { // metadata, in which name and namespace stay
				next = []naming{{whole: true}}
			}
			if rest, is := r.value(v, next); is {
				change()
				if empty(rest) && (absent(r.path) || hollow(next)) {
					delete(out, key)
				} else {
					out[key] = rest
				}
			}
		}
		r.path = r.path[:len(r.path)-1]
	}
	return out, changed
}

func empty(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		return len(v) == 0
	case []any:
		return len(v) == 0
	}
	return false
}

// hollow reports whether all sets name the field itself.
func hollow(at []naming) bool {
	return !slices.ContainsFunc(at, func(n naming) bool { return !n.whole && !n.hollow })
}

func (r *remover) list(list []any, at []naming) ([]any, bool) {
	items := make([]itemFinder, 0, len(at))
	for i := range at {
		for j := range at[i].owned {
			items = append(items, newItemFinder(&at[i].owned[j]))
		}
	}
	var out []any
	changed := false
	for i, v := range list {
		step := strconv.Itoa(i)
		var room [4]naming
		next, verdict := judge(at, room[:0], step, true, func(o *ownership) (ownership, bool) {
			for n := range items {
				if items[n].of == o {
					return items[n].item(i, v)
				}
			}
			return ownership{}, false
		})
		rest, is := v, false
		r.path = append(r.path, step)
		switch verdict {
		case goes:
			r.gone()
		case looked:
			rest, is = r.value(v, next)
		}
		r.path = r.path[:len(r.path)-1]
		if (verdict == goes || is) && !changed {
			out, changed = append(make([]any, 0, len(list)), list[:i]...), true
		}
		if changed && verdict != goes {
			out = append(out, rest)
		}
	}
	if !changed {
		return list, false
	}
	return out, true
}

func (r *remover) gone() {
	if r.tell != nil {
		r.tell(r.path)
	}
}

// What a path has to do with the identity of an object.
const (
	apart = iota
	around
	itself
)

func identityAt(path []string) int {
	if len(path) > 2 || len(path) == 2 && path[0] != "metadata" {
		return apart
	}
	for _, field := range identity {
		switch {
		case slices.Equal(field, path):
			return itself
		case len(field) > len(path) && field[0] == path[0]:
			return around
		}
	}
	return apart
}

// absent reports whether each kind allows the absence of the map at a path: labels and annotations
// of the object, and of a pod template.
func absent(path []string) bool {
	n := len(path)
	return n >= 2 && (path[n-1] == "labels" || path[n-1] == "annotations") && path[n-2] == "metadata" && (n == 2 || path[n-3] == "template")
}
