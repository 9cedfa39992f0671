package kubescribe_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

const attributes = ".gitattributes"

func TestAFilterOfGitattributesIsInTheStatusUntilItIsGone(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	repo.Commit("main", map[string]gitservertest.File{
		attributes:           {Content: "*.md filter=lfs\nprod/** filter=git-crypt diff=git-crypt\n"},
		"prod/" + attributes: {Content: "a.yaml filter=lfs\n"},
	}, "filters")
	var log lines
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{Logger: funcr.New(log.add, funcr.Options{})}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	st, _ := m.DestinationStatus(prodRef)
	require.Equal(t, []gitsink.Filtered{{File: "prod/.gitattributes", Pattern: "a.yaml", Filter: "lfs"}}, st.Filtered)
	require.True(t, st.Synced, "it is a notice, no fault")
	require.NoError(t, st.Err)
	require.Empty(t, st.Skipped)
	require.Contains(t, repo.Tree("main")["prod/default/configmaps/a.yaml"], "value: one")
	require.NotZero(t, log.with("filter=lfs by the line a.yaml of prod/.gitattributes"))

	// Another line counts from the commit on that somebody pushes.
	repo.Commit("main", map[string]gitservertest.File{"prod/" + attributes: {Remove: true}}, "no lfs here")
	configMap(t, c, "a", "two")
	want := gitsink.Filtered{File: attributes, Pattern: "prod/**", Filter: "git-crypt"}
	until(t, m, func(st kubescribe.DestinationStatus) bool { return len(st.Filtered) == 1 && st.Filtered[0] == want })
	require.Contains(t, repo.Tree("main")["prod/default/configmaps/a.yaml"], "value: two")

	// What stands outside of the folder is looked at by a sweep, if it is gone.
	repo.Commit("main", map[string]gitservertest.File{attributes: {Remove: true}}, "no filters")
	require.NoError(t, m.Resync(prodRef))
	until(t, m, func(st kubescribe.DestinationStatus) bool { return st.Filtered == nil && st.Synced })
	require.NoError(t, stop())
}

func TestABatchTakesNoFilterOutOfTheStatusThatASweepHasFound(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	var text strings.Builder
	for i := range 11 {
		configMap(t, c, fmt.Sprint("cm-", i), "one")
		fmt.Fprintf(&text, "cm-%d.yaml filter=lfs\n", i)
	}
	repo.Commit("main", map[string]gitservertest.File{attributes: {Content: text.String()}}, "filters")
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	before, _ := m.DestinationStatus(prodRef)
	require.Len(t, before.Filtered, 10)
	for i := range 11 {
		configMap(t, c, fmt.Sprint("cm-", i), "two")
		after := until(t, m, func(st kubescribe.DestinationStatus) bool { return st.Tip != before.Tip })
		require.Equal(t, before.Filtered, after.Filtered)
		before = after
	}
	require.NoError(t, stop())
}

func TestWhatHasAFilterIsLeftOutWhereThatIsRefused(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	configMap(t, c, "b", "one")
	repo.Commit("main", map[string]gitservertest.File{attributes: {Content: "a.yaml filter=git-crypt\n"}}, "filters")
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{Write: gitsink.WriterOptions{RefuseFiltered: true}}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	st := until(t, m, func(st kubescribe.DestinationStatus) bool { return len(st.Skipped) == 1 })
	require.NoError(t, stop())
	require.Equal(t, "a", st.Skipped[0].Resource.ID.Name)
	require.ErrorIs(t, st.Skipped[0].Err, gitsink.ErrPath)
	require.ErrorContains(t, st.Skipped[0].Err, "filter=git-crypt by the line a.yaml of .gitattributes")
	require.Empty(t, st.Filtered, "no file of ours has one")
	tree := repo.Tree("main")
	require.NotContains(t, tree, "prod/default/configmaps/a.yaml")
	require.Contains(t, tree, "prod/default/configmaps/b.yaml")
}

// until waits for a state of prod.
func until(t *testing.T, m *kubescribe.Mirror, want func(kubescribe.DestinationStatus) bool) (st kubescribe.DestinationStatus) {
	t.Helper()
	require.Eventually(t, func() bool { st, _ = m.DestinationStatus(prodRef); return want(st) }, 30*time.Second, 10*time.Millisecond)
	return st
}
