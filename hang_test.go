package kubescribe_test

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
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
	testsize.Sampled(t)
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

// Whoever can push to the repository can put twelve to the power of twelve paths there, in thirteen
// trees.
func TestABombInTheFolderIsInTheStatusAndHoldsUpNeitherItsNeighbourNorTheEnd(t *testing.T) {
	c := cluster(t)
	configMap(t, c, "a", "one")
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("r")
	git := func(stdin string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Dir, cmd.Stdin, cmd.Env = repo.Dir(), strings.NewReader(stdin), server.Env()
		out, err := cmd.Output()
		require.NoError(t, err)
		return strings.TrimSpace(string(out))
	}
	entry := "100644 blob " + git("x", "hash-object", "-w", "--stdin")
	for range 12 {
		tree := ""
		for i := range 12 {
			tree += fmt.Sprintf("%s\t%02d\n", entry, i)
		}
		entry = "040000 tree " + git(tree, "mktree")
	}
	root := git(entry+"\tprod\n", "mktree")
	repo.Git("update-ref", "refs/heads/main", git("", "commit-tree", "-m", "bomb", root))

	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{DrainTimeout: 100 * time.Millisecond}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef, devRef)))
	stop := start(t, m)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	require.ErrorIs(t, m.WaitSynced(ctx), gitsink.ErrTooLarge)
	bad, _ := m.DestinationStatus(prodRef)
	require.ErrorIs(t, bad.Err, gitsink.ErrTooLarge)
	require.ErrorContains(t, bad.Err, `"00/00/00/`)
	require.ErrorContains(t, bad.Err, "MaxHeldBytes")
	good, _ := m.DestinationStatus(devRef)
	require.True(t, good.Synced)
	began := time.Now()
	require.ErrorAs(t, stop(), new(*queue.RemainingError))
	require.Less(t, time.Since(began), 100*time.Millisecond+10*time.Second)
	require.Equal(t, repo.Git("rev-parse", "main~1:prod"), repo.Git("rev-parse", "main:prod"), "it is carried through")
}
