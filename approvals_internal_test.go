package kubescribe

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// sweep is the report of a sweep whose plan asked for the Policy now.
func (m *reported) sweep() gitsink.Report {
	return gitsink.Report{Status: gitsink.Status{LastSeed: someTime}, Adopted: true, Token: m.policy(m.to).Token}
}

func failed(r gitsink.Report, err error) gitsink.Report {
	return gitsink.Report{Status: gitsink.Status{Err: err}, Token: r.Token}
}

func TestASweepUsesUpOnlyTheApprovalThatItKnew(t *testing.T) {
	t.Parallel()
	held := &orphan.TooManyError{Found: orphan.Found{Count: 11}}
	for name, c := range map[string]struct {
		report func(before, with gitsink.Report) gitsink.Report
		left   bool
	}{
		"one that began before": {func(before, _ gitsink.Report) gitsink.Report { return before }, true},
		"one with it":           {func(_, with gitsink.Report) gitsink.Report { return with }, false},
		"no sweep": {func(_, with gitsink.Report) gitsink.Report {
			return gitsink.Report{Adopted: true, Token: with.Token}
		}, true},
		"not adopted": {func(_, with gitsink.Report) gitsink.Report {
			with.Adopted = false
			return with
		}, true},
		"failed": {func(_, with gitsink.Report) gitsink.Report { return failed(with, errors.New("down")) }, true},
	} {
		for what, held := range map[string]*orphan.TooManyError{"of whatever is found": nil, "of files": held} {
			t.Run(name+", "+what, func(t *testing.T) {
				m := newReported(t)
				first := m.sweep()
				first.Held = held
				m.say(t, first)
				before := m.sweep()
				require.NoError(t, m.Approve(m.ref))
				require.Equal(t, c.left, m.say(t, c.report(before, m.sweep())).Approved)
				m.move(t, "prod")
				st, _ := m.DestinationStatus(m.ref)
				require.Equal(t, c.left, st.Approved, "the same rules again take nothing")
			})
		}
	}
}

func TestAnApprovalOfWhatIsHeldIsForThoseFiles(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	m.orphans = map[destination.Ref]orphan.Options{m.ref: {MaxFiles: 7}}
	require.NoError(t, m.Approve(m.ref))
	require.Equal(t, orphan.Approval{All: true}, m.policy(m.to).Approval, "nothing is held")
	r := m.sweep()
	r.Held = &orphan.TooManyError{Found: orphan.Found{Count: 11}}
	m.say(t, r)
	require.Equal(t, gitsink.Policy{Orphans: orphan.Options{MaxFiles: 7}, Token: 1}, m.policy(m.to), "it is used up")
	require.NoError(t, m.Approve(m.ref))
	require.Equal(t, gitsink.Policy{
		Orphans: orphan.Options{MaxFiles: 7}, Approval: orphan.Approval{Seen: &r.Held.Found}, Token: 2,
	}, m.policy(m.to), "the rules stay as they are")
}

func TestASecondApprovalIsNotUsedUpByASweepWithTheFirst(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	require.NoError(t, m.Approve(m.ref))
	first := m.sweep()
	require.NoError(t, m.Approve(m.ref))
	require.True(t, m.say(t, first).Approved)
	require.False(t, m.say(t, m.sweep()).Approved)
}

func TestAPlanOfWhatADestinationWasBeforeHasNoApproval(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	before := m.to
	m.move(t, "elsewhere")
	require.NoError(t, m.Approve(m.ref))
	require.NoError(t, m.Adopt(m.ref))
	require.Equal(t, gitsink.Policy{Token: 2}, m.policy(before))
	require.Equal(t, gitsink.Policy{Approval: orphan.Approval{All: true}, Adopt: true, Token: 2}, m.policy(m.to))

	// When it comes back it is what it was, and yet nothing of before is allowed, nor used up.
	late := m.sweep()
	m.move(t, "prod")
	require.Equal(t, gitsink.Policy{Token: 2}, m.policy(m.to))
	require.NoError(t, m.Approve(m.ref))
	require.True(t, m.policy(m.to).Approval.All)
	require.True(t, m.say(t, late).Approved)
	m.move(t, "elsewhere")
	require.Equal(t, gitsink.Policy{Token: 3}, m.policy(m.to))
}

