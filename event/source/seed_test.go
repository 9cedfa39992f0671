package source

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// One type is listed, another has a listing that does not end.
func TestASeedWaitsForAListingWithoutAnEndNoLongerThanTwoLooks(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps", "services"))
	endless := d.feed("services", "", to)
	d.ledger.relist(endless)
	d.begin(endless)
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	d.object(t.Context(), endless, newObject("v1", "Service", "default", "half", nil), listed)
	d.completed(t.Context(), s)
	d.ledger.hurrySeeds()
	d.ledger.sync(to)
	require.Empty(t, out.waiting, "the listing may have begun just now")
	d.ledger.hurrySeeds()
	d.ledger.sync(to)
	require.Len(t, out.waiting, 1)

	land := func() (differ int, swept bool) {
		inventory := out.waiting[0].Inventory
		out.waiting = nil
		var seen event.Snapshot
		require.NoError(t, inventory.View(func(v event.Snapshot) error {
			seen = v
			for o := range v.Objects() {
				v.Differs(o)
				differ++
			}
			swept = v.MaySweep()
			return nil
		}))
		inventory.Landed(seen)
		return differ, swept
	}
	differ, swept := land()
	require.Equal(t, 1, differ, "what is half listed is not compared")
	require.Equal(t, 1, to.backlog.count, "what was listed is sent")
	require.False(t, swept)
	require.True(t, d.offer(t.Context(), to, s, configMap("default", "a", "1"), d.now()))
	out.waiting = nil
	d.ledger.sync(to)
	require.Empty(t, out.waiting, "nothing is swept before the other listing ends")

	d.failed(endless, errBroken)
	d.ledger.sync(to)
	require.Len(t, out.waiting, 1)
	_, swept = land()
	require.False(t, swept, "this one compares everything once more")
}

// A listing of a hundred thousand objects takes longer than two looks. Compared by half, it would
// be walked through twice, and written in more commits.
func TestASeedOfOneTypeWaitsForItsListingHoweverLongThatTakes(t *testing.T) {
	out := newLines(-1)
	d, to, s := newRig(t, out, rule("prod", "prod", "configmaps"))
	d.ledger.relist(s)
	d.ledger.ask(to)
	d.begin(s)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	for range 5 {
		d.ledger.hurrySeeds()
		d.ledger.sync(to)
		require.Empty(t, out.waiting)
	}
	d.completed(t.Context(), s)
	d.ledger.sync(to)
	require.Len(t, out.waiting, 1)
	require.NoError(t, out.waiting[0].Inventory.View(func(v event.Snapshot) error {
		require.Len(t, slices.Collect(v.Objects()), 1)
		return nil
	}))
}

// The file of a Secret holds something else than its content, which no digest tells of.
func TestTheFileOfASecretCountsAsDifferent(t *testing.T) {
	d, to, s := newRigWith(t, newLines(-1), &Options{Encryptor: plainly{}}, rule("prod", "prod", "secrets", "configmaps"))
	secrets := d.feed("secrets", "", to)
	secrets.of.Kind = "Secret"
	d.object(t.Context(), secrets, newObject("v1", "Secret", "default", "a", map[string]any{}), listed)
	d.object(t.Context(), s, configMap("default", "a", "1"), listed)
	d.snapshot(t, to, func(v event.Snapshot) {
		known := map[string]bool{}
		for o := range v.Objects() {
			known[o.ID.Resource] = o.Digest != event.Digest{}
		}
		require.Equal(t, map[string]bool{"secrets": false, "configmaps": true}, known)
	})
}

// plainly is an Encryptor that is not called.
type plainly struct{ event.Encryptor }
