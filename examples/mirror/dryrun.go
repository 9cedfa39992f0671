package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/diff"
	linediff "github.com/go-git/go-git/v5/utils/diff"
	dmp "github.com/sergi/go-diff/diffmatchpatch"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// dryRun is a GitSink that prints what plans would change. It runs each plan on the real tree, and
// commits nothing.
type dryRun struct {
	sink gitsink.GitSink

	mu  sync.Mutex
	out io.Writer
}

func (s *dryRun) Apply(ctx context.Context, dst destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	var patch bytes.Buffer
	result, err := s.sink.Apply(ctx, dst, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		patch.Reset()
		commits, err := plan(ctx, base)
		if err != nil {
			return nil, err
		}
		return nil, show(ctx, &patch, dst, base, commits)
	})
	if err == nil && patch.Len() > 0 {
		s.mu.Lock()
		defer s.mu.Unlock()
		fmt.Fprintf(s.out, "# %s: branch %s\n", dst.Ref, dst.Branch)
		_, err = patch.WriteTo(s.out)
	}
	return result, err
}

func (s *dryRun) Close() error { return s.sink.Close() }

// show writes the commits as a unified diff.
func show(ctx context.Context, w io.Writer, dst destination.Destination, base gitsink.Tree, commits []gitsink.Commit) error {
	for _, c := range commits {
		var paths []string
		for _, change := range c.Changes {
			paths = append(paths, change.Path)
			if change.From != "" {
				paths = append(paths, change.From)
			}
		}
		stored, err := base.Read(ctx, paths...)
		if err != nil {
			return err
		}
		p := patch{message: c.Message}
		for _, change := range c.Changes {
			if change.From != "" {
				change.Data = stored[change.From]
			}
			p.files = append(p.files, newFilePatch(dst, change, stored))
		}
		if err := diff.NewUnifiedEncoder(w, diff.DefaultContextLines).Encode(p); err != nil {
			return err
		}
	}
	return nil
}

// patch, filePatch, file and chunk are what go-git's encoder of unified diffs wants.
type patch struct {
	message string
	files   []diff.FilePatch
}

func (p patch) FilePatches() []diff.FilePatch { return p.files }
func (p patch) Message() string               { return p.message }

type filePatch struct {
	from, to diff.File
	chunks   []diff.Chunk
}

func newFilePatch(dst destination.Destination, c gitsink.Change, stored map[string][]byte) filePatch {
	name := strings.TrimPrefix(dst.BaseFolder+"/"+c.Path, "/")
	old, exists := stored[c.Path]
	var p filePatch
	if exists {
		p.from = newFile(name, old)
	}
	if !c.Remove {
		p.to = newFile(name, c.Data)
	}
	for _, d := range linediff.Do(string(old), string(c.Data)) {
		p.chunks = append(p.chunks, chunk{d})
	}
	return p
}

func (p filePatch) IsBinary() bool              { return false }
func (p filePatch) Files() (from, to diff.File) { return p.from, p.to }
func (p filePatch) Chunks() []diff.Chunk        { return p.chunks }

type file struct {
	path string
	hash plumbing.Hash
}

func newFile(path string, data []byte) file {
	return file{path, plumbing.ComputeHash(plumbing.BlobObject, data)}
}

func (f file) Hash() plumbing.Hash     { return f.hash }
func (f file) Mode() filemode.FileMode { return filemode.Regular }
func (f file) Path() string            { return f.path }

type chunk struct{ of dmp.Diff }

func (c chunk) Content() string { return c.of.Text }

func (c chunk) Type() diff.Operation {
	switch c.of.Type {
	case dmp.DiffInsert:
		return diff.Add
	case dmp.DiffDelete:
		return diff.Delete
	default:
		return diff.Equal
	}
}
