package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
)

// walkServer is an API server of a walk's own. The Mirror reaches it through a relay, as a user of
// its own.
type walkServer struct {
	*cluster
	relay      *relay
	kubeconfig string            // of the Mirror
	restart    func()            // ends the server and starts it again
	forget     func()            // its history
	forgets    bool              // what was forgotten is answered with 410
	forbid     func(...walkType) // all others are allowed
	// A listing of this type breaks off after its first page; nil: cannot be had.
	stumble func(fails walkType)
	razes   bool // deletes what is in a namespace that is deleted
	get     func(walkKey) (*unstructured.Unstructured, error)
	clock   *walkClock      // what the Mirror was told of it; nil: nobody knows
	rewinds int             // of 1000 operations; as many more take a snapshot
	backup  func() rewinder // takes a snapshot
}

// rewinder sets a cluster back to what it was. The Mirror is cut off meanwhile.
type rewinder func(chance *rand.Rand)

// behindRelay writes a kubeconfig whose server is the relay.
func behindRelay(t *testing.T, kubeconfig string) (*relay, string) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(kubeconfig)
	require.NoError(t, err)
	var r *relay
	for _, c := range config.Clusters {
		address, err := url.Parse(c.Server)
		require.NoError(t, err)
		r = newRelay(t, address.Host)
		address.Host = r.address()
		c.Server = address.String()
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, clientcmd.WriteToFile(*config, path))
	return r, path
}

func memoryWalkServer(t *testing.T) *walkServer {
	t.Helper()
	mem := clustertest.New(nil)
	t.Logf("clustertest.Options{Seed: %d}", mem.Seed())
	t.Cleanup(mem.Close)
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}]\n"+
		"contexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n", mem.URL())
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	s := &walkServer{cluster: newCluster(t, mem.Config(), path), forgets: true, razes: true, rewinds: 4}
	s.relay, s.kubeconfig = behindRelay(t, path)
	s.clock = watchClock(mem)
	s.backup = func() rewinder { return s.clock.backup(s.relay) }
	var mu sync.Mutex
	var forbidden []walkType
	var stumbling walkType
	mem.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		mu.Lock()
		defer mu.Unlock()
		of := walkType{Group: r.Resource.Group, Resource: r.Resource.Resource}
		if r.Verb == "list" && of == (walkType{Group: stumbling.Group, Resource: stumbling.Resource}) && r.Page > 1 {
			return &clustertest.Fault{Cut: true}
		}
		for _, t := range forbidden {
			if t.Group == of.Group && t.Resource == of.Resource && slices.Contains([]string{"get", "list", "watch"}, r.Verb) {
				return &clustertest.Fault{Error: apierrors.NewForbidden(r.Resource.GroupResource(), r.Name, nil)}
			}
		}
		return nil
	})
	each := func(f func(schema.GroupResource)) {
		for _, t := range walkTypes {
			f(t.gvr().GroupResource())
		}
	}
	s.forbid = func(types ...walkType) {
		mu.Lock()
		defer mu.Unlock()
		forbidden = types
	}
	s.stumble = func(t walkType) {
		mu.Lock()
		defer mu.Unlock()
		stumbling = t
	}
	s.get = func(k walkKey) (*unstructured.Unstructured, error) { return mem.Get(k.gvr(), k.Namespace, k.Name) }
	s.forget = func() {
		mem.Compact()
		each(mem.ExpireWatches)
	}
	s.restart = func() {
		s.relay.cut()
		mem.Compact()
	}
	return s
}

// realWalkServer starts an API server and etcd.
func realWalkServer(t *testing.T, options *testenv.Options) *walkServer {
	t.Helper()
	env := testenv.Start(t, options)
	s := &walkServer{cluster: newCluster(t, env.Config(), env.Kubeconfig()), forgets: options != nil && options.DisableWatchCache, rewinds: 1}
	s.relay, s.kubeconfig = behindRelay(t, env.WriteKubeconfig(t, "mirror"))
	s.get = func(k walkKey) (*unstructured.Unstructured, error) {
		return s.resource(k).Get(t.Context(), k.Name, metav1.GetOptions{})
	}
	s.restart = func() { env.RestartAPIServer(t) }
	s.forget = func() { env.CompactEtcd(t) }
	s.backup = func() rewinder {
		b := env.Backup(t)
		return func(*rand.Rand) { env.Restore(t, b) }
	}
	roles := schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterroles"}
	bindings := schema.GroupVersionResource{Group: "rbac.authorization.k8s.io", Version: "v1", Resource: "clusterrolebindings"}
	s.forbid = func(types ...walkType) {
		t.Helper()
		role := parse(t, `{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: mirror}}`)
		rules := []any{map[string]any{"apiGroups": []any{""}, "resources": []any{"namespaces"}, "verbs": []any{"get"}}}
		for _, typ := range walkTypes {
			if !slices.Contains(types, typ) {
				rules = append(rules, map[string]any{"apiGroups": []any{typ.Group}, "resources": []any{typ.Resource},
					"verbs": []any{"get", "list", "watch"}})
			}
		}
		role.Object["rules"] = rules
		// It creates as well.
		_, err := s.client.Resource(roles).Update(t.Context(), role, metav1.UpdateOptions{})
		require.NoError(t, err)
	}
	s.forbid()
	s.apply(bindings, `
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: mirror}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: mirror}
subjects: [{apiGroup: rbac.authorization.k8s.io, kind: User, name: mirror}]
`)
	return s
}
