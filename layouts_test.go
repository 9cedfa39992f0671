package kubescribe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// restarted runs a new Mirror with a layout, as after a restart of the process.
func restarted(t *testing.T, c *clustertest.Cluster, repo *gitservertest.Repo, layout event.Layout) (m *kubescribe.Mirror, stop func() error) {
	t.Helper()
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{}))
	require.NoError(t, err)
	rules := rulesFor(repo, prodRef)
	rules.Rules[0].Resources[0].Resources = []string{"configmaps", "serviceaccounts"}
	if layout != nil {
		rules.Layouts = map[destination.Ref]event.Layout{prodRef: layout}
	}
	require.NoError(t, m.SetRules(rules))
	return m, start(t, m)
}

func TestAChangeOfLayoutIsOneCommitOfRenamesOnceItIsAdopted(t *testing.T) {
	t.Parallel()
	c, server := cluster(t), gitservertest.NewServer(t, nil)
	repo := server.NewRepo("r")
	for i := range 30 {
		configMap(t, c, fmt.Sprint("settings-", i), fmt.Sprint("value ", i))
	}
	serviceAccount(t, c, "robot")
	m, stop := restarted(t, c, repo, nil)
	synced(t, m)
	require.NoError(t, stop())
	foreign := map[string]gitservertest.File{
		"prod/README.md": {Content: "theirs\n"}, "prod/default/configmaps/note.txt": {Content: "theirs\n"}, "prod/a/b/logo.yaml": {Content: "theirs\n"},
		"elsewhere/default/configmaps/x.yaml": {Content: "theirs\n"},
	}
	repo.Commit("main", foreign, "By hand")
	before, commits := repo.Files("main"), len(repo.Log("main"))

	// Another layout is refused, and the status says what to do.
	m, stop = restarted(t, c, repo, event.ByTypeLayout)
	require.ErrorIs(t, m.WaitSynced(limited(t)), gitsink.ErrOwned)
	st, _ := m.DestinationStatus(prodRef)
	require.ErrorContains(t, st.Err, `says layout "default/v1"; this destination has the layout "by-type/v1" now: adopt the folder to have its files moved`)
	require.Equal(t, before, repo.Files("main"))

	// Somebody allows it. The first push loses a race, and the server is away for the second.
	var pushes atomic.Int64
	server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if r.Service != gitservertest.ReceivePack || r.Phase != gitservertest.RPC {
			return gitservertest.Fault{}
		}
		switch pushes.Add(1) {
		case 1:
			repo.Commit("main", map[string]gitservertest.File{"elsewhere/late.yaml": {Content: "theirs\n"}}, "By hand")
		case 2:
			return gitservertest.Fault{Status: http.StatusServiceUnavailable}
		}
		return gitservertest.Fault{}
	})
	require.NoError(t, m.Adopt(prodRef))
	until(t, m, func(st kubescribe.DestinationStatus) bool { return st.Synced })
	require.NoError(t, stop())
	require.EqualValues(t, 3, pushes.Load())
	commits++ // by hand
	require.Len(t, repo.Log("main"), commits+1, "one commit")
	changes := strings.Split(strings.TrimSpace(repo.Git("diff-tree", "-r", "-M100%", "--name-status", "--no-commit-id", "main")), "\n")
	require.Len(t, changes, 32)
	for _, change := range changes {
		fields := strings.Split(change, "\t")
		if fields[1] == "prod/.kubescribe" {
			require.Equal(t, "M", fields[0])
			continue
		}
		require.Equal(t, "R100", fields[0], change)
		parts := strings.Split(fields[1], "/") // prod/default/configmaps/x.yaml
		require.Equal(t, strings.Join([]string{"prod", parts[2], parts[1], parts[3]}, "/"), fields[2])
	}
	after := repo.Files("main")
	require.Len(t, after, len(before)+1)
	for path, file := range foreign {
		require.Equal(t, file.Content, after[path].Content, path)
	}
	require.NotContains(t, after["prod/.kubescribe"].Content, "former")
	repo.Fsck()

	// The next start finds nothing to do.
	m, stop = restarted(t, c, repo, event.ByTypeLayout)
	synced(t, m)
	require.NoError(t, stop())
	require.Len(t, repo.Log("main"), commits+1)
}

func TestALayoutCanBeChangedWhileTheMirrorRuns(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
	g.rules.Layouts = map[destination.Ref]event.Layout{prodRef: event.FlatLayout("default")}
	require.NoError(t, g.SetRules(g.rules))
	st := g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Err != nil })
	require.ErrorIs(t, st.Err, gitsink.ErrOwned)
	require.NoError(t, g.Adopt(prodRef))
	g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Synced })
	require.Contains(t, g.repo.Tree("main"), "prod/configmaps_a.yaml")
	require.NotContains(t, g.repo.Tree("main"), "prod/default/configmaps/a.yaml")
	configMap(t, g.cluster, "b", "one")
	require.Eventually(t, func() bool { return g.repo.Tree("main")["prod/configmaps_b.yaml"] != "" }, 30*time.Second, 10*time.Millisecond)
	// And back, since nobody has adopted that.
	g.rules.Layouts = nil
	require.NoError(t, g.SetRules(g.rules))
	st = g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Err != nil })
	require.ErrorIs(t, st.Err, gitsink.ErrOwned, "an adoption is for one change")
}
