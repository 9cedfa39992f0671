package source

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/ruleset"
)

// solo runs one reflector of ConfigMaps against a gated API server, in a bubble, and takes down
// what it delivers.
type solo struct {
	t   *testing.T
	api *gatedAPI

	reflector *reflector
	cancel    context.CancelFunc
	wake      chan struct{}

	mu         sync.Mutex
	got        []string
	everything bool     // is to be listed again
	namespaces []string // stale
	last       error    // what failed last
}

func newSolo(t *testing.T, mode initialMode, byWatch bool) *solo {
	f := &solo{t: t, api: newGatedAPI()}
	f.api.initial = mode
	for _, name := range []string{"a", "b", "c"} {
		f.api.write("configmaps", apiwatch.Added, configMap("default", name, "1"))
	}
	f.start(byWatch, &paging{})
	return f
}

func (f *solo) start(byWatch bool, paging *paging) {
	resource := ruleset.Type{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}
	f.wake = make(chan struct{}, 1)
	r := &reflector{
		of: resource, client: FromDynamic(f.api), handler: f, wake: f.wake, lists: make(chan struct{}, 1), page: 2,
		initialEvents: byWatch, paging: paging, listedAt: map[string]string{},
	}
	ctx, cancel := context.WithCancel(f.t.Context())
	f.reflector, f.cancel = r, cancel
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.run(ctx)
	}()
	f.t.Cleanup(func() {
		cancel()
		<-done
	})
}

func (f *solo) note(what string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, what)
}

func (f *solo) began() listing {
	f.note("begin")
	return listing{namespace: everywhere}
}

func (f *solo) upsert(_ context.Context, obj *object, how arrival) {
	f.note([...]string{"listed ", "added ", "modified "}[how] + obj.name.Name)
}

func (f *solo) delete(_ context.Context, obj *object, _ arrival) {
	f.note("deleted " + obj.name.Name)
}

func (f *solo) listed(_ context.Context, li listing) {
	if li.namespace == everywhere {
		f.note("completed")
	} else {
		f.note("relisted " + li.namespace)
	}
}

func (f *solo) due() (everything bool, single []listing) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, namespace := range f.namespaces {
		single = append(single, listing{namespace: namespace})
	}
	return f.everything, single
}

func (f *solo) follows() {}

func (f *solo) failed(err error) {
	if wentBack(err) {
		f.note("went back")
	} else {
		f.note("failed")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.last = err
}

// delivered returns what has come since the last call.
func (f *solo) delivered() []string {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.got
	f.got = nil
	return got
}

// next returns the next request, and how long it took to come.
func (f *solo) next() (*gatedRequest, time.Duration) {
	f.t.Helper()
	began := time.Now()
	select {
	case q := <-f.api.requests:
		return q, time.Since(began)
	case <-time.After(time.Hour):
		require.FailNow(f.t, "nothing is asked for")
		return nil, 0
	}
}

// answer answers the next request, which must be of a verb.
func (f *solo) answer(verb string, fault error) *gatedRequest {
	f.t.Helper()
	q, _ := f.next()
	require.Equal(f.t, verb, q.verb)
	f.api.answer(q, fault)
	return q
}

// tell has the open watch say n things.
func (f *solo) tell(n int) {
	w := f.api.watches[len(f.api.watches)-1]
	for range n {
		f.api.deliver(w)
	}
	synctest.Wait()
}

func (f *solo) cut() {
	close(f.api.watches[len(f.api.watches)-1].events)
	synctest.Wait()
}

func bubbled(t *testing.T, mode initialMode, byWatch bool, f func(t *testing.T, s *solo)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, newSolo(t, mode, byWatch)) })
}

func TestAListingByAWatchNeedsNoPageAndGoesOnWithTheSameWatch(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		q := f.answer("watch", nil)
		require.True(t, *q.options.SendInitialEvents)
		require.Empty(t, q.options.ResourceVersion, "the unset version asks for a consistent read")
		f.tell(3)
		require.Equal(t, []string{"begin", "listed a", "listed b", "listed c"}, f.delivered(), "not complete before the bookmark")
		f.tell(1)
		f.api.write("configmaps", apiwatch.Modified, configMap("default", "b", "2"))
		f.tell(1)
		require.Equal(t, []string{"completed", "modified b"}, f.delivered())
		f.cut()
		require.Equal(t, "4", f.answer("watch", nil).options.ResourceVersion)
	})
}

func TestAServerThatIgnoresInitialEventsIsAskedForPagesAfterAWhile(t *testing.T) {
	bubbled(t, ignoresInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		f.tell(3)
		q, took := f.next()
		require.Equal(t, "list", q.verb)
		require.Equal(t, initialTimeout, took)
		require.NotContains(t, f.delivered(), "completed")
		f.api.answer(q, nil)
		f.answer("list", nil)
		require.Contains(t, f.delivered(), "completed")
	})
}

