package source

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
)

var errBroken = apierrors.NewInternalError(errors.New("broken"))

// watching brings a reflector that lists in pages as far as its first watch.
func watching(t *testing.T, f func(t *testing.T, s *solo)) {
	t.Helper()
	bubbled(t, refusesInitial, false, func(t *testing.T, s *solo) {
		s.answer("list", nil)
		s.answer("list", nil)
		s.answer("watch", nil)
		require.Contains(t, s.delivered(), "completed")
		f(t, s)
	})
}

func (f *solo) send(kind apiwatch.EventType, version string) {
	obj := configMap("default", "a", version)
	obj.SetResourceVersion(version)
	f.api.watches[len(f.api.watches)-1].events <- apiwatch.Event{Type: kind, Object: obj}
	synctest.Wait()
}

// asked returns the next request without an answer, and requires its verb.
func (f *solo) asked(verb string) (*gatedRequest, time.Duration) {
	f.t.Helper()
	q, took := f.next()
	require.Equal(f.t, verb, q.verb)
	return q, took
}

func TestAWatchThatTheServerEndsInTimeIsOpenedAgainAtOnce(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		time.Sleep(time.Second)
		f.cut()
		_, took := f.asked("watch")
		require.Zero(t, took)
	})
	watching(t, func(t *testing.T, f *solo) {
		time.Sleep(time.Second - 1)
		f.cut()
		_, took := f.asked("watch")
		require.GreaterOrEqual(t, took, minPause*3/4, "one that ends at once is a server in trouble")
	})
}

func TestAWatchThatHasLivedLongEndsTheRowOfPausesAlthoughItSaidNothing(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.cut()
		for range 5 {
			f.answer("watch", errBroken)
		}
		q, took := f.asked("watch")
		require.Greater(t, took, 4*time.Second)
		f.api.answer(q, nil)
		f.answer("list", nil)
		time.Sleep(maxPause)
		f.cut()
		f.answer("watch", errBroken)
		_, took = f.asked("watch")
		require.LessOrEqual(t, took, minPause*5/4)
	})
}

// A watch that cannot be opened makes what is known old, not wrong: nothing is listed for it.
func TestAWatchThatCannotBeOpenedIsReportedAndNothingIsListed(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		time.Sleep(time.Minute)
		f.cut()
		f.answer("watch", errBroken)
		require.Equal(t, []string{"failed"}, f.delivered())
		f.asked("watch")
	})
}

func TestAServerThatCannotTellItsClockIsWatchedAllTheSame(t *testing.T) {
	gr := configMaps.GroupResource()
	for name, c := range map[string]struct {
		err     error
		listens bool
	}{
		"bad request": {apierrors.NewBadRequest("field label not supported"), true},
		"invalid":     {apierrors.NewInvalid(schema.GroupKind{}, "", nil), true},
		"no list":     {apierrors.NewMethodNotSupported(gr, "list"), true},
		"forbidden":   {apierrors.NewForbidden(gr, "", nil), true},
		"not found":   {apierrors.NewNotFound(gr, ""), true},
		"in trouble":  {errBroken, false},
	} {
		watching(t, func(t *testing.T, f *solo) {
			time.Sleep(time.Minute)
			f.cut()
			f.answer("watch", nil)
			q, _ := f.asked("list")
			require.NotEmpty(t, q.options.FieldSelector, "only the first watch after a listing needs no question")
			f.api.answer(q, c.err)
			synctest.Wait()
			f.send(apiwatch.Modified, "9")
			if c.listens {
				require.Equal(t, []string{"modified a"}, f.delivered(), name)
			} else {
				require.Equal(t, []string{"failed"}, f.delivered(), name)
			}
		})
	}
}

func TestWatchesEndAfterFiveToTenMinutesAndHaveBookmarks(t *testing.T) {
	for range 200 {
		o := watchOptions()
		require.True(t, o.AllowWatchBookmarks)
		require.GreaterOrEqual(t, *o.TimeoutSeconds, int64(300))
		require.Less(t, *o.TimeoutSeconds, int64(600))
	}
}

func TestWhatAWatchSaysIsHeardForWhatItIs(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.send(apiwatch.Added, "4")
		f.send(apiwatch.Modified, "5")
		f.send(apiwatch.Bookmark, "6")
		f.send(apiwatch.Deleted, "7")
		require.Equal(t, []string{"added a", "modified a", "deleted a"}, f.delivered(), "a bookmark is about no object")
	})
}

// What cannot be read may have been a delete.
func TestAWatchThatSendsWhatIsNoObjectHasEverythingListed(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Modified, Object: &metav1.Status{}}
		require.Equal(t, []string{"failed"}, f.delivered())
		f.asked("list")
	})
}

func TestAListingWhoseTokensExpireIsBegunAnewThriceAndThenLater(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		for range 3 {
			q, took := f.asked("list")
			require.Zero(t, took)
			f.api.answer(q, nil)
			q, _ = f.asked("list")
			require.NotEmpty(t, q.options.Continue)
			f.api.answer(q, apierrors.NewResourceExpired("the continue token is too old"))
		}
		q, took := f.asked("list")
		require.GreaterOrEqual(t, took, minPause*3/4)
		require.Empty(t, q.options.Continue)
		got := f.delivered()
		require.Contains(t, got, "failed")
		require.NotContains(t, got, "completed")
	})
}

