package gogit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestAVerdictIsWhatTheReportSaysOfTheBranch(t *testing.T) {
	t.Parallel()
	r := &remote{ref: "refs/heads/main"}
	lost := errors.New("lost")
	status := func(name plumbing.ReferenceName, says string) *packp.CommandStatus {
		return &packp.CommandStatus{ReferenceName: name, Status: says}
	}
	for name, c := range map[string]struct {
		report  *packp.ReportStatus
		err     error
		want    verdict
		nothing bool // the error is that nothing was said
	}{
		"no report":           {nil, lost, verdict{err: lost}, false},
		"no report, no error": {nil, nil, verdict{}, true},
		"taken":               {&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: []*packp.CommandStatus{status(r.ref, "ok")}}, nil, verdict{ok: true}, true},
		"refused": {&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: []*packp.CommandStatus{status(r.ref, "no")}}, nil,
			verdict{refusal: "no"}, true},
		"of another branch": {&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: []*packp.CommandStatus{
			status("refs/heads/other", "no"), status(r.ref, "ok"), status("refs/heads/third", "no"),
		}}, nil, verdict{ok: true}, true},
		"only of another": {&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: []*packp.CommandStatus{status("refs/heads/other", "ok")}}, nil,
			verdict{}, true},
		"both": {&packp.ReportStatus{UnpackStatus: "ok", CommandStatuses: []*packp.CommandStatus{status(r.ref, "ok"), status(r.ref, "no")}}, nil,
			verdict{refusal: "no"}, true},
		"not unpacked": {&packp.ReportStatus{UnpackStatus: "disk", CommandStatuses: []*packp.CommandStatus{status(r.ref, "ok")}}, nil,
			verdict{refusal: "disk", unpack: true}, true},
	} {
		v := r.judge(c.report, c.err, "words")
		c.want.words = "words"
		if c.nothing {
			require.ErrorContains(t, v.err, "says nothing of the branch", name)
			c.want.err = v.err
		}
		require.Equal(t, c.want, v, name)
	}
}

// pushing is a group with a chain to push, in which each call has written a file.
func pushing(t *testing.T, opts *Options, folders ...string) (*pushGroup, *pushStack) {
	t.Helper()
	g := standing(t, opts, folders...)
	g.remote.lane.store = stocked(t, "start", "1")
	ch := newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip)
	for _, c := range g.calls {
		d, err := ch.build(c.dst.BaseFolder, []gitsink.Commit{{Message: "m", Changes: writes("file", c.dst.BaseFolder)}}, plainly)
		require.NoError(t, err)
		ch.add(c, d)
	}
	return g, ch
}

// looking is a server whose branch is at what tip returns; zero: it is down. looks counts what it
// is asked.
func looking(tip func() object.ID, looks *int) answers {
	return func(r *http.Request, _ string) (int, string) {
		*looks++
		if at := tip(); !at.IsZero() {
			return http.StatusOK, advertises(r, canPush, "refs/heads/main", at.String())
		}
		return http.StatusServiceUnavailable, "down for lunch"
	}
}

// reported is the answer to a push that says this of the branch.
func reporting(unpack, branch string) string {
	return pkt("\x01"+pkt("unpack "+unpack+"\n")+pkt(branch+"\n")+"0000") + "0000"
}

