package gitsink

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A seed that hangs in its turn holds up the others for a second, and not for good.
func TestASurveyHasItsTurnOrIsMadeWithoutOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := make(surveys, 1)
		took := func(f func()) time.Duration {
			began := time.Now()
			f()
			return time.Since(began)
		}
		leave := s.enter(t.Context())
		require.Equal(t, surveyPatience, took(func() { s.enter(t.Context())() }))
		require.Len(t, s, 1, "who had no turn gives none back")
		go func() {
			time.Sleep(surveyPatience / 2)
			leave()
		}()
		require.Equal(t, surveyPatience/2, took(func() { leave = s.enter(t.Context()) }))
		over, cancel := context.WithCancel(t.Context())
		cancel()
		require.Zero(t, took(func() { s.enter(over)() }))
		leave()
		require.Empty(t, s)
	})
}
