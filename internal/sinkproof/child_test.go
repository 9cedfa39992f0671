package sinkproof

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ordersVariable makes the test binary a child process; it holds its orders as JSON.
const ordersVariable = "KUBESCRIBE_SINKPROOF_CHILD"

// orders are what a child process does: its goroutines write some rounds each; zero Rounds mean
// until it is killed.
type orders struct {
	Access     access
	Process    int
	Goroutines int
	Rounds     int
	// Rounds after which a goroutine waits for a line of the parent, so that none gets far ahead;
	// zero: never.
	Stride int
}

// childMain is the child process. On standard output it says "read N" for the last round that a
// writer has found on the branch, "done N" after each round, and at last what it has cost. It does
// not outlive its standard input, which is the parent's.
func childMain(text string) int {
	var o orders
	err := json.Unmarshal([]byte(text), &o)
	if err == nil {
		err = o.carryOut(context.Background(), listen(o.Goroutines))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// listen passes each line of the parent to every goroutine.
func listen(goroutines int) []chan struct{} {
	lines := make([]chan struct{}, goroutines)
	for i := range lines {
		lines[i] = make(chan struct{}, 1)
	}
	go func() {
		for input := bufio.NewScanner(os.Stdin); input.Scan(); {
			for _, c := range lines {
				c <- struct{}{}
			}
		}
		os.Exit(1)
	}()
	return lines
}

func (o orders) carryOut(ctx context.Context, lines []chan struct{}) error {
	sink := o.Access.sink()
	var running sync.WaitGroup
	var mu sync.Mutex // guards what follows
	var sum tally
	var errs []error
	for i := range o.Goroutines {
		running.Go(func() {
			w := writer{o.Process, i}
			last, spent, err := w.last(ctx, sink, o.Access.URL)
			fmt.Println("read", last)
			for round := last + 1; err == nil && (o.Rounds == 0 || round <= o.Rounds); round++ {
				var more tally
				more, err = persist(ctx, sink, w.destination(o.Access.URL), w.plan(round))
				spent.add(more)
				if err == nil {
					fmt.Println("done", round)
				}
				if err == nil && o.Stride > 0 && round%o.Stride == 0 {
					<-lines[i]
				}
			}
			mu.Lock()
			defer mu.Unlock()
			sum.add(spent)
			errs = append(errs, err)
		})
	}
	running.Wait()
	fmt.Printf("cost %+v\n", sum)
	return errors.Join(append(errs, sink.Close())...)
}

// child is a child process as its parent sees it.
type child struct {
	cmd   *exec.Cmd
	input io.Writer
	lines chan string // what it says; closed when it has said all
}

// spawn starts a child process. The parent reads its lines to the end, then waits for it. It dies
// with ctx.
func spawn(ctx context.Context, t *testing.T, s site, o orders) *child {
	t.Helper()
	text, err := json.Marshal(o)
	require.NoError(t, err)
	self, err := os.Executable()
	require.NoError(t, err)
	c := &child{cmd: exec.CommandContext(ctx, self), lines: make(chan string)}
	c.cmd.Env = append(s.server.Env(), ordersVariable+"="+string(text))
	c.cmd.Stderr = t.Output()
	c.input, err = c.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := c.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, c.cmd.Start())
	go func() {
		defer close(c.lines)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			c.lines <- lines.Text()
		}
	}()
	return c
}
