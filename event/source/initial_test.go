package source

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

func TestAGroupThatNeedsPagesIsAskedForThemForAnHour(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var p paging
		p.remember("apps")
		p.remember("batch")
		require.Equal(t, []bool{true, true, false}, []bool{p.needed("apps"), p.needed("batch"), p.needed("")})
		time.Sleep(pagingTime)
		require.False(t, p.needed("apps"))
		p.remember("")
		require.True(t, p.needed("apps"), "the core group's server serves nearly all")
		time.Sleep(pagingTime)
		require.False(t, p.needed(""))
	})
}

func TestEachWayToRefuseInitialEventsIsUnderstood(t *testing.T) {
	for name, err := range map[string]error{
		"invalid":     apierrors.NewInvalid(schema.GroupKind{Kind: "ListOptions"}, "", nil),
		"bad request": apierrors.NewBadRequest("sendInitialEvents is forbidden"),
		"no watch":    apierrors.NewMethodNotSupported(configMaps.GroupResource(), "watch"),
	} {
		bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
			f.answer("watch", err)
			f.answer("list", nil)
			f.answer("list", nil)
			got := f.delivered()
			require.Contains(t, got, "completed", name)
			require.NotContains(t, got, "failed", name)
		})
	}
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", errBroken)
		require.Contains(t, f.delivered(), "failed", "that says nothing of what it can do")
		f.asked("watch")
	})
}

// A change may come before the listing is complete, and is one all the same.
func TestChangesAmongTheInitialEventsAreHeard(t *testing.T) {
	bubbled(t, ignoresInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		f.tell(3)
		f.delivered()
		f.send(apiwatch.Modified, "4")
		f.send(apiwatch.Bookmark, "5")
		f.send(apiwatch.Deleted, "6")
		require.Equal(t, []string{"modified a", "deleted a"}, f.delivered(), "not every bookmark ends the listing")
		end := newObject("v1", "ConfigMap", "", "", map[string]any{})
		end.SetResourceVersion("7")
		end.SetAnnotations(map[string]string{metav1.InitialEventsAnnotationKey: "true"})
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Bookmark, Object: end}
		require.Equal(t, []string{"completed"}, f.delivered())
	})
}

func TestInitialEventsMayComeSlowlyAsLongAsTheyCome(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		for range 4 {
			time.Sleep(initialTimeout - time.Second)
			f.tell(1)
		}
		require.Equal(t, []string{"begin", "listed a", "listed b", "listed c", "completed"}, f.delivered())
	})
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		for range 3 {
			time.Sleep(initialTimeout / 3)
			f.send(apiwatch.Modified, "9")
		}
		_, took := f.asked("list")
		require.Less(t, took, initialTimeout, "changes alone are no listing")
	})
}

func TestAnErrorAmongTheInitialEventsBreaksTheListingOff(t *testing.T) {
	for name, e := range map[string]apiwatch.Event{
		"a status": {Type: apiwatch.Error, Object: &apierrors.NewInternalError(errors.New("broken")).ErrStatus},
		"nonsense": {Type: apiwatch.Added, Object: &metav1.Status{}},
	} {
		bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
			q := f.answer("watch", nil)
			f.api.watches[0].events <- e
			require.Equal(t, []string{"begin", "failed"}, f.delivered(), name)
			require.True(t, f.api.watches[0].over.Load(), "nobody reads it any more")
			require.Error(t, q.ctx.Err())
		})
	}
}

func TestAWatchThatListedFirstIsClosedWhenItIsGivenUp(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		q := f.answer("watch", nil)
		f.tell(4)
		require.Contains(t, f.delivered(), "completed")
		require.NoError(t, q.ctx.Err())
		f.api.watches[0].events <- apiwatch.Event{Type: apiwatch.Error, Object: &apierrors.NewResourceExpired("").ErrStatus}
		f.asked("watch")
		require.True(t, f.api.watches[0].over.Load())
		require.Error(t, q.ctx.Err())
	})
}

func TestAfterAListingByAWatchThatBrokeOffPagesAreAskedForUntilTheyCome(t *testing.T) {
	bubbled(t, servesInitial, true, func(t *testing.T, f *solo) {
		f.answer("watch", nil)
		f.cut()
		f.answer("list", errBroken)
		f.asked("list")
	})
}
