package source

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// logged collects what is logged at the default level.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) logger() logr.Logger {
	return funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, args)
	}, funcr.Options{})
}

func (l *logged) options() *Options { return &Options{Resync: -1, Logger: l.logger()} }

// count returns how many lines have a part.
func (l *logged) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}

// settles takes events until nothing waits and everything is listed, and requires what a sink would
// then have.
func (f *fixture) settles(want map[string]string) {
	f.t.Helper()
	require.Eventually(f.t, func() bool {
		f.drain()
		return f.complete("prod")() && len(f.files) == len(want) && f.holds(want)
	}, wait, tick, "the files are %v", f.files)
	f.quiet("prod")
	delete(f.files, "prod configmaps/default/marker")
	require.True(f.t, f.holds(want))
}

func (f *fixture) holds(want map[string]string) bool {
	for id, part := range want {
		if content, ok := f.files["prod "+id]; !ok || !strings.Contains(content, part) {
			return false
		}
	}
	return true
}

// drain does what all waiting events say. A SeedSync removes what does not live.
func (f *fixture) drain() {
	f.t.Helper()
	for !f.lines.empty() {
		if e := f.next(); e.Operation == event.SeedSync {
			_, living := view(f.t, e)
			for file := range f.files {
				if !strings.Contains(" "+strings.Join(living, " ")+" ", " "+strings.TrimPrefix(file, "prod ")+" ") {
					delete(f.files, file)
				}
			}
		}
	}
}

// Somebody restores the cluster's etcd from a snapshot: the address is the same, the resource
// versions are lower.
func TestARestoredClusterIsListedAnew(t *testing.T) {
	t.Parallel()
	for name, silent := range map[string]bool{"a server that refuses a watch from the future": false, "one that says nothing": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := &logged{}
			f := newFixture(t, -1, log.options())
			f.apply(configMap("default", "deleted-later", "1"), configMap("default", "stays", "1"), configMap("default", "changed-later", "old"))
			f.apply(service("default", "quiet"))
			f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps", "services"))
			f.seeded("prod")
			backup := f.cluster.Backup()
			require.NoError(t, f.cluster.Delete(configMaps, "default", "deleted-later"))
			f.apply(configMap("default", "changed-later", "new"), configMap("default", "lost", "1"))
			for i := range 20 {
				f.apply(configMap("default", "busy", string(rune('a'+i))))
			}
			f.settles(map[string]string{
				"configmaps/default/stays": "key", "configmaps/default/changed-later": "key: new", "configmaps/default/lost": "", "configmaps/default/busy": "key: t",
				"services/default/quiet": "",
			})
			f.cluster.Restore(backup, silent)
			f.apply(configMap("default", "made-afterwards", "1"))
			f.settles(map[string]string{
				"configmaps/default/deleted-later": "", "configmaps/default/stays": "", "configmaps/default/changed-later": "key: old",
				"configmaps/default/made-afterwards": "", "services/default/quiet": "",
			})
			require.Equal(t, 1, log.count("gone back"), "it is said once")
			require.Zero(t, f.cluster.Requests("list", schema.GroupResource{Resource: "clusterroles"}))
		})
	}
}

// A resource version is given out once more, to another state.
func TestTheSameResourceVersionWithOtherContent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, (&logged{}).options())
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	backup := f.cluster.Backup()
	f.apply(configMap("default", "a", "before"))
	f.settles(map[string]string{"configmaps/default/a": "before"})
	f.cluster.Restore(backup, true)
	f.apply(configMap("default", "a", "after"))
	f.settles(map[string]string{"configmaps/default/a": "after"})
}

