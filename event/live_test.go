package event_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func TestNewLiveAsksAgainInEveryView(t *testing.T) {
	scope := event.Scope{Group: "apps", Resource: "deployments", Namespace: "default"}
	var living []event.Resource
	live := event.NewLive([]event.Scope{scope}, func(s event.Scope) ([]event.Resource, error) {
		require.Equal(t, scope, s)
		return living, nil
	})
	for _, want := range [][]event.Resource{nil, {web}} {
		living = want
		require.NoError(t, live.View(func(v event.View) error {
			require.Equal(t, []event.Scope{scope}, v.Scopes())
			require.Equal(t, want, slices.Collect(v.Resources(scope)))
			require.Empty(t, slices.Collect(v.Resources(event.Scope{Resource: "pods", All: true})))
			return nil
		}))
	}
}

func TestNewLiveShowsNothingAtAllIfOneScopeCannotBeListed(t *testing.T) {
	down := errors.New("conversion webhook is down")
	live := event.NewLive([]event.Scope{{Resource: "pods", All: true}, {Resource: "widgets", Namespace: "a"}},
		func(s event.Scope) ([]event.Resource, error) {
			if s.Resource == "widgets" {
				return nil, down
			}
			return nil, nil
		})
	err := live.View(func(event.View) error {
		t.Error("a partial view was shown")
		return nil
	})
	require.ErrorIs(t, err, down)
	require.ErrorContains(t, err, "widgets in a")
}

func TestViewReturnsTheErrorOfItsFunction(t *testing.T) {
	mine := errors.New("mine")
	require.Equal(t, mine, empty.View(func(event.View) error { return mine }))
}
