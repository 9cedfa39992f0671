package ruleset

import (
	"maps"
	"slices"
)

// Collapse returns the watches with those of single namespaces of a type replaced by one of all namespaces, for the types
// for which wide says so. wide is asked once for each type with such watches, and knows what this package cannot: from how
// many namespaces on one watch is cheaper, and whether the server allows it. What each destination receives stays as it is,
// since Coverage does. Watches are ordered as Watches orders them, and are not changed.
func Collapse(watches []Watch, wide func(t Type, namespaces []string) bool) []Watch {
	var collapsed []Watch
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

// Collapsed tells whether a Watch of all namespaces feeds single ones only, so that one watch for each of them would do.
func (w *Watch) Collapsed() bool {
	all := slices.ContainsFunc(w.Coverage, func(c Coverage) bool { return c.Collection.All })
	return w.Namespace == "" && w.Resource.Namespaced && !all
}

func namespacesOf(watches []Watch) []string {
	names := make([]string, len(watches))
	for i := range watches {
		names[i] = watches[i].Namespace
	}
	return names
}

func merge(watches []Watch) Watch {
	merged := Watch{Resource: watches[0].Resource}
	for i := range watches {
		merged.Coverage = append(merged.Coverage, watches[i].Coverage...)
	}
	// They come in the order of namespaces, which stays that of each destination.
	slices.SortStableFunc(merged.Coverage, func(a, b Coverage) int { return compareNames(a.Destination.Ref, b.Destination.Ref) })
	return merged
}

// Split returns what to watch in the place of a Watch of all namespaces that the server refuses: each single namespace for
// which it was there, too. What cluster rules want of these namespaces comes with them, and counts as covered there. It
// returns nil if cluster rules alone have asked for the Watch.
func Split(w Watch) []Watch {
	single := make(map[string]bool)
	for _, c := range w.Coverage {
		if ns := c.Collection.Namespace; ns != "" {
			single[ns] = true
		}
	}
	var watches []Watch
	for _, namespace := range slices.Sorted(maps.Keys(single)) {
		of := Watch{Resource: w.Resource, Namespace: namespace}
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
