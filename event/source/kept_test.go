package source

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func TestAClusterThatIsKeptIsReadOnceForAllDestinations(t *testing.T) {
	const objects = 3 * fetchMany
	wholly(t, objects/7, &Options{Resync: -1}, func(t *testing.T, w *whole) {
		for i := range objects {
			w.write(apiwatch.Added, configMap("default", fmt.Sprint(i), "1"))
		}
		w.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
		for !w.statusOf("prod").Idle() || !w.statusOf("dev").Idle() {
			w.taken()
			time.Sleep(10 * time.Millisecond)
		}
		require.Len(t, w.files, 2*objects)
		w.mu.Lock()
		require.NotContains(t, w.asked, "get configmaps")
		w.mu.Unlock()
		require.Len(t, w.times("list configmaps"), 3, "pages of the reflector")
		w.watcher.read(func(l *ledger) {
			require.Empty(t, l.kept.types, "all seeds are over")
			require.Zero(t, l.kept.size)
		})
	})
}

// What changes between the comparison and the moment when there is room is in the ledger, but not
// among the kept.
func TestWhatChangedSinceItWasKeptIsFetched(t *testing.T) {
	out := newLines(0)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	for _, name := range []string{"a", "b", "c"} {
		d.object(t.Context(), s, configMap("default", name, "1"), listed)
		to.backlog.add(d.keyed(s, name), false)
	}
	d.object(t.Context(), s, configMap("default", "b", "2"), modified)
	d.deleted(t.Context(), s, configMap("default", "c", "1"), removed)
	require.Equal(t, round{waiting: 3}, d.ledger.choose(to), "there is no room")
	require.Empty(t, out.waiting)
	out.setRoom(-1)
	r := d.ledger.choose(to)
	require.Equal(t, []objectKey{d.keyed(s, "b")}, r.keys)
	got := map[string]string{}
	for _, e := range out.waiting {
		got[e.Resource.Name] = fmt.Sprint(e.Operation, e.Listed, e.Content.Size() > 0)
	}
	require.Equal(t, map[string]string{"a": fmt.Sprint(event.Update, true, true), "c": fmt.Sprint(event.Delete, false, false)}, got)
}

// count returns the number of contents.
func (k *kept) count() (n int) {
	for _, of := range k.types {
		n += len(of.contents)
	}
	return n
}

func TestTheKeptAreBounded(t *testing.T) {
	k, of := newKept(), &typeLedger{}
	big := event.NewContent(make([]byte, keptBytes/2))
	key := func(i int) objectKey {
		var o objectKey
		o.of, o.name.Name = of, fmt.Sprint(i)
		return o
	}
	for i := range 3 {
		k.add(key(i), 0, big)
	}
	require.Equal(t, 1, k.count(), "each costs a little more than its bytes")
	for range 3 {
		k.add(key(0), 0, event.NewContent([]byte("small")))
	}
	require.Equal(t, 5+keptBeside, k.size, "the old content is no more")
	for i := range keptBytes {
		k.add(key(i), 0, nil)
	}
	require.LessOrEqual(t, k.count(), keptBytes/keptBeside)
	k.clear()
	require.Empty(t, k.types)
	k.add(key(1), 0, big)
	require.Equal(t, 1, k.count())
}

func TestTheKeptOfOneDestinationStayWhileAnotherHasToCompare(t *testing.T) {
	wholly(t, -1, &Options{Resync: -1}, func(t *testing.T, w *whole) {
		for i := range 30 {
			w.write(apiwatch.Added, configMap("default", fmt.Sprint(i), "1"))
		}
		w.lines.hang("dev")
		w.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
		w.taken()
		require.True(t, w.statusOf("prod").Idle())
		w.watcher.read(func(l *ledger) { require.Equal(t, 30, l.kept.count()) })
		w.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
		synctest.Wait()
		w.watcher.read(func(l *ledger) { require.Empty(t, l.kept.types, "nobody needs them") })
	})
}

// It would take the room of all others.
func TestOfALargeTypeNothingIsKept(t *testing.T) {
	out := newLines(-1)
	d, _, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	for i := range keptObjects + 2 {
		d.object(t.Context(), s, configMap("default", fmt.Sprint(i), "1"), listed)
		require.Equal(t, i < keptObjects, d.ledger.kept.count() == i+1, i)
		require.Equal(t, i < keptObjects, d.ledger.kept.size > 0, i)
	}
}

func TestOfALargeTypeNothingIsSentBeforeItIsWalkedThrough(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	for i := range keptObjects + 1 {
		name := fmt.Sprint(i)
		d.object(t.Context(), s, configMap("default", name, "1"), listed)
		to.backlog.add(d.keyed(s, name), false)
	}
	require.True(t, d.ledger.choose(to).many)
	require.Empty(t, out.waiting)
}

// What is kept may be of a listing that counts no more.
func TestWhatIsKeptWaitsWhileItsReflectorStandsStill(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	to.backlog.add(d.keyed(s, "a"), false)
	d.failed(s, errBroken)
	require.Equal(t, round{waiting: 1}, d.ledger.choose(to))
	require.Equal(t, 1, to.blocked)
	require.Empty(t, out.waiting)
	d.begin(s)
	d.completed(t.Context(), s)
	require.Zero(t, d.ledger.choose(to).waiting)
}
