package canonical

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatWasRemovedCanBeBroughtBack(t *testing.T) {
	var d Document
	require.NoError(t, d.Parse([]byte(`{"apiVersion":"v1","kind":"Namespace","metadata":{"name":"a","uid":"u","labels":{"kubernetes.io/metadata.name":"a"}},
		"spec":{"finalizers":["kubernetes"]},"status":{"phase":"Active"}}`)))
	whole := d.Object()
	d.Sanitize()
	require.NotEqual(t, whole, d.Object())
	d.Restore()
	require.Equal(t, whole, d.Object())
}
