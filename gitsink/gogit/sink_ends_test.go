package gogit

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

func tlsDefaults() *tls.Config { return &tls.Config{MinVersion: tls.VersionTLS12} }

func TestOptionsHaveTheDefaultsThatTheyDocument(t *testing.T) {
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
	asked := false
	s := newSink(t, &Options{
		CacheBytes: 5, Transport: canned(func(*http.Request) (*http.Response, error) { return nil, errCut }),
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
			_, err := s.https.trusting(Auth{Proxy: "http://p"})
			require.NoError(t, err)
			s.workers.Go(func() { time.Sleep(c.takes) })
			for range c.left {
				s.left.leave(&question{})
			}
			began := time.Now()
			err = s.Close()
			require.Equal(t, min(c.takes, closeWait), time.Since(began), name)
			require.Equal(t, context.Canceled, s.closing.Err(), name)
			require.Empty(t, s.lanes.all, name)
			require.Empty(t, s.https.byTrust, name)
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

// connected makes a request on a transport, so that it holds an idle connection to a server in
// memory.
func connected(t *testing.T, made *http.Transport) (gone func() bool) {
	t.Helper()
	closed := make(chan struct{})
	made.DialContext = func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		go func() {
			defer close(closed)
			reader := bufio.NewReader(there)
			for {
				if _, err := http.ReadRequest(reader); err != nil {
					return
				}
				_, _ = io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
		}()
		return here, nil
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://git.example/", nil)
	require.NoError(t, err)
	resp, err := made.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return func() bool {
		synctest.Wait()
		select {
		case <-closed:
			return true
		default:
			return false
		}
	}
}

func TestIdleConnectionsAreClosedByWhoeverOwnsThem(t *testing.T) {
	for name, c := range map[string]struct {
		owned       bool
		end         func(*httpTransports)
		base, trust bool // are gone then
	}{
		"what nobody uses":        {true, (*httpTransports).closeIdle, true, true},
		"of a given one, too":     {false, (*httpTransports).closeIdle, true, true},
		"what is not trusted now": {true, (*httpTransports).forget, false, true},
		"all, at the end":         {true, (*httpTransports).close, true, true},
		"but of a given one":      {false, (*httpTransports).close, false, true},
	} {
		synctest.Test(t, func(t *testing.T) {
			base := without()
			transports := newHTTPTransports(base)
			transports.owned = c.owned
			made, err := transports.trusting(Auth{Proxy: "http://p"})
			require.NoError(t, err)
			ofBase, ofTrust := connected(t, base), connected(t, made.(*http.Transport))
			require.False(t, ofBase() || ofTrust(), name)
			c.end(transports)
			require.Equal(t, c.base, ofBase(), name)
			require.Equal(t, c.trust, ofTrust(), name)
			base.CloseIdleConnections()
			made.(*http.Transport).CloseIdleConnections()
		})
	}
}

func TestAnErrorOfAuthIsNotTakenForAnother(t *testing.T) {
	cause := errors.New("no such Secret")
	err := &authError{cause}
	require.ErrorIs(t, err, cause)
	require.EqualError(t, err, "getting credentials: no such Secret")
	require.ErrorIs(t, invalidAuth("why"), gitsink.ErrAuth)
	require.True(t, strings.HasSuffix(invalidAuth("why").Error(), ": why"))
}
