package gitsinktest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// treeChecks are about what a plan is shown.
var treeChecks = []check{
	{
		name:    "a plan sees the files of its base folder and no others",
		promise: "Tree is the content of the base folder at one commit.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "base/sub/b", "2", "base2/c", "3", "bas", "4", "other/base/d", "5")
			s := e.sink()
			for folder, want := range map[string][]string{
				"base": {"a", "sub/b"}, "base/sub": {"b"}, "other/base": {"d"}, "none": {}, "none/at/all": {},
				"": {"bas", "base/a", "base/sub/b", "base2/c", "other/base/d"},
			} {
				_, err := s.Apply(ctx, e.to(folder), look(func(_ context.Context, base gitsink.Tree) error {
					return equal("the files of folder "+folder, listed(base, ""), want)
				}))
				if err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "paths come in byte order, and only those below the prefix",
		promise: `Paths yields the files below prefix (a folder, "" for all) in byte order, with their paths relative to the base folder.`,
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a.b", "1", "base/a/b", "2", "base/a0", "3", "base/a-", "4", "base/a/b.c/d", "5", "base/a/b0", "6", "base/Z", "7", "base/ü", "8")
			_, err := e.sink().Apply(ctx, e.to("base"), look(func(_ context.Context, base gitsink.Tree) error {
				for range base.Paths("") {
					break // an iterator may be left
				}
				return errors.Join(
					equal("Paths", listed(base, ""), []string{"Z", "a-", "a.b", "a/b", "a/b.c/d", "a/b0", "a0", "ü"}),
					equal("Paths of a", listed(base, "a"), []string{"a/b", "a/b.c/d", "a/b0"}),
					equal("Paths of a/b.c", listed(base, "a/b.c"), []string{"a/b.c/d"}),
					equal("Paths of a file", listed(base, "a.b"), []string{}),
					equal("Paths of nothing", listed(base, "none"), []string{}),
				)
			}))
			return err
		},
	},
	{
		name:    "entries have the modes and hashes of Git",
		promise: "Hash is Git's name of the content, in hexadecimal digits: 40 of SHA-1, or 64 of SHA-256 where the repository has that.",
		run: func(ctx context.Context, e *env) error {
			files := map[string]gitservertest.File{
				"base/file": {Content: "1\n"}, "base/empty": {}, "base/dir/run": {Mode: gitservertest.ModeExecutable, Content: "#!/bin/sh\n"},
			}
			commit := e.Observer.Commit("main", files, "outside")
			_, err := e.sink().Apply(ctx, e.to("base"), look(func(_ context.Context, base gitsink.Tree) error {
				for path, got := range base.Paths("") {
					found, ok := base.Entry(path)
					if want := entryLike(commit, files["base/"+path]); got != want || found != want || !ok {
						return fmt.Errorf("%s: Paths yields %v, Entry returns %v %t, want %v", path, got, found, ok, want)
					}
				}
				return equal("Paths", listed(base, ""), []string{"dir/run", "empty", "file"})
			}))
			return err
		},
	},
	{
		name:    "Entry finds files and nothing else",
		promise: "Entry looks one path up; false if there is none.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a/b", "1", "base/c", "2", "other", "3")
			_, err := e.sink().Apply(ctx, e.to("base"), look(func(_ context.Context, base gitsink.Tree) error {
				for _, path := range []string{"", "a", "none", "a/none", "c/d", "other", "../other", "base/c", "b"} {
					if entry, ok := base.Entry(path); ok || entry != (gitsink.Entry{}) {
						return fmt.Errorf("Entry(%q) returns %v %t", path, entry, ok)
					}
				}
				return nil
			}))
			return err
		},
	},
	{
		name:    "Read returns what is there of many files",
		promise: "Read returns the content of files, in one request for many. Absent paths are absent from the result.",
		run: func(ctx context.Context, e *env) error {
			long := strings.Repeat("a line\r\n", 10_000)
			e.seed("base/a", "1", "base/sub/b", long, "base/empty", "", "base/binary", "\x00\xff\n", "base/same", "1", "other", "x")
			_, err := e.sink().Apply(ctx, e.to("base"), look(func(ctx context.Context, base gitsink.Tree) error {
				got, err := base.Read(ctx, "a", "sub/b", "none", "empty", "sub", "binary", "a", "same", "../other", "")
				return errors.Join(err,
					equal("Read", text(got), map[string]string{
						"a": "1", "sub/b": long, "empty": "", "binary": "\x00\xff\n", "same": "1",
					}),
					reads(ctx, base, "a", "1"), reads(ctx, base, "none"), reads(ctx, base))
			}))
			return err
		},
	},
	{
		name: "what lies above the base folder is shown from the root down to it, if at all",
		promise: "ReadAbove returns the content of the files called name in the folders above the base folder. " +
			"The keys are the slash paths of these folders from the root of the repository, which is \"\".",
		run: func(ctx context.Context, e *env) error {
			e.seed(".note", "root", "x", "1", "a/.note", "a", "a/b/x", "1", "a/b/c/.note", "own", "a/b/c/d/.note", "below",
				"a2/.note", "beside", "a/z/.note", "beside", "b/.note/x", "no file")
			e.Observer.Commit("main", map[string]gitservertest.File{"b/d/.note": {Mode: gitservertest.ModeExecutable, Content: "run"}}, "outside")
			s := e.sink()
			for folder, want := range map[string]map[string]string{
				"": {}, "a": {"": "root"}, "a/b/c": {"": "root", "a": "a"}, "a/b/c/d": {"": "root", "a": "a", "a/b/c": "own"},
				"a/b/none/at/all": {"": "root", "a": "a"}, "none": {"": "root"}, "b/d/e": {"": "root", "b/d": "run"},
			} {
				for _, name := range []string{".note", "none"} {
					if name == "none" {
						want = map[string]string{}
					}
					_, err := s.Apply(ctx, e.to(folder), look(func(ctx context.Context, base gitsink.Tree) error {
						above, ok := base.(gitsink.AncestorTree)
						if !ok {
							return nil // a sink's Tree need not
						}
						got, err := above.ReadAbove(ctx, name)
						return errors.Join(err, equal("ReadAbove of "+name+" for folder "+folder, text(got), want))
					}))
					if err != nil {
						return err
					}
				}
			}
			return nil
		},
	},
	{
		name:    "what Read returned is the plan's own",
		promise: "The plan may keep and change what Tree.Read returns.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "first")
			s, d := e.sink(), e.to("base")
			for range 2 {
				_, err := s.Apply(ctx, d, look(func(ctx context.Context, base gitsink.Tree) error {
					for range 2 {
						got, err := base.Read(ctx, "a")
						if err := errors.Join(err, equal("Read", text(got), map[string]string{"a": "first"})); err != nil {
							return err
						}
						clear(got["a"])
					}
					return nil
				}))
				if err != nil {
					return err
				}
			}
			return e.holds("main", "base/a", "first")
		},
	},
	{
		name:    "a plan sees symbolic links and submodules, which cannot be read",
		promise: "Entry is a file, symbolic link or submodule in a Tree.",
		needs:   history,
		run: func(ctx context.Context, e *env) error {
			files := map[string]gitservertest.File{
				"base/file": {Content: "1"}, "base/link": {Mode: gitservertest.ModeSymlink, Content: "file"},
			}
			commit := e.Observer.Commit("main", files, "outside")
			module := map[string]gitservertest.File{"base/module": submoduleLike(commit)}
			maps.Copy(files, module)
			e.Observer.Commit("main", module, "a submodule")
			_, err := e.sink().Apply(ctx, e.to("base"), look(func(ctx context.Context, base gitsink.Tree) error {
				for path, got := range base.Paths("") {
					if want := entryLike(commit, files["base/"+path]); got != want {
						return fmt.Errorf("%s is %v, want %v", path, got, want)
					}
				}
				got, err := base.Read(ctx, "file", "link", "module")
				return errors.Join(err, equal("Read", text(got), map[string]string{"file": "1"}),
					equal("Paths", listed(base, ""), []string{"file", "link", "module"}))
			}))
			return err
		},
	},
}

func listed(base gitsink.Tree, prefix string) []string {
	paths := []string{}
	for path := range base.Paths(prefix) {
		paths = append(paths, path)
	}
	return paths
}

func text(files map[string][]byte) map[string]string {
	contents := map[string]string{}
	for path, data := range files {
		contents[path] = string(data)
	}
	return contents
}

// reads wants Read to find one file with this content, or none.
func reads(ctx context.Context, base gitsink.Tree, file ...string) error {
	want, paths := map[string]string{}, []string{}
	if len(file) > 0 {
		paths = file[:1]
	}
	if len(file) > 1 {
		want[file[0]] = file[1]
	}
	got, err := base.Read(ctx, paths...)
	return errors.Join(err, equal(fmt.Sprintf("Read of %q", paths), text(got), want))
}
