package imports

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// tree is the root of this module.
const tree = "../.."

// compiles is why a test is for CI alone.
const compiles = "it compiles for some seconds"

// What users are shown must compile where they put it. A module of one's own can import nothing
// internal, and has no helper from another test file.
func TestEachExampleCompilesAsAModuleOfItsOwn(t *testing.T) {
	t.Parallel()
	testsize.NeedsLong(t, compiles)
	lookAtSources(t)
	folders, err := os.ReadDir(filepath.Join(tree, "examples"))
	require.NoError(t, err)
	require.NotEmpty(t, folders)
	for _, folder := range folders {
		if _, err := os.Stat(filepath.Join(tree, "examples", folder.Name(), "go.mod")); err == nil {
			continue // it is one
		}
		t.Run(folder.Name(), func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join(tree, "examples", folder.Name()))))
			compileAsModule(t, dir)
		})
	}
}

func TestEachExampleFileCompilesElsewhere(t *testing.T) {
	t.Parallel()
	testsize.NeedsLong(t, compiles)
	lookAtSources(t)
	dir := t.TempDir()
	shown := map[string]bool{} // packages
	for _, path := range testFiles(t) {
		if !isExampleFile(path) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(tree, path))
		require.NoError(t, err)
		// A file must not need its neighbours.
		alone := filepath.Join(dir, strings.TrimSuffix(path, ".go"))
		require.NoError(t, os.MkdirAll(alone, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(alone, filepath.Base(path)), text, 0o600))
		shown[filepath.Dir(path)] = true
	}
	for pkg := range library {
		require.True(t, shown[pkg], "package %s has no file of examples", pkg)
	}
	compileAsModule(t, dir)
}

func TestExampleFunctionsStandInFilesOfExamples(t *testing.T) {
	t.Parallel()
	function := regexp.MustCompile(`(?m)^func Example\w*\(\)`)
	for _, path := range testFiles(t) {
		text, err := os.ReadFile(filepath.Join(tree, path))
		require.NoError(t, err)
		require.Equal(t, isExampleFile(path), function.Match(text), path)
	}
}

func isExampleFile(path string) bool {
	return regexp.MustCompile(`^(\w+_)?example(_\w+)?_test\.go$`).MatchString(filepath.Base(path))
}

// testFiles are the paths of this module's tests, those of nested modules and of the examples left
// out.
func testFiles(t *testing.T) []string {
	t.Helper()
	var paths []string
	require.NoError(t, filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path != tree {
			_, err := os.Stat(filepath.Join(path, "go.mod"))
			if err == nil || path == filepath.Join(tree, "examples") {
				return fs.SkipDir
			}
		}
		if strings.HasSuffix(path, "_test.go") {
			relative, err := filepath.Rel(tree, path)
			paths = append(paths, relative)
			return err
		}
		return nil
	}))
	require.NotEmpty(t, paths)
	return paths
}

// compileAsModule makes a folder a module that requires this one, and compiles its packages and
// their tests: no step links or runs anything, and none asks the network. The module also requires
// what this one does. Without that the go command looks at modules that a fresh machine, which has
// downloaded no more than the tests of this module need, does not have.
func compileAsModule(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs(tree)
	require.NoError(t, err)
	own, err := os.ReadFile(filepath.Join(root, "go.mod"))
	require.NoError(t, err)
	required, found := strings.CutPrefix(string(own), "module "+module+"\n")
	require.True(t, found)
	theirs := fmt.Sprintf("module example.com/shown\n%s\nrequire %s v0.0.0\n\nreplace %[2]s => %s\n", required, module, root)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte(theirs), 0o600))
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o600))

	cmd := exec.CommandContext(t.Context(), "go", "list", "-export", "-test", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOWORK=off", "PWD="+dir)
	var faults strings.Builder
	cmd.Stderr = &faults
	compiled, err := cmd.Output()
	require.NoError(t, err, faults.String())
	require.Contains(t, string(compiled), "example.com/shown")
}
