package queue

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/kubescribe/kubescribe/internal/spans/spanstest"
)

func TestABatchIsATraceThatItsHandlerIsIn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := &spanstest.Recorder{}
		q := NewSharded(&Options{MinBackoff: time.Second, MaxBackoff: time.Second})
		add(t, q, write(prod, "a", "1"), write(prod, "b", "1"))
		var inside []trace.SpanContext
		stop, result := start(t, q, func(ctx context.Context, b Batch) error {
			inside = append(inside, trace.SpanContextFromContext(ctx))
			if b.Attempt == 1 {
				return errPush
			}
			return nil
		}, &RunOptions{TracerProvider: r})
		time.Sleep(time.Minute)
		stop()
		require.NoError(t, <-result)
		all := r.Named("kubescribe.batch")
		require.Len(t, all, 2)
		for i, outcome := range []string{outcomeFailed, outcomeDone} {
			require.Equal(t, all[i].SpanContext(), inside[i])
			require.False(t, all[i].Parent.IsValid())
			require.Equal(t, 1, all[i].Ended)
			require.Equal(t, outcome == outcomeFailed, all[i].Failed)
			require.Equal(t, outcome, all[i].Attributes["kubescribe.outcome"].AsString())
			require.Equal(t, prod.Ref.String(), all[i].Attributes["kubescribe.destination"].AsString())
			require.Equal(t, int64(2), all[i].Attributes["kubescribe.events"].AsInt64())
			require.Equal(t, int64(i+1), all[i].Attributes["kubescribe.attempt"].AsInt64())
		}
		require.Empty(t, all[0].Errors, "the text of an error is not the queue's to show")
	})
}
