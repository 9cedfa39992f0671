package queue

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/heap"
)

func TestTheHeapHandsOutLinesInTheOrderOfTheirTimesWhateverIsMovedAndRemoved(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	var h timed
	at := map[*line]time.Duration{}
	var lines []*line
	for range 20_000 {
		switch n := rnd.IntN(4); {
		case n < 2:
			l := &line{pos: -1}
			at[l] = time.Duration(rnd.IntN(1000))
			h.push(l, at[l])
			lines = append(lines, l)
		case len(lines) == 0:
		case n == 2:
			l := lines[rnd.IntN(len(lines))]
			at[l] = time.Duration(rnd.IntN(1000))
			h.move(l, at[l])
		default:
			i := rnd.IntN(len(lines))
			h.remove(lines[i])
			require.Equal(t, -1, lines[i].pos)
			delete(at, lines[i])
			lines = slices.Delete(lines, i, i+1)
		}
	}
	require.Len(t, h, len(lines))
	for last := time.Duration(0); len(h) > 0; {
		first := h[0]
		require.Equal(t, at[first.line], first.at)
		require.GreaterOrEqual(t, first.at, last)
		last = first.at
		h.remove(first.line)
	}
	require.Less(t, cap(h), 2*shrinkFrom, "it gave its memory back")
}

func TestTargetsWithOneHashAreKeptApart(t *testing.T) {
	all := newFlows()
	var some []*flow
	for i := range 10 {
		some = append(some, &flow{dst: dst("repo", fmt.Sprint(i)), hash: uint64(i % 2)})
		all.put(some[i])
	}
	for _, gone := range []int{4, 0, 9, 1, 8, 2, 3, 5, 7, 6} {
		require.Same(t, some[gone], all.find(some[gone].hash, &some[gone].dst))
		all.drop(some[gone])
		require.Nil(t, all.find(some[gone].hash, &some[gone].dst))
		left := map[destination.Destination]bool{}
		all.all(func(t *flow) { left[t.dst] = true })
		require.Len(t, left, all.len)
	}
	require.Empty(t, all.byHash.entries)
}

func TestIdleKeysCostNothing(t *testing.T) {
	keys := 100_000
	if raceDetector {
		keys /= 10
	}
	events := benchEvents(keys, 1, true)
	q := NewSharded(&Options{Window: Window{Count: 1}})
	before := heap.Live()
	fill(t, q, events)
	require.Equal(t, keys, q.Stats().Lines)
	full := heap.Live() - before
	empty(t, q)
	idle := heap.Live() - before
	t.Logf("%d keys: %d bytes a key with an event, %d once all are empty", keys, full/int64(keys), idle)
	require.Less(t, idle, full/100)
	drained(t, q)
	add(t, q, events[0])
}
