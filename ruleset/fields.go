package ruleset

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
)

// maxIgnore and maxSensitive bound the lists of a Rule: with those of all presets, what a rule
// ignores must fit into compiled.MaxFields.
const (
	maxIgnore    = 32
	maxSensitive = 32
	// maxWords bounds the pointers, globs and managers of one of them: each object is compared with
	// all.
	maxWords = 256
)

// ignore returns the fields that a rule ignores, by itself and by presets.
func (c *compiler) ignore(own []FieldSelector, presets []namedPreset) []compiled.Fields {
	if len(own) > maxIgnore {
		c.fault("Ignore", fmt.Sprint(len(own)), invalid("a rule has at most %d of them, join those of the same types", maxIgnore))
		own = nil
	}
	var fields []compiled.Fields
	for i := range own {
		fields = append(fields, c.fieldSelector(fmt.Sprintf("Ignore[%d]", i), &own[i]))
	}
	for _, p := range presets {
		ignored := p.preset.Ignored()
		for i := range ignored {
			fields = append(fields, c.fieldSelector(p.field, &ignored[i]))
		}
	}
	return fields
}

func (c *compiler) fieldSelector(field string, s *FieldSelector) compiled.Fields {
	if len(s.Pointers)+len(s.Annotations)+len(s.Labels)+len(s.Managers) == 0 {
		c.fault(field, "", invalid("it names no field, add Pointers, Annotations, Labels or Managers"))
	}
	c.few(field, len(s.Pointers)+len(s.Annotations)+len(s.Labels)+len(s.Managers))
	if s.Subresource != "" && len(s.Managers) == 0 {
		c.fault(field+".Subresource", s.Subresource, invalid("it restricts Managers, and there are none"))
	}
	set := event.FieldSet{
		Paths:       c.pointers(field+".Pointers", s.Pointers),
		Annotations: c.globs(field+".Annotations", s.Annotations),
		Labels:      c.globs(field+".Labels", s.Labels),
	}
	if len(s.Managers) > 0 {
		set.Managers = []event.FieldManagers{{Names: c.managers(field+".Managers", s.Managers), Subresource: s.Subresource}}
	}
	return compiled.NewFields(compiled.Fields{
		Groups:    c.list(field+".APIGroups", s.APIGroups, checkGroup),
		Resources: c.list(field+".Resources", s.Resources, checkResource),
		Set:       set,
		Field:     field,
	})
}

func (c *compiler) few(field string, words int) {
	if words > maxWords {
		c.fault(field, fmt.Sprint(words), invalid("it has more than %d pointers, globs and managers", maxWords))
	}
}

// pointers returns the steps of the valid ones.
func (c *compiler) pointers(field string, pointers []string) (paths [][]string) {
	for i, pointer := range pointers {
		if err := event.CheckPointer(pointer); err != nil {
			c.fault(fmt.Sprintf("%s[%d]", field, i), pointer, invalid("%w", err))
			continue
		}
		steps, _ := event.ParsePointer(pointer)
		paths = append(paths, steps)
	}
	return paths
}

func (c *compiler) globs(field string, globs []string) (valid []string) {
	for i, glob := range globs {
		if err := event.CheckGlob(glob); err != nil {
			c.fault(fmt.Sprintf("%s[%d]", field, i), glob, invalid("%w", err))
			continue
		}
		valid = append(valid, glob)
	}
	return valid
}

func (c *compiler) managers(field string, names []string) []string {
	if i := slices.Index(names, ""); i >= 0 {
		c.fault(fmt.Sprintf("%s[%d]", field, i), "", invalid("write the name of a field manager, as metadata.managedFields have it"))
	}
	return slices.Clone(names)
}

// sensitive returns what a rule calls sensitive.
func (c *compiler) sensitive(types []event.SensitiveType) []compiled.Fields {
	if len(types) > maxSensitive {
		c.fault("Sensitive", fmt.Sprint(len(types)), invalid("a rule has at most %d of them", maxSensitive))
		types = nil
	}
	fields := make([]compiled.Fields, len(types))
	for i, t := range types {
		field := fmt.Sprintf("Sensitive[%d]", i)
		c.few(field, len(t.Pointers))
		c.pointers(field+".Pointers", t.Pointers)
		pointers := slices.Compact(slices.Sorted(slices.Values(t.Pointers)))
		fields[i] = compiled.NewFields(compiled.Fields{
			Groups:    c.list(field+".APIGroups", t.APIGroups, checkGroup),
			Resources: c.list(field+".Resources", t.Resources, checkResource),
			Sensitive: &event.Sensitive{Fields: pointers},
			Field:     field,
		})
	}
	return fields
}

// intern returns one value for all that are equal, so that contents can be shared by comparing
// pointers.
func (s *RuleSet) intern(g *event.Ignored) *event.Ignored {
	if g == nil {
		return nil
	}
	one, _ := s.ignored.LoadOrStore(g.Key(), g)
	return one.(*event.Ignored)
}

// ignoredBy returns what the rules of one destination leave out of an object: what all of them do
// that ask for writing it, whoever made a change.
func (s *RuleSet) ignoredBy(hits []hit, in *Input) (ignored *event.Ignored) {
	first := true
	for _, h := range hits {
		if h.standing&compiled.Writes == 0 {
			continue
		}
		by := h.rule.IgnoredOf(in.Resource.Group, in.Resource.Resource, s.intern)
		switch {
		case first:
			ignored, first = by, false
		case ignored != by:
			ignored = s.both(ignored, by)
		}
		if ignored == nil {
			return nil
		}
	}
	return ignored
}

// both returns what both leave out.
func (s *RuleSet) both(a, b *event.Ignored) *event.Ignored {
	key := [2]*event.Ignored{a, b}
	if known, ok := s.joined.Load(key); ok {
		return known.(*event.Ignored)
	}
	g := s.intern(a.And(b))
	s.joined.Store(key, g)
	return g
}

// sensitiveBy returns what one of the rules of a destination calls sensitive.
func sensitiveBy(hits []hit, in *Input) (sensitive *event.Sensitive) {
	for _, h := range hits {
		sensitive = sensitive.Union(h.rule.SensitiveOf(in.Resource.Group, in.Resource.Resource))
	}
	return sensitive
}

// fieldsNamed returns which of a rule's fields select something of an object, by where they stand
// in the rule.
func fieldsNamed(fields []compiled.Fields, in *Input) []string {
	var names []string
	for i := range fields {
		f := &fields[i]
		if !f.Selects(in.Resource.Group, in.Resource.Resource) || slices.Contains(names, f.Field) {
			continue
		}
		if f.Sensitive != nil || len(leftOut(event.NewIgnored(f.Set), in)) > 0 {
			names = append(names, f.Field)
		}
	}
	return names
}

// leftOut returns pointers to what is left out of an object.
func leftOut(ignored *event.Ignored, in *Input) []string {
	metadata, _ := in.Object["metadata"].(map[string]any)
	managed, _ := metadata["managedFields"].([]any)
	return ignored.Find(event.Sanitize(&unstructured.Unstructured{Object: in.Object}).Object, managed)
}

// shownFields bounds the pointers in an Explanation's text.
const shownFields = 10

// fewOf returns the first of some pointers, in words.
func fewOf(pointers []string) string {
	if more := len(pointers) - shownFields; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(pointers[:shownFields], ", "), more)
	}
	return strings.Join(pointers, ", ")
}
