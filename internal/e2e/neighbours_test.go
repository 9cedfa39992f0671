package e2e

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// logged returns how often each commit's subject, or hash, is in the log of a branch.
func logged(repo *gitservertest.Repo, branch string, of func(gitservertest.CommitInfo) string) map[string]int {
	counts := map[string]int{}
	for _, commit := range repo.Log(branch) {
		counts[of(commit)]++
	}
	return counts
}

func hash(c gitservertest.CommitInfo) string    { return c.Hash }
func subject(c gitservertest.CommitInfo) string { return c.Subject }

func TestCommitsOfOthersBetweenOursStay(t *testing.T) {
	testsize.Sampled(t) // not in parallel: the number of commits depends on the time between events
	c := sharedCluster(t)
	ns := c.namespace()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("others.git")
	outsiders := []string{repo.Commit("main", map[string]gitservertest.File{"outside/0": {Content: "0\n"}}, "Outside 0")}
	m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
	c.configMap(ns, "a", "v0")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "v0"))
	m.synced()
	commitOutside := func(i int) {
		outsiders = append(outsiders, repo.Commit("main", map[string]gitservertest.File{
			fmt.Sprintf("outside/%d", i): {Content: fmt.Sprintf("%d\n", i)}, // beside our folder
			fmt.Sprintf("f/%d.txt", i):   {Content: fmt.Sprintf("%d\n", i)}, // and in it
		}, fmt.Sprintf("Outside %d", i)))
	}
	want := func(last int) map[string]string {
		files := configMapFiles(ns, "a", fmt.Sprintf("v%d", last))
		for i := 1; i <= last; i++ {
			files[fmt.Sprintf("%d.txt", i)] = fmt.Sprintf("%d\n", i)
		}
		return files
	}

	const between, inside = 3, 3
	for i := 1; i <= between; i++ {
		commitOutside(i)
		c.configMap(ns, "a", fmt.Sprintf("v%d", i))
		becomes(t, repo, "main", "f", want(i))
	}
	m.synced()
	for i := between + 1; i <= between+inside; i++ {
		var pushes atomic.Int32
		done := make(chan struct{})
		server.OnRequest(func(r gitservertest.Request) {
			// Ours has read the advertisement and made its commit on it; Git has not seen the push
			// yet.
			if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && pushes.Add(1) == 1 {
				commitOutside(i)
				close(done)
			}
		})
		c.configMap(ns, "a", fmt.Sprintf("v%d", i))
		<-done
		becomes(t, repo, "main", "f", want(i))
		m.synced()
		server.OnRequest(nil)
		require.EqualValues(t, 2, pushes.Load(), "one that was too late and one that was not")
	}
	m.stop()

	log := logged(repo, "main", hash)
	for i, commit := range outsiders {
		require.Equal(t, 1, log[commit], "commit %d of the outsider", i)
		require.Equal(t, fmt.Sprintf("%d\n", i), repo.Tree("main")[fmt.Sprintf("outside/%d", i)])
		repo.Linear("main", commit)
	}
	require.Equal(t, len(outsiders)+1+between+inside, commits(repo, "main"), "one commit for each change of ours")
	repo.Fsck()
}

