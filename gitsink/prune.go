package gitsink

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

// readAtOnce is how many files are looked into with one request: the content of all of them is in memory then.
const readAtOnce = 500

// readFiles reads files for use to look at, in one request if they are not too large together, and else in several. A file
// that is too large alone fails.
func readFiles(ctx context.Context, base Tree, paths []string, use func(path string, data []byte)) error {
	if len(paths) == 0 {
		return nil
	}
	files, err := base.Read(ctx, paths...)
	if half := len(paths) / 2; half > 0 && errors.Is(err, ErrTooLarge) {
		if err := readFiles(ctx, base, paths[:half], use); err != nil {
			return err
		}
		return readFiles(ctx, base, paths[half:], use)
	}
	for path, data := range files {
		use(path, data)
	}
	return err
}

// prune removes those of the uncovered files that say themselves whose they are, if options order it. The commit is one of
// its own, which can be reverted.
func (d *draft) prune(ctx context.Context, uncovered []string, options *orphan.Options) error {
	if options == nil {
		return nil
	}
	d.report.Pruned = &Pruned{}
	if err := options.Validate(); err != nil {
		d.report.Pruned.Err = err
		return nil
	}
	switch {
	case options.Policy == orphan.Never:
		d.report.Pruned.Err = orphan.ErrNever
		return nil
	case !d.claim.owner.Adopted:
		d.report.Pruned.Err = fmt.Errorf("%w: adopt it first", ErrUnadopted)
		return nil
	}
	ours, err := d.recognise(ctx, uncovered)
	if err != nil {
		return err
	}
	if err := options.Hold(ours, len(uncovered)); err != nil {
		d.report.Pruned.Err = err
		return nil
	}
	if len(ours) == 0 {
		return nil
	}
	d.flush()
	for _, path := range ours {
		d.remove(path)
	}
	d.group.pruned, d.report.Pruned.Removed = len(ours), len(ours)
	d.report.Uncovered = orphan.NewFound(slices.DeleteFunc(uncovered, func(path string) bool {
		_, removed := slices.BinarySearch(ours, path)
		return removed
	}))
	return nil
}

// recognise returns those of the paths whose file names the very object that the layout keeps there. Somebody's
// docs/images/logo.yaml looks like the file of an image in the namespace docs, and that no rule covers images is no proof
// that we wrote it. An orphan needs no such look: its type and namespace are mirrored here.
func (d *draft) recognise(ctx context.Context, paths []string) (ours []string, err error) {
	for chunk := range slices.Chunk(paths, readAtOnce) {
		err := readFiles(ctx, d.base, chunk, func(path string, data []byte) {
			if isManifestOf(d.writer.opts.Layout, path, data) {
				ours = append(ours, path)
			}
		})
		if err != nil {
			return nil, err
		}
	}
	slices.Sort(ours)
	return ours, nil
}

// isManifestOf tells whether data is one object, and the one that belongs at the path. Its plural name is taken from the
// path, since a type that is gone has no discovery.
func isManifestOf(layout event.Layout, path string, data []byte) bool {
	var m struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if bytes.Contains(data, []byte("\n---")) || yaml.Unmarshal(data, &m) != nil || m.Kind == "" || m.Metadata.Name == "" {
		return false
	}
	scope, ok := layout.Collection(path)
	group, _, grouped := strings.Cut(m.APIVersion, "/")
	if !grouped {
		group = ""
	}
	id := event.ID{Group: group, Resource: scope.Resource, Namespace: m.Metadata.Namespace, Name: m.Metadata.Name}
	return ok && group == scope.Group && id.Namespace == scope.Namespace && layout.Path(event.Resource{ID: id}) == path
}
