package gogit

import (
	"context"
	"net/http"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// Options configure a [Sink]. Nil and the zero value mean the defaults.
type Options struct {
	// Auth returns the credentials for a destination, and an error for one that may not use them,
	// which fails its Apply and matches itself in the result. It is asked for each call before that
	// may share a push with others, again if the call has waited for more than a second, and for
	// each connection, so short-lived and rotated credentials work. It may be called concurrently
	// and ends with ctx. Only equal answers share pushes, RateLimit and a server's Retry-After:
	// keep a token for a while if asking makes a new one. Default: no credentials.
	Auth func(ctx context.Context, d destination.Destination) (Auth, error)

	// AllowedPlainTextHosts are the hosts, by name or address and without a port, that credentials
	// may be sent to over http, or over http and socks5 as those of a proxy: everybody on the way
	// can read them. Whatever else would show some is refused with gitsink.ErrPlainText before
	// anything is sent. A proxy that the environment or Transport names is not looked at. Default:
	// this machine, as localhost or as a loopback address.
	AllowedPlainTextHosts []string

	// AllowedLocalFolders are the folders of this machine in which repositories may be; see
	// destination.Policy. What is elsewhere, or leads elsewhere by a link, is refused with
	// destination.ErrLocalNotAllowed. Every destination may use them. Default: none, so
	// repositories are on servers.
	AllowedLocalFolders []string

	// Committer is used where a commit names none; its When is not. Default: kubescribe
	// <kubescribe@localhost>.
	Committer gitsink.Signature

	// Signer returns what signs the commits of a destination. It is asked whenever Auth is asked
	// for a call, and may be called concurrently. When it is set, no commit goes unsigned: its
	// error, that of the Signer, and no Signer at all fail the Apply. Commits with different
	// signers can share a push. See Unsigned for exceptions. Default: commits are not signed.
	Signer func(ctx context.Context, d destination.Destination) (Signer, error)

	// MaxPackBytes bounds what one fetch may receive. Default: 256 MiB.
	MaxPackBytes int64

	// MaxHeldBytes bounds what is held in memory of a fetch, of a lane's trees and of the paths
	// that a plan is shown, each with what an object or a path costs beside its bytes. That is
	// enough for some 400,000 files below a base folder. Default: 40 MiB.
	MaxHeldBytes int64

	// CacheBytes bounds the memory of the lanes that nobody uses at the moment; the least recently
	// used are forgotten. Default: 64 MiB.
	CacheBytes int64

	// StepTimeout bounds each network step that moves no pack: connecting, logging in, reading what
	// the server advertises, and what Auth, Signer, RateLimit and a Signer's Sign take. One of
	// these that ignores its context is left behind two seconds after the end of that: its Apply
	// fails, others go on. Eight are left behind for one destination at most; then it is asked no
	// more until one of them ends. Default: 1 minute.
	StepTimeout time.Duration

	// TransferTimeout bounds each request that sends or receives a pack, the server's hooks
	// included. Default: 10 minutes.
	TransferTimeout time.Duration

	// PlanTimeout bounds one run of a plan, what it reads included. A plan that ignores its context
	// is left behind two seconds after the end of that: its Apply fails, and others go on. Default:
	// 10 minutes.
	PlanTimeout time.Duration

	// RateLimit says how often the repository of a destination may be pushed to. It is asked for
	// each call, so it may change, and holds for all calls with equal credentials and an equal
	// RateLimit together. Default: the zero RateLimit.
	RateLimit func(destination.Destination) RateLimit

	// MaxAttempts is how often a plan is run before Apply gives up with ErrConflict. Default: 10.
	MaxAttempts int

	// Transport does the requests of http and https. A CA bundle in an Auth needs it to be an
	// *http.Transport. Default: a copy of http.DefaultTransport, closed by Close.
	Transport http.RoundTripper

	// MeterProvider gets the metrics of the package documentation, until Close. Default: nothing is
	// measured.
	MeterProvider metric.MeterProvider

	// TracerProvider gets a span for each run of a plan, "kubescribe.plan", below the span of the
	// context of Apply, and one for each push, "kubescribe.push", below that of one of its callers
	// and with links to those of the others. Default: nothing is traced.
	TracerProvider trace.TracerProvider

	// Logger is told at level 1 why a plan is run again or a cache is dropped; never credentials or
	// content. Default: nothing is logged.
	Logger logr.Logger
}

func (o *Options) withDefaults() Options {
	var set Options
	if o != nil {
		set = *o
	}
	if set.Auth == nil {
		set.Auth = func(context.Context, destination.Destination) (Auth, error) { return Auth{}, nil }
	}
	if set.Committer.Name == "" {
		set.Committer.Name = "kubescribe"
	}
	if set.Committer.Email == "" {
		set.Committer.Email = "kubescribe@localhost"
	}
	if set.Signer == nil {
		set.Signer = func(context.Context, destination.Destination) (Signer, error) { return Unsigned, nil }
	}
	if set.RateLimit == nil {
		set.RateLimit = func(destination.Destination) RateLimit { return RateLimit{} }
	}
	set.MaxPackBytes = positive(set.MaxPackBytes, 256<<20)
	set.MaxHeldBytes = positive(set.MaxHeldBytes, 40<<20)
	set.PlanTimeout = positive(set.PlanTimeout, 10*time.Minute)
	set.CacheBytes = positive(set.CacheBytes, 64<<20)
	set.StepTimeout = positive(set.StepTimeout, time.Minute)
	set.TransferTimeout = positive(set.TransferTimeout, 10*time.Minute)
	set.MaxAttempts = positive(set.MaxAttempts, 10)
	if set.Logger.GetSink() == nil {
		set.Logger = logr.Discard()
	}
	return set
}
