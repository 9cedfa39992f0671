package main

import (
	"context"
	"encoding/base64"
	"os"
	"os/exec"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe/internal/testenv"
)

const encrypted = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo}
spec: {repoURL: "$REPO", allowedBranches: [main]}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod}
spec:
  repoRef: {name: repo}
  branch: main
  encryption:
    secretRef: {name: sops-age}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: rule}
spec:
  destinationRef: {name: prod}
  rules: [{apiGroups: [""], resources: [configmaps, secrets]}]
  exclude: [{resources: [secrets], names: [sops-age]}, {resources: [configmaps], names: ["kube-*"]}]
`

// secretsFixture is a fixture whose cluster is the real API server, if there is one.
type secretsFixture struct {
	*fixture
	client dynamic.Interface
}

func newSecretsFixture(t *testing.T) secretsFixture {
	f := newFixture(t, nil)
	f.manifests(encrypted)
	if os.Getenv("KUBEBUILDER_ASSETS") != "" {
		f.kubeconfig = testenv.Start(t, nil).Kubeconfig()
	}
	config, err := clientcmd.BuildConfigFromFlags("", f.kubeconfig)
	require.NoError(t, err)
	client, err := dynamic.NewForConfig(config)
	require.NoError(t, err)
	return secretsFixture{f, client}
}

// put makes or changes an object.
func (f secretsFixture) put(resource, kind, name string, data map[string]any) {
	f.t.Helper()
	obj := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": kind, "metadata": map[string]any{"namespace": "default", "name": name}, "data": data,
	}}
	of := f.client.Resource(schema.GroupVersionResource{Version: "v1", Resource: resource}).Namespace("default")
	_, err := of.Create(context.Background(), obj, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		var old *unstructured.Unstructured
		if old, err = of.Get(context.Background(), name, metav1.GetOptions{}); err == nil {
			obj.SetResourceVersion(old.GetResourceVersion())
			_, err = of.Update(context.Background(), obj, metav1.UpdateOptions{})
		}
	}
	require.NoError(f.t, err)
}

// keys puts identities into the Secret of the destination.
func (f secretsFixture) keys(identities ...*age.X25519Identity) {
	f.t.Helper()
	var text strings.Builder
	for _, identity := range identities {
		text.WriteString(identity.String() + "\n")
	}
	f.put("secrets", "Secret", "sops-age", map[string]any{"age.agekey": inBase64(text.String())})
}

func inBase64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func (f secretsFixture) once(args ...string) (commits int, file, said string) {
	f.t.Helper()
	_, stdout, stderr := f.run(append([]string{"--once"}, args...)...)
	return len(f.repo.Log("main")), f.repo.Tree("main")["default/secrets/db.yaml"], stdout + stderr
}

// A life of a Secret: it is encrypted, a restart commits nothing, new keys are one commit, and
// without its keys it stays as it is while its neighbours go on.
func TestSecretsAreEncryptedForTheirDestination(t *testing.T) {
	notShort(t)
	f := newSecretsFixture(t)
	first, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	second, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	f.keys(first)
	password := inBase64("a password that nobody reads")
	f.put("secrets", "Secret", "db", map[string]any{"password": password})
	f.put("configmaps", "ConfigMap", "neighbour", map[string]any{"value": "one"})

	commits, file, said := f.once()
	require.Contains(t, file, "ENC[AES256_GCM,", said)
	require.NotContains(t, file, password)
	require.Equal(t, password, decrypted(t, file, first, password))
	again, same, said := f.once()
	require.Equal(t, commits, again, said)
	require.Equal(t, file, same)

	f.keys(second, first)
	rotated, file, said := f.once()
	require.Equal(t, commits+1, rotated, said)
	require.Contains(t, file, second.Recipient().String())
	require.Equal(t, password, decrypted(t, file, second, password))

	of := f.client.Resource(secrets).Namespace("default")
	require.NoError(t, of.Delete(t.Context(), "sops-age", metav1.DeleteOptions{}))
	f.put("configmaps", "ConfigMap", "neighbour", map[string]any{"value": "two"})
	f.put("secrets", "Secret", "db", map[string]any{"password": inBase64("another one that nobody reads")})
	_, lost, said := f.once("--timeout", "3s") // it is tried again until then
	require.Equal(t, file, lost, "what is stored stays")
	require.Contains(t, said, "spec.encryption of GitDestination default/prod")
	require.Contains(t, said, "sops-age")
	require.Contains(t, f.repo.Tree("main")["default/configmaps/neighbour.yaml"], "two")

	f.keys(second)
	_, mended, said := f.once()
	require.NotEqual(t, file, mended, said)
	require.Equal(t, inBase64("another one that nobody reads"), decrypted(t, mended, second, inBase64("another one that nobody reads")))
}

func TestASecretOfADestinationWithoutKeysIsLeftOut(t *testing.T) {
	f := newSecretsFixture(t)
	f.manifests(strings.Replace(encrypted, "  encryption:\n    secretRef: {name: sops-age}\n", "", 1))
	f.put("secrets", "Secret", "db", map[string]any{"password": inBase64("x")})
	f.put("configmaps", "ConfigMap", "neighbour", map[string]any{"value": "one"})
	_, _, said := f.once()
	require.Contains(t, said, "left out: secrets/default/db: event: a Secret is not written in plain text")
	require.NotContains(t, f.repo.Tree("main"), "default/secrets/db.yaml")
}

func TestTheRightsHaveTheSecretWithTheKeys(t *testing.T) {
	f := newFixture(t, nil)
	f.manifests(encrypted)
	code, stdout, stderr := f.run("--rbac")
	require.Equal(t, exitDone, code, stderr)
	require.Contains(t, stdout, "resourceNames:\n  - sops-age\n")
}

// decrypted is what the real sops command makes of the password, where there is one.
func decrypted(t *testing.T, file string, by *age.X25519Identity, otherwise string) string {
	folder := os.Getenv("KUBESCRIBE_SOPS")
	if folder == "" {
		return otherwise
	}
	cmd := exec.Command(folder+"/sops", "--input-type", "yaml", "--output-type", "yaml", "--extract", `["data"]["password"]`, "--decrypt", "/dev/stdin")
	cmd.Env = append(os.Environ(), "SOPS_AGE_KEY="+by.String())
	cmd.Stdin = strings.NewReader(file)
	out, err := cmd.Output()
	require.NoError(t, err)
	return strings.TrimSpace(string(out))
}
