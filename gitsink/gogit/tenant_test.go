package gogit

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// shown notes under which credentials each request was made, by what it asks for.
type shown struct {
	http.RoundTripper
	mu       sync.Mutex
	requests []string // "user METHOD"
}

func (s *shown) RoundTrip(r *http.Request) (*http.Response, error) {
	user, _, _ := r.BasicAuth()
	s.mu.Lock()
	s.requests = append(s.requests, user+" "+r.Method)
	s.mu.Unlock()
	return s.RoundTripper.RoundTrip(r)
}

func newShown() *shown { return &shown{RoundTripper: http.DefaultTransport.(*http.Transport).Clone()} }

// all returns the requests, and forgets them.
func (s *shown) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.requests
	s.requests = nil
	return all
}

var errNotYours = errors.New("namespace evil may not use the credentials of victim/r")

// tenants makes a call of a tenant for each plan, in folders of one branch, all with the
// RepositoryRef victim/r.
func tenants(t *testing.T, url string, namespaces ...string) []*call {
	var calls []*call
	for i, namespace := range namespaces {
		d := target(url, "main", fmt.Sprint("folder", i))
		d.Ref = destination.Ref{Namespace: namespace, Name: "d"}
		d.RepositoryRef = destination.Ref{Namespace: "victim", Name: "r"}
		calls = append(calls, newCall(t.Context(), d, put("a", fmt.Sprint(i))))
	}
	return calls
}

func TestWhoMayNotUseTheCredentialsSharesNoPushWithWhoMay(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for name, order := range map[string][]string{"victim first": {"victim", "evil", "victim"}, "evil first": {"evil", "victim", "victim"}} {
		t.Run(name, func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			s := newSink(t, &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
				if d.Ref.Namespace == "evil" {
					return Auth{}, errNotYours
				}
				return Auth{Username: "victim", Password: "secret"}, nil
			}})
			calls := tenants(t, repo.URL(), order...)
			// The evil one returns at once, so it is not waited for.
			var waits []*call
			for _, c := range calls {
				if c.dst.Ref.Namespace != "evil" {
					waits = append(waits, c)
				}
			}
			var evil outcome
			outcomes := crowded(t, s, repo, waits, func() {
				for _, c := range calls {
					if c.dst.Ref.Namespace == "evil" {
						evil.result, evil.err = s.Apply(t.Context(), c.dst, c.plan)
					}
				}
				server.ResetCounts()
			})
			require.ErrorIs(t, evil.err, errNotYours)
			var e *gitsink.Error
			require.ErrorAs(t, evil.err, &e)
			require.Equal(t, "evil", e.Destination.Ref.Namespace)
			for _, o := range outcomes {
				require.NoError(t, o.err)
			}
			require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
			require.Len(t, repo.Tree("main"), 3, "the first and those of the victim")
		})
	}
}

func TestDifferentCredentialsNeverShareAPush(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	requests := newShown()
	s := newSink(t, &Options{Transport: requests, Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
		return Auth{Username: d.Ref.Namespace, Password: "x"}, nil
	}})
	calls := tenants(t, repo.URL(), "victim", "evil", "victim", "evil")
	pushes := map[string]int{}
	outcomes := crowded(t, s, repo, calls, func() { requests.all() })
	for _, o := range outcomes {
		require.NoError(t, o.err)
	}
	for _, r := range requests.all() {
		pushes[r]++
	}
	require.Equal(t, map[string]int{"victim GET": 1, "victim POST": 1, "evil GET": 1, "evil POST": 1}, pushes)
}

