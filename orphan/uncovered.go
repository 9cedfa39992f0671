package orphan

import (
	"iter"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

// Uncovered returns those of paths that the layout could have written for a type and namespace which no rule of the
// destination covers any more, in byte order: a rule was removed, or the server has the type no more. They are no orphans,
// since nobody knows what lives there. A View that is not an event.CoverageView has none.
//
// It goes by the paths alone. A file of somebody else's whose path looks like one of ours is among them, so look into a
// file before it is removed. The View is not kept.
func Uncovered(paths iter.Seq[string], layout event.Layout, live event.View) []string {
	view, ok := live.(event.CoverageView)
	if !ok {
		return nil
	}
	known, uncovered := map[event.Scope]bool{}, map[string]struct{}{}
	for path := range paths {
		scope, ours := layout.Scope(path)
		if !ours {
			continue
		}
		is, asked := known[scope]
		if !asked {
			is = view.Uncovered(scope)
			known[scope] = is
		}
		if is {
			uncovered[path] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(uncovered))
}
