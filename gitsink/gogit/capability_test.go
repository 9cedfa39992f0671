package gogit

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/heap"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// reading plans a commit that writes down what two files hold.
func reading(path string) gitsink.Plan {
	return func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		read, err := tree.Read(ctx, "a", "deep/dir/b", "none")
		if err != nil {
			return nil, err
		}
		content := fmt.Sprintf("%s %s %d", read["a"], read["deep/dir/b"], len(read))
		return []gitsink.Commit{{Message: "read", Changes: writes(path, content)}}, nil
	}
}

func TestEveryKindOfServerIsServedByWhatItOffers(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	deepening := []string{"shallow", "deepen-since", "deepen-not", "deepen-relative"}
	for name, c := range map[string]struct {
		opts gitservertest.ServerOptions
		not  string // what no fetch may ask for of a server that was asked what it offers
	}{
		"of all":                  {gitservertest.ServerOptions{}, "deepen 0"},
		"no filter":               {gitservertest.ServerOptions{DenyFilter: true}, "filter"},
		"no objects by hash":      {gitservertest.ServerOptions{DenyAnySHA1InWant: true}, "deepen 0"},
		"whole commits only":      {gitservertest.ServerOptions{DenyFilter: true, DenyAnySHA1InWant: true}, "filter"},
		"no shallow":              {gitservertest.ServerOptions{HideCapabilities: deepening}, "deepen"},
		"the dumbest":             {gitservertest.ServerOptions{DenyFilter: true, DenyAnySHA1InWant: true, HideCapabilities: append(deepening, "side-band", "side-band-64k", "ofs-delta", "no-progress", "agent")}, "deepen"},
		"no side band":            {gitservertest.ServerOptions{HideCapabilities: []string{"side-band", "side-band-64k"}}, "side-band"},
		"the small side band":     {gitservertest.ServerOptions{HideCapabilities: []string{"side-band-64k"}}, "side-band-64k"},
		"no multi_ack":            {gitservertest.ServerOptions{HideCapabilities: []string{"multi_ack", "multi_ack_detailed"}}, "multi_ack"},
		"Azure DevOps":            {gitservertest.ServerOptions{RequireMultiAck: true}, "deepen 0"},
		"Azure DevOps, no filter": {gitservertest.ServerOptions{RequireMultiAck: true, DenyFilter: true, DenyAnySHA1InWant: true}, "filter"},
		"no report of a push":     {gitservertest.ServerOptions{HideCapabilities: []string{"report-status", "report-status-v2"}}, "deepen 0"},
	} {
		for _, guess := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, guess: %t", name, guess), func(t *testing.T) {
				t.Parallel()
				serveByOffer(t, &c.opts, c.not, guess)
			})
		}
	}
}

// serveByOffer commits through a sink that may guess what the server offers as long as it was not
// asked, or may not.
func serveByOffer(t *testing.T, opts *gitservertest.ServerOptions, not string, guess bool) {
	server := gitservertest.NewServer(t, opts)
	repo := server.NewRepo("app")
	var asked atomic.Bool
	asked.Store(!guess)
	var offences, guesses atomic.Int32
	server.OnRequest(func(r gitservertest.Request) {
		body, err := r.Body()
		asked.CompareAndSwap(false, r.Service == gitservertest.UploadPack && r.Phase == gitservertest.Advertisement)
		if err != nil || r.Service == gitservertest.UploadPack && strings.Contains(string(body), not) {
			if guesses.Add(1); asked.Load() {
				offences.Add(1)
			}
		}
	})
	for i := range 4 {
		repo.Commit("main", files("base/a", fmt.Sprint(i), "base/deep/dir/b", "b", "other/c", fmt.Sprint(i)), "outside")
	}
	s := newSink(t, nil)
	if !guess {
		mustAsk(s, repo.URL())
	}
	for _, folder := range []string{"base", ""} { // path-scoped, and whole
		d := target(repo.URL(), "main", folder)
		apply(t, s, d, put("first", folder+"1"))
		s.lanes.clear() // so that nothing of it is remembered
		if folder != "" {
			apply(t, s, d, reading("read"))
			require.Equal(t, "3 b 2", repo.Tree("main")["base/read"])
		}
		repo.Commit("main", files("base/a", "outside", "other/d/e/f", folder), "outside")
		apply(t, s, target(repo.URL(), "main", "base"), reading("again"+folder))
		require.Equal(t, "outside b 2", repo.Tree("main")["base/again"+folder])
		repo.Commit("main", files("base/a", "3"), "outside")
	}
	repo.Linear("main", "")
	repo.Fsck()
	require.Zero(t, offences.Load(), "fetches that ask for %q", not)
	require.True(t, !opts.DenyFilter || guesses.Load() <= 1, "what has failed is not tried again")
}

// A server that sends all files must not fill the memory: they are dropped as they arrive.
func TestFilesThatNobodyReadsAreDroppedAsTheyArrive(t *testing.T) {
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{DenyFilter: true, DenyAnySHA1InWant: true})
	repo := server.NewRepo("app")
	content := map[string]gitservertest.File{"base/a": {Content: "1"}}
	for i := range 64 {
		content[fmt.Sprintf("big/%d", i)] = gitservertest.File{Content: strings.Repeat(fmt.Sprint(i), 1<<19)}
	}
	repo.Commit("main", content, "outside")
	s := newSink(t, &Options{MaxPackBytes: 1 << 20})
	d := target(repo.URL(), "main", "base")
	before := heap.Live()
	apply(t, s, d, func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		require.Less(t, heap.Live()-before, int64(8<<20)) // of about 45 MB
		return put("b", "1")(context.Background(), nil)
	})
	require.Equal(t, "1", repo.Tree("main")["base/b"])
}
