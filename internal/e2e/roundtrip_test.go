package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
)

const wholeCluster = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: default}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: all, namespace: default}
spec: {repoRef: {name: repo}, branch: main, baseFolder: all}
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: all}
spec:
  destinationRef: {name: all, namespace: default}
  rules: [{}]
`

// TestATreeAppliedToAnEmptyClusterAndMirroredAgainIsByteEqual is the proof that what comes back is
// what was there: an object of every type that the server stores, with the optional fields of its
// schema.
func TestATreeAppliedToAnEmptyClusterAndMirroredAgainIsByteEqual(t *testing.T) {
	if !real() {
		t.Skip("needs a real API server, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	began := time.Now()
	var first, second *site
	var started sync.WaitGroup
	started.Go(func() { first = newSite(t) })
	second = newSite(t)
	started.Wait()

	filler := first.seed()
	t.Logf("%v: seeded by %d requests", time.Since(began), filler.requests)
	first.requireEveryField(filler)
	first.requireEveryType()
	before := first.mirror("before.git")
	t.Logf("%v: %d files", time.Since(began), len(before))
	second.restore(before)
	t.Logf("%v: restored", time.Since(began))
	after := second.mirror("after.git")
	require.Empty(t, cmp.Diff(before, after))
	t.Logf("%v: %d files byte-equal", time.Since(began), len(after))
}

// site is a cluster of the test's own.
type site struct {
	*cluster
	discovery *discovery.DiscoveryClient
}

func newSite(t *testing.T) *site {
	env := testenv.Start(t, nil)
	d, err := discovery.NewDiscoveryClientForConfig(env.Config())
	if err != nil {
		t.Error(err)
		return nil
	}
	config := env.Config()
	config.WarningHandler = rest.NoWarnings{} // deprecated fields are fields
	return &site{newCluster(t, config, env.Kubeconfig()), d}
}

// stored returns the types that objects can be made of and watched, by their kinds, in every
// version.
func (s *site) stored() map[schema.GroupVersionKind]metav1.APIResource {
	all := map[schema.GroupVersionKind]metav1.APIResource{}
	_, lists, err := s.discovery.ServerGroupsAndResources()
	// An APIService without a server is among the objects.
	if err != nil && !discovery.IsGroupDiscoveryFailedError(err) {
		require.NoError(s.t, err)
	}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(s.t, err)
		for _, r := range list.APIResources {
			if strings.Contains(r.Name, "/") || !slices.Contains(r.Verbs, "create") || !slices.Contains(r.Verbs, "watch") || !slices.Contains(r.Verbs, "list") {
				continue
			}
			r.Group, r.Version = gv.Group, gv.Version
			all[gv.WithKind(r.Kind)] = r
		}
	}
	return all
}

func (s *site) resource(served map[schema.GroupVersionKind]metav1.APIResource, obj *unstructured.Unstructured) dynamic.ResourceInterface {
	r, ok := served[obj.GroupVersionKind()]
	if !ok {
		return nil
	}
	gvr := schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}
	if r.Namespaced {
		return s.client.Resource(gvr).Namespace(obj.GetNamespace())
	}
	return s.client.Resource(gvr)
}

func objectsOf(t *testing.T, file string) []*unstructured.Unstructured {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return documents(t, text)
}

func documents(t *testing.T, text []byte) []*unstructured.Unstructured {
	t.Helper()
	var all []*unstructured.Unstructured
	for _, document := range strings.Split("\n"+string(text), "\n---\n") {
		all = append(all, decode(t, []byte(document)))
	}
	return all
}

// decode reads an object as kubectl does.
func decode(t *testing.T, text []byte) *unstructured.Unstructured {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict(text)
	require.NoError(t, err, "%s", text)
	obj := &unstructured.Unstructured{}
	require.NoError(t, utiljson.Unmarshal(asJSON, &obj.Object))
	return obj
}

// seed makes objects of every type, with their optional fields.
func (s *site) seed() *filler {
	for _, obj := range objectsOf(s.t, "testdata/roundtrip/crds.yaml") {
		_, err := s.resource(s.stored(), obj).Create(s.t.Context(), obj, metav1.CreateOptions{})
		require.NoError(s.t, err, obj.GetName())
	}
	s.serves("odds", "wides")
	served := s.stored()
	f := newFiller(s.t, s.discovery)
	var refused []string
	filled := map[schema.GroupVersionKind]bool{}
	for _, obj := range append(objectsOf(s.t, "testdata/roundtrip/objects.yaml"), objectsOf(s.t, "testdata/roundtrip/fields.yaml")...) {
		client := s.resource(served, obj)
		require.NotNil(s.t, client, "%s is not served", obj.GroupVersionKind())
		all := []*unstructured.Unstructured{obj}
		if !filled[obj.GroupVersionKind()] {
			filled[obj.GroupVersionKind()] = true
			all = f.fill(client, obj)
		}
		for _, obj := range all {
			if _, err := client.Create(s.t.Context(), obj, metav1.CreateOptions{}); err != nil {
				refused = append(refused, fmt.Sprintf("%s %s: %v", obj.GetKind(), obj.GetName(), err))
			}
		}
	}
	require.Empty(s.t, refused)
	return f
}

// serves waits until custom resources are served, and readable.
func (s *site) serves(resources ...string) {
	for _, r := range resources {
		gvr := schema.GroupVersionResource{Group: "roundtrip.example.com", Version: "v1", Resource: r}
		eventually(s.t, func() bool {
			_, err := s.client.Resource(gvr).List(s.t.Context(), metav1.ListOptions{})
			_, known := s.stored()[gvr.GroupVersion().WithKind(map[string]string{"odds": "Odd", "wides": "Wide"}[r])]
			return err == nil && known
		}, func() string { return r + " is not served" })
	}
}

// requireEveryType fails for a type of which there is no object.
func (s *site) requireEveryType() {
	for gvk, r := range s.stored() {
		list, err := s.client.Resource(schema.GroupVersionResource{Group: r.Group, Version: r.Version, Resource: r.Name}).List(s.t.Context(), metav1.ListOptions{Limit: 1})
		require.NoError(s.t, err, gvk)
		require.NotEmpty(s.t, list.Items, "add a %s to testdata/roundtrip/objects.yaml", gvk)
	}
}

// mirror returns the files of all objects.
func (s *site) mirror(name string) map[string]string {
	repo := gitservertest.NewServer(s.t, nil).NewRepo(name)
	opts := options(s.t)
	opts.Write.Encryptor, opts.ClusterID, opts.Source.Rediscover = reversible{}, "roundtrip", 0
	m := start(s.cluster, load(s.t, wholeCluster, "REPO", repo.URL()), opts)
	m.synced()
	st, _ := m.DestinationStatus(ref("default", "all"))
	require.Empty(s.t, st.Watch.Refused)
	require.Empty(s.t, st.Skipped)
	m.stop()
	return folder(repo, "main", "all")
}

// notApplied reads the table of the types whose files cannot be applied as they are.
func notApplied(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile("../../docs/what-a-branch-tells.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(text), "<!-- not applied -->")
	require.True(t, ok)
	table, _, ok := strings.Cut(rest, "<!-- end of not applied -->")
	require.True(t, ok)
	types := map[string]bool{}
	for line := range strings.Lines(table) {
		if cells := strings.Split(line, "`"); len(cells) > 2 {
			types[cells[1]] = true
		}
	}
	return types
}

