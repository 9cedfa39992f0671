package kubescribe

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

func TestNewRefusesAConfigThatCannotWork(t *testing.T) {
	t.Parallel()
	_, err := New(&rest.Config{Host: "http://127.0.0.1:1\x7f"}, nil)
	require.ErrorContains(t, err, "kubescribe: ")
}

func TestNewLeavesTheConfigAsItIs(t *testing.T) {
	t.Parallel()
	config := &rest.Config{Host: "http://127.0.0.1:1"}
	_, err := New(config, nil)
	require.NoError(t, err)
	require.Equal(t, &rest.Config{Host: "http://127.0.0.1:1"}, config)
}

// closing is a sink that counts how often it is closed.
type closing struct {
	gitsink.GitSink
	closed int
	err    error
}

func (c *closing) Close() error { c.closed++; return c.err }

func TestAMirrorClosesItsOwnSinkOnly(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	var logs lines
	own, given := &closing{err: errors.New("did not close")}, &closing{}
	config := &rest.Config{Host: "http://127.0.0.1:1"}
	m, err := New(config, &Options{ClusterID: "c", Logger: logs.logger()})
	require.NoError(t, err)
	m.sink = own // in the place of the one that New has made
	require.NoError(t, m.Start(ended))
	require.Equal(t, 1, own.closed)
	require.Contains(t, logs.take(), "did not close")
	m, err = New(config, &Options{ClusterID: "c", GitSink: given, Logger: logs.logger()})
	require.NoError(t, err)
	require.NoError(t, m.Start(ended))
	require.Zero(t, given.closed)
	require.NotContains(t, logs.take(), "closing the Git sink")
}

func TestStartFailsIfNothingNamesTheCluster(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kube-system"}}`))
	}))
	defer server.Close()
	m, err := New(&rest.Config{Host: server.URL}, nil)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.ErrorContains(t, m.Start(ctx), "source")
	require.NoError(t, ctx.Err())

	m, err = New(&rest.Config{Host: "http://127.0.0.1:1"}, nil)
	require.NoError(t, err)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, m.Start(ended), context.Canceled)
}

// unreadable is a client of a cluster that does not show its namespaces for a while.
type unreadable struct {
	dynamic.NamespaceableResourceInterface
	asked []time.Time
	times int
}

func (u *unreadable) Resource(schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return u
}

func (u *unreadable) Get(context.Context, string, metav1.GetOptions, ...string) (*unstructured.Unstructured, error) {
	u.asked = append(u.asked, time.Now())
	if len(u.asked) <= u.times {
		return nil, errors.New("no such host")
	}
	ns := &unstructured.Unstructured{}
	ns.SetUID("the cluster")
	return ns, nil
}

func TestTheNameOfTheClusterIsAskedForAgainSoonAndLaterOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newReported(t)
		u := &unreadable{times: 8}
		m.client = u
		id, err := m.clusterID(t.Context())
		require.NoError(t, err)
		require.Equal(t, "the cluster", id)
		var pauses []time.Duration
		for i := 1; i < len(u.asked); i++ {
			pauses = append(pauses, u.asked[i].Sub(u.asked[i-1])/time.Second)
		}
		require.Equal(t, []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}, pauses)
	})
}

// lines of a queue that are what they are said to be.
type made struct {
	queue.Queue
	line  *queue.KeyStats
	woken []destination.Destination
}

func (q *made) Line(destination.Destination) (queue.KeyStats, bool) {
	if q.line == nil {
		return queue.KeyStats{}, false
	}
	return *q.line, true
}
func (q *made) Wake(d destination.Destination) { q.woken = append(q.woken, d) }

func (q *made) Next(context.Context) (queue.Batch, error) {
	return queue.Batch{}, errors.New("the disk is full")
}

func TestWhatIsOrderedOfADestinationWakesItsLine(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	q := &made{Queue: m.queue}
	m.queue = q
	require.NoError(t, m.Resync(m.ref), "its first listing will seed it")
	require.NoError(t, m.Adopt(m.ref))
	require.NoError(t, m.Approve(m.ref))
	require.NoError(t, m.Wake(m.ref))
	require.Equal(t, []destination.Destination{m.to, m.to, m.to, m.to}, q.woken)
}

func TestAQueueThatFailsEndsTheMirror(t *testing.T) {
	t.Parallel()
	q := &made{Queue: queue.NewSharded(nil)}
	m, err := New(&rest.Config{Host: "http://127.0.0.1:1"}, &Options{ClusterID: "c", QueueImpl: q, GitSink: &closing{}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	require.ErrorContains(t, m.Start(ctx), "the disk is full")
	require.NoError(t, ctx.Err(), "it does not wait for more")
}

func TestWaitSyncedWaitsForWhatIsTriedAgainOrWaits(t *testing.T) {
	t.Parallel()
	auth := errors.New("no such user")
	for name, c := range map[string]struct {
		line *queue.KeyStats
		r    gitsink.Report
		done bool
	}{
		"parked for good until somebody acts": {&queue.KeyStats{Err: auth, Permanent: true, Parked: time.Now()}, gitsink.Report{}, true},
		"tried again, as after Adopt":         {&queue.KeyStats{Err: auth, Permanent: true}, gitsink.Report{}, false},
		"parked for a moment":                 {&queue.KeyStats{Err: auth, Parked: time.Now()}, gitsink.Report{}, false},
		"another's folder, and more to write": {&queue.KeyStats{Waiting: 1}, gitsink.Report{Status: gitsink.Status{LastSeed: someTime, Excluded: &orphan.Found{Count: 1}}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			m := newReported(t)
			m.say(t, c.r)
			m.queue = &made{Queue: m.queue, line: c.line}
			done, err := m.synced()
			require.Equal(t, c.done, done)
			if done {
				require.ErrorIs(t, err, auth)
			}
		})
	}
}

// lease is held, or not.
type lease struct {
	queue.Lease
	held bool
}

func (l lease) Held(context.Context) bool { return l.held }

func TestAPlanRunsForTheHolderOfTheLeaseWhoLeads(t *testing.T) {
	t.Parallel()
	for _, held := range []bool{false, true} {
		for _, leads := range []bool{false, true} {
			m := newReported(t)
			m.opts.StillLeader = func(context.Context) bool { return leads }
			require.Equal(t, held && leads, leaderLease{lease{held: held}, m.Mirror}.Held(t.Context()))
		}
	}
}
