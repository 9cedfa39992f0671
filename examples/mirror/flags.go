package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
)

// flags are the command line.
type flags struct {
	config, kubeconfig string
	context            string
	clusterID          string
	once, dryRun, rbac bool
	timeout            time.Duration
	quiet, resync      time.Duration
	listen             string
	lead               bool
	leaseNamespace     string
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

func parse(args []string, stdout, stderr io.Writer) (*flags, error) {
	f := &flags{}
	set := f.set()
	set.SetOutput(io.Discard) // what is wrong is said once, below
	err := set.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		help(stdout, set)
		return nil, err
	}
	f.once = f.once || f.dryRun
	if err == nil && !f.version {
		err = f.validate(set.Args())
	}
	if err != nil {
		fmt.Fprintf(stderr, "mirror: %v (see mirror --help)\n", err)
		return nil, err
	}
	return f, nil
}

func (f *flags) set() *flag.FlagSet {
	set := flag.NewFlagSet("mirror", flag.ContinueOnError)
	set.StringVar(&f.config, "config", "", "`folder` of manifests; required")
	set.StringVar(&f.kubeconfig, "kubeconfig", "", "kubeconfig `file` of the cluster; default: in-cluster, or $KUBECONFIG")
	set.StringVar(&f.context, "context", "", "`context` of the kubeconfig; default: its current one")
	set.StringVar(&f.clusterID, "cluster-id", "", "`name` of the cluster in the folders; default: the UID of the namespace kube-system")
	set.BoolVar(&f.once, "once", false, "write what there is, then end")
	set.BoolVar(&f.dryRun, "dry-run", false, "print what --once would change, and change nothing")
	set.BoolVar(&f.rbac, "rbac", false, "print the least that the rules need to read as ClusterRoles and Roles, and end")
	set.DurationVar(&f.timeout, "timeout", 10*time.Minute, "how long --once may take")
	set.DurationVar(&f.quiet, "quiet", time.Second, "how long a destination must be quiet before its changes are committed")
	set.DurationVar(&f.resync, "resync", 0, "how often everything is listed and compared anew; default: every hour; negative: never")
	set.StringVar(&f.listen, "listen", "", "`address`, such as :8080, for /healthz, /readyz, /metrics and /status; default: none")
	set.BoolVar(&f.lead, "leader-elect", false, "of several processes let one write, by a Lease")
	set.StringVar(&f.leaseNamespace, "leader-elect-namespace", "default", "`namespace` of the Lease "+leaseName)
	set.BoolVar(&f.verbose, "v", false, "log more")
	set.StringVar(&f.logFormat, "log", formatText, "`format` of the log: text or json")
	set.BoolVar(&f.version, "version", false, "print the version, and end")
	set.Var(&f.adopt, "adopt", "take over the folder of the GitDestination `NS/NAME`; may be repeated")
	set.Var(&f.approve, "approve", "let the next sweep of the GitDestination `NS/NAME` delete any number of files; may be repeated")
	set.Var(&f.prune, "prune", "with --once, delete the files of the GitDestination `NS/NAME` that no rule covers any more; may be repeated")
	set.Var(&f.local, "allow-local", "let repositories be in this `folder` of this machine, where Git's programs run as you; may be repeated")
	set.Var(&f.plainText, "allow-plain-text", "let credentials go to this `host` over http, where others can read them; may be repeated")
	set.Var(&f.explain, "explain", "say which rule sends the object `RESOURCE[.GROUP]/[NAMESPACE/]NAME` where, or why not, and end")
	return set
}

func (f *flags) validate(arguments []string) error {
	switch err := f.policy().Validate(); {
	case err != nil:
		return fmt.Errorf("--allow-local: %w", err)
	case f.logFormat != formatText && f.logFormat != formatJSON:
		return fmt.Errorf("--log %q: want %s or %s", f.logFormat, formatText, formatJSON)
	case len(f.prune) > 0 && !f.once:
		return errors.New("--prune needs --once: it is for what no rule covers at that moment")
	case f.once && (f.lead || f.listen != ""):
		return errors.New("--once ends by itself: it goes with neither --listen nor --leader-elect")
	case f.config == "":
		return errors.New("--config is required")
	case len(arguments) > 0:
		return fmt.Errorf("unexpected argument %q", arguments[0])
	}
	return nil
}

// help prints what the program does, and all flags.
func help(w io.Writer, set *flag.FlagSet) {
	fmt.Fprint(w, `mirror writes a Kubernetes cluster down in Git, as a folder of manifests says.

The folder holds GitRepoConfigs, GitDestinations, WatchRules and ClusterWatchRules
(configbutler.ai/v1alpha1), and Secrets with credentials, which may be in the cluster instead.

  mirror --config DIR                 follow the cluster, until a signal
  mirror --config DIR --dry-run       print what would change
  mirror --config DIR --once          write what there is, print how it stands, and end
  mirror --config DIR --rbac | kubectl apply -f -
  mirror --config DIR --explain deployments.apps/default/web

Signals: SIGINT and SIGTERM push what was seen, then end; a second one ends at once.
SIGHUP, and any change of the folder, loads the manifests anew. Faulty ones change nothing.

Exit codes: 0 all was written; 1 something could not be written; 2 the input is faulty, and
nothing was written.

Flags:
`)
	set.SetOutput(w)
	set.PrintDefaults()
}
