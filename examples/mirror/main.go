// Command mirror writes a cluster down in Git, as a folder of manifests says.
//
//	mirror --config DIR --kubeconfig FILE [--context NAME] [--once] [--dry-run] [--log json]
//	       [--adopt NS/NAME] [--approve NS/NAME] [--prune NS/NAME]
//	       [--allow-local FOLDER] [--allow-plain-text HOST]
//	mirror --config DIR --kubeconfig FILE --explain RESOURCE[.GROUP]/[NAMESPACE/]NAME
//
// DIR holds GitRepoConfigs, GitDestinations, WatchRules and ClusterWatchRules
// (configbutler.ai/v1alpha1). Secrets that the GitRepoConfigs refer to are in DIR or in the
// cluster.
//
// The exit code is 0 if everything was written, 1 if something could not be written, and 2 if the
// input is faulty; then nothing is written.
//
// --explain prints which rule sends an object of the cluster where, or why none does, and writes
// nothing.
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
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe/destination"
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

// flags are the command line.
type flags struct {
	config, kubeconfig string
	context            string
	once, dryRun       bool
	timeout            time.Duration
	quiet              time.Duration
	verbose, version   bool
	logFormat          string
	failed             atomic.Bool // a run --once
	adopt, approve     refs
	prune              refs
	explain            objectFlag
	local, plainText   list
}

// list is a flag of any text that can be given several times.
type list []string

func (l *list) String() string { return fmt.Sprint(*l) }

func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// policy is what the command line allows the repositories of the manifests.
func (f *flags) policy() destination.Policy { return destination.Policy{AllowedLocalFolders: f.local} }

// refs is a flag that can be given several times.
type refs []types.NamespacedName

func (r *refs) String() string { return fmt.Sprint(*r) }

func (r *refs) Set(s string) error {
	namespace, name, ok := strings.Cut(s, "/")
	if !ok || namespace == "" || name == "" || strings.Contains(name, "/") {
		return errors.New("want NAMESPACE/NAME of a GitDestination")
	}
	*r = append(*r, types.NamespacedName{Namespace: namespace, Name: name})
	return nil
}

// run is main without the process.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	f, err := parse(args, stderr)
	if errors.Is(err, flag.ErrHelp) {
		return exitDone
	}
	if err != nil {
		return exitInput // parse has said why
	}
	if f.version {
		fmt.Fprintln(stdout, "mirror", buildVersion())
		return exitDone
	}
	do := func() (int, error) { return f.mirror(ctx, stdout, stderr) }
	if f.explain != (objectFlag{}) {
		do = func() (int, error) { return f.explainObject(ctx, stdout) }
	}
	code, err := do()
	if err != nil {
		fmt.Fprintln(stderr, err)
	}
	return code
}

func parse(args []string, stderr io.Writer) (*flags, error) {
	f := &flags{}
	set := flag.NewFlagSet("mirror", flag.ContinueOnError)
	set.SetOutput(stderr)
	set.StringVar(&f.config, "config", "", "`folder` of manifests; required")
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `file` of the cluster; default: in-cluster, or $KUBECONFIG")
	set.StringVar(&f.context, "context", "", "`context` of the kubeconfig; default: its current one")
	set.BoolVar(&f.once, "once", false, "write what there is, then end")
	set.BoolVar(&f.dryRun, "dry-run", false, "print what --once would change, and change nothing")
	set.DurationVar(&f.timeout, "timeout", 10*time.Minute, "how long --once may take")
	set.DurationVar(&f.quiet, "quiet", time.Second, "how long a destination must be quiet before its changes are committed")
	set.BoolVar(&f.verbose, "v", false, "log more")
	set.StringVar(&f.logFormat, "log", formatText, "`format` of the log: text or json")
	set.BoolVar(&f.version, "version", false, "print the version, and end")
	set.Var(&f.adopt, "adopt", "take over the folder of the GitDestination `NS/NAME`; may be repeated")
	set.Var(&f.approve, "approve", "let the next sweep of the GitDestination `NS/NAME` delete any number of files; may be repeated")
	set.Var(&f.prune, "prune", "with --once, delete the files of the GitDestination `NS/NAME` that no rule covers any more; may be repeated")
	set.Var(&f.local, "allow-local", "let repositories be in this `folder` of this machine, where Git's programs run as you; may be repeated")
	set.Var(&f.plainText, "allow-plain-text", "let credentials go to this `host` over http, where others can read them; may be repeated")
	set.Var(&f.explain, "explain", "say which rule sends the object `RESOURCE[.GROUP]/[NAMESPACE/]NAME` where, or why not, and end")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	f.once = f.once || f.dryRun
	err := f.policy().Validate()
	switch {
	case f.version:
		return f, nil
	case err != nil:
		err = fmt.Errorf("--allow-local: %w", err)
	case f.logFormat != formatText && f.logFormat != formatJSON:
		err = fmt.Errorf("--log %q: want %s or %s", f.logFormat, formatText, formatJSON)
	case len(f.prune) > 0 && !f.once:
		err = errors.New("--prune needs --once: it is for what no rule covers at that moment")
	case f.config == "":
		err = errors.New("--config is required")
	case set.NArg() > 0:
		err = fmt.Errorf("unexpected argument %q", set.Arg(0))
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		set.Usage()
		return nil, err
	}
	return f, nil
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
