package event_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

func TestNewInventoryAsksAgainInEveryView(t *testing.T) {
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
			var got []event.Resource
			for o := range v.Objects() {
				require.Zero(t, o.Digest)
				v.Differs(o)
				got = append(got, o.Resource)
			}
			require.Equal(t, want, got)
			require.True(t, v.MaySweep(), "who made the list has sent everything")
			live.Landed(v)
			return nil
		}))
	}
}

func TestNewInventoryShowsNothingAtAllIfOneScopeCannotBeListed(t *testing.T) {
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
