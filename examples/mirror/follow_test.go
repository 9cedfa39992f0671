//go:build unix

package main

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// child is the program as a process of its own.
type child struct {
	t    *testing.T
	cmd  *exec.Cmd
	done <-chan struct{}

	mu  sync.Mutex
	log bytes.Buffer
}

func (c *child) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.Write(p)
}

func (c *child) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.log.String()
}

// start starts the program. It is killed at the end of the test at the latest.
func (f *fixture) start(args ...string) *child {
	f.t.Helper()
	c := &child{t: f.t}
	args = append([]string{"--config", f.config, "--kubeconfig", f.kubeconfig, "--quiet", "50ms"}, args...)
	c.cmd = exec.Command(os.Args[0])
	c.cmd.Env = append(os.Environ(), "MIRROR_ARGS="+strings.Join(args, "\n"))
	c.cmd.Stdout, c.cmd.Stderr = c, c
	require.NoError(f.t, c.cmd.Start())
	c.done = ended(c.cmd)
	f.t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		<-c.done
		if f.t.Failed() {
			f.t.Logf("the program said:\n%s", c.said())
		}
	})
	return c
}

// says waits until the program has said something, and returns the first group of the expression.
func (c *child) says(expression string) string {
	c.t.Helper()
	wanted := regexp.MustCompile(expression)
	var found []string
	require.Eventually(c.t, func() bool { found = wanted.FindStringSubmatch(c.said()); return found != nil }, time.Minute, 20*time.Millisecond, expression)
	return found[len(found)-1]
}

// stop ends the program as an operator does, and returns its exit code.
func (c *child) stop() int {
	c.t.Helper()
	require.NoError(c.t, c.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-c.done:
	case <-time.After(time.Minute):
		require.FailNow(c.t, "it does not end")
	}
	return c.cmd.ProcessState.ExitCode()
}

func get(t *testing.T, url string) (int, string) {
	t.Helper()
	response, err := http.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

func TestItAnswersWhetherItLivesIsReadyAndWhatItMeasures(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	c := f.start("--listen", "127.0.0.1:0")
	url := "http://" + c.says(`msg=listening address=(\S+)`)
	c.says(`msg="in sync"`)
	require.Eventually(t, func() bool { code, _ := get(t, url+"/readyz"); return code == http.StatusOK }, time.Minute, 20*time.Millisecond)
	code, body := get(t, url+"/healthz")
	require.Equal(t, http.StatusOK, code)
	require.Equal(t, "ok\n", body)
	code, body = get(t, url+"/metrics")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "kubescribe_queue_added")
	require.Contains(t, body, "go_goroutines")
	code, body = get(t, url+"/")
	require.Equal(t, http.StatusOK, code)
	require.Contains(t, body, "All ready")
	require.Contains(t, body, "clusters/prod")
	response, err := http.Post(url+"/status", "application/x-www-form-urlencoded", strings.NewReader("action=approve&destination=default/prod"))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode, "nobody changes anything")

	f.git.Down()
	f.configMap("a", "two")
	require.Eventually(t, func() bool { code, body = get(t, url+"/readyz"); return code == http.StatusServiceUnavailable }, time.Minute, 20*time.Millisecond)
	require.Regexp(t, `^default/prod: ServerUnavailable: `, body)
	require.NotContains(t, body, f.repo.URL())
	code, _ = get(t, url+"/healthz")
	require.Equal(t, http.StatusOK, code, "a restart would not help")
	f.git.Up()
	require.Eventually(t, func() bool { code, _ := get(t, url+"/readyz"); return code == http.StatusOK }, time.Minute, 20*time.Millisecond)
	require.Zero(t, c.stop())
	require.NotContains(t, c.said(), "nobody is answered")
}

func TestManifestsAreLoadedAnewAndFaultyOnesChangeNothing(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(good)
	f.configMap("a", "one")
	c := f.start()
	c.says(`msg="in sync"`)
	f.manifests(strings.Replace(good, "branch: main", "branch: bad..name", 1))
	require.NoError(t, c.cmd.Process.Signal(syscall.SIGHUP))
	c.says(`level=ERROR msg="the manifests are faulty: those from before stay in force" err="config.yaml:\d+: GitDestination default/prod: spec.branch`)
	f.configMap("b", "one")
	require.Eventually(t, func() bool { return len(f.repo.Tree("main")) == 3 }, time.Minute, 20*time.Millisecond)

	f.manifests(strings.Replace(good, "baseFolder: clusters/prod", "baseFolder: elsewhere", 1))
	// Nobody has told it.
	c.says(`msg="manifests loaded anew" destinations=\[default/prod\] rules=1`)
	require.Eventually(t, func() bool { return f.repo.Tree("main")["elsewhere/default/configmaps/b.yaml"] != "" }, time.Minute, 20*time.Millisecond)
	require.Zero(t, c.stop())
}

func TestOfTwoProcessesOneWritesAndTheOtherTakesOver(t *testing.T) {
	notShort(t)
	f := newFixture(t, nil)
	require.NoError(t, f.cluster.AddType(clustertest.Type{
		Group: "coordination.k8s.io", Versions: []string{"v1"}, Kind: "Lease", Resource: "leases", Namespaced: true,
	}))
	f.manifests(good)
	f.configMap("a", "one")
	first := f.start("--leader-elect")
	first.says(`msg="this process leads"`)
	first.says(`msg="in sync"`)
	second := f.start("--leader-elect", "--listen", "127.0.0.1:0")
	second.says(`msg="another process leads, this one stands by" leader=`)
	_, body := get(t, "http://"+second.says(`msg=listening address=(\S+)`)+"/readyz")
	require.Equal(t, "another process leads\n", body)
	require.Zero(t, first.stop(), "which gives the Lease up")
	second.says(`msg="this process leads"`)
	f.configMap("b", "one")
	require.Eventually(t, func() bool { return len(f.repo.Tree("main")) == 3 }, time.Minute, 20*time.Millisecond)
	require.Zero(t, second.stop())
	require.NotContains(t, first.said()+second.said(), "level=ERROR")
}

func TestASecretOfTheClusterThatIsMendedIsTriedSoon(t *testing.T) {
	notShort(t)
	f := withCredentials(t)
	f.secret("wr0ng-word")
	c := f.start()
	c.says(`refused the credentials`)
	f.secret("s3cret-word")
	c.says(`msg="the Secret has changed: trying again" destination=default/prod`)
	c.says(`msg="in sync"`)
	require.Zero(t, c.stop())
}

func TestHelpSaysWhatItDoesAndWhatTheExitCodesMean(t *testing.T) {
	var out, errs bytes.Buffer
	require.Equal(t, exitDone, run(t.Context(), []string{"--help"}, &out, &errs))
	require.Empty(t, errs.String())
	for _, words := range []string{"mirror --config DIR --once", "Exit codes: 0 ", "SIGHUP", "-leader-elect", "-listen address"} {
		require.Contains(t, out.String(), words)
	}
}

func TestTheRightsOfTheManifestsArePrinted(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(strings.Replace(good, `spec: {repoURL: "$REPO",`, `spec: {repoURL: "$REPO", secretRef: {name: git},`, 1))
	code, stdout, stderr := f.run("--rbac", "--leader-elect", "--leader-elect-namespace", "ops")
	require.Equal(t, exitDone, code, stderr)
	golden := filepath.Join("testdata", "rbac.yaml")
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(golden, []byte(stdout), 0o600))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), stdout)
}
