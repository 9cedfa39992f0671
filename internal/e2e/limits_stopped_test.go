package e2e

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func (p *limited) signal(s syscall.Signal) {
	p.t.Helper()
	p.lives()
	require.NoError(p.t, p.cmd.Process.Signal(s))
}

// TestAProcessThatWasStoppedForAMinuteConverges stops it in the middle of a push to each of three
// repositories. Meanwhile the cluster changes and forgets its history, and the servers cut their
// connections, as they do those of the silent. One push has landed, of one nothing is known, and
// one did not get through.
func TestAProcessThatWasStoppedForAMinuteConverges(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	mem, c := emptyMemoryCluster(t)
	ns := c.namespace()
	relay, kubeconfig := behindRelay(t, c.kubeconfig)
	git := gitservertest.NewServer(t, nil)
	ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: git})
	landed, lost, byShell := git.NewRepo("landed.git"), git.NewRepo("lost.git"), git.NewRepo("ssh.git")
	repos := []*gitservertest.Repo{landed, lost, byShell}
	want := map[string]string{}
	set := func(name, value string) {
		t.Helper()
		c.configMap(ns, name, value)
		for path, text := range configMapFiles(ns, name, value) {
			want[path] = text
		}
	}
	for i := range 20 {
		set(fmt.Sprintf("cm-%d", i), "one")
	}
	p := startLimited(t, limits{}, kubeconfig, manyRepositories(ns, []string{landed.URL(), lost.URL(), byShell.SSHURL()},
		ssh.ClientKeyPEM(), []byte(ssh.KnownHosts())))
	for _, repo := range repos {
		p.mirrored(repo, want)
	}

	cut := make(chan struct{}) // the servers' patience with the silent
	pushing := make(chan string, 16)
	git.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		select {
		case <-cut:
			return gitservertest.Fault{}
		default:
		}
		switch {
		case r.Service != gitservertest.ReceivePack || r.Phase != gitservertest.RPC:
			return gitservertest.Fault{}
		case r.Repo == "landed.git":
			pushing <- r.Repo
			return gitservertest.Fault{HoldReply: cut, Cut: gitservertest.CutReply}
		default:
			pushing <- r.Repo
			return gitservertest.Fault{Hold: cut, Cut: gitservertest.CutRequest}
		}
	})
	set("cm-0", "two")
	<-pushing
	<-pushing
	p.signal(syscall.SIGSTOP)
	stopped := time.Now()
	for i := range 10 {
		set(fmt.Sprintf("cm-%d", i), "three")
		set(fmt.Sprintf("new-%d", i), "one")
	}
	for i := 10; i < 15; i++ {
		name := fmt.Sprintf("cm-%d", i)
		c.delete(configMaps, ns, name)
		delete(want, ns+"/configmaps/"+name+".yaml")
	}
	mem.Compact()
	mem.ExpireWatches(configMaps.GroupResource())
	relay.cut()
	close(cut)
	git.Down()
	ssh.Down()
	git.Up()
	ssh.Up()
	pause := time.Duration(testsize.Sizes{Usual: 8, Soak: 60}.Pick())*time.Second - time.Since(stopped)
	time.Sleep(pause) // the stop itself
	before := map[*gitservertest.Repo]int{}
	for _, repo := range repos {
		before[repo] = commits(repo, "main")
	}
	p.signal(syscall.SIGCONT)
	for _, repo := range repos {
		p.mirrored(repo, want)
	}
	set("last", "one")
	for _, repo := range repos {
		p.mirrored(repo, want)
	}
	p.stop()
	for _, repo := range repos {
		repo.Fsck()
		repo.Linear("main", "")
		distinct(t, repo)
		t.Logf("%d commits, %d when it went on", commits(repo, "main"), before[repo])
	}
}

// distinct fails if two commits in a row have one tree, or if two have made the same of the same
// file: a commit was made twice.
func distinct(t *testing.T, repo *gitservertest.Repo) {
	t.Helper()
	trees := map[string]bool{}
	for _, commit := range repo.Log("main") {
		tree := repo.Git("rev-parse", commit.Hash+"^{tree}")
		require.False(t, trees[tree], "%s is a tree that was there before", commit.Hash)
		trees[tree] = true
	}
}

// TestAListingThatWasStoppedHalfwayIsMadeGood stops the process while the API server sends a
// listing page by page.
func TestAListingThatWasStoppedHalfwayIsMadeGood(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	mem, c := emptyMemoryCluster(t)
	ns := c.namespace()
	relay, kubeconfig := behindRelay(t, c.kubeconfig)
	repo := gitservertest.NewServer(t, nil).NewRepo("listing.git")
	const objects = 400
	want := map[string]string{}
	for i := range objects {
		name := fmt.Sprintf("cm-%d", i)
		c.configMap(ns, name, "one")
		want[ns+"/configmaps/"+name+".yaml"] = configMapYAML(ns, name, "one")
	}
	reached, hold := make(chan struct{}, 16), make(chan struct{})
	remove := mem.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "list" && r.Resource.Resource == "configmaps" && r.Page == 2 {
			reached <- struct{}{}
			return &clustertest.Fault{Hold: hold}
		}
		return nil
	})
	p := startLimited(t, limits{}, kubeconfig, replace(oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"))
	<-reached
	p.signal(syscall.SIGSTOP)
	c.delete(configMaps, ns, "cm-0") // of the page that it has
	delete(want, ns+"/configmaps/cm-0.yaml")
	c.configMap(ns, "cm-1", "two")
	want[ns+"/configmaps/cm-1.yaml"] = configMapYAML(ns, "cm-1", "two")
	remove()
	mem.Compact() // its continue token is too old by now
	close(hold)
	relay.cut()
	// The stop itself.
	time.Sleep(time.Duration(testsize.Sizes{Usual: 3, Soak: 60}.Pick()) * time.Second)
	p.signal(syscall.SIGCONT)
	p.mirrored(repo, want)
	p.stop()
	repo.Fsck()
}
