package gitsinktest

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// HostileRepositories returns cases with repositories that anybody who may push can make. Their
// objects went through no check of a server, since not every host has one.
func HostileRepositories() []Hostile {
	var all []Hostile
	for _, some := range [][]Hostile{bombs(), deepFolders(), strangeNames(), falseOwners()} {
		all = append(all, some...)
	}
	return all
}

const (
	promiseOfBounds = "Whatever a repository holds, an Apply ends within its bounds, and its error names the path and the bound"
	promiseOfNames  = "entries out of order are refused by name: ErrPath. Elsewhere they are carried through."
	promiseOfOwners = "Only a regular file of at most 4 KiB says whose a folder is"
)

// madeOf is a repository whose root is the tree that build returns.
func madeOf(build func(o *rawObjects) objectName) func(testing.TB) string {
	return func(t testing.TB) string {
		url, _ := rawRepo(t, build)
		return url
	}
}

func rawRepo(t testing.TB, build func(o *rawObjects) objectName) (url string, r *gitservertest.Repo) {
	t.Helper()
	r = gitservertest.NewServer(t, &gitservertest.ServerOptions{SkipFsck: true}).NewRepo("hostile.git")
	o := newRawObjects()
	o.branch(t, r, build(o))
	return r.URL(), r
}

// stays adds a verdict to a case: the entry of the root with this name must be unchanged, and the
// file of the Writer must be there.
func stays(c Hostile, name string, build func(o *rawObjects) objectName) Hostile {
	var repo *gitservertest.Repo
	var before string
	c.Make = func(t testing.TB) (url string) {
		url, repo = rawRepo(t, build)
		before = entriesOf(repo, name)
		return url
	}
	c.Judge = func(gitsink.Report) error {
		if after := entriesOf(repo, name); after != before || before == "" {
			return fmt.Errorf("the entry %q was\n%s\nand is\n%s", name, before, after)
		}
		if repo.Git("ls-tree", "main", "--", join(c.BaseFolder, hostileFile)) == "" {
			return errors.New("what was to be written is not there")
		}
		return nil
	}
	return c
}