func TestWhatOthersDoToOurFilesIsHealedAndTheirFilesStay(t *testing.T) {
	testsize.Sampled(t)
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("healed.git")
	dest := ref(ns, "dest")
	m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
	for _, name := range []string{"a", "b", "c"} {
		c.configMap(ns, name, "one")
	}
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "one", "b", "one", "c", "one"))
	m.synced()
	a, b := "f/"+ns+"/configmaps/a.yaml", "f/"+ns+"/configmaps/b.yaml"
	damage := func(theirs string) {
		repo.Commit("main", map[string]gitservertest.File{
			a: {Content: "edited\n"}, b: {Remove: true}, "f/" + theirs: {Content: "theirs\n"},
		}, "Damage")
	}
	want := configMapFiles(ns, "a", "one", "b", "one", "c", "one")

	damage("notes.txt") // noticed with the next change
	want["notes.txt"] = "theirs\n"
	maps.Copy(want, configMapFiles(ns, "c", "two"))
	c.configMap(ns, "c", "two")
	becomes(t, repo, "main", "f", want)
	m.synced()

	damage(ns + "/configmaps/UPPER.yaml") // noticed when it is asked for
	want[ns+"/configmaps/UPPER.yaml"] = "theirs\n"
	require.NoError(t, m.Resync(dest))
	becomes(t, repo, "main", "f", want)
	m.synced()

	var pushes atomic.Int32
	// Noticed when it comes between our advertisement and our push.
	server.OnRequest(func(r gitservertest.Request) {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && pushes.Add(1) == 1 {
			damage("more.txt")
		}
	})
	want["more.txt"] = "theirs\n"
	maps.Copy(want, configMapFiles(ns, "c", "three"))
	c.configMap(ns, "c", "three")
	becomes(t, repo, "main", "f", want)
	m.synced()
	server.OnRequest(nil)

	repo.Commit("main", map[string]gitservertest.File{"f": {Remove: true}, "README.md": {Content: "all gone\n"}}, "Remove the folder")
	want = configMapFiles(ns, "a", "one", "b", "one", "c", "four")
	c.configMap(ns, "c", "four")
	becomes(t, repo, "main", "f", want)
	m.synced()
	settled := server.Total()
	time.Sleep(time.Second) // long enough for another round, if healing called for healing
	require.Equal(t, settled, server.Total())
	require.Contains(t, repo.Tree("main")["f/.kubescribe"], "adopted: true")
	m.stop()
	repo.Linear("main", "")
	repo.Fsck()
}

func TestABranchThatOthersSetBackIsBroughtForward(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	ns := c.namespace()
	repo := gitservertest.NewServer(t, nil).NewRepo("back.git")
	m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f"), nil)
	c.configMap(ns, "a", "one")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "one"))
	m.synced()
	old, _ := repo.Tip("main")
	c.configMap(ns, "b", "one")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "one", "b", "one"))
	m.synced()

	repo.Git("update-ref", "refs/heads/main", old)
	c.configMap(ns, "c", "one")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "one", "b", "one", "c", "one"))
	m.synced()
	repo.Linear("main", old)

	repo.Git("update-ref", "-d", "refs/heads/main")
	c.configMap(ns, "d", "one")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "one", "b", "one", "c", "one", "d", "one"))
	m.stop()
	repo.Fsck()
}

func TestTwoMirrorsInNeighbouringFoldersKeepEveryCommitOfBoth(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("neighbours.git")
	start0 := repo.Commit("main", map[string]gitservertest.File{"README.md": {Content: "ours\n"}}, "Start")
	names := []string{"one", "two"}
	var spaces []string
	var mirrors []*mirror
	for _, name := range names {
		ns := c.namespace()
		opts := options(t)
		opts.Write.CommitPer = gitsink.PerEvent
		// A commit for each change and a push for every few, so that the two meet all the time.
		opts.Queue = queue.Options{KeepEvery: true, Window: queue.Window{Debounce: time.Millisecond, Bytes: 600}}
		m := start(c, load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "clusters/"+name), opts)
		m.synced() // what follows comes from the watch
		spaces, mirrors = append(spaces, ns), append(mirrors, m)
	}

	var pushes atomic.Int32
	var met sync.WaitGroup
	met.Add(len(spaces))
	server.OnRequest(func(r gitservertest.Request) {
		if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && int(pushes.Add(1)) <= len(spaces) {
			met.Done() // the first pushes of both are on their way, made on the same commit
			met.Wait()
		}
	})

	objects := testsize.Sizes{Usual: 8, Long: 15, Soak: 60}.Pick()
	want := map[string]int{"Start": 1}
	for _, ns := range spaces {
		for i := range objects {
			id := fmt.Sprintf("configmaps/%s/cm-%02d", ns, i)
			want["Create "+id], want["Update "+id] = 1, 1
			if i%3 == 0 {
				want["Delete "+id] = 1
			}
		}
	}
	each(t, len(spaces)*objects, func(ctx context.Context, i int) error {
		ns, name := spaces[i%len(spaces)], fmt.Sprintf("cm-%02d", i/len(spaces))
		for _, value := range []string{"one", "two"} {
			if err := c.write(ctx, ns, name, configMapYAML(ns, name, value)); err != nil {
				return err
			}
		}
		if i/len(spaces)%3 == 0 {
			return c.remove(ctx, ns, name)
		}
		return nil
	})
	for n, ns := range spaces {
		files := map[string]string{}
		for i := range objects {
			if i%3 != 0 {
				maps.Copy(files, configMapFiles(ns, fmt.Sprintf("cm-%02d", i), "two"))
			}
		}
		becomes(t, repo, "main", "clusters/"+names[n], files)
	}
	for _, m := range mirrors {
		m.stop()
	}
	require.Empty(t, cmp.Diff(want, logged(repo, "main", subject)))
	require.Equal(t, "ours\n", repo.Tree("main")["README.md"])
	repo.Linear("main", start0)
	repo.Fsck()
}

