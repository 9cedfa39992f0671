// Package imports pins which package imports what, so that a user of one part of the library does
// not pay for the others: rules without a Git implementation, a queue without a Kubernetes client.
package imports

import (
	"io/fs"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

const module = "github.com/kubescribe/kubescribe"

// library lists the public packages in the order in which data flows, with all that each imports of
// this module, sorted.
var library = map[string][]string{
	"destination":              {"internal/opaque"},
	"event":                    {"destination", "internal/canonical", "internal/opaque", "internal/quote"},
	"ruleset":                  {"destination", "event", "internal/compiled"},
	"queue":                    {"destination", "event", "internal/meter", "internal/panics", "internal/spans"},
	"event/eventtest":          {"destination", "event"},
	"queue/queuetest":          {"destination", "event", "queue"},
	"orphan":                   {"event"},
	"event/source":             {"destination", "event", "internal/canonical", "internal/compiled", "internal/meter", "internal/quote", "internal/spans", "queue", "ruleset"},
	"event/source/clustertest": {},
	"ruleset/manifest":         {"destination", "event", "orphan", "ruleset"},
	"gitsink":                  {"destination", "event", "internal/gitattr", "internal/opaque", "internal/panics", "internal/quote", "orphan", "queue"},
	"gitsink/gogit":            {"destination", "gitsink", "gitsink/gogit/internal/object", "gitsink/gogit/internal/smart", "internal/meter", "internal/opaque", "internal/panics", "internal/quote", "internal/spans", "queue"},
	"gitsink/gitsinktest":      {"destination", "event", "gitsink", "gitsink/gitservertest", "gitsink/internal/loopback", "internal/heap", "queue"},
	".":                        {"destination", "event", "event/source", "gitsink", "gitsink/gogit", "internal/meter", "internal/quote", "internal/spans", "orphan", "queue", "ruleset"},
	"gitsink/gitservertest":    {"gitsink/internal/loopback"},
}

// others lists all other packages. None of the library imports one, unless its row says so.
var others = map[string][]string{
	"examples/customsink":              {".", "destination", "event/source/clustertest", "gitsink", "queue", "ruleset"},
	"examples/quickstart":              {".", "event/source/clustertest", "gitsink/gogit", "queue", "ruleset/manifest"},
	"gitsink/gogit/internal/gogittest": {},
	"gitsink/gogit/internal/object":    {"destination", "gitsink"},
	"gitsink/gogit/internal/smart":     {"destination", "gitsink", "gitsink/gogit/internal/object", "internal/opaque"},
	"gitsink/internal/loopback":        {},
	"internal/canonical":               {},
	"internal/canonical/canonicaltest": {},
	"internal/compiled":                {"destination", "event"},
	"internal/doctable":                {},
	"internal/e2e/trial":               {".", "destination", "gitsink", "gitsink/gogit", "queue", "ruleset/manifest"},
	"internal/figures":                 {},
	"internal/gitattr":                 {},
	"internal/heap":                    {},
	"internal/kittest":                 {},
	"internal/meter":                   {},
	"internal/meter/metertest":         {},
	"internal/mutants":                 {},
	"internal/opaque":                  {},
	"internal/panics":                  {},
	"internal/quote":                   {},
	"internal/spans":                   {},
	"internal/spans/spanstest":         {},
	"internal/testenv":                 {},
	"internal/testsize":                {},
}

// reach lists the packages of the library, and of internal, that depend on code of others, through
// any number of imports. Nobody else does.
var reach = map[string][]string{
	"github.com/go-git/go-git/v5":    {".", "gitsink/gogit", "gitsink/gogit/internal/gogittest", "gitsink/gogit/internal/object", "gitsink/gogit/internal/smart"},
	"k8s.io/client-go/dynamic":       {".", "event/source"},
	"k8s.io/client-go/discovery":     {".", "event/source"},
	"k8s.io/client-go/rest":          {".", "event/source", "event/source/clustertest", "internal/testenv"},
	"sigs.k8s.io/controller-runtime": {},
	"github.com/stretchr/testify":    {},
	"go.opentelemetry.io/otel/metric": {
		".", "event/source", "gitsink", "gitsink/gitsinktest", "gitsink/gogit", "gitsink/gogit/internal/object",
		"gitsink/gogit/internal/smart", "internal/meter", "internal/meter/metertest", "queue", "queue/queuetest",
	},
	"go.opentelemetry.io/otel/trace": {
		".", "event/source", "gitsink", "gitsink/gitsinktest", "gitsink/gogit", "gitsink/gogit/internal/object",
		"gitsink/gogit/internal/smart", "internal/spans", "internal/spans/spanstest", "queue", "queue/queuetest",
	},
	"go.opentelemetry.io/otel/sdk": {},
	"testing": {
		"event/eventtest", "gitsink/gitservertest", "gitsink/gitsinktest", "gitsink/gogit/internal/gogittest", "gitsink/internal/loopback", "internal/doctable",
		"internal/kittest", "internal/testenv", "internal/testsize", "queue/queuetest",
	},
}

func TestPackagesImportExactlyWhatTheTableSays(t *testing.T) {
	table := maps.Clone(library)
	maps.Copy(table, others)
	drawn := map[string][]string{}
	for path, imports := range load(t) {
		pkg, ours := inModule(path)
		if !ours || len(imports) == 0 { // a package of tests only, which nothing can import
			continue
		}
		drawn[pkg] = []string{}
		for _, path := range imports {
			if other, ours := inModule(path); ours {
				drawn[pkg] = append(drawn[pkg], other)
			}
		}
		slices.Sort(drawn[pkg])
	}
	require.Empty(t, cmp.Diff(table, drawn), "- in the table, + in the code")
}

func TestOnlyTheNamedPackagesReachTheCodeOfOthers(t *testing.T) {
	graph := load(t)
	for target, want := range reach {
		var got []string
		for path := range graph {
			if pkg, ours := inModule(path); ours && !isProgram(pkg) && reaches(graph, path, target) {
				got = append(got, pkg)
			}
		}
		require.ElementsMatchf(t, want, got, "packages that reach %s", target)
	}
}

// load returns what every package of this module, and all that it depends on, imports outside of
// tests.
func load(t *testing.T) map[string][]string {
	t.Helper()
	lookAtSources(t)
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", `{{.ImportPath}} {{join .Imports " "}}`, module+"/...")
	cmd.Stderr = t.Output()
	out, err := cmd.Output()
	require.NoError(t, err)
	graph := map[string][]string{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		graph[words[0]] = words[1:]
	}
	return graph
}

// lookAtSources lets go test know what the result depends on: it repeats a cached result unless a
// file or folder has changed that the test itself looked at, and what go list reads does not count.
func lookAtSources(t *testing.T) {
	t.Helper()
	require.NoError(t, filepath.WalkDir("../..", func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		return err
	}))
}

// reaches reports whether pkg depends on target or on a package below it.
func reaches(graph map[string][]string, pkg, target string) bool {
	seen := map[string]bool{}
	for todo := slices.Clone(graph[pkg]); len(todo) > 0; {
		path := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if path == target || strings.HasPrefix(path, target+"/") {
			return true
		}
		if !seen[path] {
			seen[path] = true
			todo = append(todo, graph[path]...)
		}
	}
	return false
}

// inModule returns a package's folder in this module, "." for the root.
func inModule(path string) (string, bool) {
	if path == module {
		return ".", true
	}
	return strings.CutPrefix(path, module+"/")
}

// isProgram reports whether a package is one that a user runs, or a test, and imports nothing of.
func isProgram(pkg string) bool {
	return strings.HasPrefix(pkg, "examples/") || pkg == "internal/e2e/trial"
}
