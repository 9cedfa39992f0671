package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	library "github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// rules are those of the job: all ConfigMaps go to a folder of every repository.
func (j watchJob) rules() library.Rules {
	var r library.Rules
	for i, url := range j.Repositories {
		ref := watchRef(i)
		r.Repositories = append(r.Repositories, destination.Repository{Ref: ref, URL: url})
		r.Destinations = append(r.Destinations, destination.Spec{Ref: ref, RepositoryRef: ref, Branch: branch, BaseFolder: "cluster"})
		r.Rules = append(r.Rules, ruleset.Rule{
			Name: destination.Ref{Name: ref.Name}, Destination: ref,
			Resources: []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: []string{configMaps.Resource}}},
		})
	}
	return r
}

func watchRef(i int) destination.Ref {
	return destination.Ref{Namespace: "bench", Name: fmt.Sprintf("destination-%d", i)}
}

// watcherFollower is event/source with a queue whose consumer drops what it gets, and has all
// files.
type watcherFollower struct {
	job      watchJob
	watcher  *source.Watcher
	queue    *queue.Sharded
	arrivals arrivals
}

func newWatcherFollower(job watchJob, config *rest.Config) (follower, error) {
	client, err := source.NewClient(config)
	if err != nil {
		return nil, err
	}
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	f := &watcherFollower{
		// What changed need not wait.
		job: job, queue: queue.NewSharded(&queue.Options{Window: queue.Window{Count: 1}}),
		arrivals: make(arrivals, len(job.Repositories)*(job.Writes+1)),
	}
	f.watcher = source.New(client, disco, f.queue, &source.Options{InitialEvents: job.System == systemByWatch})
	return f, nil
}

// sync ends when every destination's SeedSync has come out of the queue.
func (f *watcherFollower) sync(ctx context.Context) error {
	r := f.job.rules()
	set, err := destination.Resolve(r.Repositories, r.Destinations)
	if err != nil {
		return err
	}
	compiled, err := ruleset.Compile(set, r.Rules...)
	if err != nil {
		return err
	}
	f.watcher.SetRules(set, compiled)
	go func() { _ = f.watcher.Start(ctx) }() // always nil
	go f.drop(ctx)
	_, err = f.arrivals.until(ctx, len(f.job.Repositories), func(a arrival) bool { return a.what == string(event.SeedSync) })
	return err
}

// equal answers a SeedSync: every file is as it should be.
func equal(live event.Inventory) {
	var seen event.Snapshot
	_ = live.View(func(v event.Snapshot) error { // which has no other errors
		seen = v
		v.MaySweep()
		return nil
	})
	live.Landed(seen)
}

// drop is the consumer.
func (f *watcherFollower) drop(ctx context.Context) {
	for {
		b, err := f.queue.Next(ctx)
		if err != nil {
			return
		}
		for _, e := range b.Events {
			switch {
			case e.Operation == event.SeedSync:
				equal(e.Inventory)
				f.arrivals.add(ctx, string(e.Operation))
			case !e.Listed:
				f.arrivals.add(ctx, e.Resource.Name)
			}
		}
		if err := b.Done(ctx); err != nil {
			return
		}
	}
}

func (f *watcherFollower) arrived(ctx context.Context, name string, _ time.Time) (time.Time, error) {
	return f.arrivals.until(ctx, len(f.job.Repositories), func(a arrival) bool { return a.what == name })
}

func (f *watcherFollower) window() time.Duration { return 0 }

// mirrorFollower is the library as a whole.
type mirrorFollower struct {
	job       watchJob
	mirror    *library.Mirror
	ended     chan error
	arrivals  arrivals
	following atomic.Bool // commits are arrivals
}

// mirrorWindow is the queue's default.
const mirrorWindow = time.Second

func newMirrorFollower(job watchJob, config *rest.Config) (follower, error) {
	f := &mirrorFollower{job: job, ended: make(chan error, 1), arrivals: make(arrivals, len(job.Repositories))}
	mirror, err := library.New(config, &library.Options{
		ClusterID: "bench",
		Git:       gogit.Options{RateLimit: func(destination.Destination) gogit.RateLimit { return gogit.RateLimit{Interval: -1} }},
		Queue:     queue.Options{Window: queue.Window{Debounce: mirrorWindow}},
		Write:     gitsink.WriterOptions{Committer: gitsink.Signature{Name: authorName, Email: authorEmail}},
		OnStatus:  f.report,
	})
	if err != nil {
		return nil, err
	}
	f.mirror = mirror
	return f, mirror.SetRules(job.rules())
}

func (f *mirrorFollower) report(_ destination.Ref, st library.DestinationStatus) {
	if f.following.Load() && st.Err == nil {
		f.arrivals <- arrival{at: st.LastCommit}
	}
}

// sync ends when all is pushed to the repositories that answer, and all that concerns the others is
// listed.
func (f *mirrorFollower) sync(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	go func() { cancel(fmt.Errorf("the mirror ended: %w", f.mirror.Start(context.WithoutCancel(ctx)))) }()
	for {
		if f.isSynced() {
			f.following.Store(true)
			return nil
		}
		if err := wait(ctx, 20*time.Millisecond); err != nil {
			st, _ := f.mirror.DestinationStatus(watchRef(len(f.job.Repositories) - 1))
			return errors.Join(context.Cause(ctx), st.Err)
		}
	}
}

func (f *mirrorFollower) isSynced() bool {
	for i := range f.job.Repositories {
		st, _ := f.mirror.DestinationStatus(watchRef(i))
		listed := st.Watch.Streams > 0 && st.Watch.Complete == st.Watch.Streams
		if !st.Synced && (i >= f.job.Hung || !listed) {
			return false
		}
	}
	return true
}

func (f *mirrorFollower) arrived(ctx context.Context, _ string, made time.Time) (time.Time, error) {
	return f.arrivals.until(ctx, len(f.job.Repositories)-f.job.Hung, func(a arrival) bool { return a.at.After(made) })
}

func (f *mirrorFollower) window() time.Duration { return mirrorWindow }
