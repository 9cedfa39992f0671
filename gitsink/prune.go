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

// prune removes those of the uncovered files that name their object, if that is ordered. They go in
// a commit of their own, which can be reverted.
func (p *planRun) prune(ctx context.Context, uncovered []string) error {
	if p.policy.Prune == nil {
		return nil
	}
	pruned := &Pruned{}
	p.report.Pruned = pruned
	switch {
	case p.policy.Orphans.Policy == orphan.Never:
		pruned.Err = orphan.ErrNever
		return nil
	case !p.ownership.owner.Adopted:
		pruned.Err = fmt.Errorf("%w: adopt it first", ErrUnadopted)
		return nil
	}
	ours, err := p.recognise(ctx, uncovered)
	if err != nil {
		return err
	}
	if err := p.policy.Orphans.Hold(ours, len(uncovered), *p.policy.Prune); err != nil {
		pruned.Err = err
		return nil
	}
	if len(ours) == 0 {
		return nil
	}
	p.flush()
	for _, path := range ours {
		p.remove(path)
	}
	p.pending.pruned, pruned.Removed = len(ours), len(ours)
	p.report.Uncovered = orphan.NewFound(slices.DeleteFunc(uncovered, func(path string) bool {
		_, removed := slices.BinarySearch(ours, path)
		return removed
	}))
	return nil
}

// recognise returns those of the paths whose file names the very object that the layout keeps
// there. Somebody's docs/images/logo.yaml looks like the file of an image in the namespace docs,
// and that no rule covers images is no proof that we wrote it. An orphan needs no such look: its
// type and namespace are mirrored here.
func (p *planRun) recognise(ctx context.Context, paths []string) (ours []string, err error) {
	for chunk := range slices.Chunk(paths, readAtOnce) {
		err := readFiles(ctx, p.base, chunk, func(path string, data []byte) {
			if slices.ContainsFunc(p.layouts(), func(l event.Layout) bool { return isManifestOf(l, path, data) }) {
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

// readAtOnce is the number of files that are read with one request: the content of all of them is
// in memory then.
const readAtOnce = 500

// readFiles calls use for each of the files, which it reads in one request. If they are too large
// together it takes several; a file that is too large alone fails.
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

// isManifestOf reports whether data is one object, and the one that belongs at the path. The plural
// name of its type is taken from the path, since a type that is gone has no discovery.
func isManifestOf(layout event.Layout, path string, data []byte) bool {
	var m struct {
		APIVersion, Kind string
		Metadata         struct{ Name, Namespace string }
	}
	if bytes.Contains(data, []byte("\n---")) || yaml.Unmarshal(data, &m) != nil || m.Kind == "" || m.Metadata.Name == "" {
		return false
	}
	collection, ok := layout.Collection(path)
	group, _, grouped := strings.Cut(m.APIVersion, "/")
	if !grouped {
		group = ""
	}
	id := event.ID{Group: group, Resource: collection.Resource, Namespace: m.Metadata.Namespace, Name: m.Metadata.Name}
	return ok && group == collection.Group && id.Namespace == collection.Namespace && layout.Path(event.Resource{ID: id}) == path
}
