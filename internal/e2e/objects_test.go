package e2e

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// change does the n-th change of a burst to one of so many ConfigMaps. Somebody else may change the
// same one meanwhile.
func change(ctx context.Context, c *cluster, ns string, n, objects int) error {
	client := c.client.Resource(configMaps).Namespace(ns)
	name := fmt.Sprintf("cm-%d", n*7919%objects)
	if n%5 == 4 {
		err := client.Delete(ctx, name, metav1.DeleteOptions{})
		if apierrors.IsNotFound(err) {
			err = nil
		}
		return err
	}
	obj := &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{"value": fmt.Sprintf("v%d", n)}}}
	obj.SetAPIVersion("v1")
	obj.SetKind("ConfigMap")
	obj.SetName(name)
	obj.SetNamespace(ns)
	_, err := client.Create(ctx, obj, metav1.CreateOptions{})
	if !apierrors.IsAlreadyExists(err) {
		return err
	}
	// Without a resourceVersion: the last one wins.
	_, err = client.Update(ctx, obj, metav1.UpdateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		err = nil
	}
	return err
}

// living returns the files that the ConfigMaps of a namespace should have, from a listing of the
// test's own.
func living(t *testing.T, c *cluster, ns string) map[string]string {
	t.Helper()
	list, err := c.client.Resource(configMaps).Namespace(ns).List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	files := map[string]string{}
	for _, obj := range list.Items {
		value, _, _ := unstructured.NestedString(obj.Object, "data", "value")
		files[ns+"/configmaps/"+obj.GetName()+".yaml"] = configMapYAML(ns, obj.GetName(), value)
	}
	return files
}
