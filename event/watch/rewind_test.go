package watch

import (
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/memcluster"
)

// logged collects what is logged at the default level.
type logged struct {
	mu    sync.Mutex
	lines []string
}

func (l *logged) options() *Options {
	return &Options{Resync: -1, Logger: funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, args)
	}, funcr.Options{})}
}

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

// settles takes events until nothing waits and everything is listed, and requires what a sink would then have.
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
	for {
		f.lines.mu.Lock()
		empty := len(f.lines.waiting) == 0
		f.lines.mu.Unlock()
		if empty {
			return
		}
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

// Somebody restores the cluster's etcd from a snapshot: the address is the same, the resource versions are lower.
func TestARestoredClusterIsListedAnew(t *testing.T) {
	for name, silent := range map[string]bool{"a server that refuses a watch from the future": false, "one that says nothing": true} {
		t.Run(name, func(t *testing.T) {
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

// What the watch says nothing of, the next Resync finds: it lists the cluster and does not ask the ledger.
func TestResyncListsTheCluster(t *testing.T) {
	f := newFixture(t, -1, (&logged{}).options())
	f.apply(configMap("default", "a", "1"), configMap("default", "dies", "1"))
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
	f.seeded("prod")
	backup := f.cluster.Backup()
	require.NoError(t, f.cluster.Delete(configMaps, "default", "dies"))
	f.settles(map[string]string{"configmaps/default/a": ""})
	f.cluster.Fail(func(r memcluster.FaultRequest) *memcluster.Fault {
		if r.Options.FieldSelector != "" { // an aggregated server that does not tell its clock
			return &memcluster.Fault{Error: apierrors.NewBadRequest("field label not supported")}
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
