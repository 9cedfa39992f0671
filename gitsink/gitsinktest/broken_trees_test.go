package gitsinktest

import (
	"context"
	"errors"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// oddTree replaces methods of a tree; nil ones are the Fake's.
type oddTree struct {
	*fakeTree
	entry func(path string) (gitsink.Entry, bool)
	read  func(ctx context.Context, paths ...string) (map[string][]byte, error)
}

func (t oddTree) Entry(path string) (gitsink.Entry, bool) {
	if t.entry == nil {
		return t.fakeTree.Entry(path)
	}
	return t.entry(path)
}

func (t oddTree) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	if t.read == nil {
		return t.fakeTree.Read(ctx, paths...)
	}
	return t.read(ctx, paths...)
}

// prefixed takes the prefix of Paths for one of text, not for a folder.
type prefixed struct{ *fakeTree }

func (t prefixed) Paths(prefix string) iter.Seq2[string, gitsink.Entry] {
	return func(yield func(string, gitsink.Entry) bool) {
		for path, entry := range t.fakeTree.Paths("") {
			if strings.HasPrefix(path, prefix) && !yield(path, entry) {
				return
			}
		}
	}
}

// stubborn goes on although the loop was left.
type stubborn struct{ *fakeTree }

func (t stubborn) Paths(prefix string) iter.Seq2[string, gitsink.Entry] {
	return func(yield func(string, gitsink.Entry) bool) {
		for path, entry := range t.fakeTree.Paths(prefix) {
			yield(path, entry)
		}
	}
}

func sorted(compare func(a, b string) int) maker {
	return onTrees(func(t *fakeTree) gitsink.Tree {
		t.paths = slices.SortedFunc(maps.Keys(t.files), compare)
		return t
	})
}

// oddAbove changes what is found above the base folder.
type oddAbove struct {
	*fakeTree
	change func(t *fakeTree, found map[string][]byte, name string)
}

func (t oddAbove) ReadAbove(ctx context.Context, name string) (map[string][]byte, error) {
	found, err := t.fakeTree.ReadAbove(ctx, name)
	if err == nil {
		t.change(t.fakeTree, found, name)
	}
	return found, err
}

func onAbove(change func(t *fakeTree, found map[string][]byte, name string)) maker {
	return onTrees(func(t *fakeTree) gitsink.Tree { return oddAbove{t, change} })
}

