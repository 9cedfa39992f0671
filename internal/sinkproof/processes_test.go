package sinkproof

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// race is processes that write one branch. Every stride rounds, those that are ahead wait for the
// others: a process that wins once needs fewer requests for its next push than the loser, and would
// go on winning until it has no more to write.
type race struct {
	processes, goroutines, rounds, stride int
}

func TestTwoProcessesWriteOneBranch(t *testing.T) {
	r := race{processes: 2, goroutines: 4, rounds: testsize.Sizes{Usual: 5, Long: 25, Soak: 200}.Pick(), stride: 2}
	eachProtocol(t, func(t *testing.T, s site) {
		began := time.Now()
		r.run(t, s)
		t.Logf("%d commits in %s: %d pushes landed, the branch changed hands %d times; over HTTP %d requests, with %d pushes",
			r.processes*r.goroutines*r.rounds, time.Since(began).Round(time.Millisecond), s.landed(), s.hands(),
			s.server.Total().Requests, s.server.Count(gitservertest.ReceivePack, gitservertest.RPC).Requests)
		require.GreaterOrEqual(t, s.hands(), r.rounds/r.stride)
		want := map[writer]int{}
		for p := range r.processes {
			for g := range r.goroutines {
				want[writer{p, g}] = r.rounds
			}
		}
		requireWritten(t, s, want)
	})
}

func (r race) run(t *testing.T, s site) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var children []*child
	for p := range r.processes {
		children = append(children, spawn(ctx, t, s, orders{
			Access: s.access, Process: p, Goroutines: r.goroutines, Rounds: r.rounds, Stride: r.stride,
		}))
	}
	said := make(chan string)
	var running sync.WaitGroup
	for p, c := range children {
		running.Go(func() {
			for line := range c.lines {
				said <- line
			}
			if err := c.cmd.Wait(); err != nil {
				t.Errorf("process %d: %v", p, err)
				cancel() // the other waits for it
			}
		})
	}
	go func() {
		running.Wait()
		close(said)
	}()
	arrived := 0
	for line := range said {
		var round int
		if cost, ok := strings.CutPrefix(line, "cost "); ok {
			t.Logf("one process: %s", cost)
		}
		if n, _ := fmt.Sscanf(line, "done %d", &round); n == 0 || round%r.stride != 0 {
			continue
		}
		if arrived++; arrived%(r.processes*r.goroutines) == 0 {
			for _, c := range children {
				_, _ = fmt.Fprintln(c.input)
			}
		}
	}
}
