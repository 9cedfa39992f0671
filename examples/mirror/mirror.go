package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"sync/atomic"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// program is a Mirror with what is around it.
type program struct {
	*flags
	log         logr.Logger
	cluster     *rest.Config
	manifests   atomic.Pointer[manifest.Config] // those in force
	credentials *credentials
	encrypts    bool // there is an Encryptor
	mirror      *kubescribe.Mirror
	metrics     *metrics  // nil: nobody asks for them
	election    *election // nil: there are no others
}

// mirror loads the manifests and runs a Mirror with them. It checks the whole input before it
// contacts anything.
func (f *flags) mirror(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	p := &program{flags: f, log: f.logger(stderr)}
	m, err := f.load()
	if err != nil {
		return exitInput, err
	}
	p.manifests.Store(m)
	if p.cluster, err = f.cluster(); err != nil {
		return exitInput, fmt.Errorf("kubeconfig: %w", err)
	}
	opts, err := p.options(stdout)
	if err != nil {
		return exitInput, err
	}
	if opts.GitSink != nil {
		defer opts.GitSink.Close()
	}
	if p.mirror, err = kubescribe.New(p.cluster, opts); err != nil {
		return exitInput, err
	}
	if err := p.mirror.SetRules(rulesOf(m)); err != nil {
		return exitInput, m.Explain(err)
	}
	if err := unused(m); err != nil {
		return exitInput, err
	}
	if err := f.grant(p.mirror); err != nil {
		return exitInput, err
	}
	p.log.Info("mirroring", "version", buildVersion(), "cluster", addressOf(p.cluster), "destinations", names(m), "rules", len(m.Rules))
	if f.once {
		return p.runOnce(ctx, stdout)
	}
	return p.follow(ctx)
}

func rulesOf(m *manifest.Config) kubescribe.Rules {
	return kubescribe.Rules{Repositories: m.Repositories, Destinations: m.Destinations, Rules: m.Rules, Orphans: m.Orphans,
		Layouts: m.Layouts, Kustomizations: m.Kustomizations}
}

// addressOf returns the address of the API server, without credentials.
func addressOf(cluster *rest.Config) string {
	address, err := url.Parse(cluster.Host)
	if err != nil {
		return "unknown"
	}
	return address.Redacted()
}

func exitCode(err error) (int, error) {
	if err != nil {
		return exitFailed, err
	}
	return exitDone, nil
}

// options returns the Mirror's options. It makes the sink itself, so that a dry run can wrap it.
func (p *program) options(stdout io.Writer) (*kubescribe.Options, error) {
	var err error
	if p.credentials, err = newCredentials(p.manifests.Load, p.cluster); err != nil {
		return nil, err
	}
	opts := &kubescribe.Options{
		ClusterID: p.clusterID,
		Git: gogit.Options{
			Auth:      p.credentials.auth,
			RateLimit: p.pace,
			Logger:    p.log,

			AllowedLocalFolders:   p.local,
			AllowedPlainTextHosts: p.plainText,
		},
		Queue:  queue.Options{Window: queue.Window{Debounce: p.quiet}},
		Source: source.Options{Resync: p.resync},
		Logger: p.log,
	}
	// Without keys for any destination, Secrets are left out before anything is done about them.
	if len(p.manifests.Load().Encryption) > 0 {
		if opts.Write.Encryptor, err = newEncryptor(p.credentials); err != nil {
			return nil, err
		}
	}
	p.encrypts = opts.Write.Encryptor != nil
	if p.listen != "" {
		if p.metrics, err = newMetrics(); err != nil {
			return nil, err
		}
		opts.MeterProvider = p.metrics.provider
	}
	if p.flags.lead {
		if p.election, err = newElection(p.cluster, p.leaseNamespace); err != nil {
			return nil, err
		}
		opts.StillLeader = kubescribe.HoldsLease(p.election.lock)
	}
	if p.once {
		// What has failed for good is not tried once more.
		opts.Run.Drain = func() bool { return !p.failed.Load() }
	}
	if p.dryRun {
		opts.GitSink = &dryRun{out: stdout, sink: gogit.New(&opts.Git)}
	}
	return opts, nil
}

// pace is a repository's push.interval and push.maxCommits.
func (p *program) pace(d destination.Destination) gogit.RateLimit {
	push := p.manifests.Load().Push[d.RepositoryRef]
	limit := gogit.RateLimit{Interval: push.Interval, MaxCommits: push.MaxCommits}
	if limit.Interval > 0 {
		limit.Burst = 1
	}
	return limit
}

func (f *flags) grant(m *kubescribe.Mirror) error {
	var faults []error
	for _, ref := range f.adopt {
		if err := m.Adopt(ref); err != nil {
			faults = append(faults, fmt.Errorf("--adopt %s: %w", ref, err))
		}
	}
	for _, ref := range f.approve {
		if err := m.Approve(ref); err != nil {
			faults = append(faults, fmt.Errorf("--approve %s: %w", ref, err))
		}
	}
	return errors.Join(faults...)
}

// runOnce runs the Mirror until every destination is written or has failed for good.
func (p *program) runOnce(ctx context.Context, stdout io.Writer) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- p.mirror.Start(running) }()
	err := p.mirror.WaitSynced(ctx)
	switch {
	case err == nil:
		err = p.pruneAll(ctx)
	case ctx.Err() == nil:
		err = errors.New("mirror: not everything is in sync: the summary says why")
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("mirror: not done after --timeout %s", p.timeout)
	}
	p.summary(p.mirror, stdout)
	p.failed.Store(err != nil)
	stop()
	if startErr := <-ended; err == nil {
		err = startErr
	}
	return exitCode(err)
}

// pruneAll prunes after the first sweep, so that it removes the files that the status then showed.
func (p *program) pruneAll(ctx context.Context) error {
	var faults []error
	for _, ref := range p.prune {
		if err := p.mirror.Prune(ctx, ref); err != nil {
			faults = append(faults, fmt.Errorf("--prune %s: %w", ref, err))
		}
	}
	return errors.Join(faults...)
}
