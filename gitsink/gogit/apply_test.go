package gogit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestAnEmptyRepositoryGetsARootCommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		s := newSink(t, nil)
		result := apply(t, s, target(url, "main", "base"), put("a.yaml", "1", "sub/b.yaml", "2"))
		tip, _ := repo.Tip("main")
		require.Equal(t, gitsink.Result{Commits: []string{tip}, Tip: tip, Attempts: 1}, result)
		require.Equal(t, map[string]string{"base/a.yaml": "1", "base/sub/b.yaml": "2"}, repo.Tree("main"))
		log := repo.Log("main")
		require.Len(t, log, 1)
		require.Empty(t, log[0].Parents)
		require.Equal(t, []string{"put", "kubescribe", "kubescribe@localhost"}, []string{log[0].Subject, log[0].Author, log[0].AuthorEmail})
		require.WithinDuration(t, time.Now(), log[0].Time, time.Minute)
	})
}

func TestCommitsOfOnePlanBuildOnEachOther(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		outside := repo.Commit("main", files("other", "x", "base/old", "y"), "outside")
		s := newSink(t, nil)
		result := apply(t, s, target(url, "main", "base"), commits(
			gitsink.Commit{Message: "one", Changes: writes("a", "1")},
			gitsink.Commit{Message: "nothing new", Changes: writes("a", "1")},
			gitsink.Commit{Message: "two", Changes: append(writes("a", "2", "b", "3"), removals("old", "never there")...)},
		))
		require.Len(t, result.Commits, 2)
		require.Equal(t, map[string]string{"other": "x", "base/a": "2", "base/b": "3"}, repo.Tree("main"))
		log := repo.Log("main")
		require.Equal(t, []string{result.Commits[1], result.Commits[0], outside}, []string{log[0].Hash, log[1].Hash, log[2].Hash})
		require.Equal(t, "two", log[0].Subject)
	})
}

func TestASteadyStateTakesTwoRequestsAndAnUnchangedFolderOne(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("other", "x"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, put("a", "1"))
	for i := range 3 {
		server.ResetCounts()
		apply(t, s, d, put("a", fmt.Sprint("again ", i)))
		require.Equal(t, 2, server.Total().Requests)
		require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)

		server.ResetCounts()
		result := apply(t, s, d, put("a", fmt.Sprint("again ", i)))
		require.Empty(t, result.Commits)
		tip, _ := repo.Tip("main")
		require.Equal(t, tip, result.Tip)
		require.Equal(t, 1, server.Total().Requests)
	}
	repo.Fsck()
}

func TestAPathIsARepositoryToo(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app.git")
	s, d := newSink(t, nil), target(repo.Dir(), "main", "base")
	apply(t, s, d, put("a", "1"))
	repo.Commit("main", files("base/b", "2"), "outside")
	apply(t, s, d, put("a", "3"))
	require.Equal(t, map[string]string{"base/a": "3", "base/b": "2"}, repo.Tree("main"))
}

func TestAMissingBranchStartsWithTheDefaultBranch(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		base := repo.Commit("main", files("other", "x", "base/a", "1"), "outside")
		s := newSink(t, nil)
		result := apply(t, s, target(url, "dev", "base"), put("b", "2"))
		require.Equal(t, map[string]string{"other": "x", "base/a": "1", "base/b": "2"}, repo.Tree("dev"))
		require.Equal(t, []string{base}, repo.Log("dev")[0].Parents)
		require.Equal(t, repo.Log("dev")[0].Hash, result.Tip)

		// What the plan writes is inherited in full: only the branch is missing.
		result = apply(t, s, target(url, "same", "base"), put("a", "1"))
		require.Equal(t, gitsink.Result{Tip: base, Attempts: 1}, result)
		tip, _ := repo.Tip("same")
		require.Equal(t, base, tip)

		result = apply(t, s, target(url, "never", "base"), nothing)
		require.Equal(t, gitsink.Result{Attempts: 1}, result)
		require.Equal(t, []string{"dev", "main", "same"}, repo.Branches())
	})
}

