package eventtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/kittest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// ready are the layouts of package event, and templates of every form.
func ready(t testing.TB) (all []event.Layout) {
	texts := []string{
		"default", "by-type", "flat/shop",
		"{namespace}@{group}+{resource}={name}.k8s.yaml",
		"{name},{group}/{namespace}=in/x-{resource}-x.yml",
		"flat/_cluster", "flat/default",
		"{namespace}/{group}/{resource}/{name}.yaml",
		"{group}/{resource}/{namespace}/{name}.yml",
		"{resource.group}/{namespace}_{name}.yaml",
		"{namespace}_{resource.group}_{name}.yaml",
		"{name}_{namespace}_{resource}_{group}.yaml",
		"clusters/{resource.group}/ns-{namespace}/{name}/object.yaml",
	}
	for _, text := range texts[:testsize.Sizes{Short: 4, Usual: 6, Long: len(texts)}.Pick()] {
		layout, err := event.ParseLayout(text)
		require.NoError(t, err)
		all = append(all, layout)
	}
	return all
}

func TestTheLayoutsOfPackageEventKeepTheContract(t *testing.T) {
	for _, layout := range ready(t) {
		t.Run(strings.ReplaceAll(layout.Name(), "/", ":"), func(t *testing.T) {
			t.Parallel()
			TestLayout(t, layout)
		})
	}
}

func TestEveryCheckQuotesTheDocumentation(t *testing.T) {
	kittest.RequireQuotes(t, catalogue(), "../layout.go", "doc.go")
}

func catalogue() (all []kittest.Check) {
	for _, c := range layoutChecks {
		all = append(all, kittest.Check{Name: c.name, Promise: c.promise})
	}
	return all
}

// FuzzLayouts states the promises of each layout for any two objects.
func FuzzLayouts(f *testing.F) {
	for i, name := range hostile {
		f.Add(name, name, name, name, "apps", "deployments", "default", hostile[(i+1)%len(hostile)])
		f.Add("apps", "deployments", "default", name, "apps", "deployments", "default", strings.ToUpper(name))
	}
	f.Add("b.c", "a", "n", "x", "c", "a.b", "n", "x")
	f.Add("", "a", "b", "c_d", "", "a", "b_c", "d")
	layouts := ready(f)
	f.Fuzz(func(t *testing.T, g1, r1, ns1, n1, g2, r2, ns2, n2 string) {
		ids := []event.ID{{Group: g1, Resource: r1, Namespace: ns1, Name: n1}, {Group: g2, Resource: r2, Namespace: ns2, Name: n2}}
		for _, layout := range layouts {
			a, b := folded(pathOf(layout, ids[0])), folded(pathOf(layout, ids[1]))
			if ids[0] != ids[1] && (a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")) {
				t.Fatalf("%s: %s and %s: %s, %s", layout.Name(), shown(ids[0]), shown(ids[1]), a, b)
			}
			for _, id := range ids {
				p := pathOf(layout, id)
				require.NoError(t, faultOfPath(p), "%s: %s", layout.Name(), shown(id))
				require.NoError(t, faultOfFile(p), "%s: %s", layout.Name(), shown(id))
				c, ok := layout.Collection(p)
				if legal(id) && !ok || ok && c != collectionOf(id) {
					t.Fatalf("%s: the collection of %s is %+v, %t: %s", layout.Name(), p, c, ok, shown(id))
				}
			}
		}
	})
}
