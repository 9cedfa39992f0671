package kubescribe

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

// The bounds of what Start waits for after its context has ended, beside DrainTimeout. With the
// question whether to drain they come to less than ten seconds.
const (
	handlersEnd = 3 * time.Second        // for handlers, once DrainTimeout is over
	watcherEnd  = 8 * time.Second        // for the watcher, once DrainTimeout is over, too
	newsEnd     = 500 * time.Millisecond // for OnStatus
	closingEnd  = 1 * time.Second        // for the sink to close, at last
)

// Start runs the Mirror until ctx ends, then pushes what was accepted, within Options.DrainTimeout,
// unless StillLeader says no. It returns a *queue.RemainingError if something was left; a restart
// finds it again by its seed. A Mirror is a controller-runtime Runnable. Start may be called once.
//
// Start returns within DrainTimeout plus ten seconds, whatever hangs. A GitSink, an Encryptor or a
// StillLeader of your own may ignore the end of its context: it is left behind with its goroutine,
// and the error matches queue.ErrLeftBehind. End the process then. No plan is run any more, so
// nothing is written but what such a GitSink has begun to write.
func (m *Mirror) Start(ctx context.Context) error {
	m.mu.Lock()
	started := m.started
	m.started = true
	m.mu.Unlock()
	if started {
		return errors.New("kubescribe: Start was called twice; make a new Mirror")
	}
	defer close(m.ended)
	if m.ownsSink {
		defer m.closeSink()
	}
	id, err := m.clusterID(ctx)
	if err != nil {
		return err
	}
	writer, err := gitsink.NewWriter(m.sink, id, m.writerOptions())
	if err != nil {
		return err
	}
	defer m.measures.follow(m)()
	m.opts.Logger.Info("following the cluster", "cluster", id, "destinations", len(m.destinations()))
	runner := queue.NewRunner(m.queue, m.handler(writer), m.runOptions(ctx))
	watchCtx, stop := context.WithCancel(ctx)
	defer stop()
	watched := m.watch(watchCtx)
	told := m.tellNews()
	late, cancel := after(ctx, m.opts.DrainTimeout+watcherEnd)
	defer cancel()
	err = runner.Start(ctx)
	stop()
	select {
	case watchErr := <-watched:
		err = errors.Join(err, watchErr)
	case <-late:
		err = errors.Join(err, fmt.Errorf("kubescribe: the watcher: %w", queue.ErrLeftBehind))
	}
	return errors.Join(err, told())
}

// tellNews runs news, and returns the function that ends it. That has an error for an OnStatus that
// does not return.
func (m *Mirror) tellNews() (end func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan struct{})
	go func() {
		defer close(told)
		m.news.follow(ctx, m)
	}()
	return func() error {
		cancel()
		timer := time.NewTimer(newsEnd)
		defer timer.Stop()
		select {
		case <-told:
			return nil
		case <-timer.C:
			return fmt.Errorf("kubescribe: Options.OnStatus: %w", queue.ErrLeftBehind)
		}
	}
}

// watch runs the watcher and returns a channel that gets its error when it has ended.
func (m *Mirror) watch(ctx context.Context) <-chan error {
	ended := make(chan error, 1)
	go func() {
		var rechecking sync.WaitGroup
		rechecking.Go(func() { m.recheckAfterHandover(ctx) })
		rechecking.Go(func() { m.guard(ctx) })
		err := m.watcher.Start(ctx)
		rechecking.Wait()
		ended <- err
	}()
	return ended
}

// after returns a channel that is closed d after ctx has ended.
func after(ctx context.Context, d time.Duration) (<-chan struct{}, context.CancelFunc) {
	late, end := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			end()
		case <-late.Done():
		}
	})
	return late.Done(), func() { stop(); end() }
}

// closeSink closes the sink, and waits for that a short time: nobody calls it any more.
func (m *Mirror) closeSink() {
	closed := make(chan error, 1)
	go func() { closed <- m.sink.Close() }()
	timer := time.NewTimer(closingEnd)
	defer timer.Stop()
	var err error
	select {
	case err = <-closed:
	case <-timer.C:
		err = queue.ErrLeftBehind
	}
	if err != nil {
		m.opts.Logger.Error(err, "closing the Git sink")
	}
}

// NeedLeaderElection tells controller-runtime to start the Mirror on the leader only.
func (m *Mirror) NeedLeaderElection() bool { return true }

func (m *Mirror) writerOptions() *gitsink.WriterOptions {
	opts := m.opts.Write
	opts.Policy = m.policy
	opts.OnReport = func(r gitsink.Report) {
		m.observe(r)
		m.opts.Write.OnReport(r)
	}
	return &opts
}

func (m *Mirror) runOptions(ctx context.Context) *queue.RunOptions {
	opts := m.opts.Run
	opts.DrainTimeout, opts.EndTimeout = m.opts.DrainTimeout, handlersEnd
	opts.Drain = func() bool { return m.isLeader(context.WithoutCancel(ctx)) && m.opts.Run.Drain() }
	opts.Settled = func(d destination.Destination) {
		m.news.of(d.Ref)
		if m.opts.Run.Settled != nil {
			m.opts.Run.Settled(d)
		}
	}
	return &opts
}

// handler hands batches to the Writer with a lease that is held only by the leader.
func (m *Mirror) handler(w *gitsink.Writer) queue.Handler {
	return func(ctx context.Context, b queue.Batch) error {
		b.Lease = leaderLease{b.Lease, m}
		m.linkOrigins(ctx, b)
		err := w.Handle(ctx, b)
		m.measures.landed(ctx, m.destinations(), b, err)
		m.trace(ctx, err)
		return err
	}
}

var namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}

// clusterID returns Options.ClusterID, or asks the API server until it says how to name the
// cluster.
func (m *Mirror) clusterID(ctx context.Context) (string, error) {
	if m.opts.ClusterID != "" {
		return m.opts.ClusterID, nil
	}
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		ns, err := m.client.Resource(namespaces).Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
		if err == nil {
			return string(ns.GetUID()), nil
		}
		m.opts.Logger.Error(err, "cannot read the UID of the namespace kube-system, which names the cluster; "+
			"allow it or set Options.ClusterID", "retryAfter", pause.String())
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("kubescribe: the namespace kube-system, whose UID names the cluster: %w", err)
		case <-time.After(pause):
		}
	}
}
