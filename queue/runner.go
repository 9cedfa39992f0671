package queue

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/panics"
	"github.com/kubescribe/kubescribe/internal/spans"
)

// settleTimeout bounds the time that Done and Retry may take.
const settleTimeout = 10 * time.Second

// errGoexit is the outcome of a handler that neither returned nor panicked.
var errGoexit = errors.New("queue: the handler ended its goroutine")

// errPanic is the outcome of a handler that panicked.
var errPanic = errors.New("queue: the handler panicked")

// RunOptions configure a Runner. The zero value, like nil, means the defaults.
type RunOptions struct {
	// MaxConcurrent bounds the handlers that run at a time. A handler mostly waits for the network,
	// and a sink can only push together what is in its hands together, so the bound is generous.
	// Default: 1,024.
	MaxConcurrent int
	// MaxPerGroup bounds the handlers of one group that run at a time. Default: 256.
	MaxPerGroup int
	// MaxBytes bounds the content of the batches of 256 KiB and more whose handlers have begun
	// within the last 10 s and still run: what a handler makes of a batch takes several times its
	// memory. A larger batch runs alone. One that takes longer counts no more, so that a remote
	// that hangs holds nobody up. Default: 16 MiB.
	MaxBytes int64
	// Group names what may hang as a whole: a server, a repository. A batch belongs to the group of
	// its first event. Default: the canonical repository.
	Group func(destination.Destination) string

	// DrainTimeout is the time that the queue has to shut down when the context of Start has ended.
	// Default: 20 s.
	DrainTimeout time.Duration
	// Drain is asked when the context of Start has ended. If it returns false (leadership was lost,
	// for example) or does not answer within 3 s, the handlers end at once. Default: drain always.
	Drain func() bool
	// EndTimeout is the time that handlers and the Queue have after the end of their context. Then
	// they are left behind. Default: 5 s.
	EndTimeout time.Duration

	// Settled is called when a batch of a destination has been dealt with: it was done, is to be
	// tried again, or its lease was lost. It must be quick; calls may be concurrent. Default: none.
	Settled func(destination.Destination)

	// MeterProvider gets the metrics of the package documentation. Default: nothing is measured.
	MeterProvider metric.MeterProvider
	// TracerProvider gets a span for each run of a handler, "kubescribe.batch", in a trace of its
	// own. Its context is that of the handler. Default: nothing is traced.
	TracerProvider trace.TracerProvider
	// Logger gets failures of handlers as errors, begin and end of a drain as information, and each
	// batch that is done at V(1). Default: nothing is logged.
	Logger logr.Logger
}

// Runner takes the batches of a Queue, calls a Handler for each and settles the leases. Make it
// with NewRunner.
//
// Every leased batch has a goroutine of its own, which waits for a slot of its group and one of the
// total, and for room among the large batches that have begun lately. So a group that hangs holds
// leases and goroutines, but no slot that another group could use for long.
type Runner struct {
	queue   Queue
	handler Handler
	opts    RunOptions
	meters  *runnerMeters
	tracer  *spans.Tracer
	total   chan struct{} // has a value for each running handler
	bulk    bulk

	mu     sync.Mutex
	groups map[string]*slotGroup // those with a batch in hand
	// number of running handlers, by the destination of the first event
	running map[destination.Destination]int
}

// slotGroup has the slots of a group: MaxPerGroup handlers of it run at a time.
type slotGroup struct {
	running chan struct{} // has a value for each running handler
	batches int           // in hand
}

// NewRunner returns a Runner that has not started. nil options mean the defaults.
func NewRunner(q Queue, h Handler, opts *RunOptions) *Runner {
	var o RunOptions
	if opts != nil {
		o = *opts
	}
	o.MaxConcurrent = positive(o.MaxConcurrent, 1024)
	o.MaxPerGroup = positive(o.MaxPerGroup, 256)
	o.MaxBytes = positive(o.MaxBytes, 16<<20)
	o.DrainTimeout = positive(o.DrainTimeout, 20*time.Second)
	o.EndTimeout = positive(o.EndTimeout, 5*time.Second)
	if o.Group == nil {
		o.Group = ByRepository
	}
	if o.Drain == nil {
		o.Drain = func() bool { return true }
	}
	if o.Settled == nil {
		o.Settled = func(destination.Destination) {}
	}
	return &Runner{
		queue: q, handler: h, opts: o,
		meters: newRunnerMeters(o.MeterProvider, o.Logger),
		tracer: spans.New(o.TracerProvider, scope),
		total:  make(chan struct{}, o.MaxConcurrent),
		bulk:   bulk{limit: o.MaxBytes},
		groups: map[string]*slotGroup{}, running: map[destination.Destination]int{},
	}
}

