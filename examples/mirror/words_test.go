package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// What a user sees who has made a mistake, word by word: testdata/words has a file for each.
// UPDATE=1 writes them anew.
func TestTheWordsThatAUserSees(t *testing.T) {
	notShort(t)
	for name, c := range map[string]struct {
		prepare func(t *testing.T) *fixture
		args    [][]string
	}{
		"a type that is not there": {func(t *testing.T) *fixture {
			f := newFixture(t, nil)
			f.configMap("a", "one")
			f.manifests(strings.Replace(good, `apiGroups: [""], resources: [configmaps]`, `apiGroups: [v1], resources: [configmap]`, 1))
			return f
		}, [][]string{{"--dry-run"}, {"--once"}}},
		"more Secrets than are named": {func(t *testing.T) *fixture {
			f := newFixture(t, nil)
			f.manifests(strings.Replace(good, "configmaps", "secrets", 1))
			for i := range 12 {
				f.plainSecret(fmt.Sprintf("s-%02d", i))
			}
			return f
		}, [][]string{{"--once"}}},
		"credentials that are refused": {func(t *testing.T) *fixture {
			f := withCredentials(t)
			f.secret("wr0ng-word")
			return f
		}, [][]string{{"--once"}}},
		"credentials that are nowhere": {withCredentials, [][]string{{"--once"}}},
		"no destination": {func(t *testing.T) *fixture {
			f := newFixture(t, nil)
			repository, _, _ := strings.Cut(good, "---")
			f.manifests(repository)
			return f
		}, [][]string{{}, {"--once"}}},
		"no folder": {func(t *testing.T) *fixture {
			f := newFixture(t, nil)
			f.config = filepath.Join(f.config, "nowhere")
			return f
		}, [][]string{{}}},
		"a wrong flag": {func(t *testing.T) *fixture { return newFixture(t, nil) }, [][]string{{"--onse"}, {"--prune", "default/prod"}}},
		"a folder that is not adopted": {func(t *testing.T) *fixture {
			f := newFixture(t, nil)
			f.manifests(good)
			f.repo.Commit("main", map[string]gitservertest.File{"clusters/prod/default/configmaps/theirs.yaml": {Content: "x: 1\n"}}, "Theirs")
			return f
		}, [][]string{{"--once"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := c.prepare(t)
			var said strings.Builder
			for _, args := range c.args {
				code, stdout, stderr := f.run(args...)
				fmt.Fprintf(&said, "$ mirror %s\n%s[stderr]\n%s[exit code %d]\n\n", strings.Join(args, " "), f.plain(stdout), f.plain(stderr), code)
			}
			golden := filepath.Join("testdata", "words", strings.ReplaceAll(name, " ", "-")+".txt")
			if os.Getenv("UPDATE") != "" {
				require.NoError(t, os.WriteFile(golden, []byte(said.String()), 0o600))
			}
			want, err := os.ReadFile(golden)
			require.NoError(t, err)
			require.Empty(t, cmp.Diff(string(want), said.String()))
		})
	}
}

// plainSecret makes a Secret in the cluster.
func (f *fixture) plainSecret(name string) {
	f.t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"password": "aHVudGVyMg=="}}}
	u.SetAPIVersion("v1")
	u.SetKind("Secret")
	u.SetNamespace("default")
	u.SetName(name)
	require.NoError(f.t, f.cluster.Apply(u))
}

// plain takes out what differs from run to run.
func (f *fixture) plain(text string) string {
	for _, normal := range [][2]string{
		{regexp.QuoteMeta(strings.TrimSuffix(f.repo.URL(), ".git")), "REPO"},
		{regexp.QuoteMeta(f.cluster.URL()), "CLUSTER"},
		{regexp.QuoteMeta(f.config), "DIR"},
		{`time=\S+ `, ""},
		{`nextTry=\S+`, "nextTry=THEN"},
		{`version=\S+`, "version=V"},
		{`\b[0-9a-f]{40}\b`, "COMMIT"},
		{` at [0-9a-f]{12}\b`, " at COMMIT"},
		{`\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`, "UID"},
	} {
		text = regexp.MustCompile(normal[0]).ReplaceAllString(text, normal[1])
	}
	return text
}
