package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
)

// clusterJob is what a cluster is started with.
type clusterJob struct {
	Objects, Size int
}

// clusterState is the cluster's answer to each message.
type clusterState struct {
	URL   string
	Lists int // requests for a page of ConfigMaps so far
}

var configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}

// Objects are in so many namespaces, and each has its data in so many keys.
const (
	watchNamespaces = 50
	watchKeys       = 8
)

// serveCluster is the child process that holds a cluster.
func serveCluster(_ context.Context, in *json.Decoder, out *json.Encoder) error {
	var job clusterJob
	if err := in.Decode(&job); err != nil {
		return err
	}
	c := clustertest.New(nil)
	defer c.Close()
	var pages atomic.Int64
	c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		// A question for the server's clock, which follows a listing that took long, holds no
		// object.
		if r.Verb == "list" && r.Resource == configMaps && r.Options.FieldSelector == "" {
			pages.Add(1)
		}
		return nil
	})
	for i := range watchNamespaces {
		if err := c.Apply(namespace(i)); err != nil {
			return err
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range job.Objects {
		if err := c.Apply(watchedObject(random, i, job.Size)); err != nil {
			return err
		}
	}
	for {
		if err := out.Encode(clusterState{URL: c.URL(), Lists: int(pages.Load())}); err != nil {
			return err
		}
		var again struct{}
		if err := in.Decode(&again); err != nil {
			return err
		}
	}
}

func namespace(i int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": watchedNamespace(i)},
	}}
}

func watchedNamespace(i int) string { return fmt.Sprintf("team-%02d", i%watchNamespaces) }
func watchedName(i int) string      { return fmt.Sprintf("settings-%06d", i) }

// watchedObject is a ConfigMap with size bytes of data, half of it random, so that it packs as
// settings do. It has the managedFields that a real API server keeps.
func watchedObject(random *rand.Rand, i, size int) *unstructured.Unstructured {
	data, fields := map[string]any{}, map[string]any{".": map[string]any{}}
	for k := range watchKeys {
		key := fmt.Sprintf("setting-%d.properties", k)
		var b strings.Builder
		for b.Len() < size/watchKeys-len(key) {
			_, _ = fmt.Fprintf(&b, "server.option.%d=%016x\n", k, random.Uint64())
		}
		data[key], fields["f:"+key] = b.String(), map[string]any{}
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "data": data,
		"metadata": map[string]any{
			"namespace": watchedNamespace(i), "name": watchedName(i),
			"labels": map[string]any{"app.kubernetes.io/name": "settings", "app.kubernetes.io/part-of": watchedNamespace(i)},
			"managedFields": []any{map[string]any{
				"manager": "kubectl-client-side-apply", "operation": "Update", "apiVersion": "v1", "time": "2026-01-01T00:00:00Z",
				"fieldsType": "FieldsV1", "fieldsV1": map[string]any{
					"f:data":     fields,
					"f:metadata": map[string]any{"f:labels": map[string]any{".": map[string]any{}, "f:app.kubernetes.io/name": map[string]any{}, "f:app.kubernetes.io/part-of": map[string]any{}}},
				},
			}},
		},
	}}
}
