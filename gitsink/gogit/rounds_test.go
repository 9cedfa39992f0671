package gogit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// questions is what rounds ask: it notes who asked together, and answers when it is let go.
type questions struct {
	mu    sync.Mutex
	asked [][]string
	ended int           // by their context
	held  chan struct{} // nil: nothing waits
	err   error
}

func (q *questions) ask(ctx context.Context, wants []string) (string, error) {
	q.mu.Lock()
	q.asked = append(q.asked, slices.Clone(wants))
	n, held := len(q.asked), q.held
	q.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-ctx.Done():
			q.mu.Lock()
			defer q.mu.Unlock()
			q.ended++
			return "", ctx.Err()
		}
	}
	return fmt.Sprint("answer ", n), q.err
}

// all returns who asked together.
func (q *questions) all() [][]string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.asked)
}

// ends is the number of questions that their context has ended.
func (q *questions) ends() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.ended
}

// gathering is rounds on a clock of the test, with what they brought to each who came.
type gathering struct {
	*rounds[string, string, string]
	q    questions
	each sync.WaitGroup

	mu    sync.Mutex
	got   map[string]string
	seats map[string]*seat
	err   map[string]error
}

const testPatience = 10 * time.Second

func newGathering() *gathering {
	return &gathering{
		rounds: newRounds[string, string, string](testPatience, func(f func()) { go f() }),
		got:    map[string]string{}, seats: map[string]*seat{}, err: map[string]error{},
	}
}

// comes lets somebody join, and waits until that has done what it can.
func (g *gathering) comes(ctx context.Context, key, want string, last *seat) {
	g.each.Go(func() {
		got, seat, err := g.join(ctx, key, want, last, g.q.ask)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.got[want], g.seats[want], g.err[want] = got, seat, err
	})
	synctest.Wait()
}

// over waits until all who came have gone, and their questions have ended, too.
func (g *gathering) over() {
	g.each.Wait()
	synctest.Wait()
}

func TestWhoIsAloneWaitsForNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, begun := newGathering(), time.Now()
		g.comes(t.Context(), "app", "one", nil)
		g.over()
		require.Equal(t, "answer 1", g.got["one"])
		require.Nil(t, g.seats["one"])
		require.Zero(t, time.Since(begun))
		require.Empty(t, g.open)
		require.Empty(t, g.underWay)
	})
}

// Who came before a question was under way is answered by it. Who came after may have seen more
// than it has.
func TestWhoComesTooLateIsAnsweredByTheNextRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		g.q.held = make(chan struct{})
		g.comes(t.Context(), "app", "one", nil)
		for _, want := range []string{"two", "three", "four"} {
			g.comes(t.Context(), "app", want, nil)
		}
		g.comes(t.Context(), "other", "elsewhere", nil)
		require.Equal(t, [][]string{{"one"}, {"elsewhere"}}, g.q.all(), "the next waits for the one under way")
		close(g.q.held)
		g.over()
		require.Equal(t, []string{"two", "three", "four"}, g.q.all()[2])
		require.Equal(t, map[string]string{
			"one": "answer 1", "elsewhere": "answer 2", "two": "answer 3", "three": "answer 3", "four": "answer 3",
		}, g.got)
		require.Empty(t, g.open)
		require.Empty(t, g.underWay)
	})
}

func TestOneThatHangsHoldsUpTheNextRoundForAShortTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		first := make(chan struct{})
		g.q.held = first
		g.comes(t.Context(), "app", "one", nil)
		g.q.held = nil
		begun := time.Now()
		g.comes(t.Context(), "app", "two", nil)
		time.Sleep(gatherTime - time.Nanosecond)
		synctest.Wait()
		require.Len(t, g.q.all(), 1)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		require.Equal(t, "answer 2", g.got["two"])
		require.Equal(t, gatherTime, time.Since(begun))
		require.Empty(t, g.got["one"])
		close(first)
		g.over()
	})
}

