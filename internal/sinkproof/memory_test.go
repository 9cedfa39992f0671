package sinkproof

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/heap"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// slack is what the heap may grow by for reasons of others: buffers of connections, the test's own.
const slack = 2 << 20

func TestMemoryIsFlatOverTheCommitsOfALane(t *testing.T) {
	testsize.Sampled(t)
	commits := testsize.Sizes{Usual: 30, Long: 300, Soak: 10_000}.Pick()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	sink := access{}.sink()
	defer func() { require.NoError(t, sink.Close()) }()
	d := writer{}.destination(repo.FileURL())
	change := func(i int) gitsink.Change {
		return gitsink.Change{Path: fmt.Sprintf("dir%d/f%d", i%10, i%100), Data: fmt.Appendf(nil, "%d\n", i)}
	}
	write := func(changes ...gitsink.Change) {
		_, err := sink.Apply(t.Context(), d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
			return []gitsink.Commit{{Message: "write", Changes: changes}}, nil
		})
		require.NoError(t, err)
	}
	var all []gitsink.Change
	for i := range 100 {
		all = append(all, change(i))
	}
	write(all...)
	for i := range 10 { // until what is kept for the next commit is there
		write(change(100 + i))
	}
	before := heap.Live()
	for i := range commits {
		write(change(110 + i))
	}
	after := heap.Live()
	t.Logf("%d commits: heap %d -> %d KiB", commits, before>>10, after>>10)
	require.Less(t, after-before, int64(slack))
	require.Len(t, repo.Log("main"), 11+commits)
}

func TestMemoryIsFlatOverRepositoriesThatAreTouchedOnce(t *testing.T) {
	testsize.Sampled(t)
	repositories := testsize.Sizes{Usual: 20, Long: 200, Soak: 1000}.Pick()
	// A lane is charged 16 KiB at least, so most of them have to go.
	cache := testsize.Sizes{Usual: 1 << 17, Long: 1 << 20}.Pick()
	server := gitservertest.NewServer(t, nil)
	sink := gogit.New(&gogit.Options{CacheBytes: int64(cache)})
	defer func() { require.NoError(t, sink.Close()) }()
	touch := func(i int) {
		repo := server.NewRepo(fmt.Sprintf("repo%d", i))
		d := destination.Destination{
			Ref:        destination.Ref{Namespace: "team", Name: fmt.Sprintf("dest%d", i)},
			Repository: repo.URL(), Branch: "main", BaseFolder: "dir",
		}
		_, err := sink.Apply(t.Context(), d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
			return []gitsink.Commit{{Message: "once", Changes: []gitsink.Change{{Path: "file", Data: []byte(d.Ref.Name)}}}}, nil
		})
		require.NoError(t, err)
	}
	first := cache>>14 + 6 // until the cache is full
	for i := range first {
		touch(i)
	}
	before := heap.Live()
	for i := range repositories {
		touch(first + i)
	}
	after := heap.Live()
	t.Logf("%d repositories: heap %d -> %d KiB", repositories, before>>10, after>>10)
	require.Less(t, after-before, int64(cache+slack))
}