// What the watch says nothing of, the next Resync finds: it lists the cluster and does not ask the
// ledger.
func TestResyncListsTheCluster(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, (&logged{}).options())
	f.apply(configMap("default", "a", "1"), configMap("default", "dies", "1"))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	backup := f.cluster.Backup()
	require.NoError(t, f.cluster.Delete(configMaps, "default", "dies"))
	f.settles(map[string]string{"configmaps/default/a": ""})
	f.cluster.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Options.FieldSelector != "" { // an aggregated server that does not tell its clock
			return &clustertest.Fault{Error: apierrors.NewBadRequest("field label not supported")}
		}
		return nil
	})
	watches := f.cluster.Requests("watch", configMaps.GroupResource())
	f.cluster.Restore(backup, true)
	f.apply(configMap("default", "late", "1"))
	opened := func() bool { return f.cluster.Requests("watch", configMaps.GroupResource()) > watches }
	require.Eventually(t, opened, wait, tick)
	require.NoError(t, f.watcher.Resync(ref("prod")))
	f.settles(map[string]string{"configmaps/default/a": "", "configmaps/default/dies": "", "configmaps/default/late": ""})
}

// A backfill fetches a state that the reflector has not told yet. A rewind undoes that state, so
// that the reflector never tells it, and lists what it told before.
func TestWhatWasFetchedAndUndoneIsSentAgain(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	before, undone := configMap("default", "a", "before"), configMap("default", "a", "undone")
	d.object(t.Context(), s, before, added)
	to.backlog.add(d.keyed(s, "a"), false)
	require.True(t, d.offer(t.Context(), to, s, undone, d.now()))
	d.begin(s)
	d.object(t.Context(), s, before, added)
	require.Len(t, out.waiting, 3)
	require.Contains(t, string(out.waiting[2].Content.Bytes()), "before")
	d.object(t.Context(), s, before, added)
	require.Len(t, out.waiting, 3, "it is sent once")
}

// What a listing lacks that began before a rewind was found may live.
func TestAListingOfAnEarlierEraIsNeverComplete(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.cover(s, map[*target]reach{to: {everywhere: true}})
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.completed(t.Context(), s)
	require.Len(t, d.sweepable(t, to), 1)

	d.begin(s)
	d.failed(d.feed("services", ""), errWentBack)
	d.completed(t.Context(), s)
	require.Len(t, out.waiting, 1, "no delete")
	require.False(t, s.complete)
	d.listed(t.Context(), s, listing{"default", d.now()})
	require.Len(t, out.waiting, 1, "no delete")

	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	d.completed(t.Context(), s)
	require.True(t, s.complete)
	require.Len(t, d.sweepable(t, to), 1)
	d.ledger.rewinds.owed, d.ledger.rewinds.pause = true, 0
	d.ledger.nextEra()
	require.Empty(t, d.sweepable(t, to))
	require.True(t, d.relists(s))
}

// An object is deleted while there is no room for the delete; a rewind brings it back.
func TestADeleteThatARewindMayHaveUndoneWaits(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.kept.bound = 0
	a := configMap("default", "a", "1")
	d.object(t.Context(), s, a, added)
	out.setRoom(0)
	d.deleted(t.Context(), s, a, removed)
	require.Equal(t, 1, to.backlog.count)
	d.failed(s, errWentBack)
	out.setRoom(-1)
	d.ledger.choose(to)
	require.Len(t, out.waiting, 1, "the delete waits")
	require.False(t, to.needsBackfill())
	d.begin(s)
	d.object(t.Context(), s, a, listed)
	d.ledger.choose(to)
	require.Len(t, out.waiting, 1, "it is not sent any more")
	require.Equal(t, 1, to.backlog.count)
	require.True(t, d.offer(t.Context(), to, s, a, d.now()), "the object is")
	require.Equal(t, event.Update, out.waiting[1].Operation)
}

// Between a listing and the watch that follows it, the cluster is set back.
func TestAWatchThatFollowsItsListingLateIsVerified(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.answer("list", nil)
		f.answer("list", nil)
		q, _ := f.next()
		f.api.rewind(1, true)
		time.Sleep(2 * fastestRestore)
		f.api.answer(q, nil)
		f.delivered()
		require.Contains(t, f.answer("list", nil).options.FieldSelector, askedName)
		require.Empty(t, f.answer("list", nil).options.FieldSelector)
		require.Equal(t, []string{"went back", "begin", "listed a", "completed"}, f.delivered())
		q, _ = f.next()
		require.Equal(t, "1", q.options.ResourceVersion)
	})
}

