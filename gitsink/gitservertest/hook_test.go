package gitservertest_test

import (
	"errors"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestAHookOfShellRefusesInItsOwnWords(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	repo.Hook("pre-receive", "echo not on a Friday >&2; exit 1")
	for _, url := range []string{repo.URL(), repo.FileURL()} {
		out, err := c.push(url)
		require.Error(t, err)
		require.Contains(t, out, "remote: not on a Friday")
		require.Contains(t, out, "pre-receive hook declined")
	}
	repo.Hook("pre-receive", "")
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)
}

func TestACallbackSeesTheUpdatesAndItsErrorReachesTheClient(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	first := c.commit("a", "1")
	var updates guarded[[]gitservertest.RefUpdate]
	repo.OnPreReceive(func(u []gitservertest.RefUpdate) error {
		updates.set(u)
		return errors.New("it's refused:\nask 100% of $USER")
	})
	for _, url := range []string{repo.URL(), repo.FileURL()} {
		updates.set(nil)
		out, err := c.push(url)
		require.Error(t, err)
		require.Contains(t, out, "remote: it's refused:")
		require.Contains(t, out, "remote: ask 100% of $USER")
		require.Equal(t, []gitservertest.RefUpdate{
			{Ref: "refs/heads/main", Old: "0000000000000000000000000000000000000000", New: first},
		}, updates.get())
		require.Empty(t, repo.Branches())
	}

	repo.OnPreReceive(func(u []gitservertest.RefUpdate) error { updates.set(u); return nil })
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)
	second := c.commit("a", "2")
	out, err = c.push(repo.URL())
	require.NoError(t, err, out)
	require.Equal(t, []gitservertest.RefUpdate{{Ref: "refs/heads/main", Old: first, New: second}}, updates.get())

	repo.OnPreReceive(nil)
	updates.set(nil)
	c.commit("a", "3")
	out, err = c.push(repo.URL())
	require.NoError(t, err, out)
	require.Nil(t, updates.get())
}

func TestCallbacksOfSeveralPushesRunAtTheSameTime(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	const pushes = 3
	var waiting atomic.Int32
	all := make(chan struct{})
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
		if waiting.Add(1) == pushes {
			close(all)
		}
		<-all
		return nil
	})
	done := make(chan error, pushes)
	for _, branch := range []string{"x", "y", "z"} {
		go func() {
			_, err := c.run("push", repo.URL(), "main:"+branch)
			done <- err
		}()
	}
	for range pushes {
		require.NoError(t, <-done)
	}
	require.Equal(t, []string{"x", "y", "z"}, repo.Branches())
}

func TestACallbackThatEndsItsGoroutineRefusesThePush(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
		runtime.Goexit() // what FailNow does
		return nil
	})
	out, err := c.push(repo.URL())
	require.Error(t, err)
	require.Contains(t, out, "ended without a verdict")
}

func TestAProtectedBranchIsRefusedAndItsNeighbourIsNot(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	repo.Protect("main", "Changes must be made through a pull request, that's 100% sure.")
	out, err := c.run("push", repo.URL(), "main:main", "main:dev")
	require.Error(t, err)
	require.Contains(t, out, "remote: error: GH006: Protected branch update failed for refs/heads/main.")
	require.Contains(t, out, "remote: error: Changes must be made through a pull request, that's 100% sure.")
	require.Equal(t, []string{"dev"}, repo.Branches())
}
