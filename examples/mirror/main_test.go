package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

func TestMain(m *testing.M) {
	if args := os.Getenv("MIRROR_ARGS"); args != "" { // the test binary stands in for the program
		os.Args = append(os.Args[:1], strings.Split(args, "\n")...)
		main()
	}
	goleak.VerifyTestMain(m)
}

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// fixture is a cluster, a repository and a folder of manifests.
type fixture struct {
	t          *testing.T
	cluster    *clustertest.Cluster
	git        *gitservertest.Server
	repo       *gitservertest.Repo
	config     string
	kubeconfig string
}

func newFixture(t *testing.T, opts *gitservertest.ServerOptions) *fixture {
	t.Helper()
	f := &fixture{t: t, cluster: clustertest.New(nil), git: gitservertest.NewServer(t, opts), config: t.TempDir()}
	t.Logf("clustertest.Options{Seed: %d}", f.cluster.Seed())
	t.Cleanup(f.cluster.Close)
	f.repo = f.git.NewRepo("repo.git")
	f.kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}]\n"+
		"contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n", f.cluster.URL())
	require.NoError(t, os.WriteFile(f.kubeconfig, []byte(text), 0o600))
	return f
}

func (f *fixture) manifests(text string) {
	f.t.Helper()
	text = strings.ReplaceAll(text, "$REPO", f.repo.URL())
	require.NoError(f.t, os.WriteFile(filepath.Join(f.config, "config.yaml"), []byte(text), 0o600))
}

func (f *fixture) configMap(name, value string) {
	f.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"value": value}}}
	u.SetAPIVersion("v1")
	u.SetKind("ConfigMap")
	u.SetNamespace("default")
	u.SetName(name)
	require.NoError(f.t, f.cluster.Apply(u))
}

// run runs the program and returns its exit code and what it printed.
func (f *fixture) run(args ...string) (code int, stdout, stderr string) {
	f.t.Helper()
	var out, errs bytes.Buffer
	code = run(f.t.Context(), append([]string{"--config", f.config, "--kubeconfig", f.kubeconfig, "--quiet", "50ms", "--timeout", "30s"}, args...), &out, &errs)
	return code, out.String(), errs.String()
}

const good = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo}
spec: {repoURL: "$REPO", allowedBranches: ["main", "dev"]}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod}
spec: {repoRef: {name: repo}, branch: main, baseFolder: clusters/prod}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: rule}
spec:
  destinationRef: {name: prod}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

func TestOnceWritesWhatThereIsAndEnds(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	code, stdout, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "default/prod: in sync, main at ")
	require.Contains(t, f.repo.Tree("main"), "clusters/prod/default/configmaps/a.yaml")
}

func TestADryRunPrintsTheDiffAndChangesNothing(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	f.configMap("gone", "one")
	code, _, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	before, _ := f.repo.Tip("main")

	f.configMap("a", "two")
	f.configMap("b", "one")
	require.NoError(t, f.cluster.Delete(configMaps, "default", "gone"))
	code, stdout, stderr := f.run("--dry-run")
	require.Equal(t, exitDone, code, stderr)
	for _, want := range []string{
		"# default/prod: branch main",
		"--- a/clusters/prod/default/configmaps/a.yaml", "-  value: one", "+  value: two",
		"+++ b/clusters/prod/default/configmaps/b.yaml",
		"--- a/clusters/prod/default/configmaps/gone.yaml\n+++ /dev/null",
	} {
		require.Contains(t, stdout, want)
	}
	after, _ := f.repo.Tip("main")
	require.Equal(t, before, after)
}

// notShort skips a test that runs the program several times in a run that is to be short.
func notShort(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs the program several times")
	}
}

