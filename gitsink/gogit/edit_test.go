package gogit

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

func TestForeignEntriesAreCarriedThroughByteForByte(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{SkipFsck: true})
	repo := server.NewRepo("app")
	repo.Commit("main", map[string]gitservertest.File{
		"base/run":    {Content: "1", Mode: gitservertest.ModeExecutable},
		"base/link":   {Content: "../..", Mode: gitservertest.ModeSymlink},
		"base/mod":    {Content: strings.Repeat("ab", 20), Mode: gitservertest.ModeSubmodule},
		"base/a\xffb": {Content: "2"}, "base/line\nbreak": {Content: "3"}, "base/dir/keep": {Content: "4"}, "base/dir.x": {Content: "5"},
		"base/" + strings.Repeat("n", 300): {Content: "6"}, "base/dir0": {Content: "7"},
	}, "outside")
	oldMode(t, repo, "main", "base")
	before, rawBefore := repo.List("main"), rawTree(t, repo, "main:base")
	require.Contains(t, rawBefore, "100664")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, put("new", "8", "dir/other", "9", "run", "10"))

	after := repo.List("main")
	for _, path := range []string{"base/new", "base/dir/other", "base/run"} {
		require.NotEqual(t, before[path], after[path])
		delete(before, path)
		require.Equal(t, map[bool]string{true: gitservertest.ModeExecutable, false: gitservertest.ModeRegular}[path == "base/run"], after[path].Mode)
		delete(after, path)
	}
	require.Equal(t, before, after)

	apply(t, s, d, commits(gitsink.Commit{Changes: append(writes("run", "1"), removals("new", "dir/other")...)}))
	require.Equal(t, rawBefore, rawTree(t, repo, "main:base"))
}

// oldMode gives a file of the folder the mode that early versions of git wrote.
func oldMode(t *testing.T, repo *gitservertest.Repo, branch, folder string) {
	t.Helper()
	raw := rawTree(t, repo, branch+":"+folder)
	changed := strings.Replace(raw, "100644 dir.x\x00", "100664 dir.x\x00", 1)
	require.NotEqual(t, raw, changed)
	tree := gitStdin(t, repo, changed, "hash-object", "-t", "tree", "-w", "--stdin", "--literally")
	root := gitStdin(t, repo, fmt.Sprintf("040000 tree %s\t%s\n", tree, folder), "mktree")
	commit := repo.Git("commit-tree", "-m", "old mode", "-p", branch, root)
	repo.Git("update-ref", "refs/heads/"+branch, commit)
}

func TestTheLastFileOfAFolderTakesTheFolderAlong(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("x/base/deep/er/a", "1", "x/base/b", "2"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "x/base")
	apply(t, s, d, commits(gitsink.Commit{Changes: removals("deep/er/a")}))
	require.Equal(t, "040000 tree", repo.Git("ls-tree", "main:x", "base")[:11])
	require.Equal(t, 1, len(lines(repo.Git("ls-tree", "main:x/base"))))
	apply(t, s, d, commits(gitsink.Commit{Changes: removals("b")}))
	require.Empty(t, repo.Tree("main"))
	require.Empty(t, repo.Git("ls-tree", "main"), "no empty trees")
	apply(t, s, d, put("b", "2"))
	require.Equal(t, map[string]string{"x/base/b": "2"}, repo.Tree("main"))
	repo.Fsck()
}

func TestAFolderCanTakeThePlaceOfAFileAndBack(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1", "d/e/f", "2"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "")
	apply(t, s, d, commits(gitsink.Commit{Changes: []gitsink.Change{
		{Path: "a", Remove: true}, {Path: "a/b", Data: []byte("3")}, {Path: "d/e/f", Remove: true}, {Path: "d", Data: []byte("4")},
	}}))
	require.Equal(t, map[string]string{"a/b": "3", "d": "4"}, repo.Tree("main"))
	repo.Fsck()
}

func TestAPathThatCannotBeWrittenIsNamedAndNothingIsPushed(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	before := repo.Commit("main", map[string]gitservertest.File{
		"base/file": {Content: "1"}, "base/dir/a": {Content: "2"}, "out/side": {Content: "3"},
		"base/link": {Content: "../out", Mode: gitservertest.ModeSymlink},
		"base/mod":  {Content: strings.Repeat("ab", 20), Mode: gitservertest.ModeSubmodule},
	}, "outside")
	s := newSink(t, nil)
	requireRefused := func(folder, name string, change gitsink.Change) {
		t.Helper()
		plan := commits(gitsink.Commit{Changes: writes("fine", "1")}, gitsink.Commit{Changes: []gitsink.Change{change}})
		e := refuse(t, s, target(repo.URL(), "main", folder), plan, gitsink.ErrPath)
		require.ErrorIs(t, e, queue.ErrPermanent)
		require.ErrorContains(t, e, name)
		tip, _ := repo.Tip("main")
		require.Equal(t, before, tip)
	}
	for _, path := range []string{"file/x", "link/side", "mod/x", "dir", "link", "mod", "", "/abs", "../out/side", "a/../../b", "a//b", ".git/config", "x/.GIT/y", "a\x00b"} {
		requireRefused("base", strings.Trim(fmt.Sprintf("%q", path), `"`), gitsink.Change{Path: path, Data: []byte("9")})
	}
	requireRefused("base", "dir", gitsink.Change{Path: "dir", Remove: true})
	requireRefused("base", "link", gitsink.Change{Path: "link", Remove: true})
	for _, folder := range []string{"base/file", "base/link", "base/mod", "base/file/x"} {
		requireRefused(folder, folder, gitsink.Change{Path: "a", Data: []byte("9")})
	}
	result := apply(t, s, target(repo.URL(), "main", "base"), commits(gitsink.Commit{Changes: removals("file/x", "link/side", "none/at/all")}))
	require.Equal(t, gitsink.Result{Tip: before, Attempts: 1}, result)
}

