package kubescribe_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
)

const watchdogOften = 50 * time.Millisecond

// guarded is a Mirror in sync whose branches are looked at all the time.
func guarded(t *testing.T) (*gitservertest.Server, *gitservertest.Repo, *kubescribe.Mirror) {
	t.Helper()
	c, server := cluster(t), gitservertest.NewServer(t, nil)
	repo := server.NewRepo("r")
	configMap(t, c, "a", "one")
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{Watchdog: watchdogOften}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef, devRef)))
	start(t, m)
	synced(t, m)
	return server, repo, m
}

const guardedFile = "prod/default/configmaps/a.yaml"

func TestAFileThatSomebodyHasChangedIsMadeGoodThoughNothingHappensInTheCluster(t *testing.T) {
	t.Parallel()
	_, repo, _ := guarded(t)
	ours := repo.Tree("main")
	repo.Commit("main", map[string]gitservertest.File{guardedFile: {Content: "mine\n"}}, "By hand")
	require.Eventually(t, func() bool { return repo.Tree("main")[guardedFile] == ours[guardedFile] }, 30*time.Second, 10*time.Millisecond)
	repo.Commit("main", map[string]gitservertest.File{guardedFile: {Remove: true}}, "By hand")
	require.Eventually(t, func() bool { return repo.Tree("main")[guardedFile] == ours[guardedFile] }, 30*time.Second, 10*time.Millisecond)
}

func TestABranchThatSomebodyHasDeletedComesBack(t *testing.T) {
	t.Parallel()
	_, repo, _ := guarded(t)
	ours := repo.Tree("main")
	repo.Git("update-ref", "-d", "refs/heads/main")
	require.Eventually(t, func() bool {
		_, there := repo.Tip("main")
		return there && len(repo.Tree("main")) == len(ours)
	}, 30*time.Second, 10*time.Millisecond)
	require.Equal(t, ours, repo.Tree("main"))
}

// Others may use the branch for what is none of ours.
func TestALookAtABranchChangesNothingAndCostsARequest(t *testing.T) {
	t.Parallel()
	server, repo, m := guarded(t)
	elsewhere := repo.Commit("main", map[string]gitservertest.File{"docs/readme.md": {Content: "hello\n"}}, "Elsewhere")
	for _, ref := range []destination.Ref{prodRef, devRef} {
		require.Eventually(t, func() bool { st, _ := m.DestinationStatus(ref); return st.Tip == elsewhere }, 30*time.Second, 10*time.Millisecond)
	}
	server.ResetCounts()
	began := time.Now()
	time.Sleep(time.Second)
	looks := server.Count(gitservertest.ReceivePack, gitservertest.Advertisement).Requests
	require.Positive(t, looks)
	require.LessOrEqual(t, looks, int(time.Since(began)/watchdogOften)+2, "one for both destinations")
	for _, service := range []gitservertest.Service{gitservertest.ReceivePack, gitservertest.UploadPack} {
		require.Zero(t, server.Count(service, gitservertest.RPC).Requests, "advertisements alone")
	}
	tip, _ := repo.Tip("main")
	require.Equal(t, elsewhere, tip)
}

func TestARemoteThatCannotBeReachedShowsThoughNothingIsToBeWritten(t *testing.T) {
	t.Parallel()
	server, _, m := guarded(t)
	server.Down()
	st := until(t, m, func(st kubescribe.DestinationStatus) bool { return st.BranchErr != nil })
	ready, reason, _ := st.Ready()
	require.False(t, ready)
	require.Equal(t, kubescribe.Reason(gitsink.ReasonServerUnavailable), reason)
	server.Up()
	st = until(t, m, func(st kubescribe.DestinationStatus) bool { return st.BranchErr == nil })
	ready, _, _ = st.Ready()
	require.True(t, ready)
}

// failing is a sink whose next calls for a destination fail.
type failing struct {
	gitsink.GitSink
	of   destination.Ref
	left atomic.Int64
}

func (s *failing) Apply(ctx context.Context, d destination.Destination, plan gitsink.Plan) (gitsink.Result, error) {
	if d.Ref == s.of && s.left.Add(-1) >= 0 {
		return gitsink.Result{}, &gitsink.Error{Op: "fetch", Destination: d, Err: gitsink.ErrUnavailable}
	}
	return s.GitSink.Apply(ctx, d, plan)
}

// The other destination of the branch has seen the commit by then, but not this folder.
func TestAFolderWhoseLookFailedIsLookedAtAgain(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	for _, of := range []destination.Ref{prodRef, devRef} {
		opts := quick(kubescribe.Options{Watchdog: watchdogOften})
		inner := gogit.New(&opts.Git)
		sink := &failing{GitSink: inner, of: of}
		opts.GitSink = sink
		m, err := kubescribe.New(c.Config(), opts)
		require.NoError(t, err)
		require.NoError(t, m.SetRules(rulesFor(repo, prodRef, devRef)))
		stop := start(t, m)
		synced(t, m)
		ours := repo.Tree("main")
		file := of.Name + "/default/configmaps/a.yaml"
		sink.left.Store(2)
		repo.Commit("main", map[string]gitservertest.File{file: {Content: "mine\n"}}, "By hand")
		require.Eventually(t, func() bool { return repo.Tree("main")[file] == ours[file] }, 20*time.Second, 10*time.Millisecond, of)
		require.NoError(t, stop())
		require.NoError(t, inner.Close())
	}
}