func TestAMissingBranchWithoutADefaultBranchGetsARootCommit(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.Commit("elsewhere", files("other", "x"), "outside")
		apply(t, newSink(t, nil), target(url, "dev", ""), put("b", "2"))
		require.Equal(t, map[string]string{"b": "2"}, repo.Tree("dev"))
		require.Empty(t, repo.Log("dev")[0].Parents)
	})
}

func TestABranchThatIsForcedDeletedOrRecreatedIsFetchedAgain(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		first := repo.Commit("main", files("a", "1"), "first")
		repo.Commit("main", files("b", "2"), "second")
		s, d := newSink(t, nil), target(url, "main", "base")
		apply(t, s, d, put("mine", "1"))

		repo.Git("update-ref", "refs/heads/main", first)
		apply(t, s, d, put("mine", "2"))
		require.Equal(t, map[string]string{"a": "1", "base/mine": "2"}, repo.Tree("main"))
		require.Equal(t, []string{first}, repo.Log("main")[0].Parents)

		repo.Git("update-ref", "-d", "refs/heads/main")
		repo.Git("gc", "--quiet", "--prune=now")
		apply(t, s, d, put("mine", "3"))
		require.Equal(t, map[string]string{"base/mine": "3"}, repo.Tree("main"))
		require.Empty(t, repo.Log("main")[0].Parents)

		repo.Git("update-ref", "-d", "refs/heads/main")
		repo.Git("gc", "--quiet", "--prune=now")
		recreated := repo.Commit("main", files("new", "4"), "recreated")
		result := apply(t, s, d, put("mine", "4"))
		require.Equal(t, map[string]string{"new": "4", "base/mine": "4"}, repo.Tree("main"))
		require.Equal(t, []string{recreated}, repo.Log("main")[0].Parents)
		require.True(t, result.Foreign)
	})
}

func TestOnlyTheChangesOfOthersInThisFolderAreForeign(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/theirs", "0"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	require.False(t, apply(t, s, d, put("mine", "1")).Foreign)
	repo.Commit("main", files("elsewhere", "1"), "outside")
	require.False(t, apply(t, s, d, put("mine", "2")).Foreign)
	require.False(t, apply(t, s, target(repo.URL(), "main", "other"), put("a", "1")).Foreign)
	require.False(t, apply(t, s, d, nothing).Foreign)
	repo.Commit("main", files("base/theirs", "1"), "outside")
	require.True(t, apply(t, s, d, nothing).Foreign)
	require.False(t, apply(t, s, d, nothing).Foreign)
}

func TestAPlanSeesTheFolderInByteOrder(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	each(t, func(t *testing.T, _ *gitservertest.Server, repo *gitservertest.Repo, url string) {
		repo.Commit("main", map[string]gitservertest.File{
			"base/a.b": {Content: "1"}, "base/a/b": {Content: "2"}, "base/a0": {Content: "3"}, "base/a-": {Content: "4"},
			"base/a/b.c/d": {Content: "5"}, "base/a/b0": {Content: "6"}, "base/run": {Content: "7", Mode: gitservertest.ModeExecutable},
			"base/link": {Content: "a.b", Mode: gitservertest.ModeSymlink},
			"base/mod":  {Content: strings.Repeat("ab", 20), Mode: gitservertest.ModeSubmodule},
			"bas":       {Content: "8"}, "base2/x": {Content: "9"},
		}, "outside")
		s := newSink(t, nil)
		apply(t, s, target(url, "main", "base"), func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			var got []string
			for path, e := range tree.Paths("") {
				got = append(got, path)
				found, ok := tree.Entry(path)
				require.True(t, ok, path)
				require.Equal(t, e, found)
				listed := repo.List("main")["base/"+path]
				require.Equal(t, listed, gitservertest.Entry{Mode: fmt.Sprintf("%06o", uint32(e.Mode)), Hash: e.Hash})
			}
			require.Equal(t, []string{"a-", "a.b", "a/b", "a/b.c/d", "a/b0", "a0", "link", "mod", "run"}, got)
			require.True(t, slices.IsSorted(got))
			require.ElementsMatch(t, []string{"a/b", "a/b.c/d", "a/b0"}, paths(tree, "a"))
			require.ElementsMatch(t, []string{"a/b.c/d"}, paths(tree, "a/b.c/"))
			require.Empty(t, paths(tree, "a.b"))
			require.Empty(t, paths(tree, "none"))
			for _, absent := range []string{"a", "none", "a.b/x", "link/x", "", "../bas"} {
				_, ok := tree.Entry(absent)
				require.False(t, ok, absent)
			}
			contents, err := tree.Read(ctx, "a/b", "a.b", "run", "none", "a", "link", "mod")
			require.NoError(t, err)
			require.Equal(t, map[string][]byte{"a/b": []byte("2"), "a.b": []byte("1"), "run": []byte("7")}, contents)
			return nil, nil
		})
		apply(t, s, target(url, "main", "none/at/all"), func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			require.Empty(t, paths(tree, ""))
			return nil, nil
		})
	})
}

