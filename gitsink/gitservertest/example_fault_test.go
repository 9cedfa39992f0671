package gitservertest_test

import (
	"net/http"
	"os/exec"
	"testing"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// aTestOfABusyServer is the test of a Git client, here of the git command: it must not report a
// push that the server refused.
func aTestOfABusyServer(t *testing.T) {
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{
		Credentials: gitservertest.Credentials{User: "bot", Password: "secret"},
	})
	repo := server.NewRepo("team/app.git")
	first := repo.Commit("main", map[string]gitservertest.File{"README.md": {Content: "Hello\n"}}, "Somebody else's commit")

	// The server is busy at the first push.
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.Advertisement && r.N == 1 {
			return gitservertest.Fault{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}}
		}
		return gitservertest.Fault{}
	})
	push := func() error {
		cmd := exec.CommandContext(t.Context(), "git", "-c", "http.extraHeader=Authorization: Basic Ym90OnNlY3JldA==",
			"push", repo.URL(), first+":refs/heads/copy")
		cmd.Dir, cmd.Env = repo.Dir(), server.Env()
		return cmd.Run()
	}
	if push() == nil {
		t.Error("a push to a busy server succeeded")
	}
	if err := push(); err != nil {
		t.Error(err)
	}

	// What arrived is judged by git itself.
	repo.Fsck()
	repo.Linear("copy", first)
	if content := repo.Tree("copy")["README.md"]; content != "Hello\n" {
		t.Errorf("README.md is %q", content)
	}
	if n := server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests; n != 1 {
		t.Errorf("%d requests carried a push, want 1", n)
	}
}

// Any request can be made to fail. What came of it is seen on the server.
func ExampleServer_Intercept() {
	_ = aTestOfABusyServer
}