// NeedLeaderElection implements manager.LeaderElectionRunnable of controller-runtime: the Runner
// runs on the leader only.
func (r *Runner) NeedLeaderElection() bool { return true }

// Start hands out batches until ctx ends or somebody else shuts the queue down. When ctx ends,
// Start shuts the queue down within DrainTimeout. Handlers go on meanwhile: their context carries
// the values of ctx and ends only when that time is over. If Drain returns false, it ends at once.
//
// Start returns when all handlers have. A handler that ignores the end of its context is left
// behind after EndTimeout, with its goroutine; the error then matches ErrLeftBehind and names its
// destination. So is a Queue whose Next or Shutdown ignores the end. Start returns within
// DrainTimeout and EndTimeout, and 3 s for Drain at most.
//
// It returns nil if everything was done, the error of Shutdown (a *RemainingError) if not, or the
// error of Next if that failed. Start must be called once only.
func (r *Runner) Start(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var handling sync.WaitGroup
	leased := make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		leased <- r.lease(work, &handling)
	}()
	select {
	case <-ctx.Done():
	case <-ended:
	}
	err, clean := r.end(ctx, stop, func() { <-ended; handling.Wait() })
	if !clean {
		err = r.leave(err)
	} else {
		err = errors.Join(<-leased, err)
	}
	r.tellLeft(err)
	return err
}

// tellLeft says how the run has ended if that is not well. Why a line has failed was said when it
// did.
func (r *Runner) tellLeft(err error) {
	var remaining *RemainingError
	switch {
	case err == nil:
	case errors.As(err, &remaining):
		r.opts.Logger.Info("Events are left", "events", remaining.events(), "destinations", len(remaining.Lines))
	default:
		r.opts.Logger.Info("Ended", "reason", err.Error())
	}
}

// lease hands out batches until ctx ends or the queue does.
func (r *Runner) lease(ctx context.Context, handling *sync.WaitGroup) error {
	for {
		b, err := r.queue.Next(ctx)
		switch {
		case err == nil:
			handling.Go(func() { r.run(ctx, b) })
		case errors.Is(err, ErrShutdown) || ctx.Err() != nil:
			return nil
		default:
			return fmt.Errorf("queue: next batch: %w", err)
		}
	}
}

// run handles a batch once there is a slot for it, and settles it whatever happens.
func (r *Runner) run(ctx context.Context, b Batch) {
	err := errGoexit // whatever ends this goroutine before the handler returned, nothing is done
	defer func() { r.settle(ctx, b, err) }()
	var release func()
	if release, err = r.acquire(ctx, r.opts.Group(b.Events[0].Destination)); err != nil {
		return
	}
	defer release()
	if release, err = r.bulk.enter(ctx, &b); err != nil {
		return
	}
	defer release()
	if err = ctx.Err(); err != nil { // both may have been ready: a slot, and the end
		return
	}
	r.meters.run(ctx, 1)
	r.count(b, 1)
	ctx, span := r.begin(ctx, &b)
	began := time.Now()
	defer func() {
		r.count(b, -1)
		took, outcome := time.Since(began), outcome(ctx, b, err)
		r.meters.run(ctx, -1)
		r.meters.took(ctx, took, outcome)
		span.End(outcome, outcome != outcomeDone)
		r.opts.Logger.V(1).Info("Handler returned", "destination", b.Events[0].Destination, "events", len(b.Events),
			"attempt", b.Attempt, "outcome", outcome, "took", took.String())
	}()
	err = errGoexit
	err = r.call(ctx, b)
}