func TestARoundEndsWithTheLastWhoIsInIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		g.q.held = make(chan struct{})
		g.comes(t.Context(), "app", "one", nil)
		one, leaveOne := context.WithCancel(t.Context())
		two, leaveTwo := context.WithCancel(t.Context())
		g.comes(one, "app", "leader", nil)
		g.comes(two, "app", "other", nil)
		time.Sleep(gatherTime)
		synctest.Wait()
		require.Equal(t, []string{"leader", "other"}, g.q.all()[1])
		leaveOne()
		synctest.Wait()
		require.ErrorIs(t, g.err["leader"], context.Canceled)
		require.Zero(t, g.q.ends(), "it goes on for the other")
		leaveTwo()
		synctest.Wait()
		require.ErrorIs(t, g.err["other"], context.Canceled)
		require.Equal(t, 1, g.q.ends(), "nobody waits any more")

		leaving, leave := context.WithCancel(t.Context()) // before it has departed
		last := newPeers(3)
		g.comes(leaving, "app", "gone", last.seat())
		leave()
		synctest.Wait()
		g.comes(t.Context(), "app", "new", last.seat())
		last.seat().leave()
		close(g.q.held)
		g.over()
		require.Equal(t, []string{"new"}, g.q.all()[2])
		require.NoError(t, g.err["new"])
		require.Len(t, g.q.all(), 3, "nobody asks for who has gone")
	})
}

func TestWhatBringsNothingIsAskedByEachAlone(t *testing.T) {
	busy := &smart.RemoteError{Err: &smart.StatusError{Status: http.StatusServiceUnavailable, RetryAfter: time.Minute}}
	for name, c := range map[string]struct {
		err   error
		alone bool
	}{
		"a cut":                      {errCut, true},
		"an answer of a proxy":       {&smart.StatusError{Status: http.StatusBadGateway}, true},
		"damage":                     {smart.Malformed("x"), true},
		"its own end":                {context.Canceled, true},
		"no such repository":         {&smart.StatusError{Status: http.StatusNotFound}, false},
		"no right":                   {&smart.StatusError{Status: http.StatusForbidden}, false},
		"a page":                     {fmt.Errorf("x: %w", gitsink.ErrNotFound), false},
		"to be left alone":           {busy, false},
		"an advertisement too large": {gitsink.ErrTooLarge, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				g := newGathering()
				g.q.err = c.err
				last := newPeers(2)
				g.comes(t.Context(), "app", "one", last.seat())
				g.comes(t.Context(), "app", "two", last.seat())
				g.comes(t.Context(), "app", "single", nil)
				g.over()
				require.Equal(t, [][]string{{"one", "two"}, {"single"}}, g.q.all())
				for _, want := range []string{"one", "two"} {
					require.Equal(t, c.alone, errors.Is(g.err[want], errAlone))
					require.Equal(t, !c.alone, errors.Is(g.err[want], c.err))
				}
				require.ErrorIs(t, g.err["single"], c.err, "it has asked alone already")
			})
		})
	}
}

func TestAnAnswerToSeveralIsAwaitedForAPartOfTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, begun := newGathering(), time.Now()
		g.q.held = make(chan struct{})
		last := newPeers(2)
		g.comes(t.Context(), "app", "one", last.seat())
		g.comes(t.Context(), "app", "two", last.seat())
		single, leave := context.WithCancel(t.Context())
		g.comes(single, "other", "single", nil)
		time.Sleep(testPatience)
		synctest.Wait()
		require.ErrorIs(t, g.err["one"], errAlone)
		require.ErrorIs(t, g.err["two"], errAlone)
		require.Equal(t, testPatience, time.Since(begun))
		require.Equal(t, 1, g.q.ends(), "nobody waits any more")
		require.NotContains(t, g.got, "single", "to ask once more would not help it")
		leave()
		g.over()
		require.Equal(t, 2, g.q.ends())
	})
}

// Those who got one answer want the next thing at about the same time: the first of them waits for
// the others, but not for one that is busy elsewhere.
func TestWhoGotAnAnswerTogetherAsksTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGathering()
		last := newPeers(4)
		seats := []*seat{last.seat(), last.seat(), last.seat(), last.seat()}
		g.comes(t.Context(), "app", "one", seats[0])
		g.comes(t.Context(), "app", "two", seats[1])
		require.Empty(t, g.q.all())
		seats[2].leave() // it wants nothing
		seats[2].leave() // and says so twice
		synctest.Wait()
		require.Empty(t, g.q.all())
		g.comes(t.Context(), "app", "four", seats[3])
		g.over()
		require.Equal(t, [][]string{{"one", "two", "four"}}, g.q.all())
		require.Same(t, g.seats["one"].peers, g.seats["four"].peers)
		require.Equal(t, 3, g.seats["one"].peers.left)

		begun := time.Now()
		g.comes(t.Context(), "app", "next", g.seats["one"])
		g.over()
		require.Equal(t, gatherTime, time.Since(begun), "the others may be busy")
		(*seat)(nil).leave()
	})
}
