package orphan_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

func TestFoundKnowsItsFilesAgain(t *testing.T) {
	paths := podFiles("a", 30)
	found := orphan.NewFound(paths)
	require.Equal(t, 30, found.Count)
	require.Equal(t, paths[:10], found.Sample)
	require.True(t, found.Includes(paths))
	require.True(t, found.Includes(paths[5:7]))
	require.True(t, found.Includes(nil))
	require.False(t, found.Includes(append(slices.Clone(paths), "a/pods/new.yaml")))
	require.Nil(t, orphan.NewFound(nil))
	var none *orphan.Found
	require.True(t, none.Includes(nil))
	require.False(t, none.Includes(paths[:1]))
}

func TestADigestNamesAllFilesAndNotOnlyTheSample(t *testing.T) {
	paths := podFiles("a", 30)
	digest := orphan.NewFound(paths).Digest()
	require.Equal(t, digest, orphan.NewFound(slices.Clone(paths)).Digest())
	require.Regexp(t, "^[0-9a-f]{32}$", digest)
	paths[29] = "z/pods/another.yaml"
	require.NotEqual(t, digest, orphan.NewFound(paths).Digest())
	require.NotEqual(t, digest, orphan.NewFound(paths[:29]).Digest())
	var none *orphan.Found
	require.Empty(t, none.Digest())
}

func TestAnApprovalIsForTheFilesThatWereSeenAndLapsesWithOneMore(t *testing.T) {
	view := cluster{[]event.Collection{{Resource: "pods", Namespace: "a"}}, nil}
	find := func(files int, approval orphan.Approval) ([]string, error) {
		return orphan.Find(slices.Values(podFiles("a", files)), event.DefaultLayout, view, nil, approval)
	}
	_, err := find(20, orphan.Approval{})
	var held *orphan.TooManyError
	require.ErrorAs(t, err, &held)
	approved := orphan.Approval{Seen: &held.Found}
	for files, gone := range map[int]bool{20: true, 15: true, 3: true, 21: false} {
		orphans, err := find(files, approved)
		if !gone {
			require.ErrorIs(t, err, orphan.ErrTooMany, "%d files", files)
			continue
		}
		require.NoError(t, err, "%d files", files)
		require.Equal(t, podFiles("a", files), orphans)
	}
}

func TestHoldIsTheLimitOfFind(t *testing.T) {
	var defaults *orphan.Options
	require.NoError(t, defaults.Hold(podFiles("a", 10), 10, orphan.Approval{}))
	require.ErrorIs(t, defaults.Hold(podFiles("a", 11), 11, orphan.Approval{}), orphan.ErrTooMany)
	require.NoError(t, (&orphan.Options{MaxFiles: -1}).Hold(podFiles("a", 11), 11, orphan.Approval{}))
}

// rules is a Snapshot that knows what is covered no more.
type rules struct {
	cluster
	uncovered []event.Collection
	asked     map[event.Collection]int
}

func (r rules) Uncovered(s event.Collection) bool {
	r.asked[s]++
	return slices.Contains(r.uncovered, s)
}

func TestUncoveredIsWhatTheLayoutCouldHaveWrittenAndNoRuleCovers(t *testing.T) {
	paths := []string{"b/pods/y.yaml", "b/pods/x.yaml", "b/pods/x.yaml", "a/pods/x.yaml", "_cluster/nodes/n.yaml", "b/pods/README.md",
		"b/pods/kustomization.yaml", "b/services/x.yaml"}
	view := rules{uncovered: []event.Collection{{Resource: "pods", Namespace: "b"}, {Resource: "nodes"}}, asked: map[event.Collection]int{}}
	require.Equal(t, []string{"_cluster/nodes/n.yaml", "b/pods/x.yaml", "b/pods/y.yaml"},
		orphan.Uncovered(slices.Values(paths), event.DefaultLayout, view))
	for scope, n := range view.asked {
		require.Equal(t, 1, n, "asked once of %s", scope)
	}
	require.Empty(t, orphan.Uncovered(slices.Values(paths), event.DefaultLayout, view.cluster), "a View that does not know")
}

func TestTooManyErrorMatchesItsSentinelAndNamesASample(t *testing.T) {
	err := (&orphan.Options{}).Hold(podFiles("a", 11), 12, orphan.Approval{})
	require.True(t, errors.Is(err, orphan.ErrTooMany))
	require.ErrorContains(t, err, "11 of 12 files")
	require.ErrorContains(t, err, "a/pods/p000.yaml")
}
