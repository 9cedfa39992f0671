// Command trial is a Mirror as a process of its own, for tests that kill it, stop it, or let it run
// with little: of memory, descriptors, disk. Its binary is small, and is no test binary, so that
// its memory is a user's.
//
//	trial --config DIR --kubeconfig FILE [--once] [--timeout D] [--quiet D] [--allow-local FOLDER]
//
// DIR has manifests; see package manifest.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// flags are the command line.
type flags struct {
	config, kubeconfig, local string
	once                      bool
	timeout, quiet            time.Duration
}

func run(ctx context.Context) error {
	var f flags
	flag.StringVar(&f.config, "config", "", "folder of manifests")
	flag.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig file")
	flag.StringVar(&f.local, "allow-local", os.TempDir(), "folder in which repositories may be")
	flag.BoolVar(&f.once, "once", false, "end when everything is written")
	flag.DurationVar(&f.timeout, "timeout", time.Hour, "of --once")
	flag.DurationVar(&f.quiet, "quiet", time.Second, "how long a destination is quiet before its changes are committed")
	flag.Parse()
	m, err := f.mirror()
	if err != nil {
		return err
	}
	if f.once {
		return runOnce(ctx, m, f.timeout)
	}
	return m.Start(ctx)
}

// mirror makes the Mirror that the manifests describe.
func (f *flags) mirror() (*kubescribe.Mirror, error) {
	config, err := manifest.Load(os.DirFS(f.config))
	if err != nil {
		return nil, err
	}
	cluster, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	if err != nil {
		return nil, err
	}
	m, err := kubescribe.New(cluster, &kubescribe.Options{
		Git: gogit.Options{
			Auth: func(_ context.Context, d destination.Destination) (gogit.Auth, error) { return auth(config, d) },
			RateLimit: func(d destination.Destination) gogit.RateLimit {
				push := config.Push[d.RepositoryRef]
				return gogit.RateLimit{Interval: push.Interval, MaxCommits: push.MaxCommits, Burst: min(int(push.Interval), 1)}
			},
			AllowedLocalFolders: []string{f.local},
		},
		Queue:  queue.Options{Window: queue.Window{Debounce: f.quiet}},
		Logger: logr.FromSlogHandler(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return nil, err
	}
	err = m.SetRules(kubescribe.Rules{
		Repositories: config.Repositories, Destinations: config.Destinations, Rules: config.Rules, Orphans: config.Orphans,
	})
	if err != nil {
		err = config.Explain(err)
	}
	return m, err
}

func auth(config *manifest.Config, d destination.Destination) (gogit.Auth, error) {
	ref, needed := config.Credentials[d.RepositoryRef]
	if !needed {
		return gogit.Auth{}, nil
	}
	secret, there := config.Secrets[ref]
	if !there {
		return gogit.Auth{}, fmt.Errorf("%w: Secret %s is not among the manifests", gitsink.ErrNoCredentials, ref)
	}
	return gogit.AuthFromSecret(secret)
}

// runOnce runs a Mirror until everything is written.
func runOnce(ctx context.Context, m *kubescribe.Mirror, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- m.Start(running) }()
	err := m.WaitSynced(ctx)
	stop()
	if startErr := <-ended; err == nil {
		err = startErr
	}
	return err
}