func TestWhoMayNotUseTheCredentialsAnyMoreIsLeftOut(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for _, lead := range []bool{false, true} {
		t.Run(fmt.Sprint("leads ", lead), func(t *testing.T) {
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app")
			var revoked atomic.Bool
			s := newSink(t, &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
				if d.Ref.Namespace == "evil" && revoked.Load() {
					return Auth{}, errNotYours
				}
				return Auth{Username: "victim", Password: "secret"}, nil
			}})
			if !lead {
				s.freshFor = 0
			} else {
				s.freshFor = time.Hour // only the connection finds it out
			}
			order := map[bool][]string{false: {"victim", "evil", "victim"}, true: {"evil", "victim", "victim"}}[lead]
			calls := tenants(t, repo.URL(), order...)
			outcomes := crowded(t, s, repo, calls, func() { revoked.Store(true); server.ResetCounts() })
			for i, o := range outcomes {
				if order[i] == "evil" {
					require.ErrorIs(t, o.err, errNotYours)
					require.NotContains(t, repo.Tree("main"), calls[i].dst.BaseFolder+"/a")
				} else {
					require.NoError(t, o.err)
				}
			}
			require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
		})
	}
}

func TestARetryIsMadeWithNobodysOldRights(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var revoked atomic.Bool
	s := newSink(t, &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
		if d.Ref.Namespace == "evil" && revoked.Load() {
			return Auth{}, errNotYours
		}
		return Auth{Username: "victim", Password: "secret"}, nil
	}})
	s.freshFor = time.Hour
	calls := tenants(t, repo.URL(), "victim", "evil")
	var moved sync.Once
	outcomes := crowded(t, s, repo, calls, func() {
		repo.OnPreReceive(func([]gitservertest.RefUpdate) (err error) {
			moved.Do(func() {
				repo.Commit("main", files("outside", "1"), "outside")
				revoked.Store(true)
			})
			return nil
		})
	})
	require.NoError(t, outcomes[0].err)
	require.Equal(t, 2, outcomes[0].result.Attempts)
	require.ErrorIs(t, outcomes[1].err, errNotYours)
	require.NotContains(t, repo.Tree("main"), "folder1/a")
}

func TestATokenThatIsRenewedMeanwhileDividesNobody(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var token atomic.Int32
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) {
		return Auth{Username: "bot", Password: fmt.Sprint("token-", token.Load())}, nil
	}})
	s.freshFor = time.Hour
	var plans []gitsink.Plan
	for i := range 20 {
		plans = append(plans, put("a", fmt.Sprint(i)))
	}
	outcomes := crowded(t, s, repo, members(t, repo.URL(), plans...), func() { token.Add(1); server.ResetCounts() })
	for _, o := range outcomes {
		require.NoError(t, o.err)
		require.Equal(t, 1, o.result.Attempts)
	}
	require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
}

func TestTokensThatAreMadeAnewForEachQuestionWorkAlone(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var token atomic.Int32
	s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) {
		// Worse: two that take turns.
		return Auth{Username: "bot", Password: fmt.Sprint("token-", token.Add(1)%2)}, nil
	}})
	s.freshFor = 0
	outcomes := crowded(t, s, repo, members(t, repo.URL(), put("a", "0"), put("a", "1"), put("a", "2"), put("a", "3")), nil)
	for _, o := range outcomes {
		require.NoError(t, o.err)
	}
	require.Len(t, repo.Tree("main"), 5)
}

