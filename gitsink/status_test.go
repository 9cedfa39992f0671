package gitsink

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

func TestAStatusAddsUpWhatSweepsAndOtherBatchesFindOut(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	held, found := &orphan.TooManyError{Found: orphan.Found{Count: 11}}, &orphan.Found{Count: 2}
	filters, folders := []Filtered{{Filter: "a"}}, &orphan.Found{Count: 1}
	sweep := Status{
		Destination: to("prod"), LastSeed: at(1), LastCommit: at(1), Tip: "c", Held: held, Unadopted: []string{"u"}, Uncovered: found,
		Filtered: filters, Excluded: folders, Skipped: []Skipped{{Err: errors.New("too long")}}, SkippedCount: 1,
	}
	now := Status{}.With(sweep)
	require.Equal(t, sweep, now)

	want := sweep
	want.Tip, want.Skipped, want.SkippedCount = "d", nil, 0
	now = now.With(Status{Destination: to("prod"), Tip: "d"})
	require.Equal(t, want, now, "a batch that had nothing to write tells no more")

	down := errors.New("down")
	want.Err = down
	failed := Status{Destination: to("prod"), Err: down, LastSeed: at(2), Tip: "x"}
	require.Equal(t, want, now.With(failed), "nor does one that failed")

	met, more := []Filtered{{Filter: "b"}}, &orphan.Found{Count: 3}
	want.Err, want.Filtered, want.Excluded, want.LastCommit = nil, slices.Concat(filters, met), more, at(3)
	now = now.With(Status{Destination: to("prod"), LastCommit: at(3), Tip: "d", Filtered: met, Excluded: more})
	require.Equal(t, want, now, "what it met itself comes beside the rest")
	require.Equal(t, want, now.With(Status{Destination: to("prod"), Tip: "d", Filtered: met, Excluded: folders}), "once")
	require.Equal(t, []Filtered{{Filter: "a"}}, filters, "what a caller holds stays")

	cleared := Status{Destination: to("prod"), LastSeed: at(4), LastCommit: at(3), Tip: "d"}
	require.Equal(t, cleared, now.With(Status{Destination: to("prod"), LastSeed: at(4), Tip: "d"}), "a sweep has looked at all")
}

func TestWhatABatchFindsOutTakesThePlaceOfNothing(t *testing.T) {
	folders, others := &orphan.Found{Count: 1}, &orphan.Found{Count: 1}
	s := Status{}.With(Status{Excluded: folders})
	require.Same(t, folders, s.Excluded)
	require.Same(t, folders, s.With(Status{Excluded: others}).Excluded, "no more than is known")

	known := make([]Filtered, 1, 3)
	s = Status{Filtered: known}.With(Status{Filtered: []Filtered{{Filter: "a"}}})
	require.Len(t, s.Filtered, 2)
	require.Zero(t, known[:2][1], "who holds the old status may append to it")
}

func TestAStatusKeepsNoMoreFiltersThanAReport(t *testing.T) {
	var s Status
	for i := range MaxFiltered + 1 {
		s = s.With(Status{Filtered: []Filtered{{Pattern: string(rune('a' + i))}}})
	}
	require.Len(t, s.Filtered, MaxFiltered)
	require.Equal(t, "a", s.Filtered[0].Pattern)
}

func TestAReportHasTheTimesOfWhatTheBatchDid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &memorySink{}
		w, reports := newTestWriter(t, s, nil)
		first := time.Now()
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seedSync("prod", "a"))))
		time.Sleep(time.Second)
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "2"))))
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "2"))))
		require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "a"))))
		second := time.Now()
		for i, want := range []struct{ seed, commit time.Time }{{first, first}, {commit: second}, {}, {seed: second}} {
			r := (*reports)[i]
			require.Equal(t, want.seed, r.LastSeed, i)
			require.Equal(t, want.commit, r.LastCommit, i)
			require.Equal(t, !want.seed.IsZero(), r.Swept(), i)
		}
	})
}

func TestAnObjectIsLeftOutUntilItIsWrittenOrGone(t *testing.T) {
	s := &memorySink{}
	w, reports := newTestWriter(t, s, nil)
	blocker := func(name string) string { return w.opts.Layout.Path(write("prod", name, "").Resource) + "/x" }
	for _, name := range []string{"a", "b", "c"} {
		s.folder("prod")[blocker(name)] = &fstest.MapFile{}
	}
	var now Status
	after := func(events ...event.Event) (names []string) {
		t.Helper()
		*reports = nil
		require.NoError(t, w.Handle(t.Context(), batch(events...)))
		now = now.With((*reports)[0].Status)
		for _, left := range now.Skipped {
			names = append(names, left.Resource.ID.Name)
		}
		require.Equal(t, len(names), now.SkippedCount)
		return names
	}
	require.Equal(t, []string{"a", "b"}, after(write("prod", "a", "1"), write("prod", "b", "1")))
	require.Equal(t, []string{"a", "b"}, after(write("prod", "d", "1")), "another batch takes nothing back")
	require.Equal(t, []string{"b", "a"}, after(write("prod", "a", "2")), "nor does the next try, which fails too")
	delete(s.folder("prod"), blocker("a"))
	require.Equal(t, []string{"b"}, after(write("prod", "a", "3")), "it is written")
	require.Empty(t, after(remove("prod", "b")), "it is gone")
	require.Equal(t, []string{"c"}, after(write("prod", "c", "1")))
	delete(s.folder("prod"), blocker("c"))
	require.Empty(t, after(seedSync("prod", "a", "d")), "a sweep looks at all that lives")
}

func TestOfManyThatAreLeftOutTheFirstAreNamedAndAllAreCounted(t *testing.T) {
	s := &memorySink{}
	w, reports := newTestWriter(t, s, nil)
	var events []event.Event
	for i := range MaxSkipped + 50 {
		e := write("prod", fmt.Sprint("o", i), "1")
		s.folder("prod")[w.opts.Layout.Path(e.Resource)+"/x"] = &fstest.MapFile{}
		events = append(events, e)
	}
	require.NoError(t, w.Handle(t.Context(), batch(events...)))
	now := Status{}.With((*reports)[0].Status)
	require.Len(t, now.Skipped, MaxSkipped)
	require.Equal(t, MaxSkipped+50, now.SkippedCount)
	delete(s.folder("prod"), w.opts.Layout.Path(events[MaxSkipped+1].Resource)+"/x")
	require.NoError(t, w.Handle(t.Context(), batch(events[MaxSkipped+1])))
	now = now.With((*reports)[1].Status)
	require.Equal(t, MaxSkipped+49, now.SkippedCount, "one that was not named is counted all the same")
}