func TestWhatBecomesOfAPushFollowsFromTheReportAndTheBranch(t *testing.T) {
	t.Parallel()
	ok, ng := reporting("ok", "ok refs/heads/main"), reporting("ok", "ng refs/heads/main no Mondays")
	const down, old, tip, other = "", "old", "tip", "other"
	for name, c := range map[string]struct {
		answer string
		at     string // the branch, when it is looked at
		over   bool   // nobody waits any more
		again  bool
		is     error
		not    []error
		says   string
		looks  int
		doubts int
	}{
		"taken":                      {answer: ok, at: down},
		"lost, and there":            {answer: "", at: tip, looks: 1},
		"refused, and there":         {answer: ng, at: tip, looks: 1},
		"refused":                    {answer: ng, at: old, looks: 1, is: gitsink.ErrRejected, not: []error{gitsink.ErrUnknown}, says: "no Mondays"},
		"refused, not seen":          {answer: ng, at: down, looks: 1, is: gitsink.ErrUnavailable, not: []error{gitsink.ErrRejected, gitsink.ErrUnknown}},
		"refused, and moved":         {answer: ng, at: other, looks: 1, again: true},
		"refused and moved, at last": {answer: ng, at: other, over: true, looks: 1, says: errMoved.Error(), not: []error{gitsink.ErrUnknown}},
		"lost, not seen":             {answer: "", at: down, looks: 1, is: gitsink.ErrUnknown, says: "looking at the branch", doubts: 1},
		"lost, at last":              {answer: "", at: old, over: true, looks: 1, is: gitsink.ErrUnknown, not: []error{gitsink.ErrUnavailable}, doubts: 1},
		"lost and moved, at last":    {answer: "", at: other, over: true, looks: 1, is: gitsink.ErrUnknown, not: []error{gitsink.ErrUnavailable}, doubts: 1},
		"lost":                       {answer: "", at: old, looks: 1, again: true, doubts: 1},
		"lost, and moved":            {answer: "", at: other, looks: 1, again: true, doubts: 1},
	} {
		var at object.ID
		looks := 0
		g, ch := pushing(t, &Options{Transport: looking(func() object.ID { return at }, &looks)}, "a")
		at = map[string]object.ID{old: ch.old, tip: ch.tip, other: hexID(otherHash)}[c.at]
		if c.over {
			g.callers.cancel()
		}
		only, store := g.calls[0], g.remote.lane.store
		again := g.push(talking(t, strings.NewReader(c.answer), canPush), ch)
		require.Equal(t, c.again, again, name)
		require.Equal(t, c.looks, looks, name)
		require.Len(t, g.remote.lane.unknown, c.doubts, name)
		require.Equal(t, c.looks > 0 && c.at != down, g.next != nil, "what was seen is kept: %s", name)
		require.Same(t, store, g.remote.lane.store, name)
		switch {
		case c.again:
			require.True(t, waits(only), name)
			require.Len(t, g.calls, 1, name)
		case c.is == nil && c.says == "":
			require.NoError(t, ended(t, only), name)
			require.Equal(t, ch.tip.String(), only.result.Tip, name)
			require.Equal(t, ch.tip, store.Tip, name)
		default:
			err := ended(t, only)
			if c.is != nil {
				require.ErrorIs(t, err, c.is, name)
			}
			require.ErrorContains(t, err, c.says, name)
			for _, class := range c.not {
				require.NotErrorIs(t, err, class, name)
			}
			var e *gitsink.Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, opPush, e.Op, name)
			require.Equal(t, ch.old, store.Tip, name)
		}
	}
}

func TestAPushThatTheServerCannotHaveTakenIsNotLookedFor(t *testing.T) {
	t.Parallel()
	looks := 0
	g, ch := pushing(t, &Options{Transport: looking(func() object.ID { return object.ID{} }, &looks)}, "a", "b")
	receiver := talking(t, strings.NewReader(""), canPush)
	receiver.Session = smart.Assume(refusing{&smart.RemoteError{Err: &smart.StatusError{Status: http.StatusForbidden}, Words: "not you"}}, receiver.Refs)
	calls := slices.Clone(g.calls)
	require.False(t, g.push(receiver, ch))
	for _, c := range calls {
		err := ended(t, c)
		require.ErrorIs(t, err, gitsink.ErrAuth)
		var e *gitsink.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "not you", e.Server)
	}
	require.Zero(t, looks)
	require.Empty(t, g.remote.lane.unknown)
}

// refusing is a wire of which every exchange fails.
type refusing struct{ err error }

