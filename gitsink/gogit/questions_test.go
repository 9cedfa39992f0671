package gogit

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"
	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAQuestionIsAnsweredInItsTimeOrLeftBehind(t *testing.T) {
	fault := errors.New("of the answer")
	after := func(d time.Duration, err error) func(context.Context) (string, error) {
		return func(ctx context.Context) (string, error) {
			<-ctx.Done()
			time.Sleep(d)
			return "value", err
		}
	}
	for name, c := range map[string]struct {
		ask   func(context.Context) (string, error)
		takes time.Duration
		value string
		is    error
		says  string
		left  int
	}{
		"a value":                {ask: func(context.Context) (string, error) { return "value", nil }, value: "value"},
		"a fault":                {ask: func(context.Context) (string, error) { return "value", fault }, value: "value", is: fault},
		"a panic":                {ask: func(context.Context) (string, error) { panic("x") }, says: "somebody panicked: "},
		"its end":                {ask: func(context.Context) (string, error) { runtime.Goexit(); return "", nil }, says: "somebody ended its goroutine"},
		"a late value":           {ask: after(planGrace-1, nil), takes: time.Minute + planGrace - 1, value: "value"},
		"a late fault":           {ask: after(0, fault), takes: time.Minute, value: "value", is: errNoAnswer, says: "no answer of somebody within 1m0s"},
		"a fault that is as bad": {ask: after(planGrace-1, fault), takes: time.Minute + planGrace - 1, value: "value", is: errNoAnswer},
		"none":                   {ask: after(time.Hour, nil), takes: time.Minute + planGrace, is: errNoAnswer, left: 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newSink(t, &Options{StepTimeout: time.Minute})
			d := destination.Ref{Namespace: "team", Name: "d"}
			began := time.Now()
			value, err := await(t.Context(), s.asker, d, "somebody", c.ask)
			require.Equal(t, c.takes, time.Since(began), name)
			require.Equal(t, c.value, value, name)
			switch {
			case c.is != nil:
				require.ErrorIs(t, err, c.is, name)
				require.Equal(t, errors.Is(c.is, fault), errors.Is(err, fault), "why it was cut off is said: %s", name)
			case c.says != "":
				require.ErrorContains(t, err, c.says, name)
			default:
				require.NoError(t, err, name)
			}
			if c.says != "" {
				require.ErrorContains(t, err, c.says, name)
			}
			require.Equal(t, c.left, s.asker.left.of(d), name)
			require.Equal(t, c.left, s.asker.left.all(), name)
			time.Sleep(2 * time.Hour)
			require.Zero(t, s.asker.left.all(), name)
			require.Empty(t, s.asker.left.counts, name)
		})
	}
}

func TestWhoLeavesTooManyQuestionsBehindIsNotAsked(t *testing.T) {
	t.Parallel()
	s := newSink(t, nil)
	one, other := destination.Ref{Name: "one"}, destination.Ref{Name: "other"}
	asked := 0
	ask := func(context.Context) (int, error) { asked++; return 0, nil }
	var left []*question
	for range maxLeft {
		_, err := await(t.Context(), s.asker, one, "x", ask)
		require.NoError(t, err)
		left = append(left, &question{of: one})
		s.asker.left.leave(left[len(left)-1])
	}
	require.Equal(t, maxLeft, asked)
	_, err := await(t.Context(), s.asker, one, "x", ask)
	require.ErrorIs(t, err, queue.ErrLeftBehind)
	require.ErrorContains(t, err, "x is not asked: 8 questions")
	require.Equal(t, maxLeft, asked)
	_, err = await(t.Context(), s.asker, other, "x", ask)
	require.NoError(t, err)
	for _, q := range left {
		s.asker.left.end(q)
	}
	require.Zero(t, s.asker.left.all())
}

func TestAQuestionIsCountedFromWhenItIsLeftToItsEnd(t *testing.T) {
	t.Parallel()
	l := &leftovers{counts: map[destination.Ref]int{}}
	d, other := destination.Ref{Name: "d"}, destination.Ref{Name: "other"}
	one, two, three, four := &question{of: d}, &question{of: d}, &question{of: d}, &question{of: other}
	l.end(one)
	l.leave(one)
	require.Zero(t, l.all(), "it had ended before it was left")
	require.Empty(t, l.counts)
	require.False(t, one.left)
	l.leave(two)
	l.leave(three)
	l.leave(four)
	require.Equal(t, map[destination.Ref]int{d: 2, other: 1}, l.counts)
	require.Equal(t, 3, l.all())
	l.end(two)
	require.Equal(t, 1, l.of(d))
	require.Equal(t, 2, l.all())
	l.end(three)
	require.NotContains(t, l.counts, d)
	require.Equal(t, 1, l.all())
}

