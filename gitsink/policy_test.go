package gitsink

import (
	"context"
	"fmt"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// racedSink loses its first race in each Apply: it runs the plan twice, and only the second run
// counts.
type racedSink struct {
	memorySink
	between func()
}

func (s *racedSink) Apply(ctx context.Context, d destination.Destination, plan Plan) (Result, error) {
	tree, err := FolderTree(s.folder(d.Ref.Name))
	if err != nil {
		return Result{}, err
	}
	if _, err := plan(ctx, tree); err != nil {
		return Result{}, err
	}
	s.between()
	return s.memorySink.Apply(ctx, d, plan)
}

// ghosts puts more files without an object into a folder than the limit lets go.
func ghosts(files fstest.MapFS) {
	for i := range 11 {
		files[fmt.Sprintf("ns/configmaps/ghost-%02d.yaml", i)] = &fstest.MapFile{Data: []byte("x")}
	}
}

func TestARunGoesByThePolicyOfItsBeginningAndSaysByWhich(t *testing.T) {
	given := Policy{Token: 1}
	s := &racedSink{between: func() {}}
	w, reports := newTestWriter(t, s, &WriterOptions{Policy: func(d destination.Destination) Policy {
		require.Equal(t, to("prod"), d)
		return given
	}})
	last := func() Report { return (*reports)[len(*reports)-1] }
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	require.Equal(t, uint64(1), last().Token)
	ghosts(s.folder("prod"))

	given = Policy{Approval: orphan.Approval{All: true}, Token: 2}
	s.between = func() { given = Policy{Token: 3} }
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "a"))))
	require.Equal(t, 11, last().Held.Count, "the approval was withdrawn before the run that counts")
	require.Equal(t, uint64(3), last().Token)

	s.between = func() { given = Policy{Approval: orphan.Approval{All: true}, Token: 4} }
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "a"))))
	require.Nil(t, last().Held)
	require.Equal(t, 11, last().Removed, "it was given before that run")
	require.Equal(t, uint64(4), last().Token)
}

func TestThePolicyIsAskedOnceARunAndNotWithoutTheLease(t *testing.T) {
	asked := 0
	s := &racedSink{between: func() {}}
	w, reports := newTestWriter(t, s, &WriterOptions{Policy: func(destination.Destination) Policy {
		asked++
		return Policy{Prune: &orphan.Approval{}, Adopt: true, Token: 7}
	}})
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), remove("prod", "b"), seedSync("prod", "a"))))
	require.Equal(t, 2, asked, "two runs")
	lost := queue.Batch{Events: []event.Event{write("prod", "a", "2")}, Lease: heldLease{lost: true}}
	require.ErrorIs(t, w.Handle(t.Context(), lost), queue.ErrLeaseLost)
	require.Equal(t, 2, asked)
	require.Zero(t, (*reports)[1].Token, "no plan landed")
}

func TestFaultyOrphansOfAPolicyStopABatchUntilTheyAreCorrected(t *testing.T) {
	s := &memorySink{}
	policy := Policy{Orphans: orphan.Options{Policy: "never"}}
	w, reports := newTestWriter(t, s, &WriterOptions{Policy: func(destination.Destination) Policy { return policy }})
	err := w.Handle(t.Context(), batch(write("prod", "a", "1")))
	require.ErrorIs(t, err, queue.ErrPermanent)
	require.ErrorIs(t, err, orphan.ErrInvalid)
	require.ErrorIs(t, (*reports)[0].Err, orphan.ErrInvalid)
	policy = Policy{}
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
}
