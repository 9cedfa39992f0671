package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAnEmptyRemoteAndAMissingBranchJustWork(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	c.configMap(ns, "a", "one")
	git := gitservertest.NewServer(t, nil)
	empty, grown := git.NewRepo("empty.git"), git.NewRepo("grown.git")
	first := grown.Commit("trunk", map[string]gitservertest.File{"README.md": {Content: "x\n"}}, "Start")
	grown.Git("symbolic-ref", "HEAD", "refs/heads/trunk")
	for _, repo := range []*gitservertest.Repo{empty, grown} {
		m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
		m.synced()
		require.Equal(t, configMapFiles(ns, "a", "one"), folder(repo, "main", "f"))
		m.stop()
		repo.Fsck()
	}
	require.Equal(t, []string{"main"}, empty.Branches())
	require.Equal(t, "x\n", grown.Tree("main")["README.md"], "a missing branch begins where the default branch is")
	grown.Linear("main", first)
	tip, _ := grown.Tip("trunk")
	require.Equal(t, first, tip)
}

func TestARemoteThatIsDownForAWhileGetsEverythingWhenItIsBack(t *testing.T) {
	testsize.Sampled(t)
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	git := gitservertest.NewServer(t, nil)
	repo := git.NewRepo("down.git")
	c.configMap(ns, "a", "one")
	m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
	m.synced()

	git.Down()
	c.configMap(ns, "a", "two")
	c.configMap(ns, "b", "one")
	st := m.status(ref(ns, "dest"), func(st kubescribe.DestinationStatus) bool { return st.Err != nil })
	require.ErrorIs(t, st.Err, gitsink.ErrUnavailable)
	require.False(t, st.Line.Permanent)
	outage := time.Duration(testsize.Sizes{Usual: 3, Soak: 20}.Pick()) * time.Second
	if real() {
		outage = 20 * time.Second
	}
	time.Sleep(outage) // the outage itself
	c.delete(configMaps, ns, "a")
	git.Up()
	becomes(t, repo, "main", "f", configMapFiles(ns, "b", "one"))
	m.synced()
	st, _ = m.DestinationStatus(ref(ns, "dest"))
	require.NoError(t, st.Err)
	repo.Fsck()
}

// twoRepositories is oneDestination for two repositories, $REPO and $OTHER, the second for the
// destination "good".
const twoRepositories = oneDestination + `---
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: other, namespace: $NS}
spec: {repoURL: $OTHER}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: good, namespace: $NS}
spec: {repoRef: {name: other}, branch: main, baseFolder: f}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: good, namespace: $NS}
spec:
  destinationRef: {name: good}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

func TestWrongCredentialsAreSaidClearlyAndOthersGoOn(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	locked := gitservertest.NewServer(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "bot", Password: "right"}})
	open := gitservertest.NewServer(t, nil)
	bad, good := locked.NewRepo("bad.git"), open.NewRepo("good.git")
	c.configMap(ns, "a", "one")
	var password = "wr0ng-s3cret"
	opts := options(t)
	opts.Git.Auth = func(_ context.Context, d destination.Destination) (gogit.Auth, error) {
		if d.Ref.Name == "good" {
			return gogit.Auth{}, nil
		}
		return gogit.Auth{Username: "bot", Password: password}, nil
	}
	m := start(c, load(t, twoRepositories, "NS", ns, "REPO", bad.URL(), "OTHER", good.URL(), "DEST", "bad", "FOLDER", "f"), opts)
	becomes(t, good, "main", "f", configMapFiles(ns, "a", "one"))
	st := m.status(ref(ns, "bad"), func(st kubescribe.DestinationStatus) bool { return st.Line.Permanent })
	require.ErrorIs(t, st.Err, gitsink.ErrAuth)
	require.ErrorIs(t, st.Line.Err, queue.ErrPermanent)
	require.NotContains(t, st.Err.Error(), password)
	require.NotContains(t, st.Line.Err.Error(), password)

	locked.SetCredentials(gitservertest.Credentials{User: "bot", Password: password})
	require.NoError(t, m.Resync(ref(ns, "bad")), "somebody mended it and says so")
	becomes(t, bad, "main", "f", configMapFiles(ns, "a", "one"))
}

func TestAProtectedBranchIsNamedWithTheServersTextAndOthersGoOn(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	git := gitservertest.NewServer(t, nil)
	bad, good := git.NewRepo("bad.git"), git.NewRepo("good.git")
	before := bad.Commit("main", map[string]gitservertest.File{"x": {Content: "x"}}, "Start")
	bad.Protect("main", "GH006: Protected branch update failed for refs/heads/main.")
	c.configMap(ns, "a", "one")
	m := start(c, load(t, twoRepositories, "NS", ns, "REPO", bad.URL(), "OTHER", good.URL(), "DEST", "bad", "FOLDER", "f"), nil)
	becomes(t, good, "main", "f", configMapFiles(ns, "a", "one"))
	st := m.status(ref(ns, "bad"), func(st kubescribe.DestinationStatus) bool { return st.Line.Permanent })
	require.ErrorIs(t, st.Err, gitsink.ErrProtected)
	require.ErrorContains(t, st.Err, "GH006: Protected branch update failed")
	tip, _ := bad.Tip("main")
	require.Equal(t, before, tip)
	c.configMap(ns, "a", "two")
	becomes(t, good, "main", "f", configMapFiles(ns, "a", "two"))

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	require.ErrorIs(t, m.WaitSynced(ctx), gitsink.ErrProtected)
	// The stop tries once more and says what is left.
	m.cancel()
	var remaining *queue.RemainingError
	require.ErrorAs(t, <-m.ended, &remaining)
	require.Contains(t, remaining.Lines, ref(ns, "bad"))
	require.NotContains(t, remaining.Lines, ref(ns, "good"))
	require.False(t, errors.Is(remaining, context.DeadlineExceeded))
}
