package gitsink

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func TestEventsOfOneDestinationAreNotCopied(t *testing.T) {
	of := func(branches ...string) (events []event.Event) {
		for _, b := range branches {
			events = append(events, event.Event{Destination: destination.Destination{Branch: b}})
		}
		return events
	}
	require.Empty(t, split(nil))
	same := of("main", "main", "main")
	require.Equal(t, [][]event.Event{same}, split(same))
	require.Same(t, &same[0], &split(same)[0][0])
	mixed := of("main", "dev", "main")
	require.Equal(t, [][]event.Event{{mixed[0], mixed[2]}, {mixed[1]}}, split(mixed))
}
