package gitservertest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// on makes the fault that of the first request of a push's phase.
func on(phase gitservertest.Phase, fault gitservertest.Fault) func(gitservertest.Request) gitservertest.Fault {
	return func(r gitservertest.Request) gitservertest.Fault {
		if r.Service == gitservertest.ReceivePack && r.Phase == phase && r.N == 1 {
			return fault
		}
		return gitservertest.Fault{}
	}
}

func TestACutLeavesTheBranchAsItSaysAndTheClientWithoutSuccess(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for name, test := range map[string]struct {
		fault gitservertest.Fault
		moved bool
	}{
		"CutRequest": {gitservertest.Fault{Cut: gitservertest.CutRequest}, false},
		"CutReply":   {gitservertest.Fault{Cut: gitservertest.CutReply}, true},
		"CutHalfway": {gitservertest.Fault{Cut: gitservertest.CutHalfway}, true},
		"CutBody":    {gitservertest.Fault{Cut: gitservertest.CutBody}, true},
		"Status":     {gitservertest.Fault{Status: http.StatusInternalServerError}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			c := newClient(t, server.Env())
			c.commit("a", "1")
			server.Intercept(on(gitservertest.RPC, test.fault))
			out, err := c.push(repo.URL())
			require.Error(t, err, out)
			_, moved := repo.Tip("main")
			require.Equal(t, test.moved, moved)
			repo.Fsck()
			out, err = c.push(repo.URL())
			require.NoError(t, err, out)
		})
	}
}

func TestACutShowsOnTheWireAsItSays(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	whole, err := get(t, repo, gitservertest.ReceivePack)
	require.NoError(t, err)
	for cut, check := range map[gitservertest.Cut]func(got reply, err error){
		gitservertest.CutRequest: func(_ reply, err error) { require.ErrorIs(t, err, io.EOF) },
		gitservertest.CutReply:   func(_ reply, err error) { require.ErrorIs(t, err, io.EOF) },
		gitservertest.CutHalfway: func(got reply, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, whole.body[:len(whole.body)/2], got.body)
		},
		gitservertest.CutBody: func(got reply, err error) {
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, "application/x-git-receive-pack-advertisement", got.header.Get("Content-Type"))
			require.Empty(t, got.body)
		},
	} {
		server.Intercept(func(gitservertest.Request) gitservertest.Fault { return gitservertest.Fault{Cut: cut} })
		check(get(t, repo, gitservertest.ReceivePack))
	}
}

func TestAStatusCarriesItsHeaderAndText(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	for _, status := range []int{401, 429, 500, 503} {
		server.Intercept(func(gitservertest.Request) gitservertest.Fault {
			return gitservertest.Fault{Status: status, Header: http.Header{"retry-after": {"7"}}, Body: "slow down"}
		})
		got, err := get(t, repo, gitservertest.UploadPack)
		require.NoError(t, err)
		require.Equal(t, status, got.status)
		require.Equal(t, "7", got.header.Get("Retry-After"))
		require.Equal(t, "slow down", got.body)
		require.Equal(t, status == 401, got.header.Get("WWW-Authenticate") != "")
	}
}

func TestAHeldRequestGoesOnWhenReleased(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	reached, release := make(chan struct{}), make(chan struct{})
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Phase != gitservertest.RPC {
			return gitservertest.Fault{Delay: time.Millisecond}
		}
		close(reached)
		return gitservertest.Fault{Hold: release}
	})
	pushed := make(chan error, 1)
	go func() {
		_, err := c.push(repo.URL())
		pushed <- err
	}()
	<-reached
	_, moved := repo.Tip("main")
	require.False(t, moved)
	close(release)
	require.NoError(t, <-pushed)
	_, moved = repo.Tip("main")
	require.True(t, moved)
}

// recordPush lets the client push in vain and returns the body of its request.
func recordPush(t *testing.T, server *gitservertest.Server, repo *gitservertest.Repo) []byte {
	t.Helper()
	c := newClient(t, server.Env())
	c.commit("a", "1")
	var body guarded[[]byte]
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Phase == gitservertest.Advertisement {
			return gitservertest.Fault{}
		}
		content, err := r.Body()
		body.set(content)
		return gitservertest.Fault{Status: http.StatusTeapot, Body: fmt.Sprint(err)}
	})
	_, err := c.push(repo.URL())
	require.Error(t, err)
	server.Intercept(nil)
	require.NotEmpty(t, body.get())
	return body.get()
}

