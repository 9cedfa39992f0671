package kubescribe

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
)

// Options change what a Mirror does. Nil and the zero value mean the defaults.
//
// The options of a part are those of its package. What a Mirror has to set in them itself is named
// at the field; New refuses it from anybody else, with an error that says what to set instead.
type Options struct {
	// ClusterID names the cluster in the ownership file of each folder; no other cluster may have
	// the same. Default: the UID of the namespace kube-system.
	ClusterID string
	// StillLeader is asked before each run of a plan and when the context of Start ends; when it
	// says no, nothing more is written. See HoldsLease. Default: always.
	StillLeader func(context.Context) bool
	// Handover is the time after which every folder is rechecked, counted from Start, and then
	// three times more, each after twice the time: the last push of the leader before may land
	// after a seed of this one that found nothing to write. Negative: never. Default: 1 min if
	// StillLeader is set, else never.
	Handover time.Duration
	// Watchdog is the time in which each branch is looked at once, to notice that somebody else has
	// changed a folder or deleted the branch while nothing changes in the cluster. A look is one
	// request if the branch is where it was left, and one for each of our folders in it if it has
	// moved since that was looked at; the looks are spread over the time. What was
	// changed is made good. Negative: never. Default: 5 min.
	Watchdog time.Duration
	// DrainTimeout bounds what Start does after its context has ended: push what was accepted.
	// Default: 20 s.
	DrainTimeout time.Duration

	// Git has the options of the default GitSink: credentials, signatures, rates, bounds. With a
	// GitSink of your own only Git.AllowedLocalFolders counts: SetRules refuses repositories in
	// other folders of this machine. Default: the defaults of package gogit.
	Git gogit.Options
	// GitSink writes the commits. The Mirror does not close one that is given here. Default: a
	// gogit.Sink with Git.
	GitSink gitsink.GitSink

	// Queue has the options of the default queue: windows, bounds, backoff, and KeepEvery, which
	// goes with gitsink.PerEvent. They are of no use with a QueueImpl. Default: the defaults of
	// package queue.
	Queue queue.Options
	// QueueImpl keeps the events until they are written. Start shuts it down when its context ends.
	// Default: a queue.Sharded with Queue.
	QueueImpl queue.Queue
	// Run has the options of the queue.Runner, such as the number of batches that are written at a
	// time. The Mirror sets DrainTimeout, to Options.DrainTimeout, and EndTimeout. Drain is asked
	// after StillLeader, and nothing is pushed at the end unless both say yes. Default: the
	// defaults of package queue.
	Run queue.RunOptions

	// Source has the options of the source.Watcher: pages, watches, resyncs, and Attribute, which
	// says who made a change. The Mirror sets Encryptor and Sensitive, to those of Write. Default:
	// the defaults of package source.
	Source source.Options
	// Write has the options of the gitsink.Writer: layout, encryption, commits and their messages.
	// The Mirror sets Policy, from Rules.Orphans, Layouts and Kustomizations, Approve, Adopt and
	// Prune. When OnReport is called
	// the status has what the report says. Default: the defaults of package gitsink.
	Write gitsink.WriterOptions

	// OnStatus gets the status of a destination, valid or not, when something of it has changed:
	// Synced, an error, the tip, what is held, left out or refused. It is told of what a batch did
	// once that has been settled, and of all else within seconds. A batch that takes longer may
	// show as not synced meanwhile, and changes that follow each other quickly may be told as one.
	// There is one call at a time; a slow one holds up the others, but no write. Default: none.
	OnStatus func(destination.Ref, DestinationStatus)
	// MeterProvider gets the metrics that docs/monitoring/metrics.md lists: those of the Mirror,
	// while Start runs, and those of each part that has no MeterProvider of its own. Default:
	// nothing is measured, at no cost.
	MeterProvider metric.MeterProvider
	// MetricsPerDestination is the number of destinations, the first by name, that have series of
	// their own in the metrics of the Mirror: the attribute destination has the name, and "other"
	// for the sum of the rest. Each costs some fifty series. Default: 0, so the attribute is
	// absent and all are summed up.
	MetricsPerDestination int
	// TracerProvider gets the spans that docs/monitoring/traces.md lists, unless a part has a
	// TracerProvider of its own. Default: nothing is traced, at no cost.
	TracerProvider trace.TracerProvider
	// Logger gets what an operator of the program wants to know, and more at V(1). It is that of
	// all parts that have none of their own. Default: none.
	Logger logr.Logger
}

// validate returns an error for each option that cannot be, or that is not the caller's to set.
func (o *Options) validate() error {
	if o == nil {
		return nil
	}
	faults := []error{o.Write.Validate(), o.policyOfDestinations().Validate()}
	for _, own := range []struct {
		set    bool
		refuse string
	}{
		{o.Run.DrainTimeout != 0, "Run.DrainTimeout is set by the Mirror: set DrainTimeout"},
		{o.Run.EndTimeout != 0, "Run.EndTimeout is set by the Mirror: Start ends ten seconds after DrainTimeout"},
		{o.Source.Encryptor != nil, "Source.Encryptor is set by the Mirror: set Write.Encryptor, which both use"},
		{o.Source.Sensitive != nil, "Source.Sensitive is set by the Mirror: set Write.Sensitive, which both use"},
		{o.Write.Policy != nil, "Write.Policy is set by the Mirror: use Rules.Orphans, Layouts and Kustomizations, Approve, Adopt and Prune"},
	} {
		if own.set {
			faults = append(faults, errors.New(own.refuse))
		}
	}
	return errors.Join(faults...)
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.OnStatus == nil {
		out.OnStatus = func(destination.Ref, DestinationStatus) {}
	}
	if out.Write.OnReport == nil {
		out.Write.OnReport = func(gitsink.Report) {}
	}
	if out.Run.Drain == nil {
		out.Run.Drain = func() bool { return true }
	}
	if out.Handover == 0 {
		out.Handover = time.Minute
		if out.StillLeader == nil {
			out.Handover = -1
		}
	}
	if out.StillLeader == nil {
		out.StillLeader = func(context.Context) bool { return true }
	}
	if out.Watchdog == 0 {
		out.Watchdog = 5 * time.Minute
	}
	if out.DrainTimeout <= 0 {
		out.DrainTimeout = 20 * time.Second
	}
	out.Source.Encryptor, out.Source.Sensitive = out.Write.Encryptor, out.Write.Sensitive
	for _, part := range []*logr.Logger{&out.Git.Logger, &out.Queue.Logger, &out.Run.Logger, &out.Source.Logger} {
		if part.GetSink() == nil {
			*part = out.Logger
		}
	}
	for _, part := range []*metric.MeterProvider{
		&out.Git.MeterProvider, &out.Queue.MeterProvider, &out.Run.MeterProvider, &out.Source.MeterProvider,
	} {
		if *part == nil {
			*part = out.MeterProvider
		}
	}
	for _, part := range []*trace.TracerProvider{&out.Git.TracerProvider, &out.Run.TracerProvider, &out.Source.TracerProvider} {
		if *part == nil {
			*part = out.TracerProvider
		}
	}
	return out
}

func (o *Options) policyOfDestinations() destination.Policy {
	return destination.Policy{AllowedLocalFolders: o.Git.AllowedLocalFolders}
}
