// Command mirror writes a cluster down in Git, as a folder of manifests says. `mirror --help` has
// its flags.
//
//	mirror --config DIR --kubeconfig FILE              # goes on until a signal
//	mirror --config DIR --kubeconfig FILE --dry-run    # prints what it would change
//	mirror --config DIR --kubeconfig FILE --once       # ends when everything is written
//
// DIR holds GitRepoConfigs, GitDestinations, WatchRules and ClusterWatchRules
// (configbutler.ai/v1alpha1). Secrets that the GitRepoConfigs refer to are in DIR or in the
// cluster. DIR is loaded anew when it changes.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitInput  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, func() {
		stop() // a second signal ends the process at once
		time.AfterFunc(endTimeout, func() {
			fmt.Fprintln(os.Stderr, "mirror: not everything ended within", endTimeout, "of the signal; what was not pushed is made good at the next start")
			os.Exit(exitFailed)
		})
	})
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// endTimeout is the time after a signal at which the process ends in any case. A Mirror that drains
// for its default time ends earlier, even if it takes ten seconds more.
const endTimeout = 45 * time.Second

// run is main without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stdout, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		return exitInput // parse has said why
	}
	do := func() (int, error) { return f.mirror(ctx, stdout, stderr) }
	switch {
	case f.version:
		fmt.Fprintln(stdout, "mirror", buildVersion())
		return exitDone
	case f.rbac:
		do = func() (int, error) { return f.printRights(stdout) }
	case f.explain != (objectFlag{}):
		do = func() (int, error) { return f.explainObject(ctx, stdout) }
	}
	code, err := do()
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return code
}

// cluster returns how to reach the API server.
func (f *flags) cluster() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = f.kubeconfig
	overrides := &clientcmd.ConfigOverrides{CurrentContext: f.context}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
}

// buildVersion returns the version that the program was built from, as go version -m prints it.
func buildVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