func TestEachCallIsSignedWithItsOwnKeyAndWhoHasNoneIsLeftOut(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	keys := map[string]Signer{}
	for _, tenant := range []string{"team", "other"} {
		_, private, err := ed25519.GenerateKey(rand.Reader)
		require.NoError(t, err)
		pem, _ := sshKey(t, private, "")
		keys[tenant], err = NewSSHSigner(pem, "")
		require.NoError(t, err)
	}
	s := newSink(t, &Options{Signer: func(_ context.Context, d destination.Destination) (Signer, error) {
		if d.Ref.Namespace == "evil" {
			return nil, errNotYours
		}
		return keys[d.Ref.Namespace], nil
	}})
	calls := tenants(t, repo.URL(), "team", "other")
	outcomes := crowded(t, s, repo, calls, func() {
		_, err := s.Apply(t.Context(), tenants(t, repo.URL(), "evil")[0].dst, put("a", "evil"))
		require.ErrorIs(t, err, errNotYours)
		server.ResetCounts()
	})
	signatures := map[string]bool{}
	for _, o := range outcomes {
		require.NoError(t, o.err)
		_, key, _ := cutKey(repo.Git("cat-file", "commit", o.result.Commits[0]))
		signatures[key] = true
	}
	require.Len(t, signatures, 2)
	require.Equal(t, 1, server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
}

// cutKey returns the part of an SSH signature that holds the public key.
func cutKey(commit string) (before, key string, found bool) {
	const mark = "gpgsig -----BEGIN SSH SIGNATURE-----\n "
	for i := range len(commit) - len(mark) {
		if commit[i:i+len(mark)] == mark {
			return commit[:i], commit[i+len(mark) : i+len(mark)+60], true
		}
	}
	return commit, "", false
}

func TestOneCallersRetryAfterIsNobodyElses(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var limit atomic.Bool
	limit.Store(true)
	server.Intercept(func(gitservertest.Request) gitservertest.Fault {
		if limit.Load() {
			return gitservertest.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"3000"}}}
		}
		return gitservertest.Fault{}
	})
	s := newSink(t, &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
		return Auth{Username: d.Ref.Namespace, Password: "x"}, nil
	}})
	calls := tenants(t, repo.URL(), "evil", "victim", "evil")
	_ = refuse(t, s, calls[0].dst, calls[0].plan, gitsink.ErrUnavailable)
	limit.Store(false)
	apply(t, s, calls[1].dst, calls[1].plan)
	e := refuse(t, s, calls[2].dst, calls[2].plan, gitsink.ErrUnavailable)
	require.ErrorContains(t, e, "the server wants no request for another")
}

func TestOneCallersPaceHoldsUpNobodyElse(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	s := newSink(t, &Options{RateLimit: func(d destination.Destination) RateLimit {
		if d.Ref.Namespace == "evil" {
			return RateLimit{Interval: time.Hour, Burst: 1}
		}
		return RateLimit{}
	}})
	calls := tenants(t, repo.URL(), "evil", "victim")
	apply(t, s, calls[0].dst, calls[0].plan)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := s.Apply(ctx, calls[1].dst, calls[1].plan)
	require.NoError(t, err)
}

func TestASlowAnswerKeepsNobodyElseWaiting(t *testing.T) {
	t.Parallel()
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	asked := make(chan struct{})
	s := newSink(t, &Options{Auth: func(ctx context.Context, d destination.Destination) (Auth, error) {
		if d.Ref.Namespace == "evil" {
			close(asked)
			<-ctx.Done()
			return Auth{}, ctx.Err()
		}
		return Auth{}, nil
	}})
	calls := tenants(t, repo.URL(), "evil", "victim")
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		_, err := s.Apply(ctx, calls[0].dst, calls[0].plan)
		ended <- err
	}()
	<-asked
	apply(t, s, calls[1].dst, calls[1].plan)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
}

func TestTheIdentityOfCredentialsIsTheirValue(t *testing.T) {
	t.Parallel()
	all := []Auth{
		{}, {Username: "a"}, {Password: "a"}, {BearerToken: "a"}, {SSHPrivateKey: []byte("a")}, {SSHPassphrase: "a"}, {KnownHosts: []byte("a")},
		{CABundle: []byte("a")}, {ClientCertificate: []byte("a")}, {ClientKey: []byte("a")}, {Proxy: "a"}, {Username: "a", Password: "b"}, {Username: "ab"},
	}
	seen := map[identity]Auth{}
	for _, a := range all {
		who := identify("https://host/app", a)
		require.Equal(t, who, identify("https://host/other", a))
		require.NotContains(t, seen, who, "%#v", a)
		seen[who] = a
	}
	require.NotEqual(t, identify("https://alice@host/app", Auth{}), identify("https://bob@host/app", Auth{}))
}
