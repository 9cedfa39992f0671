package event

import (
	"fmt"
	"slices"
)

// Sensitive says that an object is only ever written encrypted, as a core v1 Secret always is. It
// never changes: the events of many objects share one. Nil says that the object is not sensitive.
type Sensitive struct {
	// Fields are JSON pointers (RFC 6901) to what must not be stored in plain; the step "*" stands
	// for every key and every item. Without any, that is the whole object but apiVersion, kind and
	// metadata.
	Fields []string
}

// Same reports whether two say the same; nil is none.
func (s *Sensitive) Same(o *Sensitive) bool {
	if s == nil || o == nil {
		return s == o
	}
	return slices.Equal(s.Fields, o.Fields)
}

// Union returns what is sensitive by one of two; nil is none. The whole object has all its fields.
func (s *Sensitive) Union(o *Sensitive) *Sensitive {
	switch {
	case s == nil:
		return o
	case o == nil || len(s.Fields) == 0:
		return s
	case len(o.Fields) == 0:
		return o
	}
	all := slices.Concat(s.Fields, o.Fields)
	slices.Sort(all)
	return &Sensitive{Fields: slices.Compact(all)}
}

// SensitiveType calls the objects of types sensitive, or single fields of them.
type SensitiveType struct {
	// APIGroups are names; "" is the core group. Default: every group.
	APIGroups []string
	// Resources are plural names, "databases". Default: every resource of the groups.
	Resources []string
	// Pointers are those of Sensitive.Fields. Default: the whole object but apiVersion, kind and
	// metadata.
	Pointers []string
}

// Selects reports whether objects of a type are sensitive. "*" stands for every value.
func (t *SensitiveType) Selects(group, resource string) bool {
	return allows(t.APIGroups, group) && allows(t.Resources, resource)
}

func allows(list []string, value string) bool {
	return len(list) == 0 || slices.Contains(list, value) || slices.Contains(list, "*")
}

// Validate returns an error that names the first pointer which is none, or points to what must stay
// readable: apiVersion, kind, and the name and namespace of the object.
func (t *SensitiveType) Validate() error {
	for i, pointer := range t.Pointers {
		if err := CheckPointer(pointer); err != nil {
			return fmt.Errorf("event: Pointers[%d] %q: %w", i, pointer, err)
		}
	}
	return nil
}

// CheckPointer returns an error for what is no pointer as ParsePointer reads it, and for one to
// apiVersion, kind, metadata.name or metadata.namespace, or to what they lie in.
func CheckPointer(pointer string) error {
	steps, err := ParsePointer(pointer)
	if err != nil {
		return err
	}
	return checkIdentity(steps)
}

// SensitiveBy returns what some types say of an object; nil if it is not sensitive by them.
func SensitiveBy(types []SensitiveType, group, resource string) *Sensitive {
	var found *Sensitive
	for i := range types {
		if types[i].Selects(group, resource) {
			found = found.Union(&Sensitive{Fields: types[i].Pointers})
		}
	}
	return found
}