func TestReadingManyFilesIsOneRequestAndWrittenOnesNeedNone(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("a", "1", "b", "2", "c", "3"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "")
	read := func(want map[string][]byte, paths ...string) gitsink.Plan {
		return func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
			server.ResetCounts()
			got, err := tree.Read(ctx, paths...)
			require.Equal(t, want, got)
			return []gitsink.Commit{{Changes: writes("new", "4")}}, err
		}
	}
	apply(t, s, d, read(map[string][]byte{"a": []byte("1"), "b": []byte("2")}, "a", "b"))
	require.Equal(t, 1, server.Count(gitservertest.UploadPack, gitservertest.RPC).Requests)
	apply(t, s, d, read(map[string][]byte{"a": []byte("1"), "new": []byte("4")}, "a", "new"))
	require.Zero(t, server.Total().Requests)
}

func TestAServerThatOffersLessStillServes(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	for _, options := range []gitservertest.ServerOptions{
		{DenyFilter: true}, {DenyAnySHA1InWant: true}, {DenyFilter: true, DenyAnySHA1InWant: true},
	} {
		server := gitservertest.NewServer(t, &options)
		repo := server.NewRepo("app")
		for i := range 20 { // so that the pack holds deltas of files and of trees
			repo.Commit("main", files("base/a", strings.Repeat("long enough for a delta\n", 50+i), fmt.Sprintf("dir/%d", i), "x"), "outside")
		}
		repo.Git("repack", "-adfq", "--depth=50", "--window=50")
		for _, url := range []string{repo.URL(), repo.FileURL()} {
			s := newSink(t, nil)
			read := func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
				got, err := tree.Read(ctx, "a")
				require.Equal(t, repo.Tree("main")["base/a"], string(got["a"]))
				return []gitsink.Commit{{Changes: writes("b", url)}}, err
			}
			apply(t, s, target(url, "main", "base"), read)
			repo.Commit("main", files("base/a", strings.Repeat("long enough for a delta\n", 49)), "outside")
			apply(t, s, target(url, "main", "base"), read)
			require.Equal(t, url, repo.Tree("main")["base/b"])
			repo.Linear("main", "")
		}
		repo.Fsck()
	}
}

func TestARepositoryThatIsTooLargeNamesTheServersSetting(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{DenyFilter: true})
	repo := server.NewRepo("app")
	noise := make([]byte, 100<<10)
	for i, x := 0, uint32(1); i < len(noise); i++ {
		x = x*1664525 + 1013904223
		noise[i] = byte(x >> 24)
	}
	repo.Commit("main", files("noise", string(noise)), "outside")
	s := newSink(t, &Options{MaxPackBytes: 10 << 10})
	e := refuse(t, s, target(repo.URL(), "main", ""), put("a", "1"), gitsink.ErrTooLarge)
	require.ErrorContains(t, e, "uploadpack.allowFilter")
	require.ErrorContains(t, e, "MaxPackBytes")
	apply(t, newSink(t, nil), target(repo.URL(), "main", ""), put("a", "1"))
}

func TestAPlansErrorIsReturnedAsItIs(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	cause := errors.New("of the plan")
	s := newSink(t, nil)
	e := refuse(t, s, target(repo.URL(), "main", ""), func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		return []gitsink.Commit{{Changes: writes("a", "1")}}, cause
	}, cause)
	require.Equal(t, "plan", e.Op)
	require.Same(t, cause, e.Err)
	require.Empty(t, repo.Branches())
}
