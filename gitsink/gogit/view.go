package gogit

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// errPlanOver is what a plan gets that uses its tree after its time.
var errPlanOver = errors.New("the tree is valid only while the plan runs")

// view is the gitsink.Tree of a base folder, with what the plans before have made of it. All that
// it reads of the lane it reads under its lock and before end: a plan that was left behind must
// not look into what the worker has in hand again.
type view struct {
	ctx    context.Context // the plan's, which ends every walk and read; a view lives no longer
	remote *remote
	stack  *pushStack
	folder object.ID      // zero: there is no folder
	finder *object.Finder // in stack

	mu   sync.Mutex // held during each use of remote and stack; guards what follows
	over bool
	err  error // what a method that returns none ran into; the plan is of no use then
}

func newView(r *remote, stack *pushStack, folder object.ID) *view {
	return &view{remote: r, stack: stack, folder: folder, finder: object.NewFinder(stack)}
}

// end makes the view useless and returns what it ran into. It waits for a read that is under way,
// which ends with ctx.
func (v *view) end() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.over = true
	return v.err
}

// use runs f while the view may be used. It returns, and notes, why not or what f ran into.
func (v *view) use(f func() error) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	err := v.err
	switch {
	case err != nil:
	case v.over:
		return errPlanOver
	case v.ctx.Err() != nil:
		err = context.Cause(v.ctx)
	default:
		err = f()
	}
	if v.err == nil {
		v.err = err
	}
	return err
}

func (v *view) note(err error) { _ = v.use(func() error { return err }) }

// Tree returns the content of a tree.
func (v *view) Tree(hash object.ID) (tree string, err error) {
	err = v.use(func() error {
		tree, err = v.stack.Tree(hash)
		return err
	})
	return tree, err
}

// Paths implements gitsink.Tree.
func (v *view) Paths(prefix string) iter.Seq2[string, gitsink.Entry] {
	return func(yield func(string, gitsink.Entry) bool) {
		prefix := strings.TrimSuffix(prefix, "/")
		var folder object.ID
		err := v.use(func() (err error) {
			folder, err = v.finder.Folder(v.folder, prefix)
			if wrong := (*object.PathError)(nil); errors.As(err, &wrong) {
				err = nil // a file is no folder and has no files below it
			}
			return err
		})
		if err != nil {
			return
		}
		if prefix != "" {
			prefix += "/"
		}
		newWalker(v, v.note, v.remote.sink.opts.MaxHeldBytes, yield).walk(folder, prefix)
	}
}

// Entry implements gitsink.Tree.
func (v *view) Entry(path string) (entry gitsink.Entry, ok bool) {
	_ = v.use(func() error {
		e, found, err := v.find(path)
		if found {
			entry, ok = e.Public(), true
		}
		return err
	})
	return entry, ok
}

// find looks a path up. The caller holds mu.
func (v *view) find(path string) (object.Entry, bool, error) {
	dir, name := "", path
	if i := strings.LastIndexByte(path, '/'); i > 0 { // no file has a path that begins with a slash
		dir, name = path[:i], path[i+1:]
	}
	folder, err := v.finder.Folder(v.folder, dir)
	if wrong := (*object.PathError)(nil); errors.As(err, &wrong) {
		return object.Entry{}, false, nil
	}
	if err != nil {
		return object.Entry{}, false, err
	}
	e, ok, err := v.finder.Entry(folder, name)
	return e, ok && !e.IsTree(), err
}

// Read implements gitsink.Tree. Symbolic links and submodules are absent too: their content is
// not a file's.
func (v *view) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	return v.reads(ctx, func() (map[string]object.ID, error) {
		found := make(map[string]object.ID, len(paths))
		for _, path := range paths {
			e, ok, err := v.find(path)
			if err != nil {
				return nil, err
			}
			if ok && e.IsFile() {
				found[path] = e.ID()
			}
		}
		return found, nil
	})
}

// ReadAbove implements gitsink.AncestorTree. The trees on the way to the folder are known: the
// commit is made of them.
func (v *view) ReadAbove(ctx context.Context, name string) (map[string][]byte, error) {
	return v.reads(ctx, func() (map[string]object.ID, error) {
		found := map[string]object.ID{}
		dir, root := "", v.stack.root
		for part := range object.Components(v.remote.dst.BaseFolder) {
			if root.IsZero() {
				break
			}
			tree, err := v.stack.Tree(root)
			if err != nil {
				return nil, err
			}
			if e, ok := object.Lookup(root.Format(), tree, name); ok && e.IsFile() {
				found[dir] = e.ID()
			}
			below, ok := object.Lookup(root.Format(), tree, part)
			if !ok || !below.IsTree() {
				break
			}
			dir, root = object.Join(dir, part), below.ID()
		}
		return found, nil
	})
}

// reads returns the contents of the files that find finds.
func (v *view) reads(ctx context.Context, find func() (map[string]object.ID, error)) (contents map[string][]byte, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(v.ctx, func() { cancel(context.Cause(v.ctx)) })()
	var failed error
	err = v.use(func() (err error) {
		found, err := find()
		if err == nil {
			contents, failed = v.contents(ctx, found)
		}
		return err
	})
	switch {
	case err != nil:
		return nil, v.remote.fail(ctx, opFetch, err, "")
	case failed != nil:
		return nil, failed
	}
	return contents, nil
}

// contents reads files in one request, if they are not known. The error is the plan's to judge.
// The caller holds mu.
func (v *view) contents(ctx context.Context, found map[string]object.ID) (map[string][]byte, error) {
	blobs, err := v.blobs(ctx, slices.Collect(maps.Values(found)))
	if err != nil {
		if paths := slices.Collect(maps.Keys(found)); len(paths) == 1 {
			err = fmt.Errorf("%s: %w", object.Quoted(paths[0]), err)
		}
		return nil, v.remote.fail(ctx, opFetch, err, smart.Words(err))
	}
	contents := make(map[string][]byte, len(found))
	for path, hash := range found {
		data, ok := blobs[hash]
		if !ok {
			err := fmt.Errorf("%s, blob %s: %w", object.Quoted(path), hash, object.ErrIncomplete)
			return nil, v.remote.fail(ctx, opFetch, err, "")
		}
		contents[path] = []byte(data)
	}
	return contents, nil
}

func (v *view) blobs(ctx context.Context, wanted []object.ID) (map[object.ID]string, error) {
	var stored []object.ID
	for _, hash := range wanted {
		if _, ok := v.stack.blobs[hash]; !ok {
			stored = append(stored, hash)
		}
	}
	blobs := map[object.ID]string{}
	if len(stored) > 0 {
		var err error
		if blobs, err = v.remote.blobs(ctx, stored); err != nil {
			return nil, err
		}
	}
	for _, hash := range wanted {
		if data, ok := v.stack.blobs[hash]; ok {
			blobs[hash] = string(data)
		}
	}
	return blobs, nil
}
