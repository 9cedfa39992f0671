package source

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func plannerOf(d *desk) *planner {
	return newPlanner(&Watcher{ledger: d.ledger, out: d.out.(Queue), opts: d.opts})
}

func TestATypeIsListedAnewWhoseWatchDoesNotSayThatAnObjectIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		d, _, s := newDesk(t, newLines(-1), rule("prod", "prod", "configmaps"))
		d.opts = log.options().withDefaults()
		s.anew = make(chan struct{}, 1)
		d.ledger.streams[s.key()] = s
		other := otherStream(d, "services", "")
		p := plannerOf(d)
		missed := func(names ...string) {
			for _, name := range names {
				d.object(t.Context(), s, configMap("default", name, "1"), listed)
				d.ledger.missing.add(d.keyed(s, name), d.ledger.clock)
			}
		}
		missed("changes", "dies", "stays")
		d.object(t.Context(), s, configMap("default", "changes", "2"), modified)
		d.deleted(t.Context(), s, configMap("default", "dies", "1"), removed)
		time.Sleep(missingPause - 1)
		p.doubtMissing()
		require.False(t, s.again.Load(), "its watch may be late")
		require.Len(t, d.ledger.missing, 1, "of the others it has spoken")

		time.Sleep(time.Nanosecond)
		p.doubtMissing()
		require.True(t, s.again.Load())
		require.False(t, other.again.Load())
		require.Equal(t, 1, log.count("does not find"))
		require.Equal(t, 1, log.count("configmaps/default/stays"))

		s.again.Store(false)
		missed("changes", "dies")
		d.object(t.Context(), s, configMap("default", "changes", "3"), modified)
		d.deleted(t.Context(), s, configMap("default", "dies", "1"), removed)
		time.Sleep(missingPause)
		p.doubtMissing()
		require.False(t, s.again.Load())
		require.Empty(t, d.ledger.missing)
	})
}
