package gitsinktest

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// onFiles changes what the last commit of a plan makes of the files.
func onFiles(change func(folder string, before, after map[string]gitservertest.File)) maker {
	return flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
		made, err := base.build(folder, commits)
		if err == nil && len(made.commits) > 0 {
			change(folder, base.files(), made.last.files)
		}
		return made, err
	}}.make
}

// careless applies changes one by one with f and looks at nothing first; f may change the files as
// it likes.
func careless(f func(files map[string]gitservertest.File, folder string, change gitsink.Change)) maker {
	return flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
		chain := fakeChain{last: base.commit}
		for _, c := range commits {
			files := maps.Clone(fakeBase{commit: chain.last}.files())
			if files == nil {
				files = map[string]gitservertest.File{}
			}
			for _, change := range c.Changes {
				f(files, folder, change)
			}
			if !maps.Equal(files, (fakeBase{commit: chain.last}).files()) {
				chain.last, chain.moves = newFakeCommit(chain.last, files, c, time.Now()), true
				chain.commits = append(chain.commits, chain.last)
			}
		}
		return chain, nil
	}}.make
}

// set writes or removes, whatever the path. It copies what is there by now.
func set(files map[string]gitservertest.File, path string, change gitsink.Change) {
	switch {
	case change.Remove:
		delete(files, path)
	case change.From != "":
		files[path] = files[change.From]
	default:
		files[path] = gitservertest.File{Mode: files[path].Mode, Content: string(change.Data)}
	}
}

// eachChange changes the changes of each commit of a plan.
func eachChange(edit func([]gitsink.Change) []gitsink.Change) maker {
	return onProposals(func(commits []gitsink.Commit) []gitsink.Commit {
		commits = slices.Clone(commits)
		for i := range commits {
			commits[i].Changes = edit(slices.Clone(commits[i].Changes))
		}
		return commits
	})
}

var errNoFile = fmt.Errorf("%w: no such file", gitsink.ErrPath)

// copying applies copies with f, and all else as it should be.
func copying(f func(given, files map[string]gitservertest.File, folder string, change gitsink.Change)) maker {
	return flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
		given := base.files()
		return careful(base, commits, func(files map[string]gitservertest.File, change gitsink.Change) {
			if change.From != "" && !change.Remove {
				f(given, files, folder, change)
			} else {
				set(files, join(folder, change.Path), change)
			}
		}), nil
	}}.make
}

// careful makes commits of changes that f applies.
func careful(base fakeBase, commits []gitsink.Commit, f func(map[string]gitservertest.File, gitsink.Change)) fakeChain {
	chain := fakeChain{last: base.commit}
	for _, c := range commits {
		files := maps.Clone(fakeBase{commit: chain.last}.files())
		for _, change := range c.Changes {
			f(files, change)
		}
		chain.last, chain.moves = newFakeCommit(chain.last, files, c, time.Now()), true
		chain.commits = append(chain.commits, chain.last)
	}
	return chain
}