// What a server has said once is taken for what it would say, to whom it has said it and of what
// it was asked.
func TestAServerThatIsKnownIsNotAskedAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		repository string // that was asked
		other      bool   // others have asked
		tip        object.ID
		format     object.Format
		unknown    bool // what it said does not hold any more
		moved      bool
		assumed    bool
		guessed    bool
	}{
		"it is known":              {tip: hash("1"), assumed: true},
		"it is not any more":       {tip: hash("1"), unknown: true},
		"another repository":       {repository: "https://standing.invalid/other", tip: hash("1"), assumed: true, guessed: true},
		"of others":                {other: true, tip: hash("1"), assumed: true, guessed: true},
		"nothing to begin at":      {tip: object.ID{}},
		"it was of another format": {tip: hash("1"), format: object.SHA256},
		"it is elsewhere":          {tip: hash("1"), moved: true},
	} {
		m := newModelServer(t, nil)
		g := standing(t, &Options{Transport: m}, "a")
		if c.repository == "" {
			c.repository = g.remote.dst.Repository
		}
		g.remote.repeats = !c.moved
		known, key := &knownCaps{offersOf(t, "filter").Refs.Capabilities, true, c.format}, capsKey{c.repository, g.key.who}
		if c.other {
			key.who = identity{1}
		}
		if g.remote.sink.caps.set(key, known); c.unknown {
			g.remote.sink.caps.set(key, nil)
		}
		s, err := g.remote.openUpload(t.Context(), c.tip)
		require.NoError(t, err, name)
		require.Equal(t, g.key.who, s.who, name)
		require.Equal(t, c.assumed, s.assumed, name)
		require.Equal(t, c.guessed, s.guessed, name)
		if c.assumed {
			require.Zero(t, m.requests, name)
			require.Equal(t, c.tip, s.Tip(g.remote.ref), name)
			require.Equal(t, !c.guessed, known.caps == s.Refs.Capabilities, name)
			require.True(t, s.Refs.Capabilities.Supports(capability.Filter), name)
			require.True(t, s.Refs.MultiAck, name)
		} else {
			require.Equal(t, 1, m.requests, name)
			require.Equal(t, m.tip, s.Tip(g.remote.ref), name)
			now, _ := g.remote.sink.caps.get(capsKey{g.remote.dst.Repository, g.key.who})
			require.Equal(t, &knownCaps{s.Refs.Capabilities, false, object.SHA1}, now, "it is known by now: %s", name)
		}
		s.Close()
	}
	g := standing(t, nil, "a")
	g.remote.repeats = true
	g.remote.auth = func(context.Context) (Auth, error) { return Auth{}, errNotYours }
	_, err := g.remote.openUpload(t.Context(), hash("1"))
	require.ErrorIs(t, err, errNotYours)
}

func TestOnlyWhatCostsARequestIsRemembered(t *testing.T) {
	t.Parallel()
	http, err := smart.NewHTTP(nil).Conn(&transport.Endpoint{Protocol: "https", Host: "host.invalid"}, smart.Credentials{}, smart.UploadPack)
	require.NoError(t, err)
	for name, c := range map[string]struct {
		conn smart.Conn
		want bool
	}{"http": {http, true}, "another": {answered{}, false}} {
		r := &remote{sink: New(nil), lane: &lane{}, dst: target("https://host.invalid/app", "main", "")}
		refs := offersOf(t, "filter").Refs
		refs.MultiAck = true
		s := &session{Session: smart.Assume(c.conn, refs), who: identity{1}}
		r.learn(s)
		known, asked := r.sink.caps.get(capsKey{"https://host.invalid/app", identity{1}})
		require.Equal(t, c.want, asked, name)
		if c.want {
			require.Equal(t, &knownCaps{s.Refs.Capabilities, true, object.SHA1}, known, name)
		}
	}
}

func TestARemoteIsTheWayToOneBranch(t *testing.T) {
	t.Parallel()
	s, l, d := &Sink{}, &lane{}, target("https://host.invalid/app", "main", "base")
	r := newRemote(s, l, d)
	require.Equal(t, &remote{sink: s, lane: l, dst: d, ref: "refs/heads/main", fetched: map[object.ID]bool{}}, r)
}
