package gitsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAStrayRefusalAfterASuccessIsTriedAgainSoonTwice(t *testing.T) {
	t.Parallel()
	d := destination.Destination{Ref: destination.Ref{Namespace: "a", Name: "b"}, Branch: "main"}
	refused := &Error{Op: "fetch", Destination: d, Err: ErrAuth}
	var s strays
	require.ErrorIs(t, s.judge(d, refused), queue.ErrPermanent, "it never worked")
	for range 2 {
		require.NoError(t, s.judge(d, nil))
		for range strayTries {
			err := s.judge(d, refused)
			require.ErrorIs(t, err, ErrAuth)
			require.NotErrorIs(t, err, queue.ErrPermanent)
			require.NotErrorIs(t, s.judge(d, &Error{Err: ErrUnavailable}), queue.ErrPermanent, "which does not count")
		}
		require.ErrorIs(t, s.judge(d, refused), queue.ErrPermanent)
		require.ErrorIs(t, s.judge(d, refused), queue.ErrPermanent)
	}
	require.False(t, refused.Stray, "the sink's error is not changed")
}
