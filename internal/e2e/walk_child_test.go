package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// The Mirror of the walk runs in a process of its own, which is this test binary again, so that it
// can be killed.

// walkKubeconfig names the kubeconfig of such a process and marks it.
const walkKubeconfig = "KUBESCRIBE_E2E_MIRROR"

// order is one line that the process is sent; one answer follows.
type order struct {
	Rules  *walkRules    `json:",omitempty"` // to be set
	Sync   time.Duration `json:",omitempty"` // wait so long at most until everything is written
	Prune  string        `json:",omitempty"` // the destination whose uncovered files are to go
	Resync string        `json:",omitempty"` // the destination that is to be listed anew
	State  string        `json:",omitempty"` // the destination whose status is asked for
	Stop   bool          `json:",omitempty"` // end gracefully
}

type answer struct{ Err, State string }

// mirrorChild is that process if this is one: it does what it is told on standard input until that
// ends.
func mirrorChild() bool {
	kubeconfig := os.Getenv(walkKubeconfig)
	if kubeconfig == "" {
		return false
	}
	if err := serveOrders(kubeconfig, os.Stdin, json.NewEncoder(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return true
}

func serveOrders(kubeconfig string, in io.Reader, out *json.Encoder) error {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	began := time.Now()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return listener{next} })
	m, err := kubescribe.New(config, &kubescribe.Options{
		Queue: queue.Options{
			// So little room is used up at once when the remote is down.
			Window:         queue.Window{Debounce: 200 * time.Millisecond, MaxWait: 2 * time.Second, Bytes: 200_000},
			MaxBytesPerKey: 400_000,
			MaxBackoff:     4 * time.Second,
		},
		Git:    gogit.Options{RateLimit: func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} }},
		Source: source.Options{Rediscover: 500 * time.Millisecond},
		Logger: funcr.New(func(prefix, args string) {
			fmt.Fprintf(os.Stderr, "%.3f %s %s\n", time.Since(began).Seconds(), prefix, args)
		}, funcr.Options{Verbosity: 1}),
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- m.Start(ctx) }()
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var o order
		if err := json.Unmarshal(lines.Bytes(), &o); err != nil {
			return err
		}
		var a answer
		err := carryOut(m, o, &a)
		if o.Stop {
			cancel()
			err = <-ended
		}
		if err != nil {
			a.Err = err.Error()
		}
		if err := out.Encode(a); err != nil || o.Stop {
			return err
		}
	}
	return lines.Err()
}

// listener writes down what the API server refuses.
type listener struct{ http.RoundTripper }

func (l listener) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.RoundTripper.RoundTrip(r)
	if err == nil {
		response.Body = &heard{ReadCloser: response.Body}
	}
	return response, err
}

// heard is a body in which refusals are looked for. That one could lie across two reads does not
// matter: they are many.
type heard struct{ io.ReadCloser }

// The words of a Status, which are found in the log afterwards.
const (
	saidGone      = `"reason":"Expired"`
	saidForbidden = `"reason":"Forbidden"`
)

func (h *heard) Read(into []byte) (int, error) {
	n, err := h.ReadCloser.Read(into)
	for _, words := range []string{saidGone, saidForbidden} {
		if bytes.Contains(into[:n], []byte(words)) {
			fmt.Fprintf(os.Stderr, "the API server said %s\n", words)
		}
	}
	return n, err
}

func carryOut(m *kubescribe.Mirror, o order, a *answer) error {
	switch {
	case o.Rules != nil:
		return m.SetRules(o.Rules.rules())
	case o.Sync > 0:
		ctx, cancel := context.WithTimeout(context.Background(), o.Sync)
		defer cancel()
		return withoutTypeErrors(m.WaitSynced(ctx))
	case o.Prune != "":
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		return m.Prune(ctx, ref("walk", o.Prune))
	case o.Resync != "":
		return m.Resync(ref("walk", o.Resync))
	case o.State != "":
		st, _ := m.DestinationStatus(ref("walk", o.State))
		a.State = fmt.Sprintf("%+v", st)
		if st.Uncovered != nil {
			a.State = fmt.Sprintf("%s\nuncovered %d", a.State, st.Uncovered.Count)
		}
	}
	return nil
}

// child is such a process, seen from the test.
type child struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   *bufio.Reader
	ended bool
}

// startChild starts one. What it logs is appended to a file.
func startChild(t *testing.T, kubeconfig string, log *os.File) *child {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), walkKubeconfig+"="+kubeconfig)
	cmd.Stderr = log
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	c := &child{t: t, cmd: cmd, in: in, out: bufio.NewReader(out)}
	t.Cleanup(c.kill)
	return c
}

// order sends an order and returns the answer to it.
func (c *child) order(o order) (answer, error) {
	c.t.Helper()
	line, err := json.Marshal(o)
	require.NoError(c.t, err)
	_, err = c.in.Write(append(line, '\n'))
	require.NoError(c.t, err, "the process that mirrors is gone")
	text, err := c.out.ReadBytes('\n')
	require.NoError(c.t, err, "the process that mirrors is gone")
	var a answer
	require.NoError(c.t, json.Unmarshal(text, &a))
	if a.Err != "" {
		return a, errors.New(a.Err)
	}
	return a, nil
}

// kill ends it with SIGKILL.
func (c *child) kill() {
	if c.ended {
		return
	}
	c.ended = true
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // it was killed
}

// stop ends it gracefully.
func (c *child) stop() error {
	_, err := c.order(order{Stop: true})
	c.ended = true
	if waited := c.cmd.Wait(); err == nil {
		err = waited
	}
	return err
}

// withoutTypeErrors leaves out what is true of the rules of a walk: some name types that are not
// served at the moment, or that the rule cannot get.
func withoutTypeErrors(err error) error {
	if err == nil {
		return nil
	}
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	return errors.Join(slices.DeleteFunc(slices.Clone(all.Unwrap()), func(err error) bool {
		var of *ruleset.TypeError
		return errors.As(err, &of)
	})...)
}
