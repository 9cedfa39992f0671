package source

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/ruleset"
)

// collapse returns the watches with those of single namespaces of a type replaced by one of all
// namespaces, for the types for which wide returns true. wide is asked once for each type with such
// watches: it knows from how many namespaces on one watch is cheaper, and whether the server allows
// it.
//
// What each destination receives stays as it is, since the coverage does. The order of the watches
// is kept, and they are not changed.
func collapse(watches []ruleset.Watch, wide func(t ruleset.Type, namespaces []string) bool) []ruleset.Watch {
	var collapsed []ruleset.Watch
	for len(watches) > 0 {
		n := 1
		for n < len(watches) && watches[n].Resource == watches[0].Resource {
			n++
		}
		if of := watches[:n]; of[0].Namespace != "" && wide(of[0].Resource, namespacesOf(of)) {
			collapsed = append(collapsed, merge(of))
		} else {
			collapsed = append(collapsed, of...)
		}
		watches = watches[n:]
	}
	return collapsed
}

func namespacesOf(watches []ruleset.Watch) []string {
	names := make([]string, len(watches))
	for i := range watches {
		names[i] = watches[i].Namespace
	}
	return names
}

func merge(watches []ruleset.Watch) ruleset.Watch {
	merged := ruleset.Watch{Resource: watches[0].Resource}
	for i := range watches {
		merged.Coverage = append(merged.Coverage, watches[i].Coverage...)
	}
	// They come in the order of namespaces, which stays that of each destination.
	slices.SortStableFunc(merged.Coverage, func(a, b ruleset.Coverage) int {
		x, y := a.Destination.Ref, b.Destination.Ref
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return merged
}

// split returns what to watch in the place of a watch of all namespaces that the server refuses:
// each single namespace for which the watch was there, too. What cluster rules want of these
// namespaces comes with them, and counts as covered there. It returns nil if only cluster rules
// have asked for the watch.
func split(w ruleset.Watch) []ruleset.Watch {
	single := make(map[string]bool)
	for _, c := range w.Coverage {
		if ns := c.Collection.Namespace; ns != "" {
			single[ns] = true
		}
	}
	var watches []ruleset.Watch
	for _, namespace := range slices.Sorted(maps.Keys(single)) {
		of := ruleset.Watch{Resource: w.Resource, Namespace: namespace}
		for _, c := range w.Coverage {
			if c.Collection.All {
				c.Collection.All, c.Collection.Namespace = false, namespace
			}
			if c.Collection.Namespace == namespace {
				of.Coverage = append(of.Coverage, c)
			}
		}
		watches = append(watches, of)
	}
	return watches
}
