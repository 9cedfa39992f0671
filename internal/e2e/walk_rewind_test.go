package e2e

import (
	"bytes"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// walkSnapshot is a snapshot of the cluster, and what the walk knew of it.
type walkSnapshot struct {
	rewind  rewinder
	objects map[walkKey]*unstructured.Unstructured
	served  map[walkType]bool
}

// snapshot takes a snapshot. There is one at a time: a rewind to a newer one after a rewind to an
// older one would set the resource versions forward, which nobody can tell from what happens
// anyhow.
func (w *walk) snapshot() {
	w.t.Helper()
	w.say("a snapshot is taken")
	w.saved = &walkSnapshot{w.backup(), maps.Clone(w.objects), maps.Clone(w.served)}
}

// rewind sets the cluster back to the snapshot, and with it what the walk knows of the cluster.
func (w *walk) rewind() {
	w.t.Helper()
	w.say("the cluster is set back to the snapshot")
	w.saved.rewind(w.chance)
	w.rewound, w.noticed = true, w.notices()
	w.allow() // the rights are those of the snapshot
	for k := range w.objects {
		if w.saved.objects[k] == nil {
			w.note(k, "undone")
			w.touched[k] = true
		}
	}
	for k, obj := range w.saved.objects {
		if now := w.objects[k]; now == nil || !reflect.DeepEqual(now.Object, obj.Object) {
			w.note(k, "set back")
			w.touched[k] = true
		}
		if k.walkType == walkNamespaces {
			w.namespacesSeen[k.Name] = append(w.namespacesSeen[k.Name], obj.GetLabels())
		}
	}
	for t, served := range w.saved.served {
		if served != w.served[t] {
			w.touchedTypes[t] = true
		}
		w.servedSeen[t] = append(w.servedSeen[t], served)
	}
	w.objects, w.served = maps.Clone(w.saved.objects), maps.Clone(w.saved.served)
	clear(w.blobs) // their resource versions are given out once more
}

// saidWentBack is what the Mirror logs when it has noticed a rewind.
const saidWentBack = "have gone back"

func (w *walk) notices() int {
	w.t.Helper()
	log, err := os.ReadFile(w.log.Name())
	require.NoError(w.t, err)
	return bytes.Count(log, []byte(saidWentBack))
}

// unnoticed reports whether the Mirror may not know that the cluster was set back: it has not said
// so, and, as far as is known, had no chance to see it, since the resource versions had come as far
// again when it asked. Then a Resync is to heal it.
func (w *walk) unnoticed() bool {
	return w.rewound && w.notices() == w.noticed && (w.clock == nil || !w.clock.caught())
}

// resync has the Mirror list everything anew.
func (w *walk) resync() {
	w.t.Helper()
	w.say("Resync, since the rewind was not to be seen")
	w.rewound = false
	for dest := range w.rules.Dests {
		_, err := w.child.order(order{Resync: dest})
		require.NoError(w.t, err)
	}
}

// walkClock looks at what the Mirror could see of a cluster's resource versions.
type walkClock struct {
	cluster *clustertest.Cluster

	mu     sync.Mutex
	down   bool
	silent bool
	asked  map[string]uint64 // by scope, from where a watch was asked for last
	// The newest version from which a watch was asked for whose server was behind.
	ahead uint64
}

func watchClock(cluster *clustertest.Cluster) *walkClock {
	c := &walkClock{cluster: cluster, asked: map[string]uint64{}}
	cluster.Fail(c.see)
	return c
}

func (c *walkClock) see(r clustertest.FaultRequest) *clustertest.Fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return &clustertest.Fault{Drop: true}
	}
	scope := r.Resource.String() + "/" + r.Namespace
	switch {
	case r.Verb == "watch":
		c.asked[scope], _ = strconv.ParseUint(r.Options.ResourceVersion, 10, 64)
		if !c.silent && c.asked[scope] > c.cluster.Version() {
			c.ahead = max(c.ahead, c.asked[scope])
		}
	case r.Verb == "list" && strings.Contains(r.Options.FieldSelector, "kubescribe-asks") && c.asked[scope] > c.cluster.Version():
		c.ahead = max(c.ahead, c.asked[scope])
	}
	return nil
}

// caught reports whether somebody must have seen that the server is behind, however late the
// answer.
func (c *walkClock) caught() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ahead > c.cluster.Version()
}

// backup takes a snapshot. A rewind to it takes as long as the quickest server that there could be.
func (c *walkClock) backup(relay *relay) rewinder {
	b := c.cluster.Backup()
	return func(chance *rand.Rand) {
		silent := chance.IntN(2) == 0
		c.turn(func() { c.down = true })
		relay.cut()
		c.cluster.Restore(b, silent)
		time.Sleep(1100 * time.Millisecond)
		c.turn(func() { c.down, c.silent, c.ahead = false, silent, 0 })
		if chance.IntN(2) == 0 { // else much happens before a watch is opened again
			time.Sleep(2 * time.Second)
		}
	}
}

func (c *walkClock) turn(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}