// entriesOf returns the lines of the root tree with a name.
func entriesOf(r *gitservertest.Repo, name string) string {
	var lines []string
	for line := range strings.SplitSeq(r.Git("ls-tree", "-z", "main"), "\x00") {
		if _, entry, ok := strings.Cut(line, "\t"); ok && entry == name {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// bomb makes a tree of so many levels. The twelve entries of a level are one object, so there are
// twelve to the power of the levels paths.
func bomb(o *rawObjects, leaf objectName, levels int) objectName {
	for range levels {
		leaf = o.fold(12, rawFolder, leaf)
	}
	return leaf
}

func bombs() []Hostile {
	empty := func(o *rawObjects) objectName { return bomb(o, o.tree(), 12) }
	full := func(o *rawObjects) objectName { return bomb(o, o.fold(12, rawFile, o.blob("x")), 11) }
	in := func(folder string, tree func(*rawObjects) objectName) func(*rawObjects) objectName {
		return func(o *rawObjects) objectName { return o.tree(rawEntry{rawFolder, folder, tree(o)}) }
	}
	return []Hostile{
		{
			Name: "a git bomb without files", Promise: promiseOfBounds, BaseFolder: "base", Make: madeOf(in("base", empty)),
		},
		{
			Name: "a git bomb without files at the root", Promise: promiseOfBounds, Make: madeOf(empty),
		},
		{
			Name: "a git bomb with files", Promise: promiseOfBounds, BaseFolder: "base", Make: madeOf(in("base", full)),
			Want: gitsink.ErrTooLarge, Says: []string{`000/000/000`, "bytes"},
		},
		{
			Name: "a git bomb of what the layout could have written", Promise: promiseOfBounds, BaseFolder: "base",
			Make: madeOf(in("base", func(o *rawObjects) objectName {
				var files, namespaces []rawEntry
				for i := range 1000 {
					files = append(files, rawEntry{rawFile, fmt.Sprintf("name-%03d.yaml", i), o.blob("x")})
				}
				types := o.tree(rawEntry{rawFolder, "configmaps", o.tree(files...)})
				for i := range 5000 {
					namespaces = append(namespaces, rawEntry{rawFolder, fmt.Sprintf("namespace-%05d", i), types})
				}
				return o.tree(namespaces...)
			})),
			Want: gitsink.ErrTooLarge, Says: []string{"namespace-", "bytes"},
		},
		stays(Hostile{Name: "a git bomb beside the folder", Promise: promiseOfBounds, BaseFolder: "base"}, "beside", in("beside", full)),
		{
			Name: "160,000 folders of a file", Promise: promiseOfBounds, BaseFolder: "base",
			Make: madeOf(in("base", func(o *rawObjects) objectName {
				var all []rawEntry
				blob := o.blob("x")
				for i := range 160_000 {
					all = append(all, rawEntry{rawFolder, fmt.Sprintf("%06d", i), o.tree(rawEntry{rawFile, fmt.Sprintf("%06d", i), blob})})
				}
				return o.tree(all...)
			})),
			Want: gitsink.ErrTooLarge, Says: []string{"bytes"},
		},
	}
}

func deepFolders() []Hostile {
	deep := func(folder string, depth int) func(*rawObjects) objectName {
		return func(o *rawObjects) objectName {
			return o.tree(rawEntry{rawFolder, folder, o.nest(depth, rawEntry{rawFile, "file", o.blob("x")})})
		}
	}
	return []Hostile{
		{
			Name: "files 8,000 folders deep", Promise: promiseOfBounds, BaseFolder: "base", Make: madeOf(deep("base", 8_000)),
			Want: gitsink.ErrTooLarge, Says: []string{`d/d/d`, "4096 bytes"},
		},
		stays(Hostile{Name: "files 8,000 folders deep beside the folder", Promise: promiseOfBounds, BaseFolder: "base"},
			"beside", deep("beside", 8_000)),
	}
}

func strangeNames() (all []Hostile) {
	pair := func(o *rawObjects, mode, name string) []rawEntry {
		e := rawEntry{mode, name, o.blob("one")}
		if mode == rawFolder {
			e.object = o.tree(rawEntry{rawFile, "x", o.blob("one")})
		}
		return []rawEntry{e}
	}
	for _, c := range []struct {
		what    string
		says    string
		entries func(o *rawObjects) []rawEntry
		name    string
	}{
		{"a slash", `default/configmaps/x.yaml`, func(o *rawObjects) []rawEntry { return pair(o, rawFile, "default/configmaps/x.yaml") }, "default/configmaps/x.yaml"},
		{"two dots", `".."`, func(o *rawObjects) []rawEntry { return pair(o, rawFolder, "..") }, ".."},
		{"one dot", `"."`, func(o *rawObjects) []rawEntry { return pair(o, rawFile, ".") }, "."},
		{"Git's own", `".GIT"`, func(o *rawObjects) []rawEntry { return pair(o, rawFolder, ".GIT") }, ".GIT"},
		{"its neighbour", `"name"`, func(o *rawObjects) []rawEntry { return append(pair(o, rawFile, "name"), pair(o, rawFile, "name")...) }, "name"},
		{"its neighbour, a folder", `"name"`, func(o *rawObjects) []rawEntry {
			between := append(pair(o, rawFile, "name"), pair(o, rawFile, "name-")...)
			return append(between, pair(o, rawFolder, "name")...)
		}, "name"},
	} {
		all = append(all, Hostile{
			Name: "in the folder, an entry with the name of " + c.what, Promise: promiseOfNames, BaseFolder: "base",
			Make: madeOf(func(o *rawObjects) objectName { return o.tree(rawEntry{rawFolder, "base", o.tree(c.entries(o)...)}) }),
			Want: gitsink.ErrPath, Says: []string{c.says},
		}, stays(Hostile{Name: "beside the folder, an entry with the name of " + c.what, Promise: promiseOfNames, BaseFolder: "zone"},
			c.name, func(o *rawObjects) objectName { return o.tree(c.entries(o)...) }))
	}
	return all
}

func falseOwners() []Hostile {
	claim := func(mode, content string) func(testing.TB) string {
		return madeOf(func(o *rawObjects) objectName {
			return o.tree(rawEntry{rawFolder, "base", o.tree(rawEntry{mode, gitsink.OwnerFile, o.blob(content)})})
		})
	}
	expanding := "a: &a [x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		expanding += fmt.Sprintf("%c: &%[1]c [*%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c, *%[2]c]\n", c, c-1)
	}
	return []Hostile{
		{
			Name: "an owner of 200 kB", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawFile, "source: ["+strings.Repeat("1,", 98_000)+"1]\n"), Want: gitsink.ErrOwned, Says: []string{gitsink.OwnerFile, "4096"},
		},
		{
			Name: "an owner of 26 MB", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawFile, strings.Repeat("source: x\n", 2_600_000)), Want: gitsink.ErrTooLarge, Says: []string{gitsink.OwnerFile},
		},
		{
			Name: "an owner that expands", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawFile, expanding), Want: gitsink.ErrOwned, Says: []string{gitsink.OwnerFile},
		},
		{
			Name: "an owner with a list for its name", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawFile, "source: ["+strings.Repeat("1,", 2000)+"1]\n"), Want: gitsink.ErrOwned, Says: []string{"source"},
		},
		{
			Name: "an owner with a name of 3 kB", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawFile, "source: \""+strings.Repeat("\\e[2J", 700)+"\"\n"), Want: gitsink.ErrOwned, Says: []string{`\x1b[2J`},
		},
		{
			Name: "an owner of a thousand levels", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawFile, "source: "+strings.Repeat("[", 2000)+strings.Repeat("]", 2000)), Want: gitsink.ErrOwned, Says: []string{gitsink.OwnerFile},
		},
		{
			Name: "an owner that is a symbolic link", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(rawSymlink, "elsewhere"), Want: gitsink.ErrPath, Says: []string{gitsink.OwnerFile},
		},
		{
			Name: "an owner that is executable", Promise: promiseOfOwners, BaseFolder: "base",
			Make: claim(gitservertest.ModeExecutable, "source: x\n"), Want: gitsink.ErrPath, Says: []string{gitsink.OwnerFile},
		},
		{
			Name: "an owner of a folder below that hides deletions", Promise: "A folder below ours that has an OwnerFile of its own is left alone",
			BaseFolder: "base",
			Make: madeOf(func(o *rawObjects) objectName {
				gone := o.tree(rawEntry{rawFile, "gone.yaml", o.blob("x")})
				inner := o.tree(rawEntry{rawFile, gitsink.OwnerFile, o.blob("")}, rawEntry{rawFolder, "configmaps", gone})
				return o.tree(rawEntry{rawFolder, "base", o.tree(rawEntry{rawFolder, "hidden", inner})})
			}),
			Judge: func(r gitsink.Report) error {
				if r.Excluded == nil || r.Excluded.Sample[0] != "hidden/" {
					return errors.New("the report does not name the folder that was left alone")
				}
				return nil
			},
		},
	}
}
