package ruleset

import (
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
)

// selects reports whether a rule selects an object, as far as that depends on the object and not on
// its type: SkipControlled and the selectors, but not the exclusions and the condition.
func selects(r *compiled.Rule, in *Input) bool {
	if r.SkipControlled && in.Controlled {
		return false
	}
	if r.ObjectSelector != nil && !selectsObject(r, in) {
		return false
	}
	return r.NamespaceSelector == nil || selectsNamespace(r, in)
}

func selectsObject(r *compiled.Rule, in *Input) bool {
	return r.ObjectSelector.Matches(labels.Set(in.Labels))
}

// selectsNamespace is the namespace matcher of admission: a Namespace is matched by its own labels,
// other cluster-scoped objects are never restricted.
func selectsNamespace(r *compiled.Rule, in *Input) bool {
	switch {
	case in.Resource.Namespace != "":
		return r.NamespaceSelector.Matches(labels.Set(in.NamespaceLabels))
	case in.Resource.Group == "" && in.Resource.Resource == "namespaces":
		return r.NamespaceSelector.Matches(labels.Set(in.Labels))
	}
	return true
}

// remaining returns those of the operations that the exclusions of a rule leave for an object.
func remaining(r *compiled.Rule, asked compiled.Operations, in *Input) compiled.Operations {
	for i := range r.Exclude {
		if e := &r.Exclude[i]; excludes(e, in) {
			asked &^= e.Operations
		}
	}
	return asked
}

// excludes reports whether an exclusion names the object.
func excludes(e *compiled.Exclusion, in *Input) bool {
	r := &in.Resource
	return e.InVersion(r.Version) && e.Covers(r.Group, r.Resource, r.Namespace != "") && names(e, r.Name) &&
		compiled.Allows(e.Namespaces, r.Namespace) && (e.Objects == nil || e.Objects.Matches(labels.Set(in.Labels))) &&
		(e.Managers == nil || managedBy(in.Object, e.Managers)) && (e.SecretTypes == nil || secretOf(in, e.SecretTypes))
}

// secretOf reports whether an object is a core v1 Secret of one of some types.
func secretOf(in *Input, types []string) bool {
	of, _ := in.Object["type"].(string)
	return event.IsSecret(in.Resource.ID) && slices.Contains(types, of)
}

func names(e *compiled.Exclusion, name string) bool {
	return e.Names == nil || slices.ContainsFunc(e.Names, func(glob string) bool {
		matched, _ := path.Match(glob, name) // Compile has checked the syntax
		return matched
	})
}

// managedBy reports whether an object has field managers, and all of them are among those named.
func managedBy(obj map[string]any, managers []string) bool {
	metadata, _ := obj["metadata"].(map[string]any)
	entries, _ := metadata["managedFields"].([]any)
	return len(entries) > 0 && !slices.ContainsFunc(entries, func(value any) bool {
		entry, _ := value.(map[string]any)
		name, _ := entry["manager"].(string)
		return !slices.Contains(managers, name)
	})
}

// ignores reports whether managers that the rule ignores have made the change, and nobody else.
func ignores(r *compiled.Rule, managers []string) bool {
	return len(managers) > 0 && !slices.ContainsFunc(managers, func(manager string) bool {
		return !slices.Contains(r.IgnoreManagers, manager)
	})
}
