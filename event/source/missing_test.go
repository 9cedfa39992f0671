package source

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestATypeIsListedAnewWhoseWatchDoesNotSayThatAnObjectIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		d, _, s := newRigWith(t, newLines(-1), log.options(), rule("prod", "prod", "configmaps"))
		other := d.feed("services", "")
		missed := func(names ...string) {
			for _, name := range names {
				d.object(t.Context(), s, configMap("default", name, "1"), listed)
				d.ledger.missing.add(d.keyed(s, name), d.ledger.clock, time.Now())
			}
		}
		missed("changes", "dies", "stays")
		d.object(t.Context(), s, configMap("default", "changes", "2"), modified)
		d.deleted(t.Context(), s, configMap("default", "dies", "1"), removed)
		time.Sleep(missingPause - 1)
		d.update((*ledger).relistMissing)
		require.False(t, d.relists(s), "its watch may be late")
		require.Len(t, d.ledger.missing, 1, "of the others it has spoken")

		time.Sleep(time.Nanosecond)
		d.update((*ledger).relistMissing)
		require.True(t, d.relists(s))
		require.False(t, d.relists(other))
		require.Equal(t, 1, log.count("does not find"))
		require.Equal(t, 1, log.count("configmaps/default/stays"))

		d.begin(s)
		missed("changes", "dies")
		d.object(t.Context(), s, configMap("default", "changes", "3"), modified)
		d.deleted(t.Context(), s, configMap("default", "dies", "1"), removed)
		time.Sleep(missingPause)
		d.update((*ledger).relistMissing)
		require.False(t, d.relists(s))
		require.Empty(t, d.ledger.missing)
	})
}
