package gogit

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

func TestACallIsAdmittedWithAllThatOptionsSayOfIt(t *testing.T) {
	t.Parallel()
	signer := signerFunc(func() ([]byte, error) { return nil, nil })
	auth := Auth{BearerToken: "x"}
	s := newSink(t, &Options{
		Auth: fixed(auth), RateLimit: func(destination.Destination) RateLimit { return RateLimit{MaxCommits: 3} },
		Signer: func(context.Context, destination.Destination) (Signer, error) { return signer, nil },
	})
	c := newCall(t.Context(), target("https://host.invalid/app", "main", "base"), nothing)
	require.NoError(t, s.admit(c))
	require.Equal(t, groupKey{
		url: "https://host.invalid/app", who: identify("", auth), limit: RateLimit{Interval: 10 * time.Second, Burst: 6, MaxCommits: 3},
	}, c.key)
	require.Equal(t, &auth, c.held)
	require.NotNil(t, c.signer)
	require.WithinDuration(t, time.Now(), c.asked, time.Minute)
}

func TestWhatOptionsRefuseEndsTheCallBeforeItWaits(t *testing.T) {
	t.Parallel()
	refusal := errors.New("no")
	for name, c := range map[string]struct {
		opts Options
		op   string
		is   error
		says string
	}{
		"Auth": {Options{Auth: func(context.Context, destination.Destination) (Auth, error) { return Auth{}, refusal }}, opFetch, refusal, "no"},
		"Signer": {Options{Signer: func(context.Context, destination.Destination) (Signer, error) {
			return nil, refusal
		}}, opCommit, refusal, "getting the signer: no"},
		"RateLimit":  {Options{RateLimit: func(destination.Destination) RateLimit { panic("no") }}, opFetch, nil, "Options.RateLimit panicked"},
		"plain text": {Options{Auth: fixed(Auth{BearerToken: "x"})}, opFetch, gitsink.ErrPlainText, "host.invalid"},
	} {
		s := newSink(t, &c.opts)
		made := newCall(t.Context(), target("http://host.invalid/app", "main", "base"), nothing)
		err := s.admit(made)
		var e *gitsink.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, c.op, e.Op, name)
		require.Equal(t, made.dst, e.Destination, name)
		require.ErrorContains(t, err, c.says, name)
		if c.is != nil {
			require.ErrorIs(t, err, c.is, name)
		}
		require.Zero(t, made.key, name)
		require.Nil(t, made.held, name)
	}
}

func TestACallThatComesAfterCloseIsTold(t *testing.T) {
	t.Parallel()
	s := New(nil)
	require.NoError(t, s.Close())
	c := newCall(t.Context(), target("https://host.invalid/app", "main", ""), nothing)
	require.ErrorContains(t, s.admit(c), "the sink is closed")
	s.asker.left.counts[c.dst.Ref] = maxLeft
	require.ErrorContains(t, s.admit(c), "is not asked", "what else is the matter is said")
}

func TestACallGoesAloneOnlyWhenItHasMovedTooOften(t *testing.T) {
	t.Parallel()
	c := &call{moves: maxMoves}
	c.take(answer{key: groupKey{url: "u"}})
	require.Equal(t, groupKey{url: "u"}, c.key)
	c.moves++
	c.take(answer{key: groupKey{url: "u"}})
	require.Equal(t, groupKey{url: "u", alone: c}, c.key)

	g := standing(t, nil, "a", "b")
	one, other := g.calls[0], g.calls[1]
	one.moves = maxMoves - 1
	g.calls = nil
	g.move(one)
	require.Nil(t, one.key.alone)
	require.Equal(t, maxMoves, one.moves)
	g.remote.sink.lanes.take(g.remote.lane, one.key)
	g.move(other)
	require.Equal(t, 1, other.moves)
	one.stop = func() bool { return false }
	g.move(one)
	require.Same(t, one, one.key.alone)
	require.Equal(t, []*call{one, other}, g.remote.lane.waiting, "before those that came later")
}

func TestWhatAuthHasSaidIsShownOnceAndThenAskedFor(t *testing.T) {
	t.Parallel()
	auths, asked := map[string]string{"dest0": "first"}, []string{}
	g := standing(t, &Options{Auth: named(auths, &asked)}, "a")
	lead := g.calls[0]
	require.Equal(t, []string{"dest0"}, asked)
	auth, err := g.credentials(t.Context())
	require.NoError(t, err)
	require.Equal(t, "first", auth.BearerToken)
	require.Len(t, asked, 1, "it is fresh")
	require.Nil(t, lead.held)

	auths["dest0"] = "second"
	auth, err = g.credentials(t.Context())
	require.NoError(t, err)
	require.Equal(t, "second", auth.BearerToken)
	require.Len(t, asked, 2)
	require.Equal(t, identify(g.remote.dst.Repository, auth), g.key.who, "one that is alone takes its group along")
	require.Equal(t, g.key, lead.key)

	delete(auths, "dest0")
	before := g.key
	_, err = g.credentials(t.Context())
	require.ErrorIs(t, err, errNotYours)
	require.Equal(t, before, g.key)
	lead.over = true
	_, err = g.credentials(t.Context())
	require.ErrorIs(t, err, context.Canceled, "nobody is left to connect for")
}