func TestAnAdoptionLastsUntilTheFolderIsOurs(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	require.False(t, m.policy(m.to).Adopt)
	before := m.sweep()
	require.NoError(t, m.Adopt(m.ref))
	m.say(t, before)
	m.say(t, failed(m.sweep(), errors.New("down")))
	theirs := m.sweep()
	theirs.Adopted = false
	m.say(t, theirs)
	require.True(t, m.policy(m.to).Adopt, "none of these has adopted it")
	m.say(t, gitsink.Report{Adopted: true, Token: m.policy(m.to).Token})
	require.False(t, m.policy(m.to).Adopt)
}

func TestAPruneEndsWithTheReportThatTellsOfIt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		r     gitsink.Report
		ended bool
		err   error
	}{
		"pruned":              {gitsink.Report{Pruned: &gitsink.Pruned{Removed: 1}}, true, nil},
		"held back":           {gitsink.Report{Pruned: &gitsink.Pruned{Err: gitsink.ErrUnadopted}}, true, gitsink.ErrUnadopted},
		"a batch before":      {gitsink.Report{Status: gitsink.Status{LastSeed: someTime}}, false, nil},
		"a momentary failure": {failed(gitsink.Report{}, errors.New("down")), false, nil},
		"a permanent failure": {failed(gitsink.Report{}, errors.Join(queue.ErrPermanent, gitsink.ErrOwned)), true, gitsink.ErrOwned},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newReported(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ends := make(chan error, 2)
				for range 2 {
					go func() { ends <- m.Prune(ctx, m.ref) }()
				}
				synctest.Wait()
				p := m.policy(m.to)
				require.NotNil(t, p.Prune)
				c.r.Token = p.Token
				m.say(t, c.r)
				m.say(t, c.r) // whoever orders it again has a new one
				synctest.Wait()
				require.Equal(t, c.ended, m.policy(m.to).Prune == nil)
				if !c.ended {
					require.Empty(t, ends)
					cancel()
					require.ErrorIs(t, <-ends, context.Canceled)
					require.ErrorIs(t, <-ends, context.Canceled)
					require.Nil(t, m.policy(m.to).Prune, "nobody waits for it")
					return
				}
				for range 2 {
					require.ErrorIs(t, <-ends, c.err)
				}
			})
		})
	}
}

func TestAPruneIsNotEndedByAPlanThatDidNotKnowIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newReported(t)
		ends := make(chan error, 1)
		ended, cancel := context.WithCancel(t.Context())
		go func() { ends <- m.Prune(ended, m.ref) }()
		synctest.Wait()
		first := m.sweep() // a plan that carries out the first order
		cancel()
		require.ErrorIs(t, <-ends, context.Canceled)
		r := m.sweep()
		r.Uncovered = &orphan.Found{Count: 3}
		m.say(t, r)
		go func() { ends <- m.Prune(t.Context(), m.ref) }()
		synctest.Wait()
		require.Equal(t, &orphan.Approval{Seen: r.Uncovered}, m.policy(m.to).Prune)
		first.Pruned = &gitsink.Pruned{Err: gitsink.ErrUnadopted}
		m.say(t, first)
		synctest.Wait()
		require.Empty(t, ends, "that was another order")
		second := m.sweep()
		second.Pruned = &gitsink.Pruned{}
		m.say(t, second)
		require.NoError(t, <-ends)
	})
}

func TestAPruneThatAllButOneLeaveGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newReported(t)
		ends := make(chan error, 1)
		go func() { ends <- m.Prune(t.Context(), m.ref) }()
		synctest.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, m.Prune(ended, m.ref), context.Canceled)
		require.NotNil(t, m.policy(m.to).Prune)
		r := m.sweep()
		r.Pruned = &gitsink.Pruned{}
		m.say(t, r)
		require.NoError(t, <-ends)
	})
}

func TestAPruneLeftAfterItsDestinationMovedTakesNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newReported(t)
		first := &pruneOrder{done: make(chan struct{})}
		m.move(t, "elsewhere")
		m.withdraw(m.ref, first) // there is none
		ctx, cancel := context.WithCancel(t.Context())
		ends := make(chan error, 1)
		go func() { ends <- m.Prune(ctx, m.ref) }()
		synctest.Wait()
		m.withdraw(m.ref, first)
		require.NotNil(t, m.policy(m.to).Prune, "it is somebody else's")
		cancel()
		require.Error(t, <-ends)
	})
}
