package gogit

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// atFetch does something once, when the next fetch arrives.
func atFetch(server *gitservertest.Server, f func()) {
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Service == gitservertest.UploadPack && r.Phase == gitservertest.RPC && f != nil {
			once := f
			f = nil
			once()
		}
		return gitservertest.Fault{}
	})
}

func TestWhoHasLostARaceNeedsThreeRequestsForTheNextTry(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Commit("main", files("base/one", "1"), "outside")
	s, d := newSink(t, nil), target(repo.URL(), "main", "base")
	apply(t, s, d, put("mine", "0"))
	server.ResetCounts()
	moved := false
	result := apply(t, s, d, func(ctx context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		if !moved {
			moved = true
			repo.Commit("main", files("other", "2"), "outside")
		}
		return put("mine", "1")(ctx, tree)
	})
	require.Equal(t, 2, result.Attempts)
	require.Equal(t, 2, server.Count(gitservertest.ReceivePack, gitservertest.Advertisement).Requests)
	require.Equal(t, 2, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
	require.Zero(t, server.Count(gitservertest.UploadPack, gitservertest.Advertisement).Requests)
	require.Equal(t, 1, server.Count(gitservertest.UploadPack, gitservertest.RPC).Requests)
}

func TestABranchThatIsForcedElsewhereBeforeTheFetchIsLookedForAgain(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	for _, folder := range []string{"", "base"} {
		t.Run(folder, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			first := repo.Commit("main", files("base/one", "1"), "outside")
			s, d := newSink(t, nil), target(repo.URL(), "main", folder)
			apply(t, s, d, put("mine", "1"))
			repo.Commit("main", files("base/two", "2"), "outside")
			atFetch(server, func() {
				repo.Git("update-ref", "refs/heads/main", first)
				repo.Git("reflog", "expire", "--expire=now", "--all")
				repo.Git("prune", "--expire=now")
			})
			apply(t, s, d, put("mine", "2"))
			repo.Linear("main", first)
			require.Len(t, repo.Log("main"), 2)
			repo.Fsck()
		})
	}
}

func TestAServerThatOffersLessThanBeforeIsAskedAgain(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	for name, without := range map[string][]string{
		"filter":        {"uploadpack.allowFilter", "false"},
		"wants by hash": {"uploadpack.allowAnySHA1InWant", "false"},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			repo.Commit("main", files("way/base/one", "1", "way/base/dir/two", "1"), "outside")
			s, d := newSink(t, nil), target(repo.URL(), "main", "way/base")
			apply(t, s, d, put("mine", "1"))
			repo.Git(append([]string{"config"}, without...)...)
			repo.Commit("main", files("way/base/dir/three", "1"), "outside")
			apply(t, s, d, put("mine", "2"))
			require.Equal(t, map[string]string{
				"way/base/one": "1", "way/base/dir/two": "1", "way/base/dir/three": "1", "way/base/mine": "2",
			}, repo.Tree("main"))
		})
	}
}

// What the server was not asked for, it may have changed; what else went wrong, asking does not
// mend.
func TestOnlyWhatTheServerWasNotAskedForIsAskedForAgain(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		assumed bool
		err     error
		want    bool
	}{
		"refused":          {t.Context(), true, smart.ErrRefused, true},
		"asked before":     {t.Context(), false, smart.ErrRefused, false},
		"over":             {ended, true, smart.ErrRefused, false},
		"silent":           {t.Context(), true, fmt.Errorf("x: %w", errNoAnswer), false},
		"too large":        {t.Context(), true, &object.LimitError{Text: "x"}, false},
		"something lacks":  {t.Context(), true, fmt.Errorf("x: %w", object.ErrIncomplete), false},
		"a broken connect": {t.Context(), true, io.ErrUnexpectedEOF, true},
	} {
		r := &remote{sink: New(nil), lane: &lane{}}
		r.sink.caps.set(capsKey{}, &knownCaps{})
		require.Equal(t, c.want, r.outdated(c.ctx, &session{assumed: c.assumed}, c.err), name)
		known, asked := r.sink.caps.get(capsKey{})
		require.Nil(t, known)
		require.True(t, asked, "it is asked the next time")
	}
}
