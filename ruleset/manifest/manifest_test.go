package manifest

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

var update = flag.Bool("update", false, "write what comes out into testdata")

// TestFolders checks each archive: the folder that its files make comes out as its file "want"
// says, which is the faults of Load, or else those of Resolve and Compile as Explain puts them, or
// else the Config.
func TestFolders(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, archives)
	for _, name := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(name)
			require.NoError(t, err)
			last := &archive.Files[len(archive.Files)-1]
			require.Equal(t, "want", last.Name)
			folder := fstest.MapFS{}
			for _, file := range archive.Files[:len(archive.Files)-1] {
				folder[file.Name] = &fstest.MapFile{Data: file.Data}
			}
			got := outcome(folder)
			require.NotContains(t, got, "hunter2", "a secret")
			if *update {
				last.Data = []byte(got)
				require.NoError(t, os.WriteFile(name, txtar.Format(archive), 0o600))
			}
			require.Equal(t, string(last.Data), got)
		})
	}
}

func outcome(folder fs.FS) string {
	config, err := Load(folder)
	if err != nil {
		return err.Error() + "\n"
	}
	set, resolveErr := destination.Resolve(config.Repositories, config.Destinations)
	_, compileErr := ruleset.Compile(set, config.Rules...)
	if err := config.Explain(errors.Join(resolveErr, compileErr)); err != nil {
		return err.Error() + "\n"
	}
	return dump(config)
}

// dump prints a Config, one thing a line.
func dump(c *Config) string {
	var b strings.Builder
	for _, r := range c.Repositories {
		fmt.Fprintf(&b, "repository %s at %s: %s %q\n", r.Ref, c.Locate(destination.KindRepository, r.Ref), r.URL, r.AllowedBranches)
	}
	for _, d := range c.Destinations {
		fmt.Fprintf(&b, "destination %s at %s: %s %q %q\n", d.Ref, c.Locate(destination.KindDestination, d.Ref), d.RepositoryRef, d.Branch, d.BaseFolder)
	}
	for _, r := range c.Rules {
		fmt.Fprintf(&b, "rule %s to %s: controlled=%v managers=%q skip=%q keep=%q\n", r.Name, r.Destination, !r.SkipControlled, r.IgnoreManagers, r.Skip, r.Keep)
		fmt.Fprintf(&b, "  namespaces %v\n  objects %v\n", r.NamespaceSelector, r.ObjectSelector)
		for _, resource := range r.Resources {
			fmt.Fprintf(&b, "  select %+q\n", resource)
		}
		for _, exclusion := range r.Exclude {
			fmt.Fprintf(&b, "  exclude %+q\n", exclusion)
		}
		for _, fields := range r.Ignore {
			fmt.Fprintf(&b, "  ignore %+q\n", fields)
		}
		for _, types := range r.Sensitive {
			fmt.Fprintf(&b, "  sensitive %+q\n", types)
		}
	}
	dumpMap(&b, "orphans", c.Orphans)
	for ref, layout := range c.Layouts {
		fmt.Fprintf(&b, "layout %s: %s\n", ref, layout.Name())
	}
	dumpMap(&b, "kustomization", c.Kustomizations)
	dumpMap(&b, "encryption", c.Encryption)
	dumpMap(&b, "push", c.Push)
	dumpMap(&b, "credentials", c.Credentials)
	dumpMap(&b, "secret", c.Secrets)
	return b.String()
}

func dumpMap[V any](b *strings.Builder, title string, m map[types.NamespacedName]V) {
	byName := func(x, y types.NamespacedName) int { return strings.Compare(x.String(), y.String()) }
	for _, ref := range slices.SortedFunc(maps.Keys(m), byName) {
		fmt.Fprintf(b, "%s %s: %+v\n", title, ref, m[ref])
	}
}

// The example of docs/rules.md is a WatchRule that loads and compiles, and its words are those of
// the API.
func TestTheExampleOfIgnoredFieldsLoads(t *testing.T) {
	page, err := os.ReadFile("../../docs/rules.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(page), "```yaml\n")
	require.True(t, found)
	example, _, _ := strings.Cut(rest, "```")
	destinations := `
---
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: team}
spec: {repoURL: "https://git.example/r"}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: apps, namespace: team}
spec: {repoRef: {name: repo}, branch: main}
`
	got := outcome(fstest.MapFS{"a.yaml": {Data: []byte(example + destinations)}})
	require.Contains(t, got, "rule team/apps to team/apps", got)
	require.Contains(t, got, `"/spec/template/spec/containers/*/image"`)
	require.Contains(t, got, `"/spec/password"`)
}
