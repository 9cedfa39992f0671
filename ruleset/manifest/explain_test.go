package manifest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

const faulty = `apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo}
spec:
  repoURL: nowhere
  allowedBranches: ["["]
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod}
spec: {repoRef: {name: repo}, branch: main}
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: all}
spec: {destinationRef: {name: prod, namespace: default}, rules: [{}]}
`

func TestExplainNamesTheCauseOfAFaultThatComesAlone(t *testing.T) {
	config := load(t, faulty)
	set, err := destination.Resolve(config.Repositories, config.Destinations)
	require.Error(t, err)
	rules, err := ruleset.Compile(set, config.Rules...)
	require.Error(t, err)

	prod := types.NamespacedName{Namespace: "default", Name: "prod"}
	ofDestination := config.Explain(set.Err(prod))
	require.ErrorIs(t, ofDestination, destination.ErrInvalid)
	require.EqualError(t, ofDestination, `a.yaml:11: GitDestination default/prod: spec.repoRef.name: comes from `+
		`a.yaml:5: GitRepoConfig default/repo: spec.repoURL: invalid: a path must be absolute, `+
		`a URL must begin with ssh://, https://, http://, git:// or file:// ("nowhere"); `+
		`a.yaml:6: GitRepoConfig default/repo: spec.allowedBranches[0]: invalid: the glob is malformed at "[": `+
		`put a backslash before a character that stands for itself ("[") ("default/repo")`)

	ofRule := config.Explain(rules.Err(types.NamespacedName{Name: "all"}))
	require.ErrorIs(t, ofRule, destination.ErrUnknown)
	require.ErrorContains(t, ofRule, "a.yaml:16: ClusterWatchRule all: spec.destinationRef.name: comes from unknown destination; a.yaml:11: GitDestination")
	require.Equal(t, 1, strings.Count(config.Explain(errors.Join(ofRule)).Error(), "\n")+1, "one fault is one line")
}

func TestExplainLooksIntoErrorsThatWrapFaults(t *testing.T) {
	config := load(t, faulty)
	set, err := destination.Resolve(config.Repositories, config.Destinations)
	_, compileErr := ruleset.Compile(set, config.Rules...)
	other := errors.New("no cluster")
	explained := config.Explain(fmt.Errorf("set up: %w", errors.Join(other, fmt.Errorf("rules: %w", errors.Join(compileErr, err)))))

	lines := strings.Split(explained.Error(), "\n")
	require.Len(t, lines, 3, explained)
	require.Equal(t, "no cluster", lines[0])
	require.True(t, strings.HasPrefix(lines[1], "a.yaml:5: "), explained)
	require.True(t, strings.HasPrefix(lines[2], "a.yaml:6: "), explained)
	require.ErrorIs(t, explained, other)
	var fault *Error
	require.ErrorAs(t, explained, &fault)
	require.Equal(t, "spec.repoURL", fault.Field)
	require.Equal(t, Position{"a.yaml", 5}, fault.Position)
}

func TestExplainLeavesAloneWhatTheFolderDoesNotHold(t *testing.T) {
	config := load(t, faulty)
	require.NoError(t, config.Explain(nil))
	stranger := &destination.Error{Kind: destination.KindDestination, Ref: destination.Ref{Name: "x"}, Field: "Branch", Err: destination.ErrInvalid}
	require.EqualError(t, config.Explain(stranger), stranger.Error())
	require.Zero(t, config.Locate(stranger.Kind, stranger.Ref))
}

func TestAFaultOfAnAbsentFieldHasTheLineOfWhatIsAroundIt(t *testing.T) {
	config := load(t, faulty)
	ref := destination.Ref{Namespace: "default", Name: "repo"}
	err := config.Explain(&destination.Error{Kind: destination.KindRepository, Ref: ref, Field: "AllowedBranches", Value: "x", Err: destination.ErrInvalid})
	require.EqualError(t, err, `a.yaml:6: GitRepoConfig default/repo: spec.allowedBranches: invalid ("x")`)
	err = config.Explain(&destination.Error{Kind: destination.KindDestination, Ref: destination.Ref{Namespace: "default", Name: "prod"}, Field: "BaseFolder", Err: destination.ErrInvalid})
	require.EqualError(t, err, `a.yaml:11: GitDestination default/prod: spec.baseFolder: invalid ("")`)
}

