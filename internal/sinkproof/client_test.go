package sinkproof

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// patience bounds the life of a client that nothing kills.
const patience = 2 * time.Minute

// moment is when a client is killed.
type moment int

const (
	inTheHook   moment = iota // while the server judges its push, which lands
	overlapping               // likewise, and it lands after the next process has read the branch
	anyTime                   // some milliseconds after a round
	unseen                    // when its push has been sent; it never lands; over HTTP only
	moments
)

func (m moment) String() string {
	return [...]string{"in the hook", "overlapping", "any time", "unseen"}[m]
}

// victim is a client that will be killed.
type victim struct {
	*child
	moment   moment
	delay    time.Duration // for anyTime
	dead     chan struct{} // closed when it is
	survived chan struct{} // closed when the next process has read the branch

	mu sync.Mutex // guards what follows
	// Pushes, for anyTime rounds, that it may live through; negative: it was killed.
	spare int
}

// due reports whether the victim is to be killed now, at this moment of a push. It says so once.
func (v *victim) due(m moment) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.moment != m || v.spare < 0 {
		return false
	}
	v.spare--
	return v.spare < 0
}

func (v *victim) kill() { _ = v.cmd.Process.Kill() }

// lives is one process after the other that writes rounds.
type lives struct {
	site
	chance *rand.Rand
	done   int // the newest round that was said to be done

	mu      sync.Mutex // guards what follows
	present *victim
}

func TestKilledClientLosesNothing(t *testing.T) {
	kills := testsize.Sizes{Usual: 2, Long: 5, Soak: 50}.Pick()
	eachProtocol(t, func(t *testing.T, s site) {
		l := &lives{site: s, chance: testsize.Chance(t), present: &victim{spare: -1, survived: make(chan struct{})}}
		l.watch(t.Context())
		seen := map[moment]int{}
		for range kills {
			seen[l.next(t)]++
		}
		sink, w := s.access.sink(), writer{}
		defer func() { require.NoError(t, sink.Close()) }()
		last, _, err := w.last(t.Context(), sink, s.access.URL)
		require.NoError(t, err)
		close(l.present.survived)
		_, err = persist(t.Context(), sink, w.destination(s.access.URL), w.plan(last+1))
		require.NoError(t, err)
		t.Logf("killed %v, %d rounds", seen, last+1)
		require.GreaterOrEqual(t, last, l.done, "rounds that were done are not on the branch")
		requireWritten(t, s, map[writer]int{w: last + 1})
	})
}

// watch kills the present victim at its moment.
func (l *lives) watch(ctx context.Context) {
	l.repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
		switch v := l.victim(); {
		case v.due(inTheHook):
			v.kill()
			await(ctx, v.dead)
		case v.due(overlapping):
			v.kill()
			await(ctx, v.survived)
		}
		return nil
	})
	l.server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
		if v := l.victim(); r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && v.due(unseen) {
			v.kill()
			return gitservertest.Fault{Cut: gitservertest.CutRequest}
		}
		return gitservertest.Fault{}
	})
}

// await waits no longer than the test goes on: a test that fails must not leave a hook waiting.
func await(ctx context.Context, c <-chan struct{}) {
	select {
	case <-c:
	case <-ctx.Done():
	}
}

func (l *lives) victim() *victim {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.present
}

// next is one life, to its end.
func (l *lives) next(t *testing.T) moment {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	before := l.victim()
	v := &victim{
		moment: moment(l.chance.IntN(int(l.moments()))), spare: l.chance.IntN(4),
		delay: time.Duration(l.chance.IntN(60)) * time.Millisecond,
		dead:  make(chan struct{}), survived: make(chan struct{}),
	}
	v.child = spawn(ctx, t, l.site, orders{Access: l.access, Goroutines: 1})
	l.mu.Lock()
	l.present = v
	l.mu.Unlock()
	for line := range v.lines {
		if strings.HasPrefix(line, "read ") {
			close(before.survived)
		}
		_, _ = fmt.Sscanf(line, "done %d", &l.done)
		if v.due(anyTime) {
			time.AfterFunc(v.delay, v.kill)
		}
	}
	err := v.cmd.Wait()
	close(v.dead)
	require.NoError(t, ctx.Err(), "it was to be killed %s", v.moment)
	require.EqualError(t, err, "signal: killed")
	return v.moment
}

func (l *lives) moments() moment {
	if len(l.access.Key) > 0 {
		return unseen
	}
	return moments
}
