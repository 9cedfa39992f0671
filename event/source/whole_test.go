package source

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// whole runs a Watcher in a bubble, against an API server that answers at once. Time costs nothing
// there.
type whole struct {
	fixture
	api *gatedAPI

	mu        sync.Mutex
	fault     func(*gatedRequest) error // nil: no fault
	asked     []string                  // verb and resource of each request, and when it came
	at        []time.Time
	discovery error
	looked    []time.Time // at discovery
	ended     chan error
	cancel    context.CancelFunc
	blocks    func(what string) // called with a type that is asked for, and for room
}

// slow is the API and the queue of a whole, where either may hang.
type slow struct {
	*gatedAPI
	*lines
	of *whole
}

func (s slow) Resource(gvr schema.GroupVersionResource) dynamic.NamespaceableResourceInterface {
	return &slowResource{&gatedResource{api: s.gatedAPI, resource: gvr.Resource}, s.of}
}

type slowResource struct {
	*gatedResource
	of *whole
}

func (r *slowResource) Namespace(ns string) dynamic.ResourceInterface {
	return &slowResource{&gatedResource{api: r.api, resource: r.resource, ns: ns}, r.of}
}

func (r *slowResource) List(ctx context.Context, opts metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	r.of.blocks(r.resource)
	return r.gatedResource.List(ctx, opts)
}

func (s slow) Room(ctx context.Context, d destination.Destination) error {
	s.of.blocks("room")
	return s.lines.Room(ctx, d)
}

func wholly(t *testing.T, room int, opts *Options, f func(*testing.T, *whole)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &whole{api: newGatedAPI(), ended: make(chan error, 1), blocks: func(string) {}}
		w.fixture = fixture{t: t, lines: newLines(room), files: map[string]string{}}
		w.api.initial = servesInitial
		w.watcher = New(FromDynamic(slow{w.api, w.lines, w}), w, slow{w.api, w.lines, w}, opts)
		ctx, cancel := context.WithCancel(t.Context())
		w.cancel = cancel
		go w.serve(ctx)
		go func() { w.ended <- w.watcher.Start(ctx) }()
		f(t, w)
		cancel()
		require.NoError(t, <-w.ended)
	})
}

func (w *whole) serve(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case q := <-w.api.requests:
			w.mu.Lock()
			w.asked, w.at = append(w.asked, q.verb+" "+q.resource), append(w.at, time.Now())
			var err error
			if w.fault != nil {
				err = w.fault(q)
			}
			w.api.answer(q, err)
			w.flush()
			w.mu.Unlock()
		}
	}
}

// flush has all watches say what they have to. The caller holds mu.
func (w *whole) flush() {
	for _, open := range w.api.watches {
		for _, more := w.api.next(open); more; _, more = w.api.next(open) {
			w.api.deliver(open)
		}
	}
}

func (w *whole) write(kind apiwatch.EventType, objs ...*unstructured.Unstructured) {
	w.mu.Lock()
	for _, obj := range objs {
		resource := "configmaps"
		if obj.GetKind() == "Namespace" {
			resource = "namespaces"
		}
		w.api.write(resource, kind, obj)
	}
	w.flush()
	w.mu.Unlock()
	synctest.Wait()
}

func (w *whole) fail(f func(*gatedRequest) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fault = f
}

// times returns when something was asked for since the last call.
func (w *whole) times(what string) (at []time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, asked := range w.asked {
		if asked == what {
			at = append(at, w.at[i])
		}
	}
	w.asked, w.at = nil, nil
	return at
}

func (w *whole) ServerGroupsAndResources() ([]*metav1.APIGroup, []*metav1.APIResourceList, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.looked = append(w.looked, time.Now())
	if w.discovery != nil {
		return nil, nil, w.discovery
	}
	return w.api.ServerGroupsAndResources()
}

// taken returns the events that have come, as text, and makes room for as many.
func (w *whole) taken() (got []string) {
	for {
		synctest.Wait()
		if w.lines.empty() {
			return got
		}
		got = append(got, w.takeAll()...)
	}
}

func (w *whole) breakDiscovery(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.discovery = err
}

func gaps(at []time.Time) (pauses []time.Duration) {
	for i := range at[1:] {
		pauses = append(pauses, at[i+1].Sub(at[i]))
	}
	return pauses
}

func TestEverythingIsListedAndComparedWithEachResyncAndNeverWithoutOne(t *testing.T) {
	const day = 24 * time.Hour
	for resync, want := range map[time.Duration]int{0: 24, -1: 0, 6 * time.Hour: 4} {
		wholly(t, -1, &Options{Resync: resync, Rediscover: time.Hour}, func(t *testing.T, w *whole) {
			w.write(apiwatch.Added, configMap("default", "a", "1"))
			w.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
			require.Equal(t, []string{"UPDATE configmaps/default/a for default/prod", "SEED_SYNC for default/prod"}, w.taken())
			w.times("")
			time.Sleep(day + time.Minute)
			require.Len(t, w.taken(), want, "a SeedSync each")
			require.Len(t, w.times("list configmaps"), want)
		})
	}
}