func TestAllFaultsOfPathsAreReportedAtOnce(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	e := refuse(t, newSink(t, nil), target(server.NewRepo("app").URL(), "main", ""), put("../one", "1", "two/.git/x", "2"), gitsink.ErrPath)
	require.ErrorContains(t, e, "../one")
	require.ErrorContains(t, e, "two/.git/x")
}

func TestHostileNamesAndMessagesMakeCommitsThatFsckAccepts(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, nil)
	when := time.Date(2024, 5, 6, 7, 8, 9, 0, time.FixedZone("", 3600))
	for i, c := range []struct {
		author, committer gitsink.Signature
		message           string
		want              gitservertest.CommitInfo
	}{
		{
			gitsink.Signature{Name: "Eve <eve@x>\nparent 0", Email: "<a\n@b>", When: when}, gitsink.Signature{Name: "C", Email: "c@x", When: when}, "line\n\nbody\x00\n\n",
			gitservertest.CommitInfo{Author: "Eve eve@xparent 0", AuthorEmail: "a@b", Committer: "C", CommitterEmail: "c@x", Time: when.UTC(), Subject: "line", Body: "body"},
		},
		{
			gitsink.Signature{Name: "<>\n\x00", Email: "only@mail"}, gitsink.Signature{Name: "\x00", Email: ">", When: when}, "",
			gitservertest.CommitInfo{Author: "only@mail", AuthorEmail: "only@mail", Committer: "unknown", Time: when.UTC(), Subject: "update"},
		},
		{
			gitsink.Signature{}, gitsink.Signature{Name: "Bot", Email: "bot@x", When: time.Unix(-5, 0)}, "\xffmsg",
			gitservertest.CommitInfo{Author: "Bot", AuthorEmail: "bot@x", Committer: "Bot", CommitterEmail: "bot@x", Time: time.Unix(0, 0).UTC(), Subject: "\uFFFDmsg"},
		},
		{
			gitsink.Signature{Name: "A"}, gitsink.Signature{When: when}, "m",
			gitservertest.CommitInfo{Author: "A", Committer: "kubescribe", CommitterEmail: "kubescribe@localhost", Time: when.UTC(), Subject: "m"},
		},
	} {
		apply(t, s, target(repo.URL(), "main", ""), commits(gitsink.Commit{
			Author: c.author, Committer: c.committer, Message: c.message, Changes: writes("a", fmt.Sprint(i)),
		}))
		got := repo.Log("main")[0]
		c.want.Hash, c.want.Parents = got.Hash, got.Parents
		require.Equal(t, c.want, got)
	}
	repo.Fsck()
}

// Whatever is written and removed, the branch holds what a map would hold, with trees that fsck
// accepts.
func TestRandomEditsAreWhatAMapSays(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	names := []string{"a", "a.b", "a-", "a0", "b", "A", "ä"}
	want := map[string]string{"keep": "1"}
	repo.Commit("main", files("keep", "1"), "outside")
	s := newSink(t, nil)
	for round := range 15 {
		var changes []gitsink.Change
		for range 1 + random.IntN(6) {
			var parts []string
			for range 1 + random.IntN(3) {
				parts = append(parts, names[random.IntN(len(names))])
			}
			path := strings.Join(parts, "/")
			if clashes(want, path) {
				continue
			}
			if random.IntN(3) == 0 {
				changes = append(changes, gitsink.Change{Path: path, Remove: true})
				delete(want, path)
				continue
			}
			content := fmt.Sprint(random.IntN(3))
			changes = append(changes, gitsink.Change{Path: path, Data: []byte(content)})
			want[path] = content
		}
		before, _ := repo.Tip("main")
		result := apply(t, s, target(repo.URL(), "main", ""), func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			require.ElementsMatch(t, lines(repo.Git("-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "main")), paths(tree, ""))
			return []gitsink.Commit{{Changes: changes, Message: fmt.Sprint(round)}}, nil
		})
		require.Equal(t, want, repo.Tree("main"))
		require.Equal(t, len(result.Commits) > 0, result.Tip != before)
	}
	repo.Fsck()
}

// clashes reports whether path is a folder, or below a file.
func clashes(files map[string]string, path string) bool {
	for other := range maps.Keys(files) {
		if strings.HasPrefix(other, path+"/") || strings.HasPrefix(path, other+"/") {
			return true
		}
	}
	return false
}

// git unpack-objects --strict refuses a pack that holds a tree twice.
func TestFoldersOfEqualContentArePushedOnce(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, nil)
	want := map[string]string{"a/x/f": "1", "b/x/f": "1", "c/x/f": "1", "c/y": "1"}
	apply(t, s, target(repo.URL(), "main", ""), func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		var changes []gitsink.Change
		for path, content := range want {
			changes = append(changes, gitsink.Change{Path: path, Data: []byte(content)})
		}
		back := gitsink.Change{Path: "c/y", Data: []byte("2")}
		return []gitsink.Commit{{Changes: changes}, {Changes: []gitsink.Change{back}}, {Changes: changes}}, nil
	})
	require.Equal(t, want, repo.Tree("main"))
	repo.Fsck()
}