// replay sends a recorded push until ctx ends.
func replay(ctx context.Context, t *testing.T, repo *gitservertest.Repo, body []byte) error {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, repo.URL()+"/git-receive-pack", bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/x-git-receive-pack-request")
	resp, err := http.DefaultClient.Do(req)
	if err == nil {
		_, err = io.Copy(io.Discard, resp.Body)
		err = errors.Join(err, resp.Body.Close())
	}
	return err
}

func TestAHeldRequestOfAClientThatLeftNeverReachesGit(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	t.Run("test", func(t *testing.T) { // its end waits for the request
		server := gitservertest.NewServer(t, nil)
		repo := server.NewRepo("app")
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error { reached.Store(true); return nil })
		body := recordPush(t, server, repo)
		ctx, leave := context.WithCancel(t.Context())
		server.Intercept(func(gitservertest.Request) gitservertest.Fault {
			leave()
			return gitservertest.Fault{Hold: make(chan struct{})}
		})
		require.ErrorIs(t, replay(ctx, t, repo, body), context.Canceled)
	})
	require.False(t, reached.Load())
}

func TestGitFinishesThePushOfAClientThatLeft(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	body := recordPush(t, server, repo)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	left := make(chan struct{})
	repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
		leave()
		<-left
		return nil
	})
	repo.Hook("update", `i=0; while [ $i -lt 20000 ]; do echo "nobody reads this line"; i=$((i+1)); done`)
	require.ErrorIs(t, replay(ctx, t, repo, body), context.Canceled)
	close(left)
	require.Eventually(t, func() bool { _, moved := repo.Tip("main"); return moved }, 30*time.Second, 20*time.Millisecond)
}

func TestAHeldReplyHidesThatTheBranchHasMoved(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	want := c.commit("a", "1")
	release := make(chan struct{})
	server.Intercept(on(gitservertest.RPC, gitservertest.Fault{HoldReply: release}))
	pushed := make(chan error, 1)
	go func() {
		_, err := c.push(repo.URL())
		pushed <- err
	}()
	require.Eventually(t, func() bool { tip, _ := repo.Tip("main"); return tip == want }, 30*time.Second, 10*time.Millisecond)
	select {
	case err := <-pushed:
		t.Fatalf("the push returned although its answer is held: %v", err)
	default:
	}
	close(release)
	require.NoError(t, <-pushed)
}

func TestTheEndOfTheTestGivesUpHeldRequests(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 1)
	t.Run("test", func(t *testing.T) {
		server := gitservertest.NewServer(t, nil)
		url := server.NewRepo("app").URL()
		reached := make(chan struct{})
		server.Intercept(func(gitservertest.Request) gitservertest.Fault {
			close(reached)
			return gitservertest.Fault{Hold: make(chan struct{})}
		})
		go func() {
			resp, err := http.Get(url + "/info/refs?service=git-upload-pack")
			if err == nil {
				err = resp.Body.Close()
			}
			ended <- err
		}()
		<-reached
	})
	require.Error(t, <-ended)
}

func TestACommitBetweenAdvertisementAndPushMakesThePushStale(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)
	var outside guarded[string]
	server.OnRequest(func(r gitservertest.Request) {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC {
			outside.set(repo.Commit("main", map[string]gitservertest.File{"b": {Content: "2"}}, "outside"))
		}
	})
	c.commit("a", "3")
	_, err = c.push(repo.URL())
	require.Error(t, err)
	tip, _ := repo.Tip("main")
	require.NotEmpty(t, tip)
	require.Equal(t, outside.get(), tip)
}

func TestTheBodyOfARequestIsShownDecompressed(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	for i := range 40 { // enough wants for the git command line to compress them
		repo.Commit(fmt.Sprintf("b%d", i), map[string]gitservertest.File{"a": {Content: strconv.Itoa(i)}}, "one of many")
	}
	c := newClient(t, server.Env())
	tip, _ := repo.Tip("b7")
	var body guarded[string]
	var compressed guarded[bool]
	server.OnRequest(func(r gitservertest.Request) {
		if r.Phase == gitservertest.Advertisement {
			return
		}
		if content, err := r.Body(); err == nil {
			body.set(body.get() + string(content))
		}
		if r.Header.Get("Content-Encoding") == "gzip" {
			compressed.set(true)
		}
	})
	c.must("fetch", "--quiet", repo.URL(), "refs/heads/*:refs/heads/*")
	require.True(t, compressed.get())
	require.Contains(t, body.get(), "want "+tip)
}
