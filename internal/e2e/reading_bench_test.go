package e2e

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// What reading 2,000 Deployments, as they are, costs with answers that are compressed and without.
// docs/benchmarks.md has the figures, and how to have them over a slow link.
func BenchmarkReadingAListOfARealServer(b *testing.B) {
	if !real() {
		b.Skip("it is about a real API server: set KUBEBUILDER_ASSETS")
	}
	env := server.Start(b)
	c, err := discovery.NewDiscoveryClientForConfig(env.Config())
	require.NoError(b, err)
	makeDeployments(b, env.Config(), 2000)
	for _, compressed := range []bool{false, true} {
		b.Run(fmt.Sprintf("compressed=%t", compressed), func(b *testing.B) {
			config, read := rest.CopyConfig(env.Config()), &atomic.Int64{}
			config.DisableCompression = !compressed
			config.Dial = counting(read)
			client, err := source.NewClient(config)
			require.NoError(b, err)
			before := spentCPU(b)
			for b.Loop() {
				readOnce(b, client, c)
			}
			b.ReportMetric(float64(spentCPU(b)-before)/float64(b.N)/1e6, "cpu-ms/op")
			b.ReportMetric(float64(read.Load())/float64(b.N)/1e6, "MB/op")
		})
	}
}

func makeDeployments(b *testing.B, config *rest.Config, n int) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	c, err := dynamic.NewForConfig(config)
	require.NoError(b, err)
	for i := range n {
		obj := &unstructured.Unstructured{}
		require.NoError(b, obj.UnmarshalJSON([]byte(fmt.Sprintf(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"web-%d","labels":{"app":"web-%d"}},
			"spec":{"replicas":0,"selector":{"matchLabels":{"app":"web-%d"}},"template":{"metadata":{"labels":{"app":"web-%d"}},
			"spec":{"containers":[{"name":"web","image":"registry.example/web:%d","env":[{"name":"A","value":"%s"}],
			"ports":[{"containerPort":8080}],"resources":{"requests":{"cpu":"10m"}}}]}}}}`, i, i, i, i, i, strings.Repeat("x", i%200)))))
		_, err := c.Resource(deployments).Namespace("default").Create(b.Context(), obj, metav1.CreateOptions{})
		require.NoError(b, err)
	}
}

// readOnce follows the Deployments until the first SeedSync.
func readOnce(b *testing.B, client *source.Client, d source.Discovery) {
	set, err := destination.Resolve(
		[]destination.Repository{{Ref: destination.Ref{Namespace: "n", Name: "r"}, URL: "https://git.example/r.git"}},
		[]destination.Spec{{Ref: destination.Ref{Namespace: "n", Name: "d"}, RepositoryRef: destination.Ref{Namespace: "n", Name: "r"}, Branch: "main", AllowedNamespaces: []string{"*"}}})
	require.NoError(b, err)
	rules, err := ruleset.Compile(set, ruleset.Rule{
		Name: destination.Ref{Name: "all"}, Destination: destination.Ref{Namespace: "n", Name: "d"},
		Resources: []ruleset.ResourceRule{{APIGroups: []string{"apps"}, Resources: []string{"deployments"}}},
	})
	require.NoError(b, err)
	q := queue.NewSharded(&queue.Options{Window: queue.Window{Count: 1}}) // nothing waits
	w := source.New(client, d, q, nil)
	w.SetRules(set, rules)
	ctx, cancel := context.WithTimeout(b.Context(), time.Minute)
	ended := make(chan error, 1)
	go func() { ended <- w.Start(ctx) }()
	for {
		batch, err := q.Next(ctx)
		require.NoError(b, err)
		if batch.Events[len(batch.Events)-1].Operation == event.SeedSync {
			break
		}
		require.NoError(b, batch.Lease.Done(ctx))
	}
	cancel()
	require.NoError(b, <-ended)
}

func counting(read *atomic.Int64) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		return countedConn{conn, read}, err
	}
}

type countedConn struct {
	net.Conn
	read *atomic.Int64
}

func (c countedConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read.Add(int64(n))
	return n, err
}

func spentCPU(b *testing.B) time.Duration {
	var u syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