func TestATypoInARuleIsShownAndNothingIsPruned(t *testing.T) {
	notShort(t)
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	code, _, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	for typo, fault := range map[string]string{
		"[configmaps]": "",
		"[configmap]":  `resource "configmap" of API groups [""]: not served by the cluster: did you mean configmaps`,
		"[widgets]":    `resource "widgets" of API groups [""]: not served by the cluster: check the spelling of group and plural name, or install what serves it`,
	} {
		f.manifests(strings.Replace(good, "[configmaps]", typo, 1))
		code, stdout, _ := f.run("--dry-run")
		if fault == "" {
			require.Equal(t, exitDone, code)
			require.NotContains(t, stdout, "fault: ")
			continue
		}
		require.Equal(t, exitFailed, code)
		require.Contains(t, stdout, "# default/prod: fault: WatchRule default/rule: "+fault+"\n")
		code, stdout, stderr = f.run("--once", "--prune", "default/prod")
		require.Equal(t, exitFailed, code)
		require.Contains(t, stdout, "default/prod: NOT in sync")
		require.Contains(t, stdout, "  fault: WatchRule default/rule: "+fault+"\n")
		require.Contains(t, stderr, "mirror: not everything is in sync: the summary says why\n")
		require.Equal(t, typo == "[widgets]", strings.Contains(stdout, "not covered:"), stdout)
		require.Len(t, f.repo.Tree("main"), 2)
	}
}

func TestHeldDeletionsAreShownAndApproved(t *testing.T) {
	notShort(t)
	f := newFixture(t, nil)
	f.manifests(good)
	for i := range 11 {
		f.configMap(fmt.Sprintf("cm-%d", i), "one")
	}
	code, _, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	for i := range 11 {
		require.NoError(t, f.cluster.Delete(configMaps, "default", fmt.Sprintf("cm-%d", i)))
	}
	code, stdout, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "held: 11 of 11 files have no object any more; delete them with --approve default/prod")
	require.Len(t, f.repo.Tree("main"), 12)
	code, _, stderr = f.run("--once", "--approve", "default/prod")
	require.Equal(t, exitDone, code, stderr)
	require.Len(t, f.repo.Tree("main"), 1)
}

func TestADryRunTellsWhatIsHeldAndWhatNoRuleCovers(t *testing.T) {
	notShort(t)
	f := newFixture(t, nil)
	f.manifests(good)
	for i := range 11 {
		f.configMap(fmt.Sprintf("cm-%02d", i), "one")
	}
	code, _, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	for i := range 11 {
		require.NoError(t, f.cluster.Delete(configMaps, "default", fmt.Sprintf("cm-%02d", i)))
	}
	code, stdout, stderr := f.run("--dry-run")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "# default/prod: held: 11 of 11 files")
	require.Contains(t, stdout, "# default/prod:   default/configmaps/cm-00.yaml")
	code, stdout, stderr = f.run("--dry-run", "--approve", "default/prod")
	require.Equal(t, exitDone, code, stderr)
	require.Equal(t, 11, strings.Count(stdout, "+++ /dev/null"), stdout)

	f.manifests(strings.Replace(good, "[configmaps]", "[services]", 1))
	code, stdout, stderr = f.run("--dry-run")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "# default/prod: not covered: no rule covers 11 files any more")
	code, stdout, stderr = f.run("--dry-run", "--prune", "default/prod")
	require.Equal(t, exitDone, code, stderr)
	require.Equal(t, 11, strings.Count(stdout, "+++ /dev/null"), stdout)
	require.Len(t, f.repo.Tree("main"), 12)
	code, _, stderr = f.run("--once", "--prune", "default/prod")
	require.Equal(t, exitDone, code, stderr)
	require.Len(t, f.repo.Tree("main"), 1)
	code, _, stderr = f.run("--prune", "default/prod")
	require.Equal(t, exitInput, code)
	require.Contains(t, stderr, "--prune needs --once")
}

func TestFilesThatHaveAFilterAreShown(t *testing.T) {
	notShort(t)
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	f.repo.Commit("main", map[string]gitservertest.File{".gitattributes": {Content: "*.yaml filter=git-crypt\n"}}, "filters")
	const line = "filter=git-crypt by the line *.yaml of .gitattributes\n"
	code, stdout, stderr := f.run("--dry-run")
	require.Equal(t, exitDone, code, stderr)
	const notice = "not filtered: files are written as they are, though a .gitattributes has a filter for them\n"
	require.Contains(t, stdout, "# default/prod: "+notice+"# default/prod:   "+line)
	code, stdout, stderr = f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "default/prod: in sync")
	require.Contains(t, stdout, "  "+notice+"    "+line)

	f.repo.Commit("main", map[string]gitservertest.File{".gitattributes": {Remove: true}}, "no filters")
	code, stdout, stderr = f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	require.NotContains(t, stdout, "filter")
}