func TestOnlyAsOftenAsAgreedIsTheServerAskedForItsTypes(t *testing.T) {
	wholly(t, -1, &Options{Resync: -1}, func(t *testing.T, w *whole) {
		time.Sleep(time.Hour + time.Millisecond)
		synctest.Wait()
		require.Empty(t, w.looked, "without rules nobody needs to know")
		w.breakDiscovery(errors.New("out of order"))
		w.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
		time.Sleep(3*time.Second + time.Millisecond)
		require.ErrorContains(t, w.watcher.Err(), "out of order")
		require.Empty(t, w.taken(), "nothing is known yet")
		w.breakDiscovery(nil)
		time.Sleep(91 * time.Second)
		require.NoError(t, w.watcher.Err())
		synctest.Wait()
		second, often := time.Second, 30*time.Second
		require.Equal(t, []time.Duration{second, second, second, second, often, often, often}, gaps(w.looked))
		require.Equal(t, []string{"SEED_SYNC for default/prod"}, w.taken())
	})
}

func TestListingsComeByWatchesOnlyWhereThatIsAskedFor(t *testing.T) {
	for initial, pages := range map[bool]int{true: 0, false: 1} {
		wholly(t, -1, &Options{InitialEvents: initial}, func(t *testing.T, w *whole) {
			w.write(apiwatch.Added, configMap("default", "a", "1"))
			w.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
			require.Len(t, w.taken(), 2)
			require.Len(t, w.times("list configmaps"), pages)
		})
	}
}

// Whatever of the user's, or of a client, does not come back when the context ends is waited for:
// Start's caller may close what it has handed over as soon as that has returned.
func TestStartReturnsWhenAllThatItBeganHasEnded(t *testing.T) {
	selective := rule("prod", "prod", "configmaps")
	selective.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
	for where, r := range map[string]ruleset.Rule{
		"configmaps": rule("prod", "prod", "configmaps"), "room": rule("prod", "prod", "configmaps"), "namespaces": selective,
	} {
		wholly(t, 0, nil, func(t *testing.T, w *whole) {
			in, out := make(chan struct{}, 10), make(chan struct{})
			w.blocks = func(what string) {
				if what == where {
					in <- struct{}{}
					<-out
				}
			}
			w.write(apiwatch.Added, configMap("default", "a", "1"))
			w.setRules([]destination.Spec{spec("prod", "main")}, r)
			<-in
			w.cancel()
			synctest.Wait()
			require.Empty(t, w.ended, where)
			close(out)
		})
	}
}

func TestABackfillThatCannotFetchIsPatientAndQuickAgainOnceItCould(t *testing.T) {
	wholly(t, -1, nil, func(t *testing.T, w *whole) {
		for i := range 10 * (fetchFew + 2) { // so many that those that wait are fetched one by one
			w.write(apiwatch.Added, configMap("default", fmt.Sprint(i), "1"))
		}
		w.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmaps"))
		for w.taken(); !w.statusOf("prod").Idle(); w.taken() {
			time.Sleep(10 * time.Millisecond)
		}
		w.times("")
		w.lines.setRoom(0)
		for i := range fetchFew + 1 {
			w.write(apiwatch.Modified, configMap("default", fmt.Sprint(i), "2"))
		}
		status := func() DestinationStatus { st, _ := w.watcher.Status(ref("prod")); return st }
		require.Equal(t, fetchFew+1, status().Waiting)
		w.times("")
		w.fail(func(q *gatedRequest) error {
			if q.verb == "get" {
				return errBroken
			}
			return nil
		})
		w.lines.setRoom(-1)
		time.Sleep(5 * time.Minute)
		require.ErrorIs(t, status().Err, errBroken)
		pauses, want := gaps(w.times("get configmaps")), backfillPause
		require.Greater(t, len(pauses), 7)
		for _, took := range pauses {
			require.InDelta(t, float64(want), float64(took), float64(want)/4+2)
			want = min(2*want, maxRefetch)
		}
		fetched := 0
		w.fail(func(q *gatedRequest) error {
			if fetched++; q.verb == "get" && fetched > fetchFew {
				return errBroken
			}
			return nil
		})
		time.Sleep(5 * time.Minute)
		at := w.times("get configmaps")
		require.Greater(t, len(at), fetchFew+2)
		require.LessOrEqual(t, at[fetchFew+1].Sub(at[fetchFew]), backfillPause*5/4)
		w.fail(nil)
		time.Sleep(2 * maxRefetch)
		require.Len(t, w.taken(), fetchFew+1, "all objects")
		require.NoError(t, status().Err)
		require.True(t, status().Idle())
	})
}

// Matched without the labels of its namespace, an object would be deleted that is wanted.
func TestNothingIsListedBeforeTheLabelsAreKnownThatARuleLooksAt(t *testing.T) {
	wholly(t, -1, nil, func(t *testing.T, w *whole) {
		known := make(chan struct{})
		w.blocks = func(what string) {
			if what == "namespaces" {
				<-known
			}
		}
		r := rule("prod", "prod", "configmaps")
		r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"env": "prod"}}
		ns := newObject("v1", "Namespace", "", "team", map[string]any{})
		ns.SetLabels(map[string]string{"env": "prod"})
		w.write(apiwatch.Added, ns, configMap("team", "a", "1"))
		w.setRules([]destination.Spec{spec("prod", "main")}, r)
		time.Sleep(time.Minute)
		require.Empty(t, w.times("list configmaps"))
		close(known)
		require.Equal(t, []string{"UPDATE configmaps/team/a for default/prod", "SEED_SYNC for default/prod"}, w.taken())
	})
}
