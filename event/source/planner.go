package source

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/ruleset"
)

// planner decides which streams and feeders run. It belongs to the goroutine of Start.
type planner struct {
	*Watcher
	rules      *rules // nil before the first ones
	desk       *desk
	running    map[streamKey]*running
	labels     *running // the stream of namespaces, if rules look at their labels
	feeders    sync.WaitGroup
	stopFeed   context.CancelFunc
	feedCtx    func() context.Context
	relabelled chan struct{} // capacity 1: the labels of a namespace changed
	rights     chan struct{} // capacity 1: a stream is refused, or allowed what it was refused
	era        uint64        // of which all streams were told
	numbers    uint64

	versions versions // in which the types are read

	// narrow has the types of which the server refuses a watch of all namespaces where single ones would do.
	narrow map[schema.GroupResource]bool
}

func newPlanner(w *Watcher) *planner {
	p := &planner{
		Watcher:    w,
		stopFeed:   func() {},
		running:    map[streamKey]*running{},
		relabelled: make(chan struct{}, 1),
		rights:     make(chan struct{}, 1),
		narrow:     map[schema.GroupResource]bool{},
		versions:   versions{},
	}
	p.desk = &desk{ledger: w.ledger, out: w.out, opts: w.opts, rights: p.rights}
	return p
}

type running struct {
	stream *stream
	cancel context.CancelFunc
	done   chan struct{}
}

func (r *running) stop() {
	r.cancel()
	<-r.done
}

func run(ctx context.Context, s *stream, after <-chan struct{}) *running {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{stream: s, cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		select {
		case <-after:
			s.run(ctx)
		case <-ctx.Done():
		}
	}()
	return r
}

// adopt changes over to new rules. Streams of which both say the same go on, and so do those for which only rules of single
// namespaces differ, which list these again. All others have ended before the new rules are asked for the first time.
func (p *planner) adopt(ctx context.Context, next *rules) time.Duration {
	p.stopFeeders()
	outdated := p.stopChanged(next)
	p.retarget(ctx, next)
	p.cover(&coverage{rules: next.ruleSet})
	p.swap(&matcher{rules: next.ruleSet, namespaces: p.followLabels(ctx, next.ruleSet)}, outdated)
	feedCtx, cancel := context.WithCancel(ctx)
	p.feedCtx, p.stopFeed = func() context.Context { return feedCtx }, cancel
	return p.refresh(ctx)
}

// stopChanged stops the streams that have to list everything again, and returns what others have to.
func (p *planner) stopChanged(next *rules) map[streamKey][]string {
	gone := func(d destination.Destination) bool { now, ok := next.set.Get(d.Ref); return !ok || now != d }
	outdated := map[streamKey][]string{}
	p.stopStreams(func(key streamKey) bool {
		all, namespaces := next.ruleSet.Compiled().Diff(p.rules.ruleSet.Compiled(), compiled.Type(key.of), gone)
		switch {
		case all || p.running[key].stream.probing:
			return all
		case key.namespace != "":
			return slices.Contains(namespaces, key.namespace)
		}
		if len(namespaces) > 0 {
			outdated[key] = namespaces
		}
		return false
	})
	return outdated
}

// swap replaces what objects are matched by. Until discovery has told what the rules come to, what they say otherwise in
// single namespaces is not covered there: an object that no rule wants any more must not look like one that is gone.
func (p *planner) swap(by *matcher, outdated map[streamKey][]string) {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.desk.match.Store(by)
	for key, namespaces := range outdated {
		s := p.ledger.streams[key]
		for _, namespace := range namespaces {
			p.ledger.outdate(s, namespace)
		}
		p.ledger.feeds(s, slices.DeleteFunc(slices.Clone(s.watch.Coverage), func(c ruleset.Coverage) bool {
			return slices.Contains(namespaces, c.Collection.Namespace)
		}))
	}
}

// followLabels returns the labels of namespaces, if the rules look at them, and has them followed.
func (p *planner) followLabels(ctx context.Context, rs *ruleset.RuleSet) *namespaces {
	if !rs.Compiled().SelectsNamespaces() {
		p.stopLabels()
		return nil
	}
	if p.labels != nil {
		return p.desk.match.Load().namespaces
	}
	n := newNamespaces(clientFor(p.client, namespaceType), p.relabelled)
	p.labels = run(ctx, p.stream(ruleset.Watch{Resource: namespaceType}, n), closed)
	p.ledger.follow(p.labels.stream)
	return n
}