func TestAFolderOfSomebodyElseIsAdoptedOnRequest(t *testing.T) {
	notShort(t)
	f := newFixture(t, nil)
	f.manifests(good)
	f.repo.Commit("main", map[string]gitservertest.File{"clusters/prod/default/configmaps/theirs.yaml": {Content: "x: 1\n"}}, "Theirs")
	f.configMap("a", "one")
	code, stdout, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "not adopted: 1 files have no object; delete them with --adopt default/prod")
	require.Contains(t, f.repo.Tree("main"), "clusters/prod/default/configmaps/theirs.yaml")
	code, _, stderr = f.run("--once", "--adopt", "default/prod")
	require.Equal(t, exitDone, code, stderr)
	require.NotContains(t, f.repo.Tree("main"), "clusters/prod/default/configmaps/theirs.yaml")
}

// withCredentials is a fixture whose repository wants the password s3cret-word, of a Secret that is
// in the cluster.
func withCredentials(t *testing.T) *fixture {
	t.Helper()
	f := newFixture(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "bot", Password: "s3cret-word"}})
	f.configMap("a", "one")
	f.manifests(strings.Replace(good, `spec: {repoURL: "$REPO",`, `spec: {repoURL: "$REPO", secretRef: {name: git},`, 1))
	return f
}

// secret writes the Secret of withCredentials.
func (f *fixture) secret(password string) {
	f.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{
		"username": "Ym90", "password": base64.StdEncoding.EncodeToString([]byte(password)),
	}}}
	u.SetAPIVersion("v1")
	u.SetKind("Secret")
	u.SetNamespace("default")
	u.SetName("git")
	require.NoError(f.t, f.cluster.Apply(u))
}

func TestCredentialsComeFromASecretOfTheFolderOrOfTheCluster(t *testing.T) {
	notShort(t)
	f := newFixture(t, &gitservertest.ServerOptions{Credentials: gitservertest.Credentials{User: "bot", Password: "s3cret-word"}})
	f.configMap("a", "one")
	withRef := strings.Replace(good, `spec: {repoURL: "$REPO",`, `spec: {repoURL: "$REPO", secretRef: {name: git},`, 1)
	secret := func(password string) string {
		return "---\napiVersion: v1\nkind: Secret\nmetadata: {name: git}\nstringData: {username: bot, password: " + password + "}\n"
	}
	f.manifests(withRef + secret("wr0ng-word"))
	code, stdout, stderr := f.run("--once")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "refused the credentials")
	require.NotContains(t, stderr, "wr0ng-word")
	require.NotContains(t, stderr, "attempt=2", "it would fail again")
	require.Equal(t, 1, strings.Count(stderr, "refused the credentials"), "one failure is one line: %s", stderr)
	require.Contains(t, stdout, "default/prod: NOT in sync (Unauthorized), main at no commit\n  error: fetch: the server refused the credentials: HTTP status 401")
	require.NotContains(t, stdout, f.repo.URL())
	require.Regexp(t, `msg="Batch failed" destination=default/prod events=\d+ attempt=1 err=.* nextTry=\d{4}-`, stderr)

	f.manifests(withRef + secret("s3cret-word"))
	code, _, stderr = f.run("--once")
	require.Equal(t, exitDone, code, stderr)

	f.manifests(withRef)
	f.configMap("b", "one")
	code, _, stderr = f.run("--once")
	require.Equal(t, exitFailed, code, "the Secret is nowhere: %s", stderr)
	require.Contains(t, stderr, "no usable credentials: Secret default/git is neither among the manifests nor to be read from the cluster")
	require.NotContains(t, stderr, "the server refused", "none was asked")
	f.secret("s3cret-word")
	code, _, stderr = f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	require.Len(t, f.repo.Tree("main"), 3)
}

