package source

import (
	"context"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/ruleset"
)

// pagesOf is an API server's answers to list.
type pagesOf struct {
	dynamic.ResourceInterface
	page  func(n int) (token string)
	n     int
	items []unstructured.Unstructured
}

func (p *pagesOf) List(context.Context, metav1.ListOptions) (*unstructured.UnstructuredList, error) {
	p.n++
	list := &unstructured.UnstructuredList{Object: map[string]any{}}
	list.SetContinue(p.page(p.n))
	list.SetResourceVersion("7")
	list.Items = p.items
	return list, nil
}

func TestAListingHasABoundInPages(t *testing.T) {
	none := func(*object) error { return nil }
	places := make(chan struct{}, 1)
	endless := &pagesOf{page: strconv.Itoa}
	_, err := eachPage(t.Context(), places, dynamicCollection{endless}, 1, none)
	require.ErrorIs(t, err, ErrEndless)
	require.Equal(t, maxPages+1, endless.n)
	long := &pagesOf{page: func(n int) string {
		if n == maxPages {
			return ""
		}
		return strconv.Itoa(n)
	}}
	_, err = eachPage(t.Context(), places, dynamicCollection{long}, 1, none)
	require.NoError(t, err)
}

func TestAListingThatIsCompleteIsNotTooLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		last := &pagesOf{page: func(int) string { return "" }, items: []unstructured.Unstructured{*configMap("default", "a", "1")}}
		version, err := eachPage(t.Context(), make(chan struct{}, 1), dynamicCollection{last}, 1, func(*object) error {
			time.Sleep(listBound + time.Second) // an object of the page waits for somebody
			return nil
		})
		require.NoError(t, err)
		require.Equal(t, "7", version)
	})
}

func TestManyNamespacesAreWatchedOneByOneWhereCollapsingIsOff(t *testing.T) {
	d, _, _ := newRig(t, newLines(-1), rule("prod", "prod", "configmaps"))
	for collapse, want := range map[int]bool{-1: false, 2: true, 3: false} {
		d.opts.Collapse = collapse
		require.Equal(t, want, d.opts.collapses(3), collapse)
	}
}

func TestAVersionIsKeptWhileItsGroupPrefersWhatItDid(t *testing.T) {
	gr := schema.GroupResource{Group: "autoscaling", Resource: "horizontalpodautoscalers"}
	served := func(preferred string) ruleset.Served {
		return ruleset.Served{Groups: []*metav1.APIGroup{{Name: "autoscaling", PreferredVersion: metav1.GroupVersionForDiscovery{Version: preferred}}}}
	}
	v := versions{gr: {version: "v1", preferred: "v2"}}
	require.Equal(t, map[schema.GroupResource]string{gr: "v1"}, v.kept(served("v2")))
	require.Empty(t, v.kept(served("v3")))
}

func TestANewNamespaceIsNoReasonToListAnything(t *testing.T) {
	told := make(chan struct{}, 1)
	n := newNamespaces(nil, told)
	n.release()
	team := func(name string) *object {
		obj := newObject("v1", "Namespace", "", name, map[string]any{})
		obj.SetLabels(map[string]string{"team": "a"})
		return read(t, obj)
	}
	n.upsert(team("new"), added)
	require.Empty(t, told, "its objects come after it")
	n.upsert(team("heard-of-late"), modified)
	require.Len(t, told, 1)
}
