package clustertest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/internal/heap"
)

// BenchmarkHundredThousandConfigMaps stores 100,000 ConfigMaps of 2 KB and lists them over HTTP in
// pages of 500.
func BenchmarkHundredThousandConfigMaps(b *testing.B) {
	const objects = 100_000
	value := strings.Repeat("x", 2<<10)
	for b.Loop() {
		c, client := start(b, nil)
		before := heap.Live()
		for i := range objects {
			require.NoError(b, c.Apply(configMap(fmt.Sprintf("cm-%06d", i*7919%objects), value)))
		}
		b.ReportMetric(float64(heap.Live()-before)/objects, "B/object")
		b.ReportMetric(b.Elapsed().Seconds(), "s-to-store")
		listed, opts := 0, metav1.ListOptions{Limit: 500}
		for {
			list, err := client.Resource(configMaps).List(b.Context(), opts)
			require.NoError(b, err)
			listed += len(list.Items)
			if opts.Continue = list.GetContinue(); opts.Continue == "" {
				break
			}
		}
		require.Equal(b, objects, listed)
		c.Close()
	}
}
