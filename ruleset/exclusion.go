package ruleset

import (
	"fmt"
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
)

// exclusion is a checked Exclusion.
type exclusion struct {
	selection
	names      []string        // nil: all
	namespaces []string        // nil: all
	objects    labels.Selector // nil: all
	managers   []string        // nil: all
	field      string          // where it comes from, "Exclude[0]"
}

// partial tells whether it depends on the object, and not only on its type.
func (e *exclusion) partial() bool {
	return e.names != nil || e.namespaces != nil || e.objects != nil || e.managers != nil
}

// excludes tells whether the exclusion names the object.
func (e *exclusion) excludes(in *Input) bool {
	r := &in.Resource
	return e.inVersion(r.Version) && e.covers(r.Group, r.Resource, r.Namespace != "") && e.named(r.Name) &&
		allows(e.namespaces, r.Namespace) && (e.objects == nil || e.objects.Matches(labels.Set(in.Labels))) &&
		(e.managers == nil || managedBy(in.Object, e.managers))
}

func (e *exclusion) named(name string) bool {
	return e.names == nil || slices.ContainsFunc(e.names, func(glob string) bool {
		matched, _ := path.Match(glob, name) // the syntax was checked by compile
		return matched
	})
}

// managedBy tells whether an object has field managers, and all of them are among those named.
func managedBy(obj map[string]any, managers []string) bool {
	metadata, _ := obj["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	return len(entries) > 0 && !slices.ContainsFunc(entries, func(value any) bool {
		entry, _ := value.(map[string]any)
		name, _ := entry["manager"].(string)
		return !slices.Contains(managers, name)
	})
}

// alike compares two exclusions for one type.
func (e exclusion) alike(o exclusion) bool {
	return e.operations == o.operations && slices.Equal(e.names, o.names) && slices.Equal(e.namespaces, o.namespaces) &&
		sameSelector(e.objects, o.objects) && slices.Equal(e.managers, o.managers)
}

func (c *compiler) exclusions(field string, excluded []Exclusion) []exclusion {
	exclusions := make([]exclusion, len(excluded))
	for i, e := range excluded {
		exclusions[i] = c.exclusion(fmt.Sprintf("%s[%d]", field, i), e)
	}
	return exclusions
}

func (c *compiler) exclusion(field string, e Exclusion) exclusion {
	for n, glob := range e.Names {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			c.fault(fmt.Sprintf("%s.Names[%d]", field, n), glob, invalid("not a glob as in path.Match"))
		}
	}
	return exclusion{
		selection:  c.selection(field, e.ResourceRule),
		names:      orAll(e.Names),
		namespaces: orAll(e.Namespaces),
		objects:    c.selector(field+".ObjectSelector", e.ObjectSelector),
		managers:   orAll(e.Managers),
		field:      field,
	}
}

// orAll copies a list, of which nil stands for all values; it is never empty otherwise.
func orAll(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
