package gogit

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestMain(m *testing.M) {
	for key, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(forge.Main(m))
}

// newSink makes a sink that is closed before the server of the test, and does not pace unless the
// options say so. Repositories of tests are allowed where they are.
func newSink(t *testing.T, opts *Options) *Sink {
	t.Helper()
	set := Options{}
	if opts != nil {
		set = *opts
	}
	if set.RateLimit == nil {
		set.RateLimit = unpaced
	}
	if set.AllowedLocalFolders == nil {
		set.AllowedLocalFolders = []string{os.TempDir()} // of the repositories of tests
	}
	s := New(&set)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func target(url, branch, folder string) destination.Destination {
	return destination.Destination{Ref: destination.Ref{Namespace: "team", Name: "dest"}, Repository: url, Branch: branch, BaseFolder: folder}
}

// put plans one commit that writes files: path, content, path, content.
func put(files ...string) gitsink.Plan {
	return commits(gitsink.Commit{Message: "put", Changes: writes(files...)})
}

func writes(files ...string) []gitsink.Change {
	var changes []gitsink.Change
	for i := 0; i < len(files); i += 2 {
		changes = append(changes, gitsink.Change{Path: files[i], Data: []byte(files[i+1])})
	}
	return changes
}

func removals(paths ...string) []gitsink.Change {
	var changes []gitsink.Change
	for _, path := range paths {
		changes = append(changes, gitsink.Change{Path: path, Remove: true})
	}
	return changes
}

func commits(commits ...gitsink.Commit) gitsink.Plan {
	return func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return commits, nil }
}

func nothing(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, nil }

func apply(t *testing.T, s *Sink, d destination.Destination, plan gitsink.Plan) gitsink.Result {
	t.Helper()
	result, err := s.Apply(t.Context(), d, plan)
	require.NoError(t, err)
	return result
}

// refuse applies and returns the error, which must be a *gitsink.Error of this class.
func refuse(t *testing.T, s *Sink, d destination.Destination, plan gitsink.Plan, class error) *gitsink.Error {
	t.Helper()
	_, err := s.Apply(t.Context(), d, plan)
	require.ErrorIs(t, err, class)
	var e *gitsink.Error
	require.ErrorAs(t, err, &e)
	return e
}

func files(content ...string) map[string]gitservertest.File {
	set := map[string]gitservertest.File{}
	for i := 0; i < len(content); i += 2 {
		set[content[i]] = gitservertest.File{Content: content[i+1]}
	}
	return set
}

func paths(tree gitsink.Tree, prefix string) []string {
	return slices.Collect(maps.Keys(maps.Collect(tree.Paths(prefix))))
}

// each runs the test over http and over file; the usual run draws one of them for each test.
func each(t *testing.T, test func(t *testing.T, server *gitservertest.Server, repo *gitservertest.Repo, url string)) {
	t.Helper()
	name := t.Name()
	for i, protocol := range []string{"http", "file"} {
		t.Run(protocol, func(t *testing.T) {
			testsize.OneOf(t, name, i, 2)
			server := gitservertest.NewServer(t, nil)
			repo := server.NewRepo("app.git")
			url := map[string]string{"http": repo.URL(), "file": repo.FileURL()}[protocol]
			test(t, server, repo, url)
			repo.Fsck()
		})
	}
}

func lines(s string) []string { return strings.Split(strings.TrimSpace(s), "\n") }

// gitStdin runs git on a repository with an input.
func gitStdin(t *testing.T, repo *gitservertest.Repo, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Stdin = repo.Dir(), strings.NewReader(input)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "git %v: %s", args, out)
	return strings.TrimSpace(string(out))
}

// rawTree is a tree object as it is.
func rawTree(t *testing.T, repo *gitservertest.Repo, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "cat-file", "tree", name)
	cmd.Dir = repo.Dir()
	out, err := cmd.Output()
	require.NoError(t, err)
	return string(out)
}

func unpaced(destination.Destination) RateLimit { return RateLimit{Interval: -1} }

func fixed(a Auth) func(context.Context, destination.Destination) (Auth, error) {
	return func(context.Context, destination.Destination) (Auth, error) { return a, nil }
}

// hexID is the name with these digits; without any, the zero value.
func hexID(digits string) object.ID {
	if digits == "" {
		return object.ID{}
	}
	f := object.SHA1
	if len(digits) == 2*object.SHA256.Width() {
		f = object.SHA256
	}
	id, ok := object.ParseID(f, digits)
	if !ok {
		panic(digits)
	}
	return id
}

// runGit runs git in a folder and returns its failure.
func runGit(t *testing.T, folder string, args ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = folder
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