func TestAFieldOfARuleIsNamedAsInTheManifest(t *testing.T) {
	for goField, want := range map[string]string{
		"Name": "metadata.name", "Destination": "spec.destinationRef.name", "Resources": "spec.rules",
		"Resources[0].Resources[1]": "spec.rules[0].resources[1]", "Resources[2].APIGroups[0]": "spec.rules[2].apiGroups[0]",
		"Resources[0].APIVersions[0]": "spec.rules[0].apiVersions[0]", "Resources[0].Scope": "spec.rules[0].scope",
		"Exclude[1].Resources[0]": "spec.exclude[1].resources[0]", "Exclude[0].Names[0]": "spec.exclude[0].names[0]",
		"Skip[1]": "spec.skip[1]", "ObjectSelector": "spec.objectSelector", "NamespaceSelector": "spec.namespaceSelector",
	} {
		require.Equal(t, want, ruleField(goField))
	}
}

func TestASecretIsNeverPrinted(t *testing.T) {
	config := load(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n")
	secret := config.Secrets[types.NamespacedName{Namespace: "default", Name: "s"}]
	require.Equal(t, "hunter2", string(secret["password"]))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, printed := range []any{secret, config, *config, config.Secrets} {
			text := fmt.Sprintf(verb, printed)
			require.NotContains(t, text, "hunter2")
			require.NotContains(t, text, fmt.Sprintf("%x", "hunter2"))
			require.NotContains(t, text, "104 117")
		}
	}
	text, err := json.Marshal(secret)
	require.NoError(t, err)
	require.Equal(t, `"(secret)"`, string(text))
}

func TestStringDataIsMergedOverTheDecodedData(t *testing.T) {
	config := load(t, "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: x}\ndata:\n  a: b25l\n  b: |\n    dHdv\n    IQ==\nstringData: {a: three}\n")
	want := Secret{"a": []byte("three"), "b": []byte("two!")}
	require.Empty(t, cmp.Diff(want, config.Secrets[types.NamespacedName{Namespace: "x", Name: "s"}]))
}

// A kubelet mounts a ConfigMap as links to files in a folder that it replaces as a whole.
func TestAMountedConfigMapIsReadOnce(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "..2024_01_01"), 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "..2024_01_01", "a.yaml"), []byte(faulty), 0o600))
	require.NoError(t, os.Symlink("..2024_01_01", filepath.Join(dir, "..data")))
	require.NoError(t, os.Symlink(filepath.Join("..data", "a.yaml"), filepath.Join(dir, "a.yaml")))
	config, err := Load(os.DirFS(dir))
	require.NoError(t, err)
	require.Len(t, config.Destinations, 1)
}

func TestAFolderThatCannotBeReadIsAnError(t *testing.T) {
	_, err := Load(os.DirFS(filepath.Join(t.TempDir(), "absent")))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = Load(fstest.MapFS{"README.md": {}})
	require.ErrorContains(t, err, "no file that ends with .yaml")

	dir := t.TempDir()
	require.NoError(t, os.Symlink("absent", filepath.Join(dir, "a.yaml")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "b.yaml"), []byte("kind: Pod"), 0o600))
	_, err = Load(os.DirFS(dir))
	require.ErrorContains(t, err, "a.yaml: stat a.yaml: no such file or directory\nb.yaml:1: kind: unknown kind")
}

func load(t *testing.T, manifests string) *Config {
	t.Helper()
	config, err := Load(fstest.MapFS{"a.yaml": {Data: []byte(manifests)}})
	require.NoError(t, err)
	return config
}
