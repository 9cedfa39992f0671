package spans_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/spans"
	"github.com/kubescribe/kubescribe/internal/spans/spanstest"
)

func TestWithoutAProviderNothingIsTracedAndNothingIsAllocated(t *testing.T) {
	none := spans.New(nil, "scope")
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(100, func() {
		inside, root := none.Root(ctx, "a")
		_, child := none.Child(inside, "b")
		if child.Traced() || none.Of(ctx).Traced() {
			panic("traced")
		}
		child.Link(ctx)
		child.Record("text")
		child.End("ok", false)
		root.End("failed", true)
	}))
}

func TestARootHasNoParentAndAChildHas(t *testing.T) {
	r := &spanstest.Recorder{}
	tracer := spans.New(r, "scope")
	outer, first := tracer.Root(t.Context(), "first")
	inside, second := tracer.Root(outer, "second")
	_, third := tracer.Child(inside, "third")
	third.Link(outer)
	third.Record("oops")
	third.End("failed", true)
	tracer.Of(inside).Set(spans.Events.Int(3))
	second.End("ok", false)
	first.End("ok", false)
	all := r.Spans()
	require.False(t, all[1].Parent.IsValid())
	require.Equal(t, all[1].SpanContext(), all[2].Parent)
	require.Equal(t, all[0].SpanContext(), all[2].Links[0])
	require.Equal(t, []string{"oops"}, all[2].Errors)
	require.True(t, all[2].Failed)
	require.False(t, all[1].Failed)
	require.Equal(t, int64(3), all[1].Attributes[spans.Events].AsInt64())
	require.Equal(t, "ok", all[1].Attributes[spans.Outcome].AsString())
	require.False(t, second.Traced(), "it has ended")
}
