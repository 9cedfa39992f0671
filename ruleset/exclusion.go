package ruleset

import (
	"fmt"
	"path"
	"slices"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

func (c *compiler) exclusions(field string, excluded []Exclusion) []compiled.Exclusion {
	exclusions := make([]compiled.Exclusion, len(excluded))
	for i, e := range excluded {
		exclusions[i] = c.exclusion(fmt.Sprintf("%s[%d]", field, i), e)
	}
	return exclusions
}

func (c *compiler) exclusion(field string, e Exclusion) compiled.Exclusion {
	for n, glob := range e.Names {
		if _, err := path.Match(glob, ""); err != nil || glob == "" {
			c.fault(fmt.Sprintf("%s.Names[%d]", field, n), glob, invalid("not a glob as in path.Match"))
		}
	}
	return compiled.Exclusion{
		Selection:  c.selection(field, e.ResourceRule),
		Names:      orAll(e.Names),
		Namespaces: orAll(e.Namespaces),
		Objects:    c.selector(field+".ObjectSelector", e.ObjectSelector),
		Managers:   orAll(e.Managers),

		SecretTypes: orAll(e.SecretTypes),
		Field:       field,
	}
}

// orAll copies a list, of which nil stands for all values; it is never empty otherwise.
func orAll(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return slices.Clone(list)
}