// follow says which stream is that of the labels of namespaces.
func (l *ledger) follow(labels *stream) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.labels = labels
}

func (p *planner) stream(w ruleset.Watch, to receiver) *stream {
	return &stream{watch: w, client: clientFor(p.client, w.Resource), to: to, lists: p.lists, page: p.opts.PageSize,
		initialEvents: p.opts.InitialEvents, paging: &p.paging,
		anew: make(chan struct{}, 1), rewinds: p.rewinds, ahead: map[string]string{}}
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (p *planner) stopAll() {
	p.stopStreams(func(streamKey) bool { return true })
	p.stopLabels()
	p.stopFeeders()
}

func (p *planner) stopLabels() {
	if p.labels != nil {
		p.labels.stop()
		p.labels = nil
		p.ledger.follow(nil)
		p.desk.match.Load().namespaces.release()
	}
}

func (p *planner) stopFeeders() {
	p.stopFeed()
	p.feeders.Wait()
}

// stopStreams stops the chosen streams, all at once, waits for them, and returns how many they were. Their ledger entries
// stay. The destinations that they fed get a SeedSync, since some of their files may be uncovered now, which only a plan
// can tell.
func (p *planner) stopStreams(which func(streamKey) bool) int {
	var stopping []*running
	for key, r := range p.running {
		if which(key) {
			r.cancel()
			stopping = append(stopping, r)
			delete(p.running, key)
		}
	}
	for _, r := range stopping {
		<-r.done
	}
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for _, r := range stopping {
		delete(p.ledger.streams, r.stream.key())
		p.ledger.feeds(r.stream, nil)
	}
	return len(stopping)
}

// retarget makes the targets those of the next rules. The line of a destination that changed or went away is forgotten. One
// whose rules changed gets a SeedSync, also where no stream feeds it: some of its files may not be covered any more.
func (p *planner) retarget(ctx context.Context, next *rules) {
	old := &ruleset.RuleSet{}
	if p.rules != nil {
		old = p.rules.ruleSet
	}
	p.rules = next
	var forget []destination.Destination
	p.ledger.mu.Lock()
	for ref, to := range p.ledger.targets {
		if d, ok := next.set.Get(ref); !ok || d != to.destination {
			to.gone = true
			to.backlog.drop()
			delete(p.ledger.targets, ref)
			delete(p.ledger.kicked, to)
			forget = append(forget, to.destination)
		}
	}
	for d := range next.set.All() {
		if p.ledger.targets[d.Ref] == nil {
			p.numbers++
			p.ledger.targets[d.Ref] = &target{destination: d, number: p.numbers, syncDue: true}
		}
	}
	for _, ref := range next.ruleSet.Compiled().ChangedDestinations(old.Compiled()) {
		if to := p.ledger.targets[ref]; to != nil {
			to.syncDue = true
		}
	}
	p.ledger.mu.Unlock()
	for _, d := range forget {
		if err := p.out.Forget(ctx, d); err != nil {
			p.opts.Logger.Error(err, "cannot forget the line of a destination that changed", "destination", d.Ref)
		}
	}
}

// cover says from now on what the rules and the last discovery cover.
func (p *planner) cover(c *coverage) {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ledger.coverage = c
	p.ledger.changing.Store(p.next != nil)
}

// relabel has objects matched again that a change of their namespace's labels may have moved.
func (p *planner) relabel() {
	by := p.desk.match.Load()
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for name, had := range by.namespaces.take() {
		for key, r := range p.running {
			if key.namespace != "" && key.namespace != name || r.stream.probing {
				continue
			}
			if by.rules.Compiled().Relabelled(compiled.Type(key.of), name, had...) {
				p.ledger.outdate(r.stream, name)
				signal(r.stream.anew)
			}
		}
	}
}

// startFeeders starts a feeder for every target that was woken.
func (p *planner) startFeeders() {
	p.ledger.mu.Lock()
	defer p.ledger.mu.Unlock()
	for to := range p.ledger.kicked {
		delete(p.ledger.kicked, to)
		if to.feeding || to.gone {
			continue
		}
		to.feeding = true
		ctx := p.feedCtx()
		p.feeders.Go(func() {
			p.desk.feed(ctx, to)
			p.fed(to)
		})
	}
}

// fed ends a feeder. Work that came in while it was ending, or that it left when it was stopped, wakes the next one.
func (w *Watcher) fed(to *target) {
	w.ledger.mu.Lock()
	defer w.ledger.mu.Unlock()
	to.feeding = false
	w.ledger.wakeIfHungry(to)
}
