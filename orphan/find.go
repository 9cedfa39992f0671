package orphan

import (
	"iter"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

// Find returns those of paths that have lost their object, in byte order. The paths are relative to
// the base folder, as Layout.Path makes them; one that is yielded twice counts once. The Snapshot
// is not kept.
//
// Over the limit, and without an approval for what was found, Find returns no path and a
// *TooManyError, which matches ErrTooMany. Time grows with the number of paths and of living
// resources, memory with the number of paths in the collections of the Snapshot.
func Find(paths iter.Seq[string], layout event.Layout, live event.Snapshot, opts *Options, approval Approval) ([]string, error) {
	if opts == nil {
		opts = &Options{}
	}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.Policy != "" && opts.Policy != Always {
		return nil, nil
	}
	collections := live.Collections()
	dead := pathsWithin(collections, paths, layout)
	files := len(dead)
	for o := range live.Objects() {
		if len(dead) == 0 {
			return nil, nil
		}
		delete(dead, layout.Path(o.Resource))
	}
	orphans := slices.Sorted(maps.Keys(dead))
	if err := opts.Hold(orphans, files, approval); err != nil {
		return nil, err
	}
	return orphans, nil
}

// pathsWithin returns the paths that the layout could have written for an object of the
// collections.
func pathsWithin(collections []event.Collection, paths iter.Seq[string], layout event.Layout) map[string]struct{} {
	everywhere, single := map[event.Collection]struct{}{}, map[event.Collection]struct{}{}
	for _, c := range collections {
		if c.All {
			everywhere[event.Collection{Group: c.Group, Resource: c.Resource}] = struct{}{}
		} else {
			single[c] = struct{}{}
		}
	}
	within := map[string]struct{}{}
	for path := range paths {
		c, ok := layout.Collection(path)
		if !ok {
			continue
		}
		_, inSingle := single[c]
		_, inEverywhere := everywhere[event.Collection{Group: c.Group, Resource: c.Resource}]
		if inSingle || inEverywhere {
			within[path] = struct{}{}
		}
	}
	return within
}