func TestANamespaceThatCannotBeListedAgainHasEverythingListed(t *testing.T) {
	for name, err := range map[string]error{"broken": errBroken, "expired": apierrors.NewResourceExpired("")} {
		watching(t, func(t *testing.T, f *solo) {
			f.namespaces = []string{"team"}
			signal(f.wake)
			q, _ := f.asked("list")
			require.Equal(t, "team", q.ns, name)
			f.api.answer(q, err)
			q, _ = f.asked("list")
			require.Empty(t, q.ns, name)
			require.NotContains(t, f.delivered(), "relisted team", name)
		})
	}
}

// A restore of the cluster's etcd sets its clock back. What a namespace's own listing had overtaken
// before says nothing then.
func TestAFullListingForgetsHowFarSingleNamespacesWere(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		f.reflector.listedAt["default"] = "100"
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Error, Object: &apierrors.NewResourceExpired("").ErrStatus}
		f.answer("list", nil)
		f.answer("list", nil)
		f.answer("watch", nil)
		f.delivered()
		f.send(apiwatch.Modified, "50")
		require.Equal(t, []string{"modified a"}, f.delivered())
	})
}

func TestAProbeAsksWithPausesUntilItIsAllowed(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.next()
		f.cancel() // the reflector
		f.delivered()
		p := &probe{of: clientFor(f.reflector.client, f.reflector.of, ""), answer: func(err error) {
			if err == nil {
				f.note("allowed")
			} else {
				f.failed(err)
			}
		}}
		go p.run(t.Context())
		for i := range 5 {
			q, took := f.asked("list")
			require.EqualValues(t, 1, q.options.Limit)
			if i > 0 {
				require.GreaterOrEqual(t, took, minPause*3/4)
			}
			f.api.answer(q, apierrors.NewForbidden(configMaps.GroupResource(), "", nil))
		}
		f.answer("list", nil)
		require.Equal(t, []string{"failed", "failed", "failed", "failed", "failed", "allowed"}, f.delivered())
	})
}

func TestTheEndOfAProbeIsNoAnswer(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.next()
		f.cancel() // the reflector
		f.delivered()
		ctx, cancel := context.WithCancel(t.Context())
		p := &probe{of: clientFor(f.reflector.client, f.reflector.of, ""), answer: func(error) { f.note("answered") }}
		go p.run(ctx)
		f.asked("list")
		cancel()
		require.Empty(t, f.delivered())
	})
}

func TestTheEndOfAReflectorIsNoFailure(t *testing.T) {
	for name, until := range map[string]func(f *solo){
		"listing":  func(*solo) {},
		"paging":   func(f *solo) { f.answer("list", nil) },
		"opening":  func(f *solo) { f.answer("list", nil); f.answer("list", nil) },
		"watching": func(f *solo) { f.answer("list", nil); f.answer("list", nil); f.answer("watch", nil) },
	} {
		bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
			until(f)
			synctest.Wait()
			f.cancel()
			require.NotContains(t, f.delivered(), "failed", name)
		})
	}
}

func TestAPauseIsAsLongAsTheServerAsksForButNotShorterThanOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		took := func(pause time.Duration, asked int) time.Duration {
			began := time.Now()
			restAfter(t.Context(), pause, apierrors.NewTooManyRequests("busy", asked))
			return time.Since(began)
		}
		for range 100 {
			require.GreaterOrEqual(t, took(time.Minute, 1), 45*time.Second)
			require.GreaterOrEqual(t, took(time.Second, 60), time.Minute)
		}
	})
}

func TestAReflectorThatEndsBeforeItsTurnHasListedNothing(t *testing.T) {
	bubbled(t, refusesInitial, false, func(t *testing.T, f *solo) {
		f.next()
		f.cancel()
		f.delivered()
		r := &reflector{of: f.reflector.of, client: f.reflector.client, handler: f, lists: make(chan struct{}, 1), page: 2}
		r.lists <- struct{}{} // somebody else lists
		ctx, cancel := context.WithCancel(t.Context())
		go r.run(ctx)
		require.Equal(t, []string{"begin"}, f.delivered())
		cancel()
		require.Empty(t, f.delivered(), "an empty listing would be a mass deletion")
	})
}

// Between two events of the watch a namespace was listed, which shows what the watch has still to
// tell.
func TestWhatAListingOfANamespaceShowedIsNotToldAgain(t *testing.T) {
	watching(t, func(t *testing.T, f *solo) {
		change := func(value string) { f.api.write("configmaps", apiwatch.Modified, configMap("default", "a", value)) }
		change("2")
		change("3")
		f.namespaces = []string{"default"}
		signal(f.wake)
		f.answer("list", nil)
		f.answer("list", nil)
		require.Equal(t, []string{"listed a", "listed b", "listed c", "relisted default"}, f.delivered())
		f.tell(2)
		require.Empty(t, f.delivered())
		change("4")
		f.tell(1)
		require.Equal(t, []string{"modified a"}, f.delivered())
	})
}

// slowPages is a server that answers when it is too late.
type slowPages struct{ dynamic.ResourceInterface }

func (slowPages) List(ctx context.Context, _ metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAListingHasABoundInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		_, err := eachPage(t.Context(), make(chan struct{}, 1), dynamicCollection{slowPages{}}, 1, nil)
		require.ErrorIs(t, err, ErrEndless)
		require.Equal(t, listBound, time.Since(began))
	})
}