// restore applies every file: first what others need, last what stands in the way of others. What
// does not go in the first pass goes in the second.
func (s *site) restore(files map[string]string) {
	stages := make([][]string, 3)
	for _, path := range slices.Sorted(maps.Keys(files)) {
		stage := 1
		switch strings.Split(path, "/")[1] {
		case "customresourcedefinitions.apiextensions.k8s.io", "namespaces":
			stage = 0
		case "validatingwebhookconfigurations.admissionregistration.k8s.io", "mutatingwebhookconfigurations.admissionregistration.k8s.io",
			"apiservices.apiregistration.k8s.io":
			stage = 2
		}
		stages[stage] = append(stages[stage], path)
	}
	refused := map[string]bool{} // types of which a file cannot be applied
	failed := map[string]error{}
	for i, left := range stages {
		served := s.stored()
		for range 2 {
			var again []string
			for _, path := range left {
				delete(failed, path)
				if err := s.applyFile(served, decode(s.t, []byte(files[path]))); err != nil {
					failed[path] = err
					again = append(again, path)
				}
			}
			left = again
		}
		if i == 0 {
			s.serves("odds", "wides")
		}
	}
	table := notApplied(s.t)
	for path, err := range failed {
		typ := strings.Split(path, "/")[1]
		refused[typ] = true
		require.True(s.t, table[typ], "%s: %v", path, err)
		if plain := open(s.t, path, files[path]); string(plain) != files[path] {
			require.NoError(s.t, s.applyFile(s.stored(), decode(s.t, plain)), path)
		}
	}
	require.Equal(s.t, table, refused, "files of these types can be applied: take them out of the table")
}

func (s *site) applyFile(served map[schema.GroupVersionKind]metav1.APIResource, obj *unstructured.Unstructured) error {
	client := s.resource(served, obj)
	if client == nil {
		return fmt.Errorf("%s is not served", obj.GroupVersionKind())
	}
	_, err := client.Create(s.t.Context(), obj, metav1.CreateOptions{})
	if apierrors.IsAlreadyExists(err) {
		text, failed := obj.MarshalJSON()
		require.NoError(s.t, failed)
		force := true
		_, err = client.Patch(s.t.Context(), obj.GetName(), types.ApplyPatchType, text, metav1.PatchOptions{FieldManager: "restore", Force: &force})
	}
	return err
}

// reversible stands in for encryption: what is in the files is no plain text, and can be restored.
type reversible struct{}

func (reversible) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	return []byte("sealed: " + base64.StdEncoding.EncodeToString(p.Content) + "\n"), nil
}

func (r reversible) Same(ctx context.Context, p event.Plaintext) (bool, error) {
	again, err := r.Encrypt(ctx, p)
	return bytes.Equal(p.Stored, again), err
}

// open undoes reversible.
func open(t *testing.T, path, content string) []byte {
	t.Helper()
	sealed, ok := strings.CutPrefix(content, "sealed: ")
	if !ok {
		return []byte(content)
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(sealed))
	require.NoError(t, err, path)
	return plain
}
