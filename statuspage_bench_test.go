package kubescribe

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/orphan"
)

// benchmarked is the number of destinations.
const benchmarked = 1000

func benchmarkedNames() []string {
	names := make([]string, benchmarked)
	for i := range names {
		names[i] = fmt.Sprintf("destination-%04d", i)
	}
	return names
}

// A Mirror that follows a cluster, with every destination in sync.
func BenchmarkStatusPageOfAThousandDestinations(b *testing.B) {
	cluster := clustertest.New(nil)
	defer cluster.Close()
	m, err := New(cluster.Config(), &Options{GitSink: gitsinktest.NewFake()})
	require.NoError(b, err)
	require.NoError(b, m.SetRules(manyRules(benchmarkedNames()...)))
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	limit, stop := context.WithTimeout(ctx, time.Minute)
	require.NoError(b, m.WaitSynced(limit))
	stop()
	benchmarkPage(b, m)
	cancel()
	require.NoError(b, <-ended)
}

// All that the page shows is full of things that are wrong.
func BenchmarkStatusPageOfAThousandFaults(b *testing.B) {
	m, err := New(restConfig, nil)
	require.NoError(b, err)
	require.NoError(b, m.SetRules(manyRules(benchmarkedNames()...)))
	paths := make([]string, 300)
	for i := range paths {
		paths[i] = fmt.Sprintf("default/configmaps/%04d.yaml", i)
	}
	for _, ref := range m.destinations() {
		d, _ := m.set.Get(ref)
		m.written[ref] = gitsink.Status{
			Destination: d, LastSeed: someTime, LastCommit: someTime, Tip: "0123456789abcdef0123456789abcdef01234567",
			Unadopted: paths, Uncovered: orphan.NewFound(paths), Held: &orphan.TooManyError{Found: *orphan.NewFound(paths), Files: 400},
			Err: &gitsink.Error{Op: "push", Destination: d, Err: gitsink.ErrAuth},
		}
	}
	benchmarkPage(b, m)
}

// benchmarkPage measures what a browser waits for, and its parts.
func benchmarkPage(b *testing.B, m *Mirror) {
	h := StatusHandler(m, allowed)
	for name, query := range map[string]string{"page": "/", "search": "/?q=destination-0999", "json": "/?format=json"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := httptest.NewRecorder()
				h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, query, nil))
				require.Equal(b, http.StatusOK, w.Code)
				b.SetBytes(int64(w.Body.Len()))
			}
		})
	}
	b.Run("Mirror.Status", func(b *testing.B) {
		var all map[destination.Ref]DestinationStatus
		for b.Loop() {
			all = m.Status().Destinations
		}
		require.Len(b, all, benchmarked)
	})
}
