package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"

	"github.com/go-logr/logr"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// mirror loads the manifests and runs a Mirror with them. It checks the whole input before it
// contacts anything.
func (f *flags) mirror(ctx context.Context, stdout, stderr io.Writer) (int, error) {
	log := f.logger(stderr)
	manifests, err := f.load()
	if err != nil {
		return exitInput, err
	}
	cluster, err := f.cluster()
	if err != nil {
		return exitInput, fmt.Errorf("kubeconfig: %w", err)
	}
	opts, err := f.options(manifests, cluster, stdout, log)
	if err != nil {
		return exitInput, err
	}
	if opts.GitSink != nil {
		defer opts.GitSink.Close()
	}
	m, err := kubescribe.New(cluster, opts)
	if err != nil {
		return exitInput, err
	}
	rules := kubescribe.Rules{
		Repositories: manifests.Repositories,
		Destinations: manifests.Destinations,
		Rules:        manifests.Rules,
		Orphans:      manifests.Orphans,
	}
	if err := m.SetRules(rules); err != nil {
		return exitInput, manifests.Explain(err)
	}
	if err := unused(manifests); err != nil {
		return exitInput, err
	}
	if err := f.grant(m); err != nil {
		return exitInput, err
	}
	log.Info("mirroring", "version", buildVersion(), "cluster", addressOf(cluster), "destinations", names(manifests), "rules", len(manifests.Rules))
	if f.once {
		return f.runOnce(ctx, m, stdout)
	}
	return exitCode(m.Start(ctx))
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
func (f *flags) options(m *manifest.Config, cluster *rest.Config, stdout io.Writer, log logr.Logger) (*kubescribe.Options, error) {
	creds, err := newCredentials(m, cluster)
	if err != nil {
		return nil, err
	}
	opts := &kubescribe.Options{
		Git: gogit.Options{
			Auth:      creds.auth,
			RateLimit: pace(m),
			Logger:    log,

			AllowedLocalFolders:   f.local,
			AllowedPlainTextHosts: f.plainText,
		},
		Queue:  queue.Options{Window: queue.Window{Debounce: f.quiet}},
		Logger: log,
	}
	if f.once {
		// What has failed for good is not tried once more.
		opts.Run.Drain = func() bool { return !f.failed.Load() }
	}
	if f.dryRun {
		opts.GitSink = &dryRun{out: stdout, sink: gogit.New(&opts.Git)}
	}
	return opts, nil
}

// pace is a repository's push.interval and push.maxCommits.
func pace(m *manifest.Config) func(destination.Destination) gogit.RateLimit {
	return func(d destination.Destination) gogit.RateLimit {
		push := m.Push[d.RepositoryRef]
		p := gogit.RateLimit{Interval: push.Interval, MaxCommits: push.MaxCommits}
		if p.Interval > 0 {
			p.Burst = 1
		}
		return p
	}
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

// runOnce runs m until every destination is written or has failed for good.
func (f *flags) runOnce(ctx context.Context, m *kubescribe.Mirror, stdout io.Writer) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, f.timeout)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Start(running) }()
	err := m.WaitSynced(ctx)
	if err == nil {
		err = f.pruneAll(ctx, m)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("not done after --timeout %s: %w", f.timeout, err)
	}
	f.summary(m, stdout)
	f.failed.Store(err != nil)
	stop()
	if startErr := <-ended; err == nil {
		err = startErr
	}
	return exitCode(err)
}

// pruneAll prunes after the first sweep, so that it removes the files that the status then showed.
func (f *flags) pruneAll(ctx context.Context, m *kubescribe.Mirror) error {
	var faults []error
	for _, ref := range f.prune {
		if err := m.Prune(ctx, ref); err != nil {
			faults = append(faults, fmt.Errorf("--prune %s: %w", ref, err))
		}
	}
	return errors.Join(faults...)
}

// summary prints the status of each destination. After a dry run, which has printed a diff, it
// prints comments to the diff: which files would stay until somebody adopts, approves or prunes.
func (f *flags) summary(m *kubescribe.Mirror, stdout io.Writer) {
	status := m.Status()
	if status.Err != nil {
		fmt.Fprintln(stdout, f.comment()+"note:", status.Err)
	}
	var refs []destination.Ref
	for ref := range status.Destinations {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b destination.Ref) int { return cmp.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		if f.dryRun {
			describeFaults(stdout, "# "+ref.String()+": ", status.Destinations[ref])
			describeKept(stdout, "# "+ref.String()+": ", ref, status.Destinations[ref])
			describeFiltered(stdout, "# "+ref.String()+": ", status.Destinations[ref])
			continue
		}
		describe(stdout, ref, status.Destinations[ref])
	}
}

