package kubescribe_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

// hungSink is somebody's GitSink that knows no context.
type hungSink struct{ began, release chan struct{} }

func (s hungSink) Apply(context.Context, destination.Destination, gitsink.Plan) (gitsink.Result, error) {
	select {
	case s.began <- struct{}{}:
	default:
	}
	<-s.release
	return gitsink.Result{}, context.Canceled
}

func (hungSink) Close() error { return nil }

func TestStartReturnsWhateverHangs(t *testing.T) {
	for name, leader := range map[string]bool{"a sink": false, "a sink, and who is asked for the leader": true} {
		t.Run(name, func(t *testing.T) {
			// Last of all: what hung has ended by then.
			t.Cleanup(func() { goleak.VerifyNone(t, goleak.IgnoreCurrent()) })
			c, repo := cluster(t), fakeRepo{}
			configMap(t, c, "a", "one")
			s := hungSink{make(chan struct{}, 1), make(chan struct{})}
			defer close(s.release)
			opts := quick(kubescribe.Options{GitSink: s, DrainTimeout: 100 * time.Millisecond})
			if leader {
				opts.StillLeader = func(context.Context) bool { <-s.release; return true }
			}
			m, err := kubescribe.New(c.Config(), opts)
			require.NoError(t, err)
			require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
			ctx, cancel := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- m.Start(ctx) }()
			<-s.began
			cancel()
			began := time.Now()
			err = <-ended
			require.Less(t, time.Since(began), 100*time.Millisecond+10*time.Second)
			require.ErrorIs(t, err, queue.ErrLeftBehind)
			require.ErrorContains(t, err, prodRef.String())
			var remaining *queue.RemainingError
			require.ErrorAs(t, err, &remaining)
		})
	}
}