func (f refusing) Advertise(context.Context) (io.ReadCloser, error)           { return nil, f.err }
func (f refusing) Exchange(context.Context, ...[]byte) (io.ReadCloser, error) { return nil, f.err }
func (f refusing) Explain(err error) error                                    { return err }
func (f refusing) Close()                                                     {}

func TestAServerThatNeverTakesAPushIsTriedTwice(t *testing.T) {
	t.Parallel()
	g, ch := pushing(t, nil, "a")
	only := g.calls[0]
	v := verdict{err: &smart.RemoteError{Err: &smart.StatusError{Status: 500}, Words: "of the push"}}
	require.True(t, g.unknown(ch, v, ch.old, nil))
	require.True(t, waits(only))
	require.False(t, g.unknown(ch, v, ch.old, nil))
	err := ended(t, only)
	require.ErrorIs(t, err, gitsink.ErrUnknown)
	require.ErrorIs(t, err, gitsink.ErrUnavailable)
	var e *gitsink.Error
	require.ErrorAs(t, err, &e)
	require.Equal(t, "of the push", e.Server)
	require.Len(t, g.remote.lane.unknown, 2)
}

func TestTheWordsOfAnOutcomeThatIsUnknownAreTheFirstThatWereSaid(t *testing.T) {
	t.Parallel()
	look, push := &smart.RemoteError{Err: errors.New("x"), Words: "of the look"}, &smart.RemoteError{Err: errors.New("x"), Words: "of the push"}
	for want, c := range map[string]struct {
		v    verdict
		look error
	}{
		"of hooks":    {verdict{words: "of hooks", err: push}, look},
		"of the push": {verdict{err: push}, look},
		"of the look": {verdict{err: errors.New("x")}, look},
	} {
		g, ch := pushing(t, nil, "a")
		only := g.calls[0]
		require.False(t, g.unknown(ch, c.v, object.ID{}, c.look))
		var e *gitsink.Error
		require.ErrorAs(t, ended(t, only), &e)
		require.Equal(t, want, e.Server)

		g, ch = pushing(t, nil, "a")
		only = g.calls[0]
		g.callers.cancel()
		require.False(t, g.unknown(ch, c.v, ch.old, nil))
		require.ErrorAs(t, ended(t, only), &e)
		require.Equal(t, cmp.Or(c.v.words, smart.Words(c.v.err)), e.Server)
	}
}

func TestOnlyAPushInPlaceOfALostOneIsExtra(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		before int
		closed bool
		ahead  time.Duration
	}{"the first": {0, false, 0}, "the second": {1, false, time.Hour}, "the third": {2, false, time.Hour}, "a half": {1, true, 0}} {
		synctest.Test(t, func(t *testing.T) {
			g, ch := pushing(t, &Options{RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: time.Hour} }}, "a")
			require.Zero(t, g.remote.sink.limits.reserve(g.account(), time.Now()))
			g.pushes, g.closed = c.before, c.closed
			require.False(t, g.push(talking(t, strings.NewReader(reporting("ok", "ok refs/heads/main")), canPush), ch))
			require.Equal(t, c.before+1, g.pushes)
			require.Equal(t, time.Hour+c.ahead, time.Until(g.remote.sink.limits.accounts[g.account()].ahead), name)
		})
	}
}

// recorded is a wire that keeps what is sent.
type recorded struct {
	answered
	sent [][]byte
}

func (r *recorded) Exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error) {
	for _, p := range parts {
		r.sent = append(r.sent, bytes.Clone(p))
	}
	return r.answered.Exchange(ctx, parts...)
}

