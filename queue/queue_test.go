package queue

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errPush = errors.New("push failed")

// dst returns a destination of a repository, with its own folder.
func dst(repository, name string) destination.Destination {
	return destination.Destination{
		Ref:        destination.Ref{Namespace: "team", Name: name},
		Repository: "https://git.example.com/" + repository,
		Branch:     "main",
		BaseFolder: name,
	}
}

var prod, dev = dst("repo", "prod"), dst("repo", "dev")

func write(d destination.Destination, name, content string) event.Event {
	return event.Event{
		Destination: d,
		Operation:   event.Update,
		Resource:    event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "ns", Name: name}, Version: "v1", Kind: "ConfigMap"},
		Content:     event.NewContent([]byte(content)),
	}
}

func listed(d destination.Destination, name, content string) event.Event {
	e := write(d, name, content)
	e.Listed = true
	return e
}

func conditional(c event.Precondition, name, content string) event.Event {
	e := write(prod, name, content)
	e.Precondition = c
	return e
}

func remove(d destination.Destination, name string) event.Event {
	e := write(d, name, "")
	e.Operation, e.Content = event.Delete, nil
	return e
}

type noLive struct{}

func (noLive) View(func(event.Snapshot) error) error { return nil }
func (noLive) Landed(event.Snapshot)                 {}

func seedSync(d destination.Destination) event.Event {
	return event.Event{Destination: d, Operation: event.SeedSync, Inventory: noLive{}}
}

func add(t *testing.T, q *Sharded, events ...event.Event) {
	t.Helper()
	for _, e := range events {
		require.NoError(t, q.TryAdd(e))
	}
}

// next returns the next batch; under synctest, time passes until it is due.
func next(t *testing.T, q *Sharded) Batch {
	t.Helper()
	b, err := q.Next(t.Context())
	require.NoError(t, err)
	return b
}

func done(t *testing.T, b Batch) {
	t.Helper()
	require.NoError(t, b.Done(t.Context()))
}

func retry(t *testing.T, b Batch, cause error, events ...event.Event) {
	t.Helper()
	require.NoError(t, b.Retry(t.Context(), cause, events...))
}

// texts names events shortly: "a=1" is a write, "-a" a delete, "sync" a SeedSync.
func texts(events []event.Event) []string {
	out := []string{}
	for _, e := range events {
		switch e.Operation {
		case event.SeedSync:
			out = append(out, "sync")
		case event.Delete:
			out = append(out, "-"+e.Resource.Name)
		default:
			out = append(out, fmt.Sprintf("%s=%s", e.Resource.Name, e.Content.Bytes()))
		}
	}
	return out
}

// drained asserts that nothing is left, not even an empty line.
func drained(t *testing.T, q *Sharded) {
	t.Helper()
	q.mu.Lock()
	defer q.mu.Unlock()
	require.Empty(t, q.lines.entries)
	require.Empty(t, q.flows.byHash.entries)
	require.Zero(t, q.flows.len)
	require.Equal(t, [2]readyList{}, [2]readyList{q.scheduler.live, q.scheduler.seeds})
	require.Empty(t, q.scheduler.timed)
	require.Empty(t, q.blocked)
	require.Zero(t, q.scheduler.parked)
	require.Equal(t, []int64{0, 0, 0}, []int64{int64(q.waiting), int64(q.inHand), q.bytes})
	require.Empty(t, q.contents.entries)
	require.Equal(t, q.counts.Added, q.counts.Coalesced+q.counts.Done+q.counts.Forgotten, "%+v", q.counts)
}

// bubble runs a test in fake time.
func bubble(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	synctest.Test(t, f)
}

// since runs f and returns how long it took.
func since(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}
