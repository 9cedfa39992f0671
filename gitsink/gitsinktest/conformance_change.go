package gitsinktest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// changeChecks are about the files that a plan writes and removes.
var changeChecks = []check{
	{
		name:    "what a plan writes is what the store holds",
		promise: "nil from Apply means that the remote has what the plan wanted.",
		run: func(ctx context.Context, e *env) error {
			files := []string{
				"file", "a: 1\n", "empty", "", "crlf", "a\r\nb\r\n", "binary", "\x00\xff\xfe\x00", "no newline", "x",
				"deep/er/and/deeper/file", "1", "v1..2", "1", "ü", "1", "-rf", "1", `"quoted" 'names'`, "1", "%2F", "1", ".hidden", "1",
				"large", strings.Repeat("0123456789abcdef", 20_000),
			}
			s, want := e.sink(), map[string]gitservertest.File{}
			for _, folder := range []string{"base", "deep/er/folder", ""} {
				if _, err := s.Apply(ctx, e.to(folder), put(files...)); err != nil {
					return err
				}
				for path, file := range contents(files...) {
					want[join(folder, path)] = file
				}
				if err := e.holdsFiles("main", want); err != nil {
					return err
				}
			}
			return nil
		},
	},
	{
		name:    "another sink sees at once what was written",
		promise: "nil from Apply means that the remote has what the plan wanted.",
		run: func(ctx context.Context, e *env) error {
			if _, err := e.sink().Apply(ctx, e.to("base"), put("a", "1")); err != nil {
				return err
			}
			_, err := e.sink().Apply(ctx, e.to("base"), look(func(ctx context.Context, base gitsink.Tree) error {
				return reads(ctx, base, "a", "1")
			}))
			return err
		},
	},
	{
		name:    "the changes of a commit are applied in order",
		promise: "The changes of a commit are applied in order.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/back", "1", "base/file", "1", "base/folder/a", "1", "base/folder/b", "1")
			_, err := e.sink().Apply(ctx, e.to("base"), propose(gitsink.Commit{Message: "in order", Changes: slices.Concat(
				writes("twice", "1", "twice", "2", "there", "1"), removals("there", "back"), writes("back", "2"),
				removals("file"), writes("file/now/a/folder", "1"), removals("folder/a", "folder/b"), writes("folder", "now a file"),
			)}))
			return errors.Join(err, e.holds("main", "base/twice", "2", "base/back", "2", "base/file/now/a/folder", "1", "base/folder", "now a file"))
		},
	},
	{
		name:    "the commits of a plan build on each other",
		promise: "Commit is one commit of a Plan; each builds on the one before.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/old", "1")
			_, err := e.sink().Apply(ctx, e.to("base"), propose(
				gitsink.Commit{Message: "one", Changes: writes("a", "1", "b", "1", "c", "1")},
				gitsink.Commit{Message: "two", Changes: append(writes("a", "2"), removals("b", "old")...)},
				gitsink.Commit{Message: "three", Changes: writes("b", "3")},
			))
			return errors.Join(err, e.holds("main", "base/a", "2", "base/b", "3", "base/c", "1"))
		},
	},
	{
		name:    "a copy has the content and the mode of its file",
		promise: "the file at Path becomes what that is, content and mode",
		run: func(ctx context.Context, e *env) error {
			e.Observer.Commit("main", map[string]gitservertest.File{
				"base/run": {Mode: gitservertest.ModeExecutable, Content: "1"}, "base/deep/a": {Content: "a"}, "base/old": {Content: "old"},
			}, "outside")
			copies := []gitsink.Change{{Path: "new/run", From: "run"}, {Path: "a", From: "deep/a"}, {Path: "old", From: "run"}}
			if _, err := e.sink().Apply(ctx, e.to("base"), propose(gitsink.Commit{Message: "copy", Changes: copies})); err != nil {
				return err
			}
			run := gitservertest.File{Mode: gitservertest.ModeExecutable, Content: "1"}
			return e.holdsFiles("main", map[string]gitservertest.File{
				"base/run": run, "base/new/run": run, "base/old": run, "base/deep/a": {Content: "a"}, "base/a": {Content: "a"},
			})
		},
	},
	{
		name:    "a copy is of the tree that the plan was given",
		promise: "whatever was done to it before in the same plan",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "base/b", "2", "base/c", "3")
			s := e.sink()
			swap := slices.Concat(removals("a", "b"), []gitsink.Change{{Path: "a", From: "b"}, {Path: "b", From: "a"}})
			_, err := s.Apply(ctx, e.to("base"), propose(
				gitsink.Commit{Message: "swap", Changes: swap},
				gitsink.Commit{Message: "and more", Changes: append(writes("c", "4"), gitsink.Change{Path: "d", From: "c"}, gitsink.Change{Path: "e/a", From: "a"})},
			))
			return errors.Join(err, e.holds("main", "base/a", "2", "base/b", "1", "base/c", "4", "base/d", "3", "base/e/a", "1"))
		},
	},
	{
		name:    "what is no file is not copied",
		promise: "To copy what is not there, or is no file, is ErrPath.",
		run: func(ctx context.Context, e *env) error {
			files := map[string]gitservertest.File{
				"base/a": {Content: "1"}, "base/folder/b": {Content: "2"}, "base/link": {Mode: gitservertest.ModeSymlink, Content: "a"},
				"base/to": {Mode: gitservertest.ModeSymlink, Content: "folder"}, "other": {Content: "theirs"},
			}
			e.Observer.Commit("main", files, "outside")
			s, d := e.sink(), e.to("base")
			for _, from := range []string{"none", "folder", "link", "to/b", "a/b", "folder/none"} {
				_, err := s.Apply(ctx, d, propose(
					gitsink.Commit{Message: "good", Changes: writes("c", "1")},
					gitsink.Commit{Message: "bad", Changes: []gitsink.Change{{Path: "d", From: from}}},
				))
				if err := refused(d, err, gitsink.ErrPath); err != nil {
					return fmt.Errorf("from %q: %w", from, err)
				}
			}
			return e.holdsFiles("main", files)
		},
	},
	{
		name:    "what a plan removes is gone",
		promise: "Change writes, copies or removes one file.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "base/sub/b", "2", "base/sub/c", "3", "other", "x")
			s := e.sink()
			for _, folder := range []string{"base", ""} {
				all := func(_ context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
					return []gitsink.Commit{{Message: "clear", Changes: removals(listed(base, "")...)}}, nil
				}
				if _, err := s.Apply(ctx, e.to(folder), all); err != nil {
					return err
				}
				if folder == "base" {
					if err := e.holds("main", "other", "x"); err != nil {
						return err
					}
				}
			}
			if err := e.holds("main"); err != nil {
				return err
			}
			_, err := s.Apply(ctx, e.to("base"), put("a", "again"))
			return errors.Join(err, e.holds("main", "base/a", "again"))
		},
	},
	{
		name:    "removing what is not there is no fault",
		promise: "To remove what is not there is no fault.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			_, err := e.sink().Apply(ctx, e.to("base"), propose(gitsink.Commit{
				Message: "remove", Changes: append(removals("none", "none/at/all", "a/b"), writes("b", "2")...),
			}))
			return errors.Join(err, e.holds("main", "base/a", "1", "base/b", "2"))
		},
	},
	{
		name:    "an executable file stays executable",
		promise: "A file that is written again keeps its mode.",
		run: func(ctx context.Context, e *env) error {
			e.Observer.Commit("main", map[string]gitservertest.File{
				"base/run": {Mode: gitservertest.ModeExecutable, Content: "1"}, "base/other": {Mode: gitservertest.ModeExecutable, Content: "1"}, "base/file": {Content: "1"},
			}, "outside")
			_, err := e.sink().Apply(ctx, e.to("base"), put("run", "2", "file", "2", "new", "2"))
			return errors.Join(err, e.holdsFiles("main", map[string]gitservertest.File{
				"base/run": {Mode: gitservertest.ModeExecutable, Content: "2"}, "base/other": {Mode: gitservertest.ModeExecutable, Content: "1"},
				"base/file": {Content: "2"}, "base/new": {Content: "2"},
			}))
		},
	},
	{
		name:    "what the plan does not name is not touched",
		promise: "Nothing outside the base folder is touched, nor anything in it that the plan does not name.",
		run: func(ctx context.Context, e *env) error {
			want := map[string]gitservertest.File{
				"base/theirs": {Content: "1"}, "base/sub/theirs": {Mode: gitservertest.ModeExecutable, Content: "2"}, "base/.hidden": {Content: "3"},
				"base2/a": {Content: "4"}, "bas": {Content: "5"}, "a": {Content: "6"}, "other/base/a": {Content: "7"}, "base/sub2/x": {Content: "8"},
				"link": {Mode: gitservertest.ModeSymlink, Content: "base"}, "base/link": {Mode: gitservertest.ModeSymlink, Content: "theirs"},
			}
			commit := e.Observer.Commit("main", want, "outside")
			if _, ok := e.Observer.(Historian); ok {
				module := map[string]gitservertest.File{"base/module": submoduleLike(commit)}
				maps.Copy(want, module)
				e.Observer.Commit("main", module, "a submodule")
			}
			s := e.sink()
			for _, plan := range []gitsink.Plan{
				put("a", "1", "sub/ours", "1"), propose(gitsink.Commit{Message: "remove", Changes: removals("a", "sub/ours")}), put("b", "1"),
			} {
				if _, err := s.Apply(ctx, e.to("base"), plan); err != nil {
					return err
				}
			}
			want["base/b"] = gitservertest.File{Content: "1"}
			return e.holdsFiles("main", want)
		},
	},
	{
		name:    "a path that leaves the base folder is refused before anything is written",
		promise: "slash path relative to the base folder; one that leaves it is ErrPath",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1", "other", "x")
			s, d := e.sink(), e.to("base")
			for _, change := range append(removals("../other", "/other", ".git/config"), writes(
				"../other", "", "a/../../other", "", "..", "", "/other", "", "", "", ".", "", "sub/./b", "", "sub//b", "", "sub/", "",
				".git/config", "", "sub/.GIT/hooks/x", "", "sub\\b", "", "a\x00b", "",
			)...) {
				_, err := s.Apply(ctx, d, propose(
					gitsink.Commit{Message: "good", Changes: writes("b", "1")},
					gitsink.Commit{Message: "bad", Changes: append(writes("c", "1"), change)},
				))
				if err := refused(d, err, gitsink.ErrPath); err != nil {
					return fmt.Errorf("path %q: %w", change.Path, err)
				}
			}
			return e.holds("main", "base/a", "1", "other", "x")
		},
	},
	{
		name:    "a file is no folder, and a folder no file",
		promise: "apply the commits of one call all or none",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/file", "1", "base/folder/a", "1")
			s := e.sink()
			for folder, path := range map[string]string{"base": "file/x", "": "base/folder", "base/file": "x", "base/file/x": "y"} {
				d := e.to(folder)
				_, err := s.Apply(ctx, d, propose(
					gitsink.Commit{Message: "good", Changes: writes("b", "1")}, gitsink.Commit{Message: "bad", Changes: writes(path, "1")},
				))
				if err := refused(d, err, gitsink.ErrPath); err != nil {
					return fmt.Errorf("folder %q, path %q: %w", folder, path, err)
				}
			}
			return e.holds("main", "base/file", "1", "base/folder/a", "1")
		},
	},
	{
		name:    "a symbolic link is neither followed nor overwritten",
		promise: "Symbolic links and submodules are neither followed nor overwritten: ErrPath.",
		run: func(ctx context.Context, e *env) error {
			files := map[string]gitservertest.File{
				"other/a": {Content: "theirs"}, "base/file": {Content: "theirs"}, "base/inner": {Mode: gitservertest.ModeSymlink, Content: "file"},
				"base/outer": {Mode: gitservertest.ModeSymlink, Content: "../other/a"}, "base/folder": {Mode: gitservertest.ModeSymlink, Content: "../other"},
				"base/dangling": {Mode: gitservertest.ModeSymlink, Content: "../other/new"}, "away": {Mode: gitservertest.ModeSymlink, Content: "other"},
			}
			e.Observer.Commit("main", files, "outside")
			s := e.sink()
			for _, place := range [][2]string{
				{"base", "inner"}, {"base", "outer"}, {"base", "folder/a"}, {"base", "folder/new"}, {"base", "dangling"}, {"away", "new"},
			} {
				d := e.to(place[0])
				_, err := s.Apply(ctx, d, put(place[1], "ours"))
				if err := refused(d, err, gitsink.ErrPath); err != nil {
					return fmt.Errorf("folder %q, path %q: %w", place[0], place[1], err)
				}
			}
			return e.holdsFiles("main", files)
		},
	},
	{
		name:    "a plan's commits are not kept, nor changed",
		promise: "not keep the tree or the commits",
		run: func(ctx context.Context, e *env) error {
			s, d := e.sink(), e.to("base")
			data := []byte("first")
			commits := []gitsink.Commit{{Message: "one", Changes: []gitsink.Change{{Path: "b", Data: data}, {Path: "a", Data: []byte("1")}}}}
			if _, err := s.Apply(ctx, d, propose(commits...)); err != nil {
				return err
			}
			if c := commits[0].Changes; !bytes.Equal(data, []byte("first")) || c[0].Path != "b" || c[1].Path != "a" {
				return fmt.Errorf("the plan's commits were changed: %+v", commits)
			}
			copy(data, "XXXXX")
			if _, err := s.Apply(ctx, d, put("c", "1")); err != nil {
				return err
			}
			_, err := s.Apply(ctx, d, look(func(ctx context.Context, base gitsink.Tree) error { return reads(ctx, base, "b", "first") }))
			return errors.Join(err, e.holds("main", "base/a", "1", "base/b", "first", "base/c", "1"))
		},
	},
	{
		name:    "a branch is written without another being touched",
		promise: "GitSink writes commits to branches.",
		run: func(ctx context.Context, e *env) error {
			e.seed("base/a", "1")
			e.Observer.Commit("dev", contents("base/a", "dev"), "outside")
			s := e.sink()
			for branch, content := range map[string]string{"main": "2", "dev": "dev 2"} {
				if _, err := s.Apply(ctx, e.on(branch, "base"), put("b", content)); err != nil {
					return err
				}
			}
			return errors.Join(e.holds("main", "base/a", "1", "base/b", "2"), e.holds("dev", "base/a", "dev", "base/b", "dev 2"))
		},
	},
	{
		name:    "a commit may have many files",
		promise: "Change writes, copies or removes one file.",
		run: func(ctx context.Context, e *env) error {
			var files []string
			for i := range 1000 {
				files = append(files, fmt.Sprintf("ns-%d/configmaps/name-%d.yaml", i%10, i), fmt.Sprintf("value: %d\n", i))
			}
			_, err := e.sink().Apply(ctx, e.to("base"), put(files...))
			want := map[string]gitservertest.File{}
			for path, file := range maps.All(contents(files...)) {
				want["base/"+path] = file
			}
			return errors.Join(err, e.holdsFiles("main", want))
		},
	},
}
