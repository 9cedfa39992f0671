package sinkproof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// TestMain is also where a child process begins: see [spawn], and [shimMain].
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == shim {
		os.Exit(shimMain())
	}
	if orders := os.Getenv(ordersVariable); orders != "" {
		os.Exit(childMain(orders))
	}
	for key, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1"} { // for file URLs
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

// soak chooses the full size of a proof or the one for CI.
func soak(full, ci int) int {
	if os.Getenv("KUBESCRIBE_SOAK") != "" {
		return full
	}
	return ci
}

// seed returns a source of chance whose seed is shown; KUBESCRIBE_SEED repeats a run.
func seed(t *testing.T) *rand.Rand {
	t.Helper()
	n := rand.Uint64()
	if s := os.Getenv("KUBESCRIBE_SEED"); s != "" {
		_, err := fmt.Sscan(s, &n)
		require.NoError(t, err)
	}
	t.Logf("KUBESCRIBE_SEED=%d", n)
	return rand.New(rand.NewPCG(n, n))
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
	for _, protocol := range []string{"http", "ssh"} {
		t.Run(protocol, func(t *testing.T) {
			s := site{server: gitservertest.NewServer(t, nil)}
			s.repo = s.server.NewRepo("team/app.git")
			s.repo.Git("config", "core.logAllRefUpdates", "true") // the log of the branch counts the pushes that have landed
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
