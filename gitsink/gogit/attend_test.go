package gogit

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// deaf are Options of which one function ignores its context until release is closed.
func deaf(release chan struct{}) map[string]*Options {
	return map[string]*Options{
		"Auth": {Auth: func(context.Context, destination.Destination) (Auth, error) { <-release; return Auth{}, nil }},
		"Signer": {Signer: func(context.Context, destination.Destination) (Signer, error) {
			<-release
			return Unsigned, nil
		}},
		"RateLimit": {RateLimit: func(destination.Destination) RateLimit { <-release; return RateLimit{} }},
	}
}

// No network is needed: they are asked before a call waits for anything.
func TestAnApplyEndsWithItsContextWhateverIgnoresIt(t *testing.T) {
	d := target("https://git.invalid/app", "main", "")
	for _, name := range []string{"Auth", "Signer", "RateLimit"} {
		for how, bound := range map[string]time.Duration{"its caller's context": 3 * time.Second, "StepTimeout": time.Minute + 3*time.Second} {
			t.Run(name+" and "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					release := make(chan struct{})
					s := New(deaf(release)[name])
					ctx, cancel := context.WithCancel(context.Background())
					defer cancel()
					if how != "StepTimeout" {
						time.AfterFunc(time.Second, cancel)
					}
					began := time.Now()
					_, err := s.Apply(ctx, d, nothing)
					require.LessOrEqual(t, time.Since(began), bound)
					var e *gitsink.Error
					require.ErrorAs(t, err, &e)
					require.NotErrorIs(t, err, queue.ErrPermanent)
					if how == "StepTimeout" {
						require.ErrorContains(t, err, "no answer of Options."+name+" within 1m0s")
					} else {
						require.ErrorIs(t, err, context.Canceled)
					}
					require.Equal(t, 1, s.asker.left.all())
					require.ErrorIs(t, s.Close(), queue.ErrLeftBehind)
					close(release)
					synctest.Wait()
					require.Zero(t, s.asker.left.all())
					require.Empty(t, s.asker.left.counts)
					require.NoError(t, s.Close())
				})
			})
		}
	}
}

// A queue tries again for ever: what is left behind must not become more each time, and takes
// nothing from other destinations.
func TestNoMoreThanEightQuestionsOfADestinationAreLeftBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var asked atomic.Int32
		s := New(&Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
			if d.Ref.Name == "other" {
				return Auth{}, errNotYours
			}
			asked.Add(1)
			<-release
			return Auth{}, errNotYours
		}})
		d := target("https://git.invalid/app", "main", "")
		for range 20 {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			_, err := s.Apply(ctx, d, nothing)
			require.Error(t, err)
			cancel()
		}
		require.EqualValues(t, maxLeft, asked.Load())
		_, err := s.Apply(context.Background(), d, nothing)
		require.ErrorContains(t, err, "Options.Auth is not asked: 8 questions for this destination go on after the end of their context")
		other := d
		other.Ref.Name = "other"
		_, err = s.Apply(context.Background(), other, nothing)
		require.ErrorIs(t, err, errNotYours)
		close(release)
		synctest.Wait()
		_, err = s.Apply(context.Background(), d, nothing)
		require.ErrorIs(t, err, errNotYours, "it is asked again")
		require.NoError(t, s.Close())
	})
}

