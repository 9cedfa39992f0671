package compiled

import (
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// MaxFields bounds the Fields of a rule: a set of them is one number.
const MaxFields = 64

// Fields are fields of the objects of some types: a checked FieldSelector of Rule.Ignore, or of
// Rule.Sensitive, which has pointers only.
type Fields struct {
	Groups, Resources []string // nil: all
	Set               event.FieldSet
	Sensitive         *event.Sensitive // nil: they are ignored
	Field             string           // where it comes from, "Ignore[0]"
	key               string
}

// NewFields returns Fields with a key by which two that say the same can be told.
func NewFields(f Fields) Fields {
	f.key = event.NewIgnored(f.Set).Key()
	return f
}

// Selects reports whether objects of a type have these fields.
func (f *Fields) Selects(group, resource string) bool {
	return Allows(f.Groups, group) && Allows(f.Resources, resource)
}

// of returns those of a rule's fields that are for a type, as a set of their places.
func of(fields []Fields, group, resource string) (places uint64) {
	for i := range fields {
		if fields[i].Selects(group, resource) {
			places |= 1 << i
		}
	}
	return places
}

// IgnoredOf returns what the rule leaves out of objects of a type; nil for nothing. It takes no
// lock and allocates nothing once it has been asked for the type.
func (r *Rule) IgnoredOf(group, resource string, intern func(*event.Ignored) *event.Ignored) *event.Ignored {
	places := of(r.Ignore, group, resource)
	if places == 0 {
		return nil
	}
	known := r.ignored.Load()
	if known != nil {
		if g, ok := (*known)[places]; ok {
			return g
		}
	}
	var all event.FieldSet
	for i, f := range r.Ignore {
		if places&(1<<i) != 0 {
			all.Paths = append(all.Paths, f.Set.Paths...)
			all.Annotations = append(all.Annotations, f.Set.Annotations...)
			all.Labels = append(all.Labels, f.Set.Labels...)
			all.Managers = append(all.Managers, f.Set.Managers...)
		}
	}
	g := intern(event.NewIgnored(all))
	next := map[uint64]*event.Ignored{places: g}
	if known != nil {
		maps.Copy(next, *known)
	}
	r.ignored.Store(&next) // what another goroutine stores meanwhile is made once more
	return g
}

// SensitiveOf returns what the rule calls sensitive of objects of a type; nil for nothing.
func (r *Rule) SensitiveOf(group, resource string) *event.Sensitive {
	var found *event.Sensitive
	for i := range r.Sensitive {
		if r.Sensitive[i].Selects(group, resource) {
			found = found.Union(r.Sensitive[i].Sensitive)
		}
	}
	return found
}

// sameFieldsFor reports whether the fields of two rules come to the same for a type, in their
// order.
func sameFieldsFor(a, b []Fields, group, resource string) bool {
	next := func(list []Fields, i int) int {
		for i < len(list) && !list[i].Selects(group, resource) {
			i++
		}
		return i
	}
	i, j := next(a, 0), next(b, 0)
	for i < len(a) && j < len(b) {
		if !a[i].sameSet(&b[j]) {
			return false
		}
		i, j = next(a, i+1), next(b, j+1)
	}
	return i >= len(a) && j >= len(b)
}

func (f *Fields) sameSet(o *Fields) bool { return f.key == o.key && f.Sensitive.Same(o.Sensitive) }

func (f Fields) equal(o Fields) bool {
	return slices.Equal(f.Groups, o.Groups) && slices.Equal(f.Resources, o.Resources) && f.sameSet(&o)
}

// MoreSensitive reports whether rules of a destination may call more objects, or more of their
// fields, sensitive than they did in old. What waits to be written there was made in plain.
func (s *Rules) MoreSensitive(old *Rules, to destination.Ref) bool {
	had := map[types.NamespacedName]*Rule{}
	for _, r := range old.Valid {
		if r.Ref == to {
			had[r.Name] = r
		}
	}
	return slices.ContainsFunc(s.Valid, func(r *Rule) bool {
		return r.Ref == to && len(r.Sensitive) > 0 && (had[r.Name] == nil || !r.equal(had[r.Name]))
	})
}
