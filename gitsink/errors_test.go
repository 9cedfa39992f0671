package gitsink_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAnErrorIsPermanentExactlyIfTryingAgainCannotHelp(t *testing.T) {
	for err, want := range map[error]bool{
		gitsink.ErrAuth: true, gitsink.ErrProtected: true, gitsink.ErrRejected: true, gitsink.ErrNotFound: true,
		gitsink.ErrPath: true, gitsink.ErrOwned: true, gitsink.ErrTooLarge: true, destination.ErrInvalid: true,
		destination.ErrLocalNotAllowed: true, gitsink.ErrPlainText: true,
		gitsink.ErrUnavailable: false, gitsink.ErrConflict: false, gitsink.ErrUnknown: false,
		context.Canceled: false, context.DeadlineExceeded: false, errors.New("of a plan"): false,
		errors.Join(gitsink.ErrRejected, gitsink.ErrUnknown): false,
	} {
		wrapped := fmt.Errorf("writer: %w", &gitsink.Error{Op: "push", Err: fmt.Errorf("cause: %w", err)})
		require.ErrorIs(t, wrapped, err)
		require.Equal(t, want, errors.Is(wrapped, queue.ErrPermanent), "%v", err)
	}
}
