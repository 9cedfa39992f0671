package ruleset

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

// words are the names by which people know a type: those that kubectl takes, and the kind.
func words(r *metav1.APIResource) []string {
	names := []string{r.Name, r.SingularName, r.Kind}
	names = append(names, r.ShortNames...)
	for i := range names {
		names[i] = strings.ToLower(names[i])
	}
	return names
}

// versionName is how Kubernetes writes a version of an API group.
var versionName = regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?$`)

// hint returns the types that somebody may have meant who named a resource that none of the groups
// has, and says so.
func (d *discovery) hint(groups []string, resource string) (meant []schema.GroupResource, text string) {
	meant = d.meant(resource)
	for _, group := range groups {
		if versionName.MatchString(group) {
			return meant, fmt.Sprintf(`%q is a version, which belongs in apiVersions; the core group is ""`, group)
		}
	}
	if len(meant) > 0 {
		return meant, "did you mean " + list(meant, schema.GroupResource.String)
	}
	if named := d.meantGroups(groups); len(named) > 0 {
		for _, t := range d.types {
			if slices.Contains(named, t.group) && (resource == compiled.Wildcard || resource == t.resource) {
				meant = append(meant, t.groupResource())
			}
		}
		return meant, "did you mean the API group " + list(named, func(group string) string { return group })
	}
	return nil, "check the spelling of group and plural name, or install what serves it"
}

// maxListed bounds what a hint names.
const maxListed = 3

func list[T any](all []T, text func(T) string) string {
	var texts []string
	for _, one := range all[:min(len(all), maxListed)] {
		texts = append(texts, text(one))
	}
	return strings.Join(texts, " or ")
}

// meant returns the types that somebody calls by a name, by group and resource. If nothing has that
// name, it returns those that a slip of the finger makes of it.
func (d *discovery) meant(name string) (meant []schema.GroupResource) {
	name, _, _ = strings.Cut(strings.ToLower(name), ".")
	for _, is := range []func(word string) bool{
		func(word string) bool { return word == name },
		func(word string) bool { return len(name) > 3 && nearly(word, name) },
	} {
		for _, t := range d.types {
			if slices.ContainsFunc(t.words, is) {
				meant = append(meant, t.groupResource())
			}
		}
		if len(meant) > 0 {
			return meant
		}
	}
	return nil
}

// meantGroups returns the groups that are nearly one of these, or begin with one: "cert-manager" is
// meant to be cert-manager.io.
func (d *discovery) meantGroups(groups []string) (meant []string) {
	for _, t := range d.types { // by group
		is := slices.ContainsFunc(groups, func(group string) bool {
			return len(group) > 2 && (nearly(t.group, group) || strings.HasPrefix(t.group, group+"."))
		})
		if is && !slices.Contains(meant, t.group) {
			meant = append(meant, t.group)
		}
	}
	return meant
}

// nearly reports whether two words differ by one letter: one more, one less, another one, or two
// that have changed places.
func nearly(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	switch len(b) - len(a) {
	case 0:
		swapped := i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
		return i < len(a) && (a[i+1:] == b[i+1:] || swapped)
	case 1:
		return a[i:] == b[i+1:]
	default:
		return false
	}
}