// comment is what begins a line that stands beside the diff of a dry run.
func (f *flags) comment() string {
	if f.dryRun {
		return "# "
	}
	return ""
}

func describe(w io.Writer, ref destination.Ref, st kubescribe.DestinationStatus) {
	state := "in sync"
	if !st.Synced {
		state = "NOT in sync"
	}
	fmt.Fprintf(w, "%s: %s, %s at %s\n", ref, state, st.Destination.Branch, short(st.Tip))
	if st.Err != nil {
		fmt.Fprintf(w, "  error: %v\n", st.Err)
	}
	describeFaults(w, "  ", st)
	describeKept(w, "  ", ref, st)
	describeFiltered(w, "  ", st)
	for _, s := range slices.Concat(st.Skipped, refusedAsSkipped(st)) {
		fmt.Fprintf(w, "  left out: %s: %v\n", s.Resource.ID, s.Err)
	}
	if more := st.Watch.RefusedCount - len(st.Watch.Refused) + st.SkippedCount - len(st.Skipped); more > 0 {
		fmt.Fprintf(w, "  left out: and %d more\n", more)
	}
	for _, part := range st.Watch.Incomplete {
		fmt.Fprintf(w, "  not listed: %s: %v\n", part.Collection, part.Err)
	}
}

// describeFaults prints the types that rules name and do not get.
func describeFaults(w io.Writer, prefix string, st kubescribe.DestinationStatus) {
	for _, fault := range st.Watch.Faults {
		fmt.Fprintf(w, "%sfault: %v\n", prefix, fault)
	}
}

func refusedAsSkipped(st kubescribe.DestinationStatus) []gitsink.Skipped {
	var out []gitsink.Skipped
	for _, r := range st.Watch.Refused {
		s := gitsink.Skipped{Err: r.Err}
		s.Resource.ID = r.ID
		out = append(out, s)
	}
	return out
}

// describeKept prints the files that stay although they have no object, or no rule.
func describeKept(w io.Writer, prefix string, ref destination.Ref, st kubescribe.DestinationStatus) {
	if st.Held != nil {
		fmt.Fprintf(w, "%sheld: %d of %d files have no object any more; delete them with --approve %s\n", prefix, st.Held.Count, st.Held.Files, ref)
		printSample(w, prefix, st.Held.Sample, st.Held.Count)
	}
	if st.Excluded != nil {
		fmt.Fprintf(w, "%sleft alone: %d folders have a %s of their own\n", prefix, st.Excluded.Count, gitsink.OwnerFile)
		printSample(w, prefix, st.Excluded.Sample, st.Excluded.Count)
	}
	if len(st.Unadopted) > 0 {
		fmt.Fprintf(w, "%snot adopted: %d files have no object; delete them with --adopt %s\n", prefix, len(st.Unadopted), ref)
		printSample(w, prefix, st.Unadopted[:min(len(st.Unadopted), 10)], len(st.Unadopted))
	}
	if st.Uncovered != nil {
		fmt.Fprintf(w, "%snot covered: no rule covers %d files any more; delete those that are ours with --once --prune %s\n", prefix, st.Uncovered.Count, ref)
		printSample(w, prefix, st.Uncovered.Sample, st.Uncovered.Count)
	}
}

// describeFiltered prints the files that git add would have run through a filter.
func describeFiltered(w io.Writer, prefix string, st kubescribe.DestinationStatus) {
	if len(st.Filtered) == 0 {
		return
	}
	fmt.Fprintf(w, "%snot filtered: files are written as they are, though a .gitattributes has a filter for them\n", prefix)
	for _, f := range st.Filtered {
		fmt.Fprintf(w, "%s  %s\n", prefix, f)
	}
}

func printSample(w io.Writer, prefix string, paths []string, of int) {
	for _, path := range paths {
		fmt.Fprintf(w, "%s  %s\n", prefix, path)
	}
	if of > len(paths) {
		fmt.Fprintf(w, "%s  and %d more\n", prefix, of-len(paths))
	}
}

func short(commit string) string {
	if commit == "" {
		return "no commit"
	}
	return commit[:min(len(commit), 12)]
}