var brokenTrees = []broken{
	{
		name: "it counts the base folder among those above it",
		by:   map[string]string{"what lies above the base folder is shown from the root down to it, if at all": "ReadAbove of .note"},
		make: onAbove(func(t *fakeTree, found map[string][]byte, name string) {
			if file, ok := t.files[name]; ok {
				found[t.folder] = []byte(file.Content)
			}
		}),
	},
	{
		name: "it leaves out the root",
		by:   map[string]string{"what lies above the base folder is shown from the root down to it, if at all": "ReadAbove of .note"},
		make: onAbove(func(_ *fakeTree, found map[string][]byte, _ string) { delete(found, "") }),
	},
	{
		name: "it shows the folders beside the way",
		by:   map[string]string{"what lies above the base folder is shown from the root down to it, if at all": "ReadAbove of .note"},
		make: onAbove(func(t *fakeTree, found map[string][]byte, name string) {
			for path, file := range t.all {
				if folder, ok := strings.CutSuffix(path, "/"+name); ok && folder != t.folder && !below(folder, t.folder) {
					found[folder] = []byte(file.Content)
				}
			}
		}),
	},
	{
		name: "it shows the folders whose names begin alike",
		by:   map[string]string{"a plan sees the files of its base folder and no others": "the files of folder base"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			return f.Apply(ctx, d, func(ctx context.Context, _ gitsink.Tree) ([]gitsink.Commit, error) {
				tree := &fakeTree{files: map[string]gitservertest.File{}}
				for path, file := range f.Repo(d.Repository).Files(d.Branch) {
					if strings.HasPrefix(path, d.BaseFolder) {
						tree.files[strings.TrimPrefix(path[len(d.BaseFolder):], "/")] = file
					}
				}
				tree.paths = slices.Sorted(maps.Keys(tree.files))
				return plan(ctx, tree)
			})
		}),
	},
	{
		name: "it shows the folders before the files, as a walk of the file system does",
		by:   map[string]string{"paths come in byte order, and only those below the prefix": `Paths: ["Z" "a/b"`},
		make: sorted(func(a, b string) int { return slices.Compare(strings.Split(a, "/"), strings.Split(b, "/")) }),
	},
	{
		name: "it shows the paths backwards",
		by:   map[string]string{"paths come in byte order, and only those below the prefix": `Paths: ["ü"`},
		make: sorted(func(a, b string) int { return strings.Compare(b, a) }),
	},
	{
		name: "it takes the prefix for text",
		by:   map[string]string{"paths come in byte order, and only those below the prefix": `Paths of a: ["a-"`},
		make: onTrees(func(t *fakeTree) gitsink.Tree { return prefixed{t} }),
	},
	{
		name: "it cannot stop in the middle of a folder",
		by:   map[string]string{"paths come in byte order, and only those below the prefix": "range function continued"},
		make: onTrees(func(t *fakeTree) gitsink.Tree { return stubborn{t} }),
	},
	{
		name: "it hashes the content without Git's header",
		by:   map[string]string{"entries have the modes and hashes of Git": "Entry returns"},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			return oddTree{fakeTree: t, entry: func(path string) (gitsink.Entry, bool) {
				e, ok := t.Entry(path)
				e.Hash = hashOf(t.files[path].Content)
				return e, ok
			}}
		}),
	},
	{
		name: "it calls every file an ordinary one",
		by: map[string]string{
			"entries have the modes and hashes of Git":                        ", want {",
			"a plan sees symbolic links and submodules, which cannot be read": ", want {",
		},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			for path, file := range t.files {
				t.files[path] = gitservertest.File{Content: file.Content}
			}
			return t
		}),
	},
	{
		name: "it finds folders",
		by:   map[string]string{"Entry finds files and nothing else": "Entry("},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			return oddTree{fakeTree: t, entry: func(path string) (gitsink.Entry, bool) {
				for file, entry := range t.Paths(path) {
					return entry, file != ""
				}
				return t.Entry(path)
			}}
		}),
	},
	{
		name: "it fails to read what is not there",
		by: map[string]string{
			"Read returns what is there of many files": "no such file",
			"a plan sees the newest tree":              "no such file",
		},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			return oddTree{fakeTree: t, read: func(ctx context.Context, paths ...string) (map[string][]byte, error) {
				for _, path := range paths {
					if _, ok := t.files[path]; !ok {
						return nil, errors.New("no such file")
					}
				}
				return t.Read(ctx, paths...)
			}}
		}),
	},
	{
		name: "it reads what is not there as empty",
		by:   map[string]string{"Read returns what is there of many files": `"none":""`},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			return oddTree{fakeTree: t, read: func(_ context.Context, paths ...string) (map[string][]byte, error) {
				contents := map[string][]byte{}
				for _, path := range paths {
					contents[path] = []byte(t.files[path].Content)
				}
				return contents, nil
			}}
		}),
	},
	{
		name: "it reads the first of many files",
		by:   map[string]string{"Read returns what is there of many files": `Read: map["a":"1"], want`},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			return oddTree{fakeTree: t, read: func(ctx context.Context, paths ...string) (map[string][]byte, error) {
				return t.Read(ctx, paths[:min(1, len(paths))]...)
			}}
		}),
	},
	{
		name: "it reads the targets of symbolic links",
		by:   map[string]string{"a plan sees symbolic links and submodules, which cannot be read": `"link":"file"`},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			return oddTree{fakeTree: t, read: func(_ context.Context, paths ...string) (map[string][]byte, error) {
				contents := map[string][]byte{}
				for _, path := range paths {
					if file, ok := t.files[path]; ok {
						contents[path] = []byte(file.Content)
					}
				}
				return contents, nil
			}}
		}),
	},
	{
		name: "it hides symbolic links",
		by:   map[string]string{"a plan sees symbolic links and submodules, which cannot be read": "Paths:"},
		make: onTrees(func(t *fakeTree) gitsink.Tree {
			maps.DeleteFunc(t.files, func(_ string, f gitservertest.File) bool { return f.Mode == gitservertest.ModeSymlink })
			t.paths = slices.Sorted(maps.Keys(t.files))
			return t
		}),
	},
	{
		name: "it hands out its cache",
		by:   map[string]string{"what Read returned is the plan's own": `Read: map["a":"\x00\x00`},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			cache := map[string][]byte{}
			return onTrees(func(tree *fakeTree) gitsink.Tree {
				return oddTree{fakeTree: tree, read: func(ctx context.Context, paths ...string) (map[string][]byte, error) {
					got, err := tree.Read(ctx, paths...)
					for path := range got {
						if cache[path] == nil {
							cache[path] = got[path]
						}
						got[path] = cache[path]
					}
					return got, err
				}}
			})(t, f)
		},
	},
	{
		name: "it shows the tree that it has seen first",
		by:   map[string]string{"a plan sees the newest tree": "after somebody's first commit"},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			var first *fakeTree
			return onTrees(func(tree *fakeTree) gitsink.Tree {
				if first == nil {
					first = tree
				}
				return first
			})(t, f)
		},
	},
	{
		name: "it shows the tree as it left it itself",
		by: map[string]string{
			"a plan sees the newest tree":                           "after somebody's second commit",
			"a commit that lands while the plan runs is built upon": `"base/theirs" is not there`,
		},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			var kept *fakeCommit
			return flaw{
				base: func(_ *Fake, _ destination.Destination, base fakeBase) fakeBase {
					if kept == nil {
						kept = base.commit
					}
					if kept != nil {
						base.commit = kept
					}
					return base
				},
				push: func(f *Fake, d destination.Destination, _ fakeBase, made fakeChain) bool {
					kept = made.last
					f.force(d, made.last)
					return true
				},
			}.make(t, f)
		},
	},
}
