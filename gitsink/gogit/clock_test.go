package gogit

import (
	"context"
	"crypto/tls"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// A clock that was set, here or at the server, makes a time of the server any time at all.
func TestAServersTimeForTheNextRequestIsBoundedWhateverTheClockSays(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	limit := func(reset string) http.Header {
		return http.Header{"X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {reset}}
	}
	for name, c := range map[string]struct {
		header http.Header
		want   time.Duration
	}{
		"a date in the year 9999":    {http.Header{"Retry-After": {"Fri, 31 Dec 9999 23:59:59 GMT"}}, time.Hour},
		"a date before Unix time":    {http.Header{"Retry-After": {"Mon, 01 Jan 0001 00:00:00 GMT"}}, 0},
		"more seconds than an hour":  {http.Header{"Retry-After": {"4294967295"}}, time.Hour},
		"a reset in the year 9999":   {limit("253402300799"), time.Hour},
		"a reset at the end of time": {limit("9223372036854775807"), 0},
		"a reset long ago":           {limit("-62135596800"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			server.Intercept(func(gitservertest.Request) gitservertest.Fault {
				return gitservertest.Fault{Status: http.StatusTooManyRequests, Header: c.header}
			})
			s, d := newSink(t, nil), target(repo.URL(), "main", "")
			e := refuse(t, s, d, put("x", "1"), gitsink.ErrUnavailable)
			require.Equal(t, c.want, e.RetryAfter)
			server.Intercept(nil)
			if c.want == 0 {
				apply(t, s, d, put("x", "1"))
			}
		})
	}
}

// Commits are found again by their hashes and places, never by their times.
func TestCommitsAreKnownAgainThoughTheClockGoesBack(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	at := func(year int) gitsink.Signature {
		return gitsink.Signature{Name: "bot", Email: "bot@example.com", When: time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)}
	}
	strategies(t, func(t *testing.T, server *gitservertest.Server) {
		repo := server.NewRepo("app")
		s, d := newSink(t, nil), target(repo.URL(), "main", "base")
		apply(t, s, d, commits(gitsink.Commit{Message: "far ahead", Committer: at(2090), Changes: writes("x", "0")}))
		server.Intercept(func(r gitservertest.Request) gitservertest.Fault {
			if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.RPC && r.N == 2 {
				return gitservertest.Fault{Cut: gitservertest.CutReply}
			}
			// The look.
			if r.Service == gitservertest.ReceivePack && r.Phase == gitservertest.Advertisement && r.N == 3 {
				repo.Commit("main", files("y", "1"), "outside")
			}
			return gitservertest.Fault{}
		})
		apply(t, s, d, commits(
			gitsink.Commit{Message: "back", Committer: at(1999), Changes: writes("x", "1")},
			gitsink.Commit{Message: "further", Committer: at(1950), Changes: writes("x", "2")},
			gitsink.Commit{Message: "past the end", Committer: at(20_000), Changes: writes("x", "1")},
		))
		apply(t, newSink(t, nil), d, put("x", "now"))
		require.Equal(t, []string{"far ahead", "back", "further", "past the end", "outside", "put"}, subjects(repo, "main"))
		require.Equal(t, map[string]string{"base/x": "now", "y": "1"}, repo.Tree("main"))
		repo.Linear("main", repo.Log("main")[5].Hash)
		repo.Fsck()
	})
}

func TestACertificateThatTheClockSaysIsNotValidMayBeByTheNextTry(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{TLS: true})
	repo := server.NewRepo("app")
	now := time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
	transport := &http.Transport{TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, Time: func() time.Time { return now }}}
	t.Cleanup(transport.CloseIdleConnections)
	s := newSink(t, &Options{Transport: transport, Auth: func(context.Context, destination.Destination) (Auth, error) {
		return Auth{CABundle: server.CAPEM()}, nil
	}})
	d := target(repo.URL(), "main", "")
	for _, year := range []int{2200, 1960} {
		now = time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
		e := refuse(t, s, d, put("x", "1"), gitsink.ErrUnavailable)
		require.ErrorContains(t, e, "certificate has expired or is not yet valid")
	}
	now = time.Now()
	apply(t, s, d, put("x", "1"))
}