func TestAPushAsksForWhatTheServerOffersAndNamesTheOldValue(t *testing.T) {
	t.Parallel()
	for capabilities, c := range map[string]struct {
		bands, thin bool
	}{"report-status": {false, true}, "report-status side-band-64k no-thin": {true, false}, "report-status side-band-64k": {true, true}} {
		g, _ := pushing(t, nil, "a")
		var many []string
		for i := range 100 {
			many = append(many, fmt.Sprint("start-", i), fmt.Sprint(i))
		}
		extend(t, g.remote.lane.store, many...)
		ch := newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip)
		d, err := ch.build("", []gitsink.Commit{{Message: "m", Changes: writes("start-9", "2")}}, plainly)
		require.NoError(t, err)
		ch.add(g.calls[0], d)
		answer := reporting("ok", "ok refs/heads/main")
		if !c.bands {
			answer = pkt("unpack ok\n") + pkt("ok refs/heads/main\n") + "0000"
		}
		receiver := talking(t, strings.NewReader(answer), capabilities)
		w := &recorded{answered: answered{strings.NewReader(answer)}}
		receiver.Session = smart.Assume(w, receiver.Refs)
		v := g.send(receiver, ch)
		require.True(t, v.ok, capabilities)
		require.False(t, v.signed)
		ch.objects = append(ch.objects, object.New(object.SHA1, plumbing.CommitObject, []byte("tree x\ngpgsig y\n\nm\n")))
		receiver.Session = smart.Assume(answered{strings.NewReader(answer)}, receiver.Refs)
		require.True(t, g.send(receiver, ch).signed)
		ch.objects = ch.objects[:len(ch.objects)-1]
		require.Contains(t, string(w.sent[0]), ch.old.String()+" "+ch.tip.String()+" refs/heads/main")
		require.Equal(t, c.bands, strings.Contains(string(w.sent[0]), "side-band-64k"), capabilities)
		want := object.EncodePack(object.SHA1, ch.objects, map[bool]func(object.ID) (string, bool){true: ch.store.Lookup}[c.thin]).Bytes()
		require.Len(t, bytes.Join(w.sent[1:], nil), len(want), capabilities)
		require.Equal(t, c.thin, len(want) < 1000, "of a folder of a hundred files: %s", capabilities)
	}
}

func TestALookHasAShortTimeOfItsOwnWhenThatOfTheCallersIsUp(t *testing.T) {
	for step, want := range map[time.Duration]time.Duration{time.Hour: lookTimeout, time.Second: time.Second} {
		for _, over := range []bool{true, false} {
			synctest.Test(t, func(t *testing.T) {
				g := standing(t, &Options{StepTimeout: step, Transport: hanging{}}, "a")
				strict := g.remote.auth
				g.changed = g.calls[0]
				if over {
					g.callers.cancel()
				} else {
					want = step
				}
				began := time.Now()
				_, err := g.look(g.callers.ctx)
				require.Error(t, err)
				require.Equal(t, want, time.Since(began))
				require.NotNil(t, strict)
				g.calls = nil
				_, err = g.remote.auth(t.Context())
				require.ErrorIs(t, err, context.Canceled, "what connects next is strict again")
			})
		}
	}
}

// hanging is a server that never answers.
type hanging struct{}

func (hanging) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestALookEndsWithTheSink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := standing(t, &Options{Transport: hanging{}}, "a")
		g.callers.cancel()
		time.AfterFunc(time.Second, g.remote.sink.close)
		began := time.Now()
		_, err := g.look(g.callers.ctx)
		require.Error(t, err)
		require.Equal(t, time.Second, time.Since(began))
	})
}

func TestALookIsMadeUnderTheCredentialsOfAnybody(t *testing.T) {
	t.Parallel()
	auths, asked := map[string]string{"dest0": "x", "dest1": "x"}, []string{}
	looks := 0
	g, ch := pushing(t, &Options{
		Auth: named(auths, &asked), Transport: looking(func() object.ID { return hexID(someHash) }, &looks),
	}, "a", "b")
	delete(auths, "dest0")
	s, err := g.look(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, looks)
	require.Equal(t, someHash, s.Tip(g.remote.ref).String())
	require.NotEqual(t, ch.tip, s.Tip(g.remote.ref))
}