func TestBadInputIsOneClearErrorAndNothingIsWritten(t *testing.T) {
	second := `---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: second}
spec: {repoRef: {name: repo}, branch: main, baseFolder: clusters/prod/nested}
`
	for name, c := range map[string]struct {
		old, new, add string
		want          []string
	}{
		"branch":          {"branch: main", "branch: bad..name", "", []string{"config.yaml:", "spec.branch", "bad..name"}},
		"allowedBranches": {"branch: main", "branch: release", "", []string{"config.yaml:", "spec.branch", "release", "main"}},
		"overlap":         {"", "", second, []string{"config.yaml:", "spec.baseFolder", "clusters/prod/nested", "default/second", "default/prod"}},
		"baseFolder":      {"baseFolder: clusters/prod", "baseFolder: ../x", "", []string{"config.yaml:", "spec.baseFolder", "../x"}},
		"unknown field":   {"branch: main", "branch: main, brnch: dev", "", []string{"config.yaml:", "spec.brnch"}},
		"destinationRef":  {"destinationRef: {name: prod}", "destinationRef: {name: nobody}", "", []string{"config.yaml:", "spec.destinationRef", "nobody"}},
		"repoURL":         {`repoURL: "$REPO"`, `repoURL: "https://user:hunter2@git.example/x.git"`, "", []string{"config.yaml:", "spec.repoURL"}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			f.configMap("a", "one")
			f.manifests(strings.Replace(good, c.old, c.new, 1) + c.add)
			code, stdout, stderr := f.run("--once")
			require.Equal(t, exitInput, code)
			require.Empty(t, stdout)
			for _, want := range c.want {
				require.Contains(t, stderr, want)
			}
			faults := 1
			if name == "overlap" {
				faults = 2 // one for each side
			}
			require.Equal(t, faults, strings.Count(stderr, "config.yaml:"), stderr)
			require.NotContains(t, stderr, "hunter2")
			require.Empty(t, f.repo.Branches())
			require.Zero(t, f.git.Total().Requests)
		})
	}
}

func TestAConfigurationThatWritesNothingIsAFault(t *testing.T) {
	repository, rest, _ := strings.Cut(good, "---")
	to, _, _ := strings.Cut(rest, "---")
	for name, c := range map[string]struct{ manifests, want string }{
		"an empty folder":            {"", "the folder has no file that ends with .yaml, .yml or .json"},
		"no destination":             {repository, "there is no GitDestination, so there is nothing to write"},
		"no rule":                    {repository + "---" + to, "GitDestination default/prod: no WatchRule and no ClusterWatchRule leads to it"},
		"a folder that is not there": {"-", "--config: stat "},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t, nil)
			if c.manifests == "-" {
				f.config = filepath.Join(f.config, "nowhere")
				c.want += f.config
			} else if f.manifests(c.manifests); c.manifests == "" {
				require.NoError(t, os.Remove(filepath.Join(f.config, "config.yaml")))
			}
			for _, args := range [][]string{{"--once"}, {"--dry-run"}, {}} {
				code, stdout, stderr := f.run(args...)
				require.Equal(t, exitInput, code)
				require.Empty(t, stdout)
				require.Contains(t, stderr, c.want)
			}
			require.Empty(t, f.repo.Branches())
		})
	}
}

func TestTheLogIsTextOrJSONAndSaysWhatIsMirrored(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	code, _, stderr := f.run("--once")
	require.Equal(t, exitDone, code, stderr)
	lines := strings.Split(stderr, "\n")
	require.Regexp(t, `^time=\d{4}-\d\d-\d\dT\S+ level=INFO msg=mirroring version=\S+ cluster=`+f.cluster.URL()+` destinations=\[default/prod\] rules=1$`, lines[0])
	require.Regexp(t, `level=INFO msg=pushed destination=default/prod commits=1 tip=[0-9a-f]{40}`, stderr)
	require.Regexp(t, `level=INFO msg="in sync" destination=default/prod tip=[0-9a-f]{40}`, stderr)
	require.NotContains(t, stderr, "level=DEBUG")
	require.NotContains(t, stderr, "somebody else")

	f.configMap("a", "two")
	code, _, stderr = f.run("--once", "--log", "json", "-v")
	require.Equal(t, exitDone, code, stderr)
	said := map[string]bool{}
	for line := range strings.Lines(stderr) {
		var entry map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &entry), line)
		if to, ok := entry["destination"]; ok {
			require.Equal(t, "default/prod", to, line)
		}
		said[fmt.Sprint(entry["level"], " ", entry["msg"])] = true
	}
	require.Subset(t, said, map[string]bool{"INFO mirroring": true, "INFO pushed": true, "DEBUG Handler returned": true})
}

