package gitsinktest_test

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

	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

// on makes the fault that of the first request of a push's phase.
func on(phase gitsinktest.Phase, fault gitsinktest.Fault) func(gitsinktest.Request) gitsinktest.Fault {
	return func(r gitsinktest.Request) gitsinktest.Fault {
		if r.Service == gitsinktest.ReceivePack && r.Phase == phase && r.N == 1 {
			return fault
		}
		return gitsinktest.Fault{}
	}
}

func TestACutLeavesTheBranchAsItSaysAndTheClientWithoutSuccess(t *testing.T) {
	for name, test := range map[string]struct {
		fault gitsinktest.Fault
		moved bool
	}{
		"CutRequest": {gitsinktest.Fault{Cut: gitsinktest.CutRequest}, false},
		"CutReply":   {gitsinktest.Fault{Cut: gitsinktest.CutReply}, true},
		"CutHalfway": {gitsinktest.Fault{Cut: gitsinktest.CutHalfway}, true},
		"CutBody":    {gitsinktest.Fault{Cut: gitsinktest.CutBody}, true},
		"Status":     {gitsinktest.Fault{Status: http.StatusInternalServerError}, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitsinktest.NewServer(t, nil)
			repo := server.NewRepo("app")
			c := newClient(t, server.Env())
			c.commit("a", "1")
			server.Intercept(on(gitsinktest.RPC, test.fault))
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
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	whole, err := get(t, repo, gitsinktest.ReceivePack)
	require.NoError(t, err)
	for cut, check := range map[gitsinktest.Cut]func(got reply, err error){
		gitsinktest.CutRequest: func(_ reply, err error) { require.ErrorIs(t, err, io.EOF) },
		gitsinktest.CutReply:   func(_ reply, err error) { require.ErrorIs(t, err, io.EOF) },
		gitsinktest.CutHalfway: func(got reply, err error) {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, whole.body[:len(whole.body)/2], got.body)
		},
		gitsinktest.CutBody: func(got reply, err error) {
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, got.status)
			require.Equal(t, "application/x-git-receive-pack-advertisement", got.header.Get("Content-Type"))
			require.Empty(t, got.body)
		},
	} {
		server.Intercept(func(gitsinktest.Request) gitsinktest.Fault { return gitsinktest.Fault{Cut: cut} })
		check(get(t, repo, gitsinktest.ReceivePack))
	}
}

func TestAStatusCarriesItsHeaderAndText(t *testing.T) {
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	for _, status := range []int{401, 429, 500, 503} {
		server.Intercept(func(gitsinktest.Request) gitsinktest.Fault {
			return gitsinktest.Fault{Status: status, Header: http.Header{"retry-after": {"7"}}, Body: "slow down"}
		})
		got, err := get(t, repo, gitsinktest.UploadPack)
		require.NoError(t, err)
		require.Equal(t, status, got.status)
		require.Equal(t, "7", got.header.Get("Retry-After"))
		require.Equal(t, "slow down", got.body)
		require.Equal(t, status == 401, got.header.Get("WWW-Authenticate") != "")
	}
}

func TestAHeldRequestGoesOnWhenReleased(t *testing.T) {
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	reached, release := make(chan struct{}), make(chan struct{})
	server.Intercept(func(r gitsinktest.Request) gitsinktest.Fault {
		if r.Phase != gitsinktest.RPC {
			return gitsinktest.Fault{Delay: time.Millisecond}
		}
		close(reached)
		return gitsinktest.Fault{Hold: release}
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
func recordPush(t *testing.T, server *gitsinktest.Server, repo *gitsinktest.Repo) []byte {
	t.Helper()
	c := newClient(t, server.Env())
	c.commit("a", "1")
	var body guarded[[]byte]
	server.Intercept(func(r gitsinktest.Request) gitsinktest.Fault {
		if r.Phase == gitsinktest.Advertisement {
			return gitsinktest.Fault{}
		}
		content, err := r.Body()
		body.set(content)
		return gitsinktest.Fault{Status: http.StatusTeapot, Body: fmt.Sprint(err)}
	})
	_, err := c.push(repo.URL())
	require.Error(t, err)
	server.Intercept(nil)
	require.NotEmpty(t, body.get())
	return body.get()
}

// replay sends a recorded push until ctx ends.
func replay(ctx context.Context, t *testing.T, repo *gitsinktest.Repo, body []byte) error {
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
	var reached atomic.Bool
	t.Run("test", func(t *testing.T) { // its end waits for the request
		server := gitsinktest.NewServer(t, nil)
		repo := server.NewRepo("app")
		repo.OnPreReceive(func([]gitsinktest.RefUpdate) error { reached.Store(true); return nil })
		body := recordPush(t, server, repo)
		ctx, leave := context.WithCancel(t.Context())
		server.Intercept(func(gitsinktest.Request) gitsinktest.Fault {
			leave()
			return gitsinktest.Fault{Hold: make(chan struct{})}
		})
		require.ErrorIs(t, replay(ctx, t, repo, body), context.Canceled)
	})
	require.False(t, reached.Load())
}

func TestGitFinishesThePushOfAClientThatLeft(t *testing.T) {
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	body := recordPush(t, server, repo)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	left := make(chan struct{})
	repo.OnPreReceive(func([]gitsinktest.RefUpdate) error {
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
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	want := c.commit("a", "1")
	release := make(chan struct{})
	server.Intercept(on(gitsinktest.RPC, gitsinktest.Fault{HoldReply: release}))
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
	ended := make(chan error, 1)
	t.Run("test", func(t *testing.T) {
		server := gitsinktest.NewServer(t, nil)
		url := server.NewRepo("app").URL()
		reached := make(chan struct{})
		server.Intercept(func(gitsinktest.Request) gitsinktest.Fault {
			close(reached)
			return gitsinktest.Fault{Hold: make(chan struct{})}
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
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	c := newClient(t, server.Env())
	c.commit("a", "1")
	out, err := c.push(repo.URL())
	require.NoError(t, err, out)
	var outside guarded[string]
	server.OnRequest(func(r gitsinktest.Request) {
		if r.Service == gitsinktest.ReceivePack && r.Phase == gitsinktest.RPC {
			outside.set(repo.Commit("main", map[string]gitsinktest.File{"b": {Content: "2"}}, "outside"))
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
	server := gitsinktest.NewServer(t, nil)
	repo := server.NewRepo("app")
	for i := range 40 { // enough wants for the git command line to compress them
		repo.Commit(fmt.Sprintf("b%d", i), map[string]gitsinktest.File{"a": {Content: strconv.Itoa(i)}}, "one of many")
	}
	c := newClient(t, server.Env())
	tip, _ := repo.Tip("b7")
	var body guarded[string]
	var compressed guarded[bool]
	server.OnRequest(func(r gitsinktest.Request) {
		if r.Phase == gitsinktest.Advertisement {
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
