package kubescribe_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// Files that stay whatever becomes of their objects are not in sync with them, though all was
// listed and written.
func TestADestinationWithAFolderOfAnotherOwnerIsNotSynced(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	sink, repo := newFake()
	configMap(t, c, "a", "one")
	told := make(chan kubescribe.DestinationStatus, 100)
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		GitSink:  sink,
		OnStatus: func(_ destination.Ref, st kubescribe.DestinationStatus) { told <- st },
	}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	require.Nil(t, (<-told).Excluded)

	hidden := "prod/default/" + gitsink.OwnerFile
	repo.Commit("main", map[string]gitservertest.File{hidden: {Content: "source: theirs\n"}}, "theirs")
	require.NoError(t, m.Resync(prodRef))
	st := hears(t, told, func(st kubescribe.DestinationStatus) bool { return st.Excluded != nil })
	require.False(t, st.Synced)
	require.Equal(t, []string{"default/"}, st.Excluded.Sample)
	err = m.WaitSynced(t.Context())
	require.ErrorIs(t, err, gitsink.ErrOwned)
	require.ErrorContains(t, err, `1 folders have a .kubescribe of their own, first ["default/"]`)
	st, _ = m.DestinationStatus(prodRef)
	require.False(t, st.Synced)
	require.Equal(t, st.Watch.Streams, st.Watch.Complete, "nothing else is wrong")

	repo.Commit("main", map[string]gitservertest.File{hidden: {Remove: true}}, "gone")
	require.NoError(t, m.Resync(prodRef))
	hears(t, told, func(st kubescribe.DestinationStatus) bool { return st.Excluded == nil })
	synced(t, m)
	require.NoError(t, stop())
}

// hears waits for a status that OnStatus is told.
func hears(t *testing.T, told <-chan kubescribe.DestinationStatus, wanted func(kubescribe.DestinationStatus) bool) kubescribe.DestinationStatus {
	t.Helper()
	patience := time.After(time.Minute)
	for {
		select {
		case st := <-told:
			if wanted(st) {
				return st
			}
		case <-patience:
			t.Fatal("OnStatus was not told")
		}
	}
}
