package e2e

import (
	"fmt"
	"maps"
	"testing"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

func TestRulesOfManyNamespacesShareAWatchAndEachFolderHoldsItsOwn(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("collapsed.git")
	one, two, other := c.namespace(), c.namespace(), c.namespace()
	for _, ns := range []string{one, two, other} {
		c.configMap(ns, "a", "v0")
		c.configMap(ns, "b", "v0")
	}
	opts := options(t)
	opts.Source.Collapse = 1
	var rules kubescribe.Rules
	for _, ns := range []string{one, two} {
		part := load(t, oneDestination, "NS", ns, "REPO", repo.URL(), "DEST", "dest", "FOLDER", "f-"+ns)
		rules.Repositories = append(rules.Repositories, part.Repositories...)
		rules.Destinations = append(rules.Destinations, part.Destinations...)
		rules.Rules = append(rules.Rules, part.Rules...)
	}
	m := start(c, rules, opts)
	m.synced()
	for _, ns := range []string{one, two} {
		becomes(t, repo, "main", "f-"+ns, configMapFiles(ns, "a", "v0", "b", "v0"))
	}
	c.delete(configMaps, one, "a")
	c.delete(configMaps, other, "a")
	c.configMap(two, "b", "v1")
	becomes(t, repo, "main", "f-"+one, configMapFiles(one, "b", "v0"))
	becomes(t, repo, "main", "f-"+two, configMapFiles(two, "a", "v0", "b", "v1"))
	m.stop()
}

const selected = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: $NS}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: dest, namespace: $NS}
spec: {repoRef: {name: repo}, branch: main, baseFolder: f}
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: rule-$NS}
spec:
  destinationRef: {name: dest, namespace: $NS}
  namespaceSelector: {matchLabels: {mirror: $NS}}
  objectSelector: {matchExpressions: [{key: skip, operator: DoesNotExist}]}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`

func TestObjectsComeAndGoWithTheirLabelsAndThoseOfTheirNamespace(t *testing.T) {
	inParallel(t)
	c := sharedCluster(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("selected.git")
	first, second := c.namespace(), c.namespace()
	label := func(ns, labels string) {
		c.apply(namespaces, fmt.Sprintf("{apiVersion: v1, kind: Namespace, metadata: {name: %s, labels: {%s}}}", ns, labels))
	}
	label(first, "mirror: "+first)
	for _, ns := range []string{first, second} {
		c.configMap(ns, "a", "v0")
		c.configMap(ns, "b", "v0")
	}
	m := start(c, load(t, selected, "NS", first, "REPO", repo.URL()), nil)
	m.synced()
	becomes(t, repo, "main", "f", configMapFiles(first, "a", "v0", "b", "v0"))

	c.apply(configMaps, fmt.Sprintf("{apiVersion: v1, kind: ConfigMap, metadata: {name: a, namespace: %s, labels: {skip: ''}}, data: {value: v0}}", first))
	becomes(t, repo, "main", "f", configMapFiles(first, "b", "v0"))
	c.configMap(first, "a", "v1")
	becomes(t, repo, "main", "f", configMapFiles(first, "a", "v1", "b", "v0"))

	both := configMapFiles(second, "a", "v0", "b", "v0")
	maps.Copy(both, configMapFiles(first, "a", "v1", "b", "v0"))
	label(second, "mirror: "+first)
	becomes(t, repo, "main", "f", both)
	label(first, "mirror: nobody")
	becomes(t, repo, "main", "f", configMapFiles(second, "a", "v0", "b", "v0"))
	m.stop()
}