// What hangs in the lane's worker, at a later connection or at a commit, holds up nobody else for
// longer than its bound.
func TestWhatIgnoresItsContextKeepsALaneNoLongerThanItsBound(t *testing.T) {
	t.Parallel()
	for name, deafOne := range map[string]func(release chan struct{}, armed *atomic.Bool) *Options{
		"Auth": func(release chan struct{}, armed *atomic.Bool) *Options {
			var asked atomic.Int32
			return &Options{Auth: func(_ context.Context, d destination.Destination) (Auth, error) {
				if d.Ref.Name == "deaf" && asked.Add(1) > 1 && armed.Load() {
					<-release
				}
				return Auth{}, nil
			}}
		},
		"Sign": func(release chan struct{}, armed *atomic.Bool) *Options {
			return &Options{Signer: func(_ context.Context, d destination.Destination) (Signer, error) {
				if d.Ref.Name == "deaf" && armed.Load() {
					return signerFunc(func() ([]byte, error) { <-release; return nil, errors.New("too late") }), nil
				}
				return Unsigned, nil
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			repo := gitservertest.NewServer(t, nil).NewRepo("app")
			repo.Commit("main", files("a", "1"), "start") // which a second connection fetches
			release, armed := make(chan struct{}), &atomic.Bool{}
			armed.Store(true)
			opts := deafOne(release, armed)
			// In which a server answers on a busy machine, too.
			opts.StepTimeout, opts.RateLimit = 5*time.Second, unpaced
			s := New(opts)
			hung, other := target(repo.URL(), "main", "hung"), target(repo.URL(), "main", "other")
			hung.Ref.Name = "deaf"
			_, err := s.Apply(t.Context(), hung, put("a", "1"))
			require.Error(t, err)
			require.NotErrorIs(t, err, queue.ErrPermanent)
			require.ErrorContains(t, err, "no answer")
			apply(t, s, other, put("a", "1"))
			require.Equal(t, 1, s.asker.left.of(hung.Ref))
			armed.Store(false)
			close(release)
			apply(t, s, hung, put("a", "1"))
			require.Len(t, repo.Tree("main"), 3)
			require.Eventually(t, func() bool { return s.asker.left.all() == 0 }, time.Minute, time.Millisecond)
			require.NoError(t, s.Close())
		})
	}
}

// A panic in a lane's worker would end the process.
func TestAPanicOfOptionsIsAnErrorOfItsCall(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	repo.Commit("main", files("a", "1"), "start")
	for name, fail := range map[string]func(){"panicked: ": func() { panic("s3cret") }, "ended its goroutine": runtime.Goexit} {
		for at := int32(1); at <= 2; at++ { // when the call comes, and for its second connection
			var asked atomic.Int32
			s := newSink(t, &Options{Auth: func(context.Context, destination.Destination) (Auth, error) {
				if asked.Add(1) == at {
					fail()
				}
				return Auth{}, nil
			}})
			_, err := s.Apply(t.Context(), target(repo.URL(), "main", ""), nothing)
			require.ErrorContains(t, err, "Options.Auth "+name)
			require.NotContains(t, err.Error(), "s3cret")
		}
	}
	s := newSink(t, &Options{Signer: func(context.Context, destination.Destination) (Signer, error) {
		return signerFunc(func() ([]byte, error) { panic("s3cret") }), nil
	}})
	_, err := s.Apply(t.Context(), target(repo.URL(), "main", ""), put("b", "1"))
	require.ErrorContains(t, err, "Signer.Sign panicked: ")
	require.NotContains(t, err.Error(), "s3cret")
	_, err = newSink(t, &Options{RateLimit: func(destination.Destination) RateLimit { panic("s3cret") }}).Apply(t.Context(), target(repo.URL(), "main", ""), nothing)
	require.ErrorContains(t, err, "Options.RateLimit panicked: ")
}

// deafEncryptor ignores its context.
type deafEncryptor struct{ asked, release chan struct{} }

func (e deafEncryptor) Encrypt(context.Context, event.Plaintext) ([]byte, error) {
	close(e.asked)
	<-e.release
	return nil, errors.New("too late")
}

func (e deafEncryptor) Same(context.Context, event.Plaintext) (bool, error) {
	return false, nil
}

// An Encryptor is asked by a plan, and left behind with it.
func TestAnEncryptorThatIgnoresItsContextHoldsUpNoApply(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	s := newSink(t, nil)
	e := deafEncryptor{make(chan struct{}), make(chan struct{})}
	defer close(e.release)
	w, err := gitsink.NewWriter(s, "cluster", &gitsink.WriterOptions{Encryptor: e})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	d := target(repo.URL(), "main", "base")
	ended := make(chan error, 1)
	go func() {
		ended <- w.Handle(ctx, queue.Batch{Events: []event.Event{secretEvent(d)}, Lease: held{}})
	}()
	<-e.asked
	cancel()
	began := time.Now()
	require.ErrorIs(t, <-ended, context.Canceled)
	require.Less(t, time.Since(began), 30*time.Second)
	other := target(repo.URL(), "main", "other")
	apply(t, s, other, put("a", "1")) // the lane is free
	require.Equal(t, map[string]string{"other/a": "1"}, repo.Tree("main"))
}

// held is a lease that nobody takes away.
type held struct{ queue.Lease }

func (held) Held(context.Context) bool { return true }

func secretEvent(d destination.Destination) event.Event {
	e := event.Event{Destination: d, Operation: event.Update, Content: event.NewContent([]byte("apiVersion: v1\nkind: Secret\n"))}
	e.Resource.Version, e.Resource.Resource, e.Resource.Kind = "v1", "secrets", "Secret"
	e.Resource.Namespace, e.Resource.Name = "default", "s"
	return e
}

func TestACallIsLeftUnlessItHasRun(t *testing.T) {
	t.Parallel()
	var waits, ran call
	require.True(t, waits.leave())
	require.True(t, waits.gone)
	ran.ran = true
	require.False(t, ran.leave())
	require.False(t, ran.gone)
}
