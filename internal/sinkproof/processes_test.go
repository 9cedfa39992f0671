package sinkproof

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

func TestTwoProcessesWriteOneBranch(t *testing.T) {
	const processes, goroutines = 2, 4
	rounds := soak(200, 25)
	eachProtocol(t, func(t *testing.T, s site) {
		began := time.Now()
		var children []*child
		want := map[writer]int{}
		for p := range processes {
			children = append(children, spawn(t, s, orders{Access: s.access, Process: p, Goroutines: goroutines, Rounds: rounds}))
			for g := range goroutines {
				want[writer{p, g}] = rounds
			}
		}
		for p, c := range children {
			for line := range c.lines {
				if cost, ok := strings.CutPrefix(line, "cost "); ok {
					t.Logf("process %d: %s", p, cost)
				}
			}
			require.NoError(t, c.cmd.Wait())
		}
		pushes := s.server.Count(gitsinktest.ReceivePack, gitsinktest.RPC).Requests
		t.Logf("%d commits in %s: %d pushes landed; over HTTP %d pushes of %d requests", processes*goroutines*rounds,
			time.Since(began).Round(time.Millisecond), s.landed(), pushes, s.server.Total().Requests)
		requireWritten(t, s, want)
	})
}
