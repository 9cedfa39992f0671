package kubescribe

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Rules say what is written where. They are data: where they come from, custom resources or files, is the caller's affair.
type Rules struct {
	Repositories []destination.Repository
	Destinations []destination.Spec
	Rules        []ruleset.Rule
	// Orphans are the options of destinations that do not want the defaults.
	Orphans map[destination.Ref]orphan.Options
}

// Options change what a Mirror does. Nil and the zero value mean the defaults.
type Options struct {
	// Auth returns the credentials for a destination, and an error for one that may not use them; see gogit.Options. It is of
	// use to the default GitSink only. Default: no credentials.
	Auth func(context.Context, destination.Destination) (gogit.Auth, error)
	// Signer returns what signs the commits of a destination. It is of use to the default GitSink only. Default: commits are
	// not signed.
	Signer func(context.Context, destination.Destination) (gogit.Signer, error)
	// RateLimit says how often the repository of a destination may be pushed to. It is of use to the default GitSink only.
	// Default: gogit's defaults, 6 pushes a minute.
	RateLimit func(destination.Destination) gogit.RateLimit
	// AllowedPlainTextHosts are the hosts that credentials may be sent to over http; see gogit.Options. It is of use to the
	// default GitSink only. Default: this machine.
	AllowedPlainTextHosts []string
	// AllowedLocalFolders are the folders of this machine in which repositories may be, whoever named them; see
	// destination.Policy. SetRules refuses others, and so does the default GitSink. Default: none.
	AllowedLocalFolders []string
	// GitSink writes the commits. The Mirror does not close one that is given here. Default: gogit.New.
	GitSink gitsink.GitSink
	// Queue lines events up. Default: queue.NewSharded with Window.
	Queue queue.Queue
	// Window says when a batch of a destination is due. It is of use to the default Queue only. Default: queue's defaults.
	Window func(destination.Destination) queue.Window
	// ClusterID names the cluster in the ownership file of each folder; no other cluster may have the same. Default: the
	// UID of the namespace kube-system.
	ClusterID string
	// Layout, Encryptor, Message, Committer and CommitPer are passed on to gitsink.WriterOptions.
	Layout    event.Layout
	Encryptor event.Encryptor
	Message   func(destination.Destination, []event.Event) string
	Committer gitsink.Signature
	CommitPer gitsink.CommitPer
	// RefuseFiltered leaves out what a .gitattributes gives a filter. Default: it is written as it is. See gitsink.WriterOptions.
	RefuseFiltered bool
	// Attribute says who made a change; event/source.FieldManager is a ready-made one, and CommitPer says whether changes of
	// several authors share a commit, which then has none of them. Default: unknown, so the author of a commit is its
	// committer. See event/source.Options.
	Attribute func(ctx context.Context, obj *unstructured.Unstructured, op event.Operation) event.Author
	// OnStatus is told when the status of a destination has changed because of a push or a failed one. It must be quick;
	// calls may be concurrent. Default: none.
	OnStatus func(destination.Ref, DestinationStatus)
	// StillLeader is asked before each run of a plan and when the context of Start ends; when it says no, nothing more is
	// written. See HoldsLease. Default: always.
	StillLeader func(context.Context) bool
	// Handover is when every folder is looked at again after Start, and then three times more, each after twice the time: a push
	// that the leader before had begun may come in behind a seed that found nothing to write. Negative: never. Default: 1 min
	// if StillLeader is set, else never.
	Handover time.Duration
	// DrainTimeout bounds what Start does after its context has ended: push what was accepted. Default: 20 s.
	DrainTimeout time.Duration
	// Resync is how often every destination is seeded anew. Negative: never. Default: 1 h.
	Resync time.Duration
	// Rediscover is how often the API server is asked for new types. Default: 30 s.
	Rediscover time.Duration
	// Collapse is for how many namespaces a type is watched one by one; rules for more share one watch of all. Negative:
	// any number. Default: 50. See event/source.Options.
	Collapse int
	// InitialEvents has listings come by watches, where the server can do it, which takes less memory where objects are large.
	// Default: pages. See event/source.Options.
	InitialEvents bool
	// MeterProvider gets the metrics of the queue and its Runner, which package queue lists. Of the Queue it is of use to the
	// default one only. Default: nothing is measured.
	MeterProvider metric.MeterProvider
	// Logger gets what an operator of the program wants to know, and more at V(1). Default: none.
	Logger logr.Logger
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	if out.OnStatus == nil {
		out.OnStatus = func(destination.Ref, DestinationStatus) {}
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
	if out.DrainTimeout <= 0 {
		out.DrainTimeout = 20 * time.Second
	}
	return out
}

func (o *Options) policy() destination.Policy {
	return destination.Policy{AllowedLocalFolders: o.AllowedLocalFolders}
}