// begin begins the span of a batch.
func (r *Runner) begin(ctx context.Context, b *Batch) (context.Context, spans.Span) {
	ctx, span := r.tracer.Root(ctx, "kubescribe.batch")
	if span.Traced() {
		span.Set(spans.Destination.String(b.Events[0].Destination.Ref.String()), spans.Events.Int(len(b.Events)), spans.Attempt.Int(b.Attempt))
	}
	return ctx, span
}

// count keeps the number of running handlers.
func (r *Runner) count(b Batch, n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d := b.Events[0].Destination
	if r.running[d] += n; r.running[d] == 0 {
		delete(r.running, d)
	}
}

// outcome sums up what a handler returned.
func outcome(ctx context.Context, b Batch, err error) string {
	var partial *PartialError
	switch {
	case err == nil:
		return outcomeDone
	case errors.Is(err, errPanic), errors.Is(err, errGoexit):
		return outcomePanicked
	case errors.Is(err, ErrLeaseLost) && !b.Held(context.WithoutCancel(ctx)):
		return outcomeLost
	case errors.Is(err, ErrPermanent):
		return outcomePermanent
	case errors.As(err, &partial):
		return outcomePartial
	}
	return outcomeFailed
}

// acquire waits for a slot in the group and one in total; release gives both back.
func (r *Runner) acquire(ctx context.Context, name string) (release func(), err error) {
	r.mu.Lock()
	g := r.groups[name]
	if g == nil {
		g = &slotGroup{running: make(chan struct{}, r.opts.MaxPerGroup)}
		r.groups[name] = g
	}
	g.batches++
	r.mu.Unlock()
	forget := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if g.batches--; g.batches == 0 {
			delete(r.groups, name)
		}
	}
	r.meters.wait(ctx, 1)
	defer r.meters.wait(ctx, -1)
	if err := take(ctx, g.running); err != nil {
		forget()
		return nil, err
	}
	// The slot of the group comes first: those that wait for their group must not take up the
	// total.
	if err := take(ctx, r.total); err != nil {
		<-g.running
		forget()
		return nil, err
	}
	return func() {
		<-r.total
		<-g.running
		forget()
	}, nil
}

func take(ctx context.Context, slots chan<- struct{}) error {
	select {
	case slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// call calls the handler. It turns a panic into an error without the value of the panic: that may
// hold content.
func (r *Runner) call(ctx context.Context, b Batch) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %w", errPanic, panics.Error(p))
			r.opts.Logger.Error(err, "Handler panicked", "destination", b.Events[0].Destination, "stack", string(debug.Stack()))
		}
	}()
	return r.handler(ctx, b)
}

// nextTry returns when a batch that failed is tried again, "at once" or the time.
func (r *Runner) nextTry(b Batch) string {
	if line, _ := r.queue.Line(b.Events[0].Destination); !line.Until.IsZero() {
		return line.Until.Format(time.RFC3339)
	}
	return "at once"
}

// settle ends the lease as the outcome demands. It does so also when ctx has ended, since that says
// nothing about what was pushed.
func (r *Runner) settle(ctx context.Context, b Batch, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), settleTimeout)
	defer cancel()
	log := r.opts.Logger.WithValues("destination", b.Events[0].Destination, "events", len(b.Events), "attempt", b.Attempt)
	var settled error
	var partial *PartialError
	switch {
	case err == nil:
		settled = b.Done(ctx)
	case errors.Is(err, ErrLeaseLost) && !b.Held(ctx):
		log.Info("Lease lost", "reason", err.Error())
	case errors.As(err, &partial) && len(partial.Events) == 0:
		settled = b.Done(ctx)
	case errors.As(err, &partial):
		settled = b.Retry(ctx, err, partial.Events...)
		log.Error(err, "Batch failed in part", "left", len(partial.Events), "nextTry", r.nextTry(b))
	default:
		settled = b.Retry(ctx, err)
		log.Error(err, "Batch failed", "nextTry", r.nextTry(b))
	}
	if settled != nil {
		log.Error(settled, "Lease not settled")
	}
	r.opts.Settled(b.Events[0].Destination)
}