func TestOnlyTheGroupsOwnCredentialsAreShownForSeveral(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx     context.Context
		now     string // of the lead; "": none
		over    bool   // the first
		err     error
		strayed int // 1: the first, 2: the second
	}{
		"what they were": {ctx: t.Context(), now: "same"},
		"others":         {ctx: t.Context(), now: "other", err: errCredentialsChanged, strayed: 1},
		"none":           {ctx: t.Context(), err: errCredentialsChanged, strayed: 1},
		"too late":       {ctx: ended, now: "same", err: context.Canceled},
		"the next":       {ctx: t.Context(), now: "other", over: true, err: errCredentialsChanged, strayed: 2},
	} {
		auths, asked := map[string]string{"dest0": "same", "dest1": "same", "dest2": "same"}, []string{}
		g := standing(t, &Options{Auth: named(auths, &asked)}, "a", "b", "c")
		g.calls[0].held, g.calls[0].over = nil, c.over
		who, lead := g.key.who, "dest0"
		if c.over {
			lead = "dest1"
		}
		delete(auths, lead)
		if c.now != "" {
			auths[lead] = c.now
		}
		asked = nil
		auth, err := g.credentials(c.ctx)
		require.ErrorIs(t, err, c.err, name)
		require.Equal(t, who, g.key.who, name)
		require.Equal(t, []string{lead}, asked, name)
		if c.err == nil {
			require.Equal(t, "same", auth.BearerToken, name)
		} else {
			require.Zero(t, auth, name)
		}
		if c.strayed == 0 {
			require.Nil(t, g.changed, name)
		} else {
			require.Same(t, g.calls[c.strayed-1], g.changed, name)
		}
		g.calls[0].over = false
	}
}

func TestALookAtTheBranchIsMadeForAnyoneWhoMay(t *testing.T) {
	t.Parallel()
	auths, asked := map[string]string{"dest0": "x", "dest1": "x", "dest2": "x"}, []string{}
	g := standing(t, &Options{Auth: named(auths, &asked)}, "a", "b", "c")
	asked, auths["dest1"] = nil, "y"
	delete(auths, "dest0")
	auth, err := g.anybody(t.Context())
	require.NoError(t, err)
	require.Equal(t, "y", auth.BearerToken)
	require.Equal(t, []string{"dest0", "dest1"}, asked)
	clear(auths)
	asked = nil
	_, err = g.anybody(t.Context())
	require.ErrorIs(t, err, errNotYours)
	require.Len(t, asked, 3)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	asked = nil
	_, err = g.anybody(ended)
	require.Error(t, err)
	require.Len(t, asked, 1, "there is no time to ask the others")
	g.calls = nil
	_, err = g.anybody(t.Context())
	require.ErrorIs(t, err, errCredentialsChanged, "nobody is no credentials")
}

func TestNoMoreThanSixteenQuestionsAreAskedAtATime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 2*maxAsking + 1
		release, asking := make(chan struct{}, n), make(chan struct{}, n)
		block := false
		folders := make([]string, n)
		for i := range folders {
			folders[i] = string(rune('A' + i))
		}
		g := standing(t, &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
			if block {
				asking <- struct{}{}
				<-release
			}
			if d.BaseFolder == "B" && block {
				return Auth{}, errNotYours
			}
			return Auth{BearerToken: "x"}, nil
		}}, folders...)
		block = true
		var got map[*call]answer
		var faults map[*call]error
		done := make(chan struct{})
		go func() { got, faults = g.askAll(g.calls); close(done) }()
		synctest.Wait()
		require.Len(t, asking, maxAsking)
		for range n {
			release <- struct{}{}
		}
		<-done
		require.Len(t, got, n-1)
		require.Len(t, faults, 1)
		require.ErrorIs(t, faults[g.calls[1]], errNotYours)
		for _, a := range got {
			require.Zero(t, a.auth, "nobody's credentials are kept")
		}
	})
}

func TestTheIdentityOfCredentialsIsKeyedAndNeedsNoURL(t *testing.T) {
	t.Parallel()
	a := Auth{Password: "hunter2"}
	require.Equal(t, identify("https://host.invalid/app", a), identify("https://%zz", a))
	key, before := identityKey, identify("https://host.invalid/app", a)
	defer func() { identityKey = key }()
	identityKey[0]++
	require.NotEqual(t, before, identify("https://host.invalid/app", a), "it is of no use to guess a password with")
}
