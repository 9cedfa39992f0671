package kustomizebuild

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/queue"
)

const repository = "https://git.example/org/app.git"

var to = destination.Destination{Ref: destination.Ref{Namespace: "default", Name: "prod"}, Repository: repository, Branch: "main", BaseFolder: "prod"}

// object is what a cluster could hold.
type object struct {
	apiVersion, kind, resource, namespace, name string
}

func (o object) String() string {
	return fmt.Sprint(o.apiVersion, " ", o.kind, " ", o.namespace, "/", o.name)
}

func (o object) event(t *testing.T) event.Event {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": o.apiVersion, "kind": o.kind, "metadata": map[string]any{"name": o.name},
	}}
	if o.namespace != "" {
		u.SetNamespace(o.namespace)
	}
	if o.kind == "Secret" {
		u.Object["data"] = map[string]any{"key": plain}
	}
	data, err := event.Encode(u)
	require.NoError(t, err)
	gvk := u.GroupVersionKind()
	return event.Event{Destination: to, Operation: event.Update, Content: event.NewContent(data), Resource: event.Resource{
		ID: event.ID{Group: gvk.Group, Resource: o.resource, Namespace: o.namespace, Name: o.name}, Version: gvk.Version, Kind: o.kind,
	}}
}

var objects = []object{
	{"v1", "ConfigMap", "configmaps", "shop", "settings"},
	{"v1", "ConfigMap", "configmaps", "shop", "kustomization"},
	{"v1", "ConfigMap", "configmaps", "shop", "github.com"},
	{"v1", "ConfigMap", "configmaps", "1", "true"},
	{"v1", "ConfigMap", "configmaps", "true", "null"},
	{"v1", "ConfigMap", "configmaps", "2024-01-01", "1e3"},
	{"v1", "Namespace", "namespaces", "", "shop"},
	{"v1", "Secret", "secrets", "shop", "db"},
	{"v1", "Service", "services", "pods", "x"},
	{"v1", "Pod", "pods", "services", "x"},
	{"apps/v1", "Deployment", "deployments", "shop", "web"},
	{"networking.k8s.io/v1", "Ingress", "ingresses", "shop", "web"},
	{"extensions/v1beta1", "Ingress", "ingresses", "shop", "web"},
	{"rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", "", "system:controller:job-controller"},
	{"example.com/v1", "Widget", "widgets", "con", "nul.x"},
}

const plain = "cGxhaW4="

// masked leaves a Secret in the form in which SOPS does.
type masked struct{}

func (masked) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	text := strings.ReplaceAll(string(p.Content), plain, "ENC[AES256_GCM,data:eA==,type:str]")
	return []byte(text + "sops:\n  version: 3.13.3\n"), nil
}

func (masked) Same(context.Context, event.Plaintext) (bool, error) { return true, nil }

type held struct{ queue.Lease }

func (held) Held(context.Context) bool { return true }

// folder is the base folder of a sink.
type folder struct {
	t    *testing.T
	fake *gitsinktest.Fake
	live []object
}

// handle writes a batch, and a SeedSync of what lives behind it.
func (f *folder) handle(layout event.Layout, events ...event.Event) {
	f.t.Helper()
	w, err := gitsink.NewWriter(f.fake, "cluster", &gitsink.WriterOptions{Encryptor: masked{}, Policy: func(destination.Destination) gitsink.Policy {
		return gitsink.Policy{Layout: layout, Kustomization: true, Adopt: true}
	}})
	require.NoError(f.t, err)
	var collections []event.Collection
	for _, o := range objects {
		e := o.event(f.t)
		collections = append(collections, event.Collection{Group: e.Resource.Group, Resource: e.Resource.Resource, All: true})
	}
	inventory := event.NewInventory(collections, func(c event.Collection) (found []event.Resource, err error) {
		for _, o := range f.live {
			if r := o.event(f.t).Resource; c.Contains(r.ID) {
				found = append(found, r)
			}
		}
		return found, nil
	})
	seed := event.Event{Destination: to, Operation: event.SeedSync, Inventory: inventory}
	require.NoError(f.t, w.Handle(f.t.Context(), queue.Batch{Events: append(events, seed), Lease: held{}}))
}

// build builds the folder with kustomize.
func (f *folder) build() []string {
	f.t.Helper()
	disk, root := filesys.MakeFsOnDisk(), f.t.TempDir()
	for name, file := range f.fake.Repo(repository).Files("main") {
		path := filepath.Join(root, name)
		require.NoError(f.t, disk.MkdirAll(filepath.Dir(path)))
		require.NoError(f.t, disk.WriteFile(path, []byte(file.Content)))
	}
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(disk, filepath.Join(root, "prod"))
	require.NoError(f.t, err)
	var built []string
	for _, r := range resources.Resources() {
		apiVersion := r.GetApiVersion()
		built = append(built, object{apiVersion, r.GetKind(), "", r.GetNamespace(), r.GetName()}.String())
	}
	slices.Sort(built)
	return built
}

func names(all []object) (names []string) {
	for _, o := range all {
		names = append(names, o.String())
	}
	slices.Sort(names)
	return names
}

func TestKustomizeBuildsWhatIsWrittenInEveryLayout(t *testing.T) {
	layouts := []string{
		"default", "by-type", "flat/shop", "{namespace}/{group}/{resource}/{name}.yaml", "{namespace}@{group}+{resource}={name}.yaml",
	}
	for _, text := range layouts {
		t.Run(text, func(t *testing.T) {
			layout, err := event.ParseLayout(text)
			require.NoError(t, err)
			f := &folder{t: t, fake: gitsinktest.NewFake(), live: objects}
			f.handle(layout, all(t, objects)...)
			require.Equal(t, names(objects), f.build())
			f.live = objects[3:]
			f.handle(layout)
			require.Equal(t, names(f.live), f.build(), "without what was removed")
			f.live = slices.Concat(objects[:1], objects[3:])
			f.handle(layout, objects[0].event(t))
			require.Equal(t, names(f.live), f.build())
			for _, other := range layouts { // moved there and back
				for _, text := range []string{other, text} {
					moved, err := event.ParseLayout(text)
					require.NoError(t, err)
					f.handle(moved)
					require.Equal(t, names(f.live), f.build(), other)
				}
			}
		})
	}
}

func all(t *testing.T, objects []object) (events []event.Event) {
	for _, o := range objects {
		events = append(events, o.event(t))
	}
	return events
}
