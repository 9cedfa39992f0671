package orphan

import (
	"iter"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

// Uncovered returns those of paths that the layout could have written for a type and namespace
// which no rule of the destination covers any more, in byte order: a rule was removed, or the
// server has the type no more. They are no orphans, since nobody knows what lives there.
//
// It goes by the paths alone. A file of somebody else's whose path looks like one of ours is among
// them, so look into a file before you remove it. The Snapshot is not kept.
func Uncovered(paths iter.Seq[string], layout event.Layout, snapshot event.Snapshot) []string {
	known, uncovered := map[event.Collection]bool{}, map[string]struct{}{}
	for path := range paths {
		c, ours := layout.Collection(path)
		if !ours {
			continue
		}
		is, asked := known[c]
		if !asked {
			is = snapshot.Uncovered(c)
			known[c] = is
		}
		if is {
			uncovered[path] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(uncovered))
}
