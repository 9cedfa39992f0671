package event_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func TestNewLiveAsksAgainInEveryView(t *testing.T) {
	scope := event.Collection{Group: "apps", Resource: "deployments", Namespace: "default"}
	var living []event.Resource
	live := event.NewInventory([]event.Collection{scope}, func(s event.Collection) ([]event.Resource, error) {
		require.Equal(t, scope, s)
		return living, nil
	})
	for _, want := range [][]event.Resource{nil, {web}} {
		living = want
		require.NoError(t, live.View(func(v event.Snapshot) error {
			require.Equal(t, []event.Collection{scope}, v.Collections())
			require.Equal(t, want, slices.Collect(v.Resources(scope)))
			require.Empty(t, slices.Collect(v.Resources(event.Collection{Resource: "pods", All: true})))
			return nil
		}))
	}
}

func TestNewLiveShowsNothingAtAllIfOneScopeCannotBeListed(t *testing.T) {
	down := errors.New("conversion webhook is down")
	live := event.NewInventory([]event.Collection{{Resource: "pods", All: true}, {Resource: "widgets", Namespace: "a"}},
		func(s event.Collection) ([]event.Resource, error) {
			if s.Resource == "widgets" {
				return nil, down
			}
			return nil, nil
		})
	err := live.View(func(event.Snapshot) error {
		t.Error("a partial view was shown")
		return nil
	})
	require.ErrorIs(t, err, down)
	require.ErrorContains(t, err, "widgets in a")
}

func TestViewReturnsTheErrorOfItsFunction(t *testing.T) {
	mine := errors.New("mine")
	require.Equal(t, mine, empty.View(func(event.Snapshot) error { return mine }))
}
