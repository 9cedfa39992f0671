package orphan

import (
	"iter"
	"maps"
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

const (
	defaultMaxFiles    = 10
	defaultMaxFraction = 0.5
)

// Find returns those of paths that have lost their object, in byte order. paths are relative to the base folder, as
// Layout.Path makes them; one that is yielded twice counts once. The Snapshot is not kept.
//
// Over the limit it returns no path and a *TooManyError, which matches ErrTooMany. Time grows with the number of paths and
// of living resources, memory with the number of paths in the scopes.
func Find(paths iter.Seq[string], layout event.Layout, live event.Snapshot, opts *Options) ([]string, error) {
	if opts == nil {
		opts = &Options{}
	}
	if err := opts.Validate(); err != nil {
		return nil, err
	}
	if opts.Policy != "" && opts.Policy != Always {
		return nil, nil
	}
	scopes := live.Collections()
	dead := pathsWithin(scopes, paths, layout)
	files := len(dead)
	// Scopes may overlap. All of them are asked: what any of them says lives, lives.
	for _, scope := range scopes {
		for r := range live.Resources(scope) {
			if len(dead) == 0 {
				return nil, nil
			}
			delete(dead, layout.Path(r))
		}
	}
	orphans := slices.Sorted(maps.Keys(dead))
	if err := opts.Hold(orphans, files); err != nil {
		return nil, err
	}
	return orphans, nil
}

// pathsWithin returns the paths that the layout could have written for an object in one of the scopes.
func pathsWithin(scopes []event.Collection, paths iter.Seq[string], layout event.Layout) map[string]struct{} {
	everywhere, single := map[event.Collection]struct{}{}, map[event.Collection]struct{}{}
	for _, scope := range scopes {
		if scope.All {
			everywhere[event.Collection{Group: scope.Group, Resource: scope.Resource}] = struct{}{}
		} else {
			single[scope] = struct{}{}
		}
	}
	within := map[string]struct{}{}
	for path := range paths {
		scope, ok := layout.Collection(path)
		if !ok {
			continue
		}
		_, inSingle := single[scope]
		_, inEverywhere := everywhere[event.Collection{Group: scope.Group, Resource: scope.Resource}]
		if inSingle || inEverywhere {
			within[path] = struct{}{}
		}
	}
	return within
}

// Hold applies the blast-radius limit to the removal of some out of so many files: it returns nil if they may go, and else
// a *TooManyError. Find does so by itself. Nil Options mean the defaults.
func (o *Options) Hold(orphans []string, files int) error {
	if o == nil {
		o = &Options{}
	}
	maxFiles, maxFraction := o.MaxFiles, o.MaxFraction
	if maxFiles == 0 {
		maxFiles = defaultMaxFiles
	}
	if maxFraction == 0 {
		maxFraction = defaultMaxFraction
	}
	within := maxFiles < 0 || len(orphans) <= maxFiles || float64(len(orphans)) <= maxFraction*float64(files)
	if within || o.Approved || o.ApprovedFor.Includes(orphans) {
		return nil
	}
	return &TooManyError{Found: *NewFound(orphans), Files: files}
}
