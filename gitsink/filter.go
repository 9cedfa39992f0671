package gitsink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/internal/gitattr"
	"github.com/kubescribe/kubescribe/internal/quote"
)

const (
	// maxAttributes bounds what is read of a .gitattributes, in bytes. A larger one may have a
	// filter for any path.
	maxAttributes = 64 << 10
	filterName    = "filter"
)

// MaxFiltered bounds the number of lines in Status.Filtered.
const MaxFiltered = 10

// Filtered is a line of a .gitattributes that gives files of ours a filter (gitattributes(5)). git
// add would run them through it; kubescribe writes them as they are, as git does where the filter
// is not configured. So what git-crypt should encrypt is in plain text, and what LFS should keep
// elsewhere is in the branch.
type Filtered struct {
	File    string // the .gitattributes, by its path from the root of the repository
	Pattern string // of its line; "" if the file is too large to be read: it may be for any path
	Filter  string // the name of the filter
}

// String names the filter and the line.
func (f Filtered) String() string {
	if f.Pattern == "" {
		return fmt.Sprintf("%s with more than the %d bytes that are read, perhaps with a filter", quote.Path(f.File), maxAttributes)
	}
	return fmt.Sprintf("filter=%s by the line %s of %s", quote.Words(f.Filter), quote.Words(f.Pattern), quote.Path(f.File))
}

// Error returns String: a Filtered is the error of an object that is left out for its filter.
func (f Filtered) Error() string { return f.String() }

// filters knows which paths have a filter.
type filters struct {
	folder string // the base folder
	known  gitattr.Set
	large  []string // folders, from the root, whose file is too large
}

// attributesOf returns the .gitattributes of the folders in which paths lie.
func attributesOf(base Tree, paths []string) (attributes []string) {
	for dir := range foldersOf(paths) {
		if e, ok := base.Entry(dir + gitattr.FileName); ok && e.isFile() {
			attributes = append(attributes, dir+gitattr.FileName)
		}
	}
	return attributes
}

// readFilters reads the .gitattributes above the base folder, and those below at paths that are
// relative to it. Where there is none it makes no request.
func readFilters(ctx context.Context, base Tree, folder string, below []string) (filters, error) {
	f := filters{folder: folder}
	found, err := readAbove(ctx, base)
	if err != nil {
		return f, err
	}
	if len(below) > 0 {
		files, err := base.Read(ctx, below...)
		if errors.Is(err, ErrTooLarge) {
			files, err = map[string][]byte{}, nil // more than a sink reads
			for _, path := range below {
				files[path] = make([]byte, maxAttributes+1)
			}
		}
		if err != nil {
			return f, err
		}
		for path, data := range files {
			found[f.fromRoot(strings.TrimSuffix(strings.TrimSuffix(path, gitattr.FileName), "/"))] = data
		}
	}
	for _, dir := range slices.Sorted(maps.Keys(found)) { // a folder comes before those in it
		if data := found[dir]; len(data) > maxAttributes {
			f.large = append(f.large, dir)
		} else {
			f.known = append(f.known, gitattr.Parse(dir, data))
		}
	}
	if !f.known.Mentions(filterName) {
		f.known = nil
	}
	return f, nil
}

// readAbove returns the .gitattributes above the base folder, in a map of our own to which more is
// added: that of a sink may be nil, or in use.
func readAbove(ctx context.Context, base Tree) (map[string][]byte, error) {
	found := map[string][]byte{}
	if above, ok := base.(AncestorTree); ok {
		files, err := above.ReadAbove(ctx, gitattr.FileName)
		maps.Copy(found, files)
		return found, err
	}
	return found, nil
}

// foldersOf returns the folders that paths lie in, "" and those with a slash at the end.
func foldersOf(paths []string) map[string]struct{} {
	folders := map[string]struct{}{"": {}}
	for _, path := range paths {
		for i := strings.LastIndexByte(path, '/'); i >= 0; i = strings.LastIndexByte(path[:i], '/') {
			if _, ok := folders[path[:i+1]]; ok {
				break
			}
			folders[path[:i+1]] = struct{}{}
		}
	}
	return folders
}

func (f *filters) fromRoot(path string) string {
	if f.folder == "" || path == "" {
		return f.folder + path
	}
	return f.folder + "/" + path
}

func (f *filters) none() bool { return len(f.known) == 0 && len(f.large) == 0 }

// of returns the filter of a path that is relative to the base folder.
func (f *filters) of(path string) (Filtered, bool) {
	if f.none() {
		return Filtered{}, false
	}
	path = f.fromRoot(path)
	for _, dir := range f.large {
		if dir == "" {
			return Filtered{File: gitattr.FileName}, true
		}
		if strings.HasPrefix(path, dir+"/") {
			return Filtered{File: dir + "/" + gitattr.FileName}, true
		}
	}
	v, ok := f.known.Lookup(path, filterName)
	if !ok || v.Value == "" {
		return Filtered{}, false
	}
	return Filtered{File: v.File, Pattern: v.Pattern, Filter: v.Value}, true
}

// findFiltered reports the filters of those of paths at which the run leaves a file, or of all
// files that can be ours.
func (p *planRun) findFiltered(ctx context.Context, paths []string, all bool) error {
	if p.filters.none() {
		return nil
	}
	if all {
		paths = slices.AppendSeq(paths, p.paths())
	}
	for _, path := range paths {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !p.ours(path) || !p.exists(path) {
			continue
		}
		f, ok := p.filters.of(path)
		if !ok || slices.Contains(p.report.Filtered, f) {
			continue
		}
		if p.report.Filtered = append(p.report.Filtered, f); len(p.report.Filtered) == MaxFiltered {
			break
		}
	}
	return nil
}