// What a reflector was told of the clock counts, also if its own place is older.
func TestTheClockIsComparedWithTheNewestThatWasTold(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.answer("list", nil)
		f.answer("list", nil)
		f.answer("watch", nil)
		for range 5 {
			f.api.write("namespaces", apiwatch.Added, newObject("v1", "Namespace", "", "n", map[string]any{}))
		}
		f.cut()
		f.answer("watch", nil)
		f.answer("list", nil) // version 8
		f.api.rewind(6, false)
		f.cut()
		f.delivered()
		f.answer("watch", nil) // from 3
		require.Contains(t, f.answer("list", nil).options.FieldSelector, askedName)
		require.Empty(t, f.answer("list", nil).options.FieldSelector, "everything is listed anew")
	})
}

// A namespace is listed anew by a reflector whose watch is open, and the listing is older than what
// the reflector was told.
func TestANamespaceThatIsListedBehindThePlaceSaysNothing(t *testing.T) {
	out := newLines(-1)
	d, _, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.object(t.Context(), s, configMap("default", "a", "1"), added)
	require.ErrorIs(t, d.relist(t, s, configMap("other", "b", "1"), "100"), errWentBack)
	require.Len(t, out.waiting, 1, "no delete")
}

// relist has a reflector that was told of a resource version list the namespace default again.
func (d rig) relist(t *testing.T, s *feed, there *unstructured.Unstructured, newest string) error {
	t.Helper()
	api := newGatedAPI()
	api.write("configmaps", apiwatch.Added, there)
	d.client, d.opts.PageSize = FromDynamic(api), 1
	r := newPlanner(d.Watcher).reflector(s, feedHandler{d.Watcher, s})
	r.newest = newest
	d.ledger.outdate(s, "default")
	ended := make(chan error)
	go func() { ended <- r.relist(t.Context()) }()
	api.answer(<-api.requests, nil)
	err := <-ended
	require.Equal(t, max(newest, "1"), r.newest)
	return err
}

// The labels of namespaces decide what is wanted, so they are listed, too.
func TestResyncOfADestinationListsTheLabelsOfNamespaces(t *testing.T) {
	f := newFixture(t, -1, (&logged{}).options())
	f.apply(newObject("v1", "Namespace", "", "default", map[string]any{}))
	selective := rule("prod", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchExpressions: []metav1.LabelSelectorRequirement{{Key: "team", Operator: metav1.LabelSelectorOpDoesNotExist}}}
	f.setRules([]destination.Spec{spec("prod", "main")}, selective)
	f.seeded("prod")
	namespaces := schema.GroupResource{Resource: "namespaces"}
	before := f.cluster.Requests("list", namespaces)
	require.NoError(t, f.watcher.Resync(ref("prod")))
	require.Eventually(t, func() bool { return f.cluster.Requests("list", namespaces) > before }, wait, tick)
}

func TestRewindsInARowAreFollowedAndAServerThatListsThePastIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r rewinds
		found := func(era uint64, group string) {
			r.found(era, group)
			r.begin(time.Now())
		}
		begin := func() time.Duration {
			_, wait := r.begin(time.Now())
			return wait
		}
		found(0, "")
		require.EqualValues(t, 1, r.era, "at once")
		found(0, "apps")
		require.EqualValues(t, 1, r.era, "it is the same one")
		found(1, "")
		require.EqualValues(t, 1, r.era, "not at once, but it is not forgotten")
		time.Sleep(begin())
		require.Equal(t, maxEra, begin())
		require.EqualValues(t, 2, r.era)

		found(1, "apps") // two groups have found it
		time.Sleep(minEra)
		found(2, "")
		require.EqualValues(t, 3, r.era)

		for range 600 { // minutes
			time.Sleep(time.Minute)
			found(r.era, "metrics.example.com")
		}
		require.Less(t, r.era, uint64(3+600/10+8))
		time.Sleep(2 * maxEra)
		found(r.era, "metrics.example.com")
		era := r.era
		time.Sleep(minEra)
		found(era, "")
		require.Equal(t, era+1, r.era, "after a while it is as at first")
	})
}
