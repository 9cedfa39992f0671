package gitsink_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/queue"
)

const hybridURL = "https://git.example/team/app.git"

// on is a destination of one repository: a branch, and a folder on it.
func on(branch, folder string) destination.Destination {
	return destination.Destination{
		Ref: destination.Ref{Namespace: "team", Name: branch + "-" + folder}, Repository: hybridURL, Branch: branch, BaseFolder: folder,
	}
}

func change(d destination.Destination, name, content string) event.Event {
	return event.Event{
		Destination: d, Operation: event.Update, Content: event.NewContent([]byte(content)),
		Resource: event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "shop", Name: name}, Version: "v1", Kind: "ConfigMap"},
	}
}

// A key of the user's own, the repository's default branch apart from all others.
func byBranchClass(d destination.Destination) string {
	if d.Branch == "main" {
		return queue.ByRepository(d) + "#main"
	}
	return queue.ByRepository(d) + "#others"
}

func TestWhateverSharesALineEachBranchGetsItsOwnFilesAndNoOther(t *testing.T) {
	mainProd, mainTest, dev := on("main", "prod"), on("main", "test"), on("dev", "prod")
	for name, c := range map[string]struct {
		key   func(destination.Destination) string
		lines int
	}{
		"ByDestination": {queue.ByDestination, 3},
		"ByRepository":  {queue.ByRepository, 1},
		"the user's":    {byBranchClass, 2},
	} {
		t.Run(name, func(t *testing.T) {
			sink := gitsinktest.NewFake()
			for _, branch := range []string{"main", "dev"} { // or dev would begin as a copy of main
				sink.Repo(hybridURL).Commit(branch, map[string]gitservertest.File{"README.md": {Content: branch}}, "begin")
			}
			writer, err := gitsink.NewWriter(sink, "cluster", nil)
			require.NoError(t, err)
			q := queue.NewSharded(&queue.Options{Key: c.key})
			for i := range 5 {
				// In turns, so that batches are mixed.
				for _, d := range []destination.Destination{mainProd, dev, mainTest} {
					require.NoError(t, q.TryAdd(change(d, fmt.Sprint("object", i), fmt.Sprintf("of: %s\n", d.Ref.Name))))
				}
			}
			require.Equal(t, c.lines, q.Stats().Lines)

			var mu sync.Mutex
			mixed := 0
			ctx, stop := context.WithCancel(t.Context())
			stop() // what was accepted is pushed all the same
			err = queue.NewRunner(q, func(ctx context.Context, b queue.Batch) error {
				mu.Lock()
				defer mu.Unlock()
				for _, e := range b.Events {
					if e.Destination != b.Events[0].Destination {
						mixed++
						break
					}
				}
				return writer.Handle(ctx, b)
			}, nil).Start(ctx)
			require.NoError(t, err)
			require.Equal(t, c.lines < 3, mixed > 0, "%d batches of several destinations", mixed)

			want := map[string][]destination.Destination{"main": {mainProd, mainTest}, "dev": {dev}}
			for branch, destinations := range want {
				files := sink.Repo(hybridURL).Files(branch)
				require.Equal(t, branch, files["README.md"].Content)
				delete(files, "README.md")
				for _, d := range destinations {
					for i := range 5 {
						path := fmt.Sprintf("%s/shop/configmaps/object%d.yaml", d.BaseFolder, i)
						require.Equal(t, fmt.Sprintf("of: %s\n", d.Ref.Name), files[path].Content, "%s on %s", path, branch)
						delete(files, path)
					}
					delete(files, d.BaseFolder+"/"+gitsink.OwnerFile)
				}
				require.Empty(t, files, "on %s", branch)
			}
		})
	}
}

func TestABranchThatIsRefusedHoldsBackOnlyItsOwnEventsInASharedLine(t *testing.T) {
	sink := gitsinktest.NewFake()
	sink.Fail(func(op string, d destination.Destination) error {
		if op == "push" && d.Branch == "main" {
			return gitsink.ErrProtected
		}
		return nil
	})
	writer, err := gitsink.NewWriter(sink, "cluster", nil)
	require.NoError(t, err)
	q := queue.NewSharded(&queue.Options{Key: queue.ByRepository})
	prod, dev := on("main", "prod"), on("dev", "prod")
	require.NoError(t, q.TryAdd(change(prod, "a", "of: main\n")))
	require.NoError(t, q.TryAdd(change(dev, "a", "of: dev\n")))

	ctx, stop := context.WithCancel(t.Context())
	stop()
	err = queue.NewRunner(q, writer.Handle, nil).Start(ctx)
	var remaining *queue.RemainingError
	require.ErrorAs(t, err, &remaining)
	require.Equal(t, map[destination.Ref]int{prod.Ref: 1}, remaining.Lines)
	require.ErrorIs(t, err, gitsink.ErrProtected)
	require.Equal(t, "of: dev\n", sink.Repo(hybridURL).Files("dev")["prod/shop/configmaps/a.yaml"].Content)
	require.Empty(t, sink.Repo(hybridURL).Files("main"))
	line, ok := q.Line(prod)
	require.True(t, ok)
	require.True(t, line.Permanent)
}