func TestTheAddressOfTheClusterIsShownWithoutCredentials(t *testing.T) {
	require.NotContains(t, addressOf(&rest.Config{Host: "https://me:hunter2@api.example:6443"}), "hunter2")
	require.Equal(t, "unknown", addressOf(&rest.Config{Host: "https://me:hunter2@api.example\x7f"}))
}

func TestTheVersionIsPrinted(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, exitDone, run(t.Context(), []string{"--version"}, &out, &errs))
	require.Regexp(t, `^mirror \S+\n$`, out.String())
	require.Empty(t, errs.String())
}

func TestTheContextOfTheKubeconfigCanBeChosen(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}, {name: d, cluster: {server: 'http://0.0.0.0:1'}}]\n"+
		"contexts: [{name: c, context: {cluster: c}}, {name: d, context: {cluster: d}}]\ncurrent-context: d\n", f.cluster.URL())
	require.NoError(t, os.WriteFile(f.kubeconfig, []byte(text), 0o600))
	code, _, stderr := f.run("--once", "--context", "c")
	require.Equal(t, exitDone, code, stderr)
	code, _, stderr = f.run("--once", "--context", "nobody")
	require.Equal(t, exitInput, code)
	require.Contains(t, stderr, `context "nobody" does not exist`)
}

func TestWhatIsClosedIsOpenedByAFlag(t *testing.T) {
	notShort(t)
	t.Run("a repository on this machine", func(t *testing.T) {
		f := newFixture(t, nil)
		f.manifests(strings.ReplaceAll(good, "$REPO", f.repo.FileURL()))
		f.configMap("a", "one")
		for _, args := range [][]string{{"--once"}, {"--dry-run"}, {"--explain", "configmaps/default/a"}} {
			code, _, stderr := f.run(args...)
			require.Equal(t, exitInput, code, stderr)
			require.Contains(t, stderr, "config.yaml:5: GitRepoConfig default/repo: spec.repoURL: local repository not allowed: ")
		}
		for _, args := range [][]string{{"--dry-run"}, {"--explain", "configmaps/default/a"}, {"--once"}} {
			code, _, stderr := f.run(append(args, "--allow-local", f.repo.Dir())...)
			require.Equal(t, exitDone, code, stderr)
		}
		require.Contains(t, f.repo.Tree("main"), "clusters/prod/default/configmaps/a.yaml")
	})
	t.Run("a password without TLS", func(t *testing.T) {
		f := newFixture(t, nil)
		secret := "---\napiVersion: v1\nkind: Secret\nmetadata: {name: git}\nstringData: {username: bot, password: hunter2}\n"
		text := strings.ReplaceAll(good, `spec: {repoURL: "$REPO",`, `spec: {repoURL: "http://0.0.0.0:1/r", secretRef: {name: git},`) + secret
		f.manifests(text)
		f.configMap("a", "one")
		code, stdout, _ := f.run("--once")
		require.Equal(t, exitFailed, code)
		require.Contains(t, stdout, "(PlainText), main at no commit\n  error: fetch: credentials would be sent in plain text to 0.0.0.0: use https://, or allow that host")
		code, stdout, _ = f.run("--once", "--allow-plain-text", "0.0.0.0", "--timeout", "300ms")
		require.Equal(t, exitFailed, code)
		require.NotContains(t, stdout, "in plain text") // it is dialled, and nobody is there
	})
}

func TestFlagsThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{{}, {"--config", "x", "extra"}, {"--config", "x", "--adopt", "nonamespace"}, {"--nonsense"}, {"--config", "/does/not/exist"}, {"--config", "x", "--allow-local", "x"}, {"--config", "x", "--log", "xml"}} {
		var out bytes.Buffer
		require.Equal(t, exitInput, run(context.Background(), args, &out, &out), "%v", args)
		require.NotEmpty(t, out.String())
	}
	f := newFixture(t, nil)
	f.manifests(good)
	code, _, stderr := f.run("--once", "--adopt", "default/nobody")
	require.Equal(t, exitInput, code)
	require.Contains(t, stderr, "default/nobody")
}
