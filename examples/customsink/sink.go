package main

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// versions is a gitsink.GitSink without Git. It keeps each version of a branch in a folder:
// ROOT/BRANCH/1, ROOT/BRANCH/2 and so on, with the branch's files in "files".
//
// A version is built in another folder, which is then renamed to its number. A folder cannot be
// renamed to one that exists and is not empty. So of several writers that planned on one version
// only the first succeeds, and the others plan again. Processes need no other lock between them.
type versions struct {
	root string
	// guards seen, and keeps it in step with what this sink writes
	mu   sync.Mutex
	seen map[destination.Destination]map[string]gitsink.Entry // how this sink left a folder
}

func newVersions(root string) *versions {
	return &versions{root: root, seen: map[destination.Destination]map[string]gitsink.Entry{}}
}

// Apply implements gitsink.GitSink.
func (v *versions) Apply(ctx context.Context, dst destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	var r gitsink.Result
	fail := func(op string, err error) (gitsink.Result, error) {
		return gitsink.Result{Attempts: r.Attempts}, &gitsink.Error{Op: op, Destination: dst, Err: err}
	}
	if err := dst.Validate(); err != nil {
		return fail("fetch", err)
	}
	branch := filepath.Join(v.root, url.PathEscape(dst.Branch))
	for ctx.Err() == nil {
		n := newest(branch)
		base, err := open(filepath.Join(branch, strconv.Itoa(n)), dst.BaseFolder)
		if err != nil {
			return fail("fetch", err)
		}
		r.Attempts++
		commits, err := plan(ctx, base)
		if err != nil {
			return fail("plan", err)
		}
		if err = v.write(&r, dst, branch, n, base, commits); err == nil {
			return r, nil
		} else if !errors.Is(err, fs.ErrExist) {
			return fail("push", err)
		}
	}
	return fail("fetch", ctx.Err())
}

// write makes the commits the version after n, unless they change nothing. It returns fs.ErrExist
// if there is a newer version than n.
func (v *versions) write(r *gitsink.Result, dst destination.Destination, branch string, n int, base gitsink.Tree, commits []gitsink.Commit) error {
	next, err := draft(v.root, filepath.Join(branch, strconv.Itoa(n)), dst.BaseFolder, commits)
	defer os.RemoveAll(next)
	if err != nil {
		return err
	}
	tree, err := open(next, dst.BaseFolder)
	if err != nil {
		return err
	}
	before, after := maps.Collect(base.Paths("")), maps.Collect(tree.Paths(""))
	v.mu.Lock()
	defer v.mu.Unlock()
	if newest(branch) != n {
		return fs.ErrExist
	}
	if !maps.Equal(before, after) {
		n++
		if err := os.Rename(next, filepath.Join(branch, strconv.Itoa(n))); err != nil {
			return err
		}
		r.Commits = []string{strconv.Itoa(n)}
	}
	if n > 0 {
		r.Tip = strconv.Itoa(n)
	}
	last, known := v.seen[dst]
	r.Foreign = known && !maps.Equal(last, before)
	v.seen[dst] = after
	return nil
}

// Close implements gitsink.GitSink.
func (v *versions) Close() error { return nil }