// twoClusters returns two clusters that share nothing but, in places, an etcd.
func twoClusters(t *testing.T) []*cluster {
	t.Helper()
	if !real() {
		return []*cluster{memoryCluster(t), memoryCluster(t)}
	}
	etcd := testenv.StartEtcd(t)
	var clusters []*cluster
	for _, prefix := range []string{"/one", "/two"} {
		env := testenv.Start(t, &testenv.Options{Etcd: etcd, EtcdPrefix: prefix})
		clusters = append(clusters, newCluster(t, env.Config(), env.Kubeconfig()))
	}
	return clusters
}

func TestOfTwoClustersWithOneConfigurationTheSecondIsRefusedUntilItAdopts(t *testing.T) {
	testsize.Sampled(t)
	inParallel(t)
	clusters := twoClusters(t)
	first, second := clusters[0], clusters[1]
	ns := first.namespace()
	second.apply(namespaces, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s}}", ns))
	repo := gitservertest.NewServer(t, nil).NewRepo("claimed.git")
	rules := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f")
	dest := ref(ns, "dest")
	owned := func(m *mirror) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		require.ErrorIs(t, m.WaitSynced(ctx), gitsink.ErrOwned)
		st, _ := m.DestinationStatus(dest)
		require.ErrorIs(t, st.Err, gitsink.ErrOwned)
		require.ErrorContains(t, st.Err, "adopt")
		require.False(t, st.Synced)
	}
	first.configMap(ns, "a", "first")
	first.configMap(ns, "both", "first")
	m1 := start(first, rules, nil)
	m1.synced()
	tip, _ := repo.Tip("main")

	second.configMap(ns, "both", "second")
	second.configMap(ns, "c", "second")
	m2 := start(second, rules, nil)
	owned(m2)
	second.configMap(ns, "d", "second") // a change while it is refused, beside the SeedSync

	m2.status(dest, func(st kubescribe.DestinationStatus) bool { return st.Line.Waiting+st.Line.InHand >= 2 })
	now, _ := repo.Tip("main")
	require.Equal(t, tip, now, "the second writes nothing")
	first.configMap(ns, "e", "first")
	becomes(t, repo, "main", "f", configMapFiles(ns, "a", "first", "both", "first", "e", "first"))
	m1.synced()

	require.NoError(t, m2.Adopt(dest))
	seconds := configMapFiles(ns, "both", "second", "c", "second", "d", "second")
	m2.synced()
	require.Equal(t, seconds, folder(repo, "main", "f"))
	tip, _ = repo.Tip("main")
	first.configMap(ns, "a", "again")
	m1.status(dest, func(st kubescribe.DestinationStatus) bool { return st.Err != nil })
	owned(m1)
	require.NoError(t, m1.Resync(dest))
	owned(m1)
	now, _ = repo.Tip("main")
	require.Equal(t, tip, now, "now it is the first that writes nothing")

	second.configMap(ns, "c", "later")
	maps.Copy(seconds, configMapFiles(ns, "c", "later"))
	becomes(t, repo, "main", "f", seconds)
	m1.cancel()
	var left *queue.RemainingError
	require.ErrorAs(t, <-m1.ended, &left, "a stop says what was not written")
	require.Positive(t, left.Lines[dest])
	m2.stop()
	repo.Linear("main", tip)
	repo.Fsck()
}
