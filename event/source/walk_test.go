package source

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/destination"
)

const walkPage = 50

// walkers is a cluster of more objects than are fetched one by one, for two destinations whose
// SeedSyncs have compared: all of it waits for both.
func walkers(t *testing.T, f func(t *testing.T, w *whole, pages int)) {
	const objects = fetchMany + walkPage
	wholly(t, -1, &Options{PageSize: walkPage, Resync: -1}, func(t *testing.T, w *whole) {
		for i := range objects {
			w.write(apiwatch.Added, configMap("default", fmt.Sprintf("cm-%03d", i), "1"))
		}
		w.keepNothing()
		w.lines.setRoom(2) // for the SeedSyncs
		w.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")}, rule("prod", "prod", "configmaps"), rule("dev", "dev", "configmaps"))
		synctest.Wait()
		w.lines.setRoom(0)
		require.Empty(t, w.takeAll(), "they do not sweep")
		require.Len(t, w.times("list configmaps"), objects/walkPage)
		for _, to := range []string{"prod", "dev"} {
			require.Equal(t, objects, w.statusOf(to).Waiting)
		}
		f(t, w, objects/walkPage)
	})
}

func TestOneListingServesAllDestinationsThatWait(t *testing.T) {
	walkers(t, func(t *testing.T, w *whole, pages int) {
		w.lines.setRoom(-1)
		time.Sleep(2 * gathering)
		require.Len(t, w.taken(), 2*pages*walkPage+2, "each object for both, and a SeedSync each")
		require.Len(t, w.times("list configmaps"), pages)
		require.True(t, w.statusOf("prod").Idle() && w.statusOf("dev").Idle())
	})
}

// The destination has taken part in the walk before it hangs.
func TestADestinationThatHangsIsLeftBehindAndServedLater(t *testing.T) {
	walkers(t, func(t *testing.T, w *whole, pages int) {
		w.lines.setRoom(walkPage) // of both together: the walk waits in the middle of a page
		synctest.Wait()
		w.lines.hang("dev")
		began := time.Now()
		for !w.statusOf("prod").Idle() {
			w.taken()
			time.Sleep(10 * time.Millisecond)
		}
		require.Less(t, time.Since(began), 2*patience, "it is waited for once")
		left := w.statusOf("dev").Waiting
		require.NotZero(t, left)
		require.LessOrEqual(t, len(w.times("list configmaps")), 2*pages)

		time.Sleep(time.Hour)
		require.Equal(t, left, w.statusOf("dev").Waiting)
		require.Empty(t, w.times("list configmaps"), "it costs nothing while it hangs")
		w.lines.hang("")
		for !w.statusOf("dev").Idle() {
			w.taken()
			time.Sleep(10 * time.Millisecond)
		}
		require.LessOrEqual(t, len(w.times("list configmaps")), 2*pages)
		require.Len(t, w.files, 2*pages*walkPage)
	})
}

// Nobody has room for long, so the page is dropped and its turn given to others.
func TestAPageThatNobodyHasRoomForIsReadAgainWhenSomebodyHas(t *testing.T) {
	walkers(t, func(t *testing.T, w *whole, pages int) {
		w.lines.setRoom(walkPage)
		time.Sleep(time.Minute)
		require.Empty(t, w.watcher.lists, "nobody lists")
		require.Len(t, w.times("list configmaps"), 1)
		w.lines.setRoom(-1)
		w.taken()
		require.Len(t, w.times("list configmaps"), pages)
		require.Len(t, w.files, 2*pages*walkPage)
	})
}

// A server that has forgotten a continue token may give another one for the rest.
func TestAWalkWhoseTokenExpiresGoesOnWhereItWas(t *testing.T) {
	for rest, listed := range map[bool]func(pages int) int{
		true:  func(pages int) int { return pages + 1 },
		false: func(pages int) int { return 4 + pages }, // half is left, which is listed anew
	} {
		walkers(t, func(t *testing.T, w *whole, pages int) {
			broken := false
			w.fail(func(q *gatedRequest) error {
				if broken || !strings.HasSuffix(q.options.Continue, "cm-149") {
					return nil
				}
				broken = true
				gone := apierrors.NewResourceExpired("too old")
				if rest {
					gone.ErrStatus.Continue = q.options.Continue + " "
				}
				return gone
			})
			w.lines.setRoom(-1)
			time.Sleep(time.Minute)
			w.taken()
			require.Len(t, w.files, 2*pages*walkPage)
			require.True(t, broken)
			require.Len(t, w.times("list configmaps"), listed(pages))
			require.Empty(t, w.watcher.ledger.missing, "nothing was missed")
		})
	}
}

func TestAWalkOfAListingWithoutAnEndEnds(t *testing.T) {
	walkers(t, func(t *testing.T, w *whole, _ int) {
		var first string
		w.fail(func(q *gatedRequest) error {
			if first == "" {
				first = q.options.Continue
			}
			q.options.Continue = first // always the same page
			return nil
		})
		w.lines.setRoom(-1)
		time.Sleep(2 * gathering)
		require.ErrorIs(t, w.statusOf("prod").Err, ErrEndless)
		require.ErrorIs(t, w.statusOf("dev").Err, ErrEndless)
		w.fail(nil)
		time.Sleep(time.Minute)
		w.taken()
		require.NoError(t, w.statusOf("prod").Err)
		require.True(t, w.statusOf("prod").Idle() && w.statusOf("dev").Idle())
	})
}