var brokenChanges = []broken{
	{
		name: "a copy is empty",
		by:   map[string]string{"a copy has the content and the mode of its file": "want"},
		make: copying(func(_, files map[string]gitservertest.File, folder string, change gitsink.Change) {
			files[join(folder, change.Path)] = gitservertest.File{}
		}),
	},
	{
		name: "a copy keeps the mode of what was there",
		by:   map[string]string{"a copy has the content and the mode of its file": "want"},
		make: copying(func(given, files map[string]gitservertest.File, folder string, change gitsink.Change) {
			path := join(folder, change.Path)
			files[path] = gitservertest.File{Mode: files[path].Mode, Content: given[join(folder, change.From)].Content}
		}),
	},
	{
		name: "a copy takes the file away",
		by:   map[string]string{"a copy has the content and the mode of its file": "is not there"},
		make: copying(func(given, files map[string]gitservertest.File, folder string, change gitsink.Change) {
			files[join(folder, change.Path)] = given[join(folder, change.From)]
			delete(files, join(folder, change.From))
		}),
	},
	{
		name: "a copy is of what the plan has made of the file",
		by:   map[string]string{"a copy is of the tree that the plan was given": "want"},
		make: copying(func(_, files map[string]gitservertest.File, folder string, change gitsink.Change) {
			files[join(folder, change.Path)] = files[join(folder, change.From)]
		}),
	},
	{
		name: "a copy of nothing is an empty file",
		by:   map[string]string{"what is no file is not copied": "want an error that matches"},
		make: copying(func(given, files map[string]gitservertest.File, folder string, change gitsink.Change) {
			files[join(folder, change.Path)] = given[join(folder, change.From)]
		}),
	},
	{
		name: "it writes text",
		by:   map[string]string{"what a plan writes is what the store holds": `base/binary`},
		make: onFiles(func(_ string, _, after map[string]gitservertest.File) {
			for path, file := range after {
				file.Content = strings.ToValidUTF8(strings.ReplaceAll(file.Content, "\r\n", "\n"), "?")
				after[path] = file
			}
		}),
	},
	{
		name: "it takes an empty file for none",
		by:   map[string]string{"what a plan writes is what the store holds": `"base/empty" is not there`},
		make: eachChange(func(changes []gitsink.Change) []gitsink.Change {
			return slices.DeleteFunc(changes, func(c gitsink.Change) bool { return !c.Remove && len(c.Data) == 0 })
		}),
	},
	{
		name: "it writes when it is closed",
		by: map[string]string{
			"what a plan writes is what the store holds": "want",
			"another sink sees at once what was written": "want",
		},
		make: func(testing.TB, *Fake) gitsink.GitSink { return NewFake() },
	},
	{
		name: "it drops the second change of a path",
		by:   map[string]string{"the changes of a commit are applied in order": `"base/twice" is  "1"`},
		make: eachChange(func(changes []gitsink.Change) []gitsink.Change {
			seen := map[string]bool{}
			return slices.DeleteFunc(changes, func(c gitsink.Change) bool {
				again := seen[c.Path]
				seen[c.Path] = true
				return again
			})
		}),
	},
	{
		name: "it removes last",
		by:   map[string]string{"the changes of a commit are applied in order": `"base/back" is not there`},
		make: careless(func() func(map[string]gitservertest.File, string, gitsink.Change) {
			gone := map[string]bool{}
			return func(files map[string]gitservertest.File, folder string, change gitsink.Change) {
				set(files, join(folder, change.Path), change)
				gone[change.Path] = gone[change.Path] || change.Remove
				for path := range gone {
					if gone[path] {
						delete(files, join(folder, path))
					}
				}
			}
		}()),
	},
	{
		name: "it drops the second commit",
		by: map[string]string{
			"the commits of a plan build on each other":       "want",
			"each commit of a plan is a commit of the branch": "want",
		},
		make: onProposals(func(commits []gitsink.Commit) []gitsink.Commit { return commits[:min(1, len(commits))] }),
	},
	{
		name: "it builds each commit on the base",
		by:   map[string]string{"the commits of a plan build on each other": `"base/a" is not there`},
		make: flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (chain fakeChain, err error) {
			for _, c := range commits {
				if chain, err = base.build(folder, []gitsink.Commit{c}); err != nil {
					return chain, err
				}
			}
			return chain, nil
		}}.make,
	},
	{
		name: "it removes one file at most",
		by:   map[string]string{"what a plan removes is gone": "is there"},
		make: eachChange(func(changes []gitsink.Change) []gitsink.Change {
			removed := 0
			return slices.DeleteFunc(changes, func(c gitsink.Change) bool {
				if c.Remove {
					removed++
				}
				return c.Remove && removed > 1
			})
		}),
	},
	{
		name: "it fails to remove what is not there",
		by:   map[string]string{"removing what is not there is no fault": "no such file"},
		make: flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
			for _, c := range commits {
				for _, change := range c.Changes {
					if _, ok := base.files()[join(folder, change.Path)]; change.Remove && !ok {
						return fakeChain{}, errNoFile
					}
				}
			}
			return base.build(folder, commits)
		}}.make,
	},
	{
		name: "it loses the mode of what it writes",
		by:   map[string]string{"an executable file stays executable": `"base/run" is  "2", want 100755 "2"`},
		make: onFiles(func(_ string, before, after map[string]gitservertest.File) {
			for path, file := range after {
				if before[path] != file {
					after[path] = gitservertest.File{Content: file.Content}
				}
			}
		}),
	},
	{
		name: "it loses the mode of all others",
		by: map[string]string{
			"an executable file stays executable":        `want 100755`,
			"what the plan does not name is not touched": `want 100755`,
		},
		make: onFiles(func(_ string, before, after map[string]gitservertest.File) {
			for path, file := range after {
				if before[path] == file && file.Mode == gitservertest.ModeExecutable {
					after[path] = gitservertest.File{Content: file.Content}
				}
			}
		}),
	},
	{
		name: "it removes what it has not written from the folder",
		by:   map[string]string{"what the plan does not name is not touched": `"base/theirs" is not there`},
		make: careless(func(files map[string]gitservertest.File, folder string, change gitsink.Change) {
			maps.DeleteFunc(files, func(p string, _ gitservertest.File) bool { return below(p, folder) && strings.HasSuffix(p, "theirs") })
			set(files, join(folder, change.Path), change)
		}),
	},
	{
		name: "it makes the folder the whole branch",
		by:   map[string]string{"what the plan does not name is not touched": `"a" is not there`},
		make: onFiles(func(folder string, _, after map[string]gitservertest.File) {
			maps.DeleteFunc(after, func(path string, _ gitservertest.File) bool { return !below(path, folder) })
		}),
	},
	{
		name: "it follows paths out of the folder",
		by:   map[string]string{"a path that leaves the base folder is refused before anything is written": "path \"../other\""},
		make: careless(func(files map[string]gitservertest.File, folder string, change gitsink.Change) {
			set(files, path.Join(folder, change.Path), change)
		}),
	},
	{
		name: "it keeps paths in the folder that were to leave it",
		by:   map[string]string{"a path that leaves the base folder is refused before anything is written": "path \"../other\""},
		make: eachChange(func(changes []gitsink.Change) []gitsink.Change {
			for i := range changes {
				changes[i].Path = strings.TrimPrefix(path.Clean("/"+changes[i].Path), "/")
			}
			return changes
		}),
	},
	{
		name: "it lets .git through",
		by:   map[string]string{"a path that leaves the base folder is refused before anything is written": "path \".git/config\""},
		make: flaw{build: func(base fakeBase, folder string, commits []gitsink.Commit) (fakeChain, error) {
			return base.build(folder, slices.DeleteFunc(slices.Clone(commits), func(c gitsink.Commit) bool {
				return slices.ContainsFunc(c.Changes, func(c gitsink.Change) bool { return strings.Contains(strings.ToLower(c.Path), ".git/") })
			}))
		}}.make,
	},
	{
		name: "it writes the commits before the bad one",
		by: map[string]string{
			"a path that leaves the base folder is refused before anything is written": `"base/b" is there`,
			"a file is no folder, and a folder no file":                                `"base/b" is there`,
		},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (r gitsink.Result, err error) {
			var all []gitsink.Commit
			if r, err = f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				all, err = plan(ctx, base)
				return nil, err
			}); err != nil {
				return r, err
			}
			for _, c := range all {
				if r, err = f.Apply(ctx, d, propose(c)); err != nil {
					return r, err
				}
			}
			return r, nil
		}),
	},
	{
		name: "it clears what is in the way",
		by: map[string]string{
			"a file is no folder, and a folder no file":           "Apply returned <nil>",
			"a symbolic link is neither followed nor overwritten": "Apply returned <nil>",
		},
		make: careless(func(files map[string]gitservertest.File, folder string, change gitsink.Change) {
			whole := join(folder, change.Path)
			for _, p := range parents(whole) {
				delete(files, p)
			}
			clearPath(files, whole)
			set(files, whole, change)
		}),
	},
	{
		name: "it follows symbolic links",
		by:   map[string]string{"a symbolic link is neither followed nor overwritten": `folder "base", path "inner"`},
		make: careless(func(files map[string]gitservertest.File, folder string, change gitsink.Change) {
			whole := join(folder, change.Path)
			for _, p := range append(parents(whole), whole) {
				if link := files[p]; link.Mode == gitservertest.ModeSymlink {
					whole = path.Join(path.Dir(p), link.Content, strings.TrimPrefix(whole, p))
				}
			}
			set(files, whole, change)
		}),
	},
	{
		name: "it uses the plan's data as a buffer",
		by:   map[string]string{"a plan's commits are not kept, nor changed": "were changed"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			var used [][]byte
			r, err := f.Apply(ctx, d, func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
				commits, err := plan(ctx, base)
				for _, c := range commits {
					for _, change := range c.Changes {
						used = append(used, change.Data)
					}
				}
				return commits, err
			})
			for _, data := range used {
				clear(data)
			}
			return r, err
		}),
	},
	{
		name: "it sorts the plan's changes",
		by:   map[string]string{"a plan's commits are not kept, nor changed": "were changed"},
		make: onProposals(func(commits []gitsink.Commit) []gitsink.Commit {
			for _, c := range commits {
				slices.SortStableFunc(c.Changes, func(a, b gitsink.Change) int { return strings.Compare(a.Path, b.Path) })
			}
			return commits
		}),
	},
	{
		name: "it keeps the plan's data",
		by:   map[string]string{"a plan's commits are not kept, nor changed": `want map["b":"first"]`},
		make: func(t testing.TB, f *Fake) gitsink.GitSink {
			var kept []gitsink.Change
			return onProposals(func(commits []gitsink.Commit) []gitsink.Commit {
				if len(commits) == 0 {
					return nil
				}
				changes := slices.Concat(kept, commits[0].Changes)
				kept = append(kept, commits[0].Changes...)
				return []gitsink.Commit{{Message: "all", Changes: changes}}
			})(t, f)
		},
	},
	{
		name: "it writes to the branch main, whatever it was asked for",
		by:   map[string]string{"a branch is written without another being touched": "the branch"},
		make: onCalls(func(f *Fake, ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
			d.Branch = "main"
			return f.Apply(ctx, d, plan)
		}),
	},
	{
		name: "it writes no more than 999 files",
		by:   map[string]string{"a commit may have many files": "is not there"},
		make: eachChange(func(changes []gitsink.Change) []gitsink.Change { return changes[:min(len(changes), 999)] }),
	},
	{
		name: "it leaves out what has the content of another file",
		by:   map[string]string{"what a plan writes is what the store holds": "is not there"},
		make: eachChange(func(changes []gitsink.Change) []gitsink.Change {
			return slices.CompactFunc(changes, func(a, b gitsink.Change) bool {
				return !a.Remove && !b.Remove && bytes.Equal(a.Data, b.Data)
			})
		}),
	},
}
