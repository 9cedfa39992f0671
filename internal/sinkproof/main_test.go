package sinkproof

import (
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// TestMain is also where a child process begins: see [spawn], and [shimMain].
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == shim {
		os.Exit(shimMain())
	}
	if orders := os.Getenv(ordersVariable); orders != "" {
		os.Exit(childMain(orders))
	}
	// For file URLs git runs in this environment.
	for key, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1"} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// site is a repository with one commit on main, and the way to it over one protocol.
type site struct {
	server *gitservertest.Server
	repo   *gitservertest.Repo
	access access
	first  string // the commit that was there before
}

// eachProtocol runs the test over HTTP and over SSH, each on a repository of its own.
func eachProtocol(t *testing.T, test func(t *testing.T, s site)) {
	t.Helper()
	name := t.Name()
	for i, protocol := range []string{"http", "ssh"} {
		t.Run(protocol, func(t *testing.T) {
			testsize.OneOf(t, name, i, 2)
			s := site{server: gitservertest.NewServer(t, nil)}
			s.repo = s.server.NewRepo("team/app.git")
			// The log of the branch counts the pushes that have landed.
			s.repo.Git("config", "core.logAllRefUpdates", "true")
			s.first = s.repo.Commit("main", map[string]gitservertest.File{"README": {Content: "here before\n"}}, "first")
			s.access = access{URL: s.repo.URL()}
			if protocol == "ssh" {
				ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: s.server})
				s.access = access{URL: s.repo.SSHURL(), Key: ssh.ClientKeyPEM(), KnownHosts: []byte(ssh.KnownHosts())}
			}
			test(t, s)
		})
	}
}
