package gitsinktest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

func target(url string) destination.Destination {
	return destination.Destination{Ref: destination.Ref{Name: "dest"}, Repository: url, Branch: "main", BaseFolder: "base"}
}

func put(path, content string) gitsink.Plan {
	return func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		return []gitsink.Commit{{Message: "put", Changes: []gitsink.Change{{Path: path, Data: []byte(content)}}}}, nil
	}
}

// Whoever tests against the Fake finds Git the same, so both are given the same commits.
func TestTheFakeShowsWhatGitShows(t *testing.T) {
	real := gitservertest.NewServer(t, nil).NewRepo("app.git")
	fake := gitsinktest.NewFake().Repo("https://git.example/app.git")
	for _, repo := range []gitsinktest.Historian{real, fake} {
		require.Empty(t, repo.Branches())
		require.Empty(t, repo.Files("main"))
		repo.Commit("main", map[string]gitservertest.File{
			"a": {Content: "1"}, "dir/b": {Mode: gitservertest.ModeExecutable, Content: "2"}, "dir/sub/c": {Mode: gitservertest.ModeRegular},
			"link": {Mode: gitservertest.ModeSymlink, Content: "a"}, "module": {Mode: gitservertest.ModeSubmodule, Content: strings.Repeat("1", 40)},
			"file": {Content: "3"}, "gone/x": {Content: "4"}, "stays": {Content: "5"},
		}, "first\nstill the subject\n\nbody\n\nmore\n")
		repo.Commit("main", map[string]gitservertest.File{
			"dir": {Content: "a file now"}, "file/now/a": {Content: "folder"}, "gone": {Remove: true}, "link": {Remove: true}, "none": {Remove: true},
		}, "second")
		repo.Commit("origin/dev", nil, "empty")
		require.Equal(t, []string{"main", "origin/dev"}, repo.Branches())
		require.Empty(t, repo.Files("origin/dev"))
		require.Empty(t, repo.Files("dev"))
	}
	require.Empty(t, cmp.Diff(real.Files("main"), fake.Files("main")))
	theirs, ours := real.Log("main"), fake.Log("main")
	require.Empty(t, cmp.Diff(theirs, ours, cmpopts.IgnoreFields(gitservertest.CommitInfo{}, "Hash", "Parents"), cmpopts.EquateApproxTime(time.Minute)))
	for i := range theirs {
		require.Empty(t, cmp.Diff(real.Show(theirs[i].Hash), fake.Show(ours[i].Hash)))
		require.Len(t, ours[i].Parents, len(theirs[i].Parents))
	}
	require.Equal(t, ours[1].Hash, ours[0].Parents[0])
}

func TestAFakeFailsWhenItIsToldTo(t *testing.T) {
	const url = "https://git.example/app.git"
	f := gitsinktest.NewFake()
	other := f.Beside()
	var steps []string
	f.Fail(func(op string, d destination.Destination) error {
		steps = append(steps, op)
		if op == "push" {
			return gitsink.ErrRejected
		}
		return nil
	})
	_, err := other.Apply(t.Context(), target(url), put("a", "1"))
	require.ErrorIs(t, err, gitsink.ErrRejected)
	require.Equal(t, []string{"fetch", "push"}, steps)
	require.Empty(t, f.Repo(url).Branches())

	f.Fail(nil)
	_, err = other.Apply(t.Context(), target(url), put("a", "1"))
	require.NoError(t, err)
	require.Equal(t, map[string]gitservertest.File{"base/a": {Content: "1"}}, f.Repo("https://GIT.example/app").Files("main"))
}

func TestAClosedFakeWritesNoMore(t *testing.T) {
	const url = "https://git.example/app.git"
	f := gitsinktest.NewFake()
	_, err := f.Apply(t.Context(), target(url), put("a", "1"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	_, err = f.Apply(t.Context(), target(url), put("a", "2"))
	var e *gitsink.Error
	require.True(t, errors.As(err, &e))
	require.Equal(t, map[string]gitservertest.File{"base/a": {Content: "1"}}, f.Repo(url).Files("main"))
	require.Panics(t, func() { f.Repo("no URL") })
}

func TestTheFakeWorksInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const url = "https://git.example/app.git"
		f := gitsinktest.NewFake()
		slow := func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
			time.Sleep(time.Hour)
			return put("a", "1")(ctx, base)
		}
		start := time.Now()
		_, err := f.Apply(t.Context(), target(url), slow)
		require.NoError(t, err)
		require.Equal(t, start.Add(time.Hour).UTC(), f.Repo(url).Log("main")[0].Time)
	})
}