func TestAServerThatCannotDoInitialEventsIsAskedForPagesFromThenOn(t *testing.T) {
	bubbled(t, refusesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		f.answer("list", nil)
		f.answer("list", nil)
		require.Contains(t, f.delivered(), "completed")
		f.answer("watch", apierrors.NewResourceExpired("too old"))
		q, _ := f.next()
		require.Equal(t, "list", q.verb, "it is not asked again")
	})
}

func TestInitialEventsThatBreakOffAreNoListing(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		f.tell(2)
		f.cut()
		require.Equal(t, []string{"begin", "listed a", "listed b", "failed"}, f.delivered())
		f.answer("list", nil)
		f.answer("list", nil)
		require.Equal(t, []string{"begin", "listed a", "listed b", "listed c", "completed"}, f.delivered(), "pages, which have no time limit")
	})
}

func TestPausesGrowUntilAWatchHasDelivered(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.answer("list", nil)
		f.answer("list", nil)
		f.answer("watch", nil)
		var last time.Duration
		for i := range 12 {
			if i%2 == 0 {
				f.cut() // the server closes at once
			}
			q, took := f.next()
			// The watch that was opened before wants to know the server's clock.
			if q.verb == "list" {
				f.api.answer(q, nil)
				synctest.Wait()
				q, took = f.next()
			}
			require.Equal(t, "watch", q.verb)
			require.LessOrEqual(t, took, maxPause*5/4)
			last = took
			if i%2 == 0 {
				f.api.answer(q, apierrors.NewInternalError(errors.New("broken")))
			} else {
				f.api.answer(q, nil)
				synctest.Wait()
			}
		}
		require.GreaterOrEqual(t, last, maxPause*3/4, "a server that is in trouble is not pressed")
		f.api.write("configmaps", apiwatch.Modified, configMap("default", "b", "2"))
		f.tell(1)
		f.cut()
		_, took := f.next()
		require.LessOrEqual(t, took, minPause*5/4)
	})
}

func TestAServerThatSaysWhenIsNotAskedBefore(t *testing.T) {
	for _, verb := range []string{"list", "watch", "an event of a watch"} {
		bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
			busy := apierrors.NewTooManyRequests("busy", 30)
			switch verb {
			case "list":
				f.answer("list", busy)
			case "watch":
				f.answer("list", nil)
				f.answer("list", nil)
				f.answer("watch", busy)
			default:
				f.answer("list", nil)
				f.answer("list", nil)
				f.answer("watch", nil)
				f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Error, Object: &busy.ErrStatus}
			}
			_, took := f.next()
			require.GreaterOrEqual(t, took, 30*time.Second, verb)
			require.Less(t, took, time.Minute, verb)
		})
	}
}

func TestABookmarkMovesThePlaceFromWhichAWatchGoesOn(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.answer("list", nil)
		f.answer("list", nil)
		require.Equal(t, "3", f.answer("watch", nil).options.ResourceVersion)
		bookmark := newObject("v1", "ConfigMap", "", "", map[string]any{})
		bookmark.SetResourceVersion("17")
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Bookmark, Object: bookmark}
		f.cut()
		require.Equal(t, "17", f.answer("watch", nil).options.ResourceVersion)
	})
}

func TestAWatchThatDoesNotOpenIsFollowedByPagesThisTimeOnly(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		q, _ := f.next()
		require.Equal(t, "watch", q.verb)
		began := time.Now()
		q, _ = f.next() // the first one is never answered
		require.Equal(t, "list", q.verb)
		require.GreaterOrEqual(t, time.Since(began), openTimeout)
		f.api.answer(q, nil)
		f.answer("list", nil)
		require.Contains(t, f.delivered(), "completed")
		f.answer("watch", apierrors.NewResourceExpired("too old"))
		q, _ = f.next()
		require.Equal(t, "watch", q.verb)
		require.NotNil(t, q.options.SendInitialEvents)
	})
}

func TestWhatIsGoneAgainAndAgainIsNotAskedForInATightLoop(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		var pauses []time.Duration
		for range 5 {
			q, took := f.next()
			pauses = append(pauses, took)
			f.api.answer(q, nil)
			f.answer("list", nil)
			f.answer("watch", apierrors.NewResourceExpired("too old"))
		}
		require.Zero(t, pauses[1], "a new listing helps, at once")
		require.Greater(t, pauses[4], pauses[2])
		require.GreaterOrEqual(t, pauses[2], minPause*3/4)
	})
}
