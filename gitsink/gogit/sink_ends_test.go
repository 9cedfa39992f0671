package gogit

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/queue"
)

func TestOptionsHaveTheDefaultsThatTheyDocument(t *testing.T) {
	t.Parallel()
	for _, o := range []*Options{nil, {}, {MaxPackBytes: -1, MaxHeldBytes: -1, CacheBytes: -1, StepTimeout: -1, TransferTimeout: -1, PlanTimeout: -1, MaxAttempts: -1}} {
		set := o.withDefaults()
		require.EqualValues(t, 256<<20, set.MaxPackBytes)
		require.EqualValues(t, 40<<20, set.MaxHeldBytes)
		require.EqualValues(t, 64<<20, set.CacheBytes)
		require.Equal(t, time.Minute, set.StepTimeout)
		require.Equal(t, 10*time.Minute, set.TransferTimeout)
		require.Equal(t, 10*time.Minute, set.PlanTimeout)
		require.Equal(t, 10, set.MaxAttempts)
		require.Equal(t, gitsink.Signature{Name: "kubescribe", Email: "kubescribe@localhost"}, set.Committer)
		auth, err := set.Auth(t.Context(), destination.Destination{})
		require.NoError(t, err)
		require.Equal(t, Auth{}, auth)
		signer, err := set.Signer(t.Context(), destination.Destination{})
		require.NoError(t, err)
		require.Equal(t, Unsigned, signer)
		require.Equal(t, RateLimit{}, set.RateLimit(destination.Destination{}))
		require.Equal(t, logr.Discard(), set.Logger)
	}
	logged := ""
	signer := slowSigner{}
	o := &Options{
		MaxPackBytes: 1, MaxHeldBytes: 2, CacheBytes: 3, StepTimeout: 4, TransferTimeout: 5, PlanTimeout: 6, MaxAttempts: 7,
		Committer: gitsink.Signature{Name: "me", Email: "me@example.com"}, Auth: fixed(Auth{Username: "me"}),
		Signer:    func(context.Context, destination.Destination) (Signer, error) { return signer, nil },
		RateLimit: unpaced, Logger: funcr.New(func(_, args string) { logged += args }, funcr.Options{}),
	}
	set := o.withDefaults()
	require.Equal(t, []int64{1, 2, 3}, []int64{set.MaxPackBytes, set.MaxHeldBytes, set.CacheBytes})
	require.Equal(t, []time.Duration{4, 5, 6}, []time.Duration{set.StepTimeout, set.TransferTimeout, set.PlanTimeout})
	require.Equal(t, 7, set.MaxAttempts)
	require.Equal(t, o.Committer, set.Committer)
	auth, _ := set.Auth(t.Context(), destination.Destination{})
	require.Equal(t, "me", auth.Username)
	got, _ := set.Signer(t.Context(), destination.Destination{})
	require.Equal(t, Signer(signer), got)
	require.Equal(t, unpaced(destination.Destination{}), set.RateLimit(destination.Destination{}))
	set.Logger.Info("it is heard")
	require.Contains(t, logged, "it is heard")
}

func TestACallThatCannotBeginSaysWhereItFailed(t *testing.T) {
	t.Parallel()
	asked := false
	s := newSink(t, &Options{
		CacheBytes: 5, Transport: gogittest.Canned(func(*http.Request) (*http.Response, error) { return nil, errCut }),
		Auth: func(context.Context, destination.Destination) (Auth, error) {
			asked = true
			return Auth{}, nil
		},
	})
	require.EqualValues(t, 5, s.lanes.max)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	good := target("https://git.example/app", "main", "")
	for name, c := range map[string]struct {
		ctx   context.Context
		dst   destination.Destination
		want  error
		asked bool
	}{
		"no destination":    {t.Context(), destination.Destination{Branch: "x"}, destination.ErrInvalid, false},
		"no time":           {ended, good, context.Canceled, false},
		"no server":         {t.Context(), good, gitsink.ErrUnavailable, true},
		"no plain password": {t.Context(), target("http://user-name@git.example/app", "main", ""), gitsink.ErrPlainText, true},
	} {
		asked = false
		result, err := s.Apply(c.ctx, c.dst, put("a", "1"))
		require.ErrorIs(t, err, c.want, name)
		require.Equal(t, gitsink.Result{}, result, name)
		var e *gitsink.Error
		require.ErrorAs(t, err, &e, name)
		require.Equal(t, opFetch, e.Op, name)
		require.Equal(t, c.dst, e.Destination, name)
		require.Equal(t, c.asked, asked, name)
	}
}

func TestCloseWaitsForWhatGoesOnButNotForEver(t *testing.T) {
	for name, c := range map[string]struct {
		takes time.Duration // the worker
		left  int           // questions
		says  string
	}{
		"all have ended":       {0, 0, ""},
		"one ends in time":     {closeWait - 1, 0, ""},
		"one goes on":          {closeWait + 1, 0, "gogit: Close: something goes on after 15s"},
		"a question goes on":   {0, 1, "gogit: Close: 1 questions to Options go on"},
		"both of them":         {closeWait + 1, 1, "gogit: Close: something goes on after 15s"},
		"none that is counted": {1, 0, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := New(&Options{Transport: without()})
			s.lanes.all[destination.RemoteBranch{}] = &lane{}
			s.workers.Go(func() { time.Sleep(c.takes) })
			for range c.left {
				s.asker.left.leave(&question{})
			}
			began := time.Now()
			err := s.Close()
			require.Equal(t, min(c.takes, closeWait), time.Since(began), name)
			require.Equal(t, context.Canceled, s.closing.Err(), name)
			require.Empty(t, s.lanes.all, name)
			if c.says == "" {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, queue.ErrLeftBehind, name)
				require.ErrorContains(t, err, c.says, name)
			}
			s.workers.Wait()
		})
	}
}

func TestCloseClosesTheConnectionsThatNobodyUses(t *testing.T) {
	t.Parallel()
	closed := make(chan struct{})
	var once sync.Once
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			once.Do(func() { close(closed) })
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	s := New(nil)
	_, err := s.Apply(t.Context(), target(server.URL+"/app", "main", ""), nothing)
	require.ErrorIs(t, err, gitsink.ErrNotFound)
	require.NoError(t, s.Close())
	<-closed
}

func TestAnErrorOfAuthIsNotTakenForAnother(t *testing.T) {
	t.Parallel()
	cause := errors.New("no such Secret")
	err := &authError{cause}
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "getting credentials: no such Secret")
}

// without is a transport that has made nothing of its own for TLS yet.
func without() *http.Transport {
	return &http.Transport{TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}}
}
