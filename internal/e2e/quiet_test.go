package e2e

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

const (
	quietRediscover = 500 * time.Millisecond
	quietResync     = 5 * time.Second
)

// A cluster in which nothing happens: an object of every type that the server has, read in every
// version, while the mirrors ask all the time which types there are, and one of them seeds anew
// every few seconds. One group cannot be discovered all along. KUBESCRIBE_SOAK=1 leaves the cluster
// alone for an hour.
func TestAClusterLeftAloneIsNeitherWrittenNorListedAgain(t *testing.T) {
	if !real() {
		t.Skip("needs a real API server, and KUBEBUILDER_ASSETS is unset: run `make e2e`")
	}
	t.Parallel()
	q := newQuiet(t, testenv.Start(t, &testenv.Options{APIServerArgs: everyAPI}))
	q.makeObjects()
	q.requireEveryType()

	mirrors := []*quietMirror{q.mirror("preferred", quietResync, quietEverything, quietRule("selected", "*", "*"))}
	for i, rules := range q.rulesByVersion() {
		mirrors = append(mirrors, q.mirror(fmt.Sprintf("version-%d", i), -1, rules))
	}
	for _, m := range mirrors {
		m.synced()
	}
	q.requireEveryVersion(mirrors)
	q.settle(mirrors)

	const second = time.Second
	began, tips := time.Now(), tipsOf(mirrors)
	for _, m := range mirrors {
		m.requests.forget()
	}
	length := time.Duration(testsize.Sizes{Usual: 120, Soak: 3600}.Pick()) * second
	for time.Since(began) < length {
		time.Sleep(second) // what is proved is that nothing happens
		for _, m := range mirrors {
			if tip, _ := m.repo.Tip("main"); tip != tips[m.name] {
				require.FailNow(t, "a commit for nothing", "%s:\n%s", m.name, m.repo.Git("log", "-p", "--max-count=3", "main"))
			}
		}
	}
	for _, m := range mirrors {
		listed, questions, watched, discovered := m.requests.counts()
		t.Logf("%s: in %v %d discoveries, %d types listed %v times, %d watches opened, %d questions for the clock",
			m.name, time.Since(began).Round(second), discovered, len(listed), extremes(listed), watched, questions)
		require.Greater(t, discovered, int(length/quietRediscover)/10, m.name)
		require.NotZero(t, watched, "%s: no watch ended, so none was opened again", m.name)
		if m.resync < 0 {
			require.NotZero(t, questions, m.name)
			// Events have no watch cache, so their watches get no bookmarks: where none happen,
			// etcd's compaction, every five minutes, overtakes the watch, and its next one is
			// answered with 410 Gone.
			maps.DeleteFunc(listed, func(of string, n int) bool {
				return strings.HasSuffix(of, "/events") && n <= int(length/(5*time.Minute))
			})
			require.Empty(t, listed, "%s: what has not changed is listed again", m.name)
			continue
		}
		require.NotEmpty(t, listed, "%s: a resync lists the cluster", m.name)
		// One at the edge, and one that was asked for before and had to wait.
		resyncs := int(time.Since(began)/m.resync) + 2
		for of, n := range listed {
			streams := 1
			if of == "/api/v1/namespaces" {
				streams = 2 // one reads labels for the namespaceSelector
			}
			require.LessOrEqual(t, n, streams*resyncs, "%s: %s", m.name, of)
		}
	}
	for _, m := range mirrors {
		m.stop()
	}
}

// extremes returns the least and the greatest count.
func extremes(counts map[string]int) [2]int {
	if len(counts) == 0 {
		return [2]int{}
	}
	values := slices.Sorted(maps.Values(counts))
	return [2]int{values[0], values[len(values)-1]}
}

const quietDestinations = `
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: repo, namespace: default}
spec: {repoURL: $REPO, push: {interval: 50ms}}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: selected, namespace: default}
spec: {repoRef: {name: repo}, branch: main, baseFolder: selected}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: everything, namespace: default}
spec: {repoRef: {name: repo}, branch: main, baseFolder: everything}
`

// quietEverything is the whole cluster, but for the leases that API servers renew.
const quietEverything = `
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: everything}
spec:
  destinationRef: {name: everything, namespace: default}
  rules: [{}]
  skip: [Leases]
`

// quietRule selects the types of a group in a version, in the namespaces of the test's own and
// those that are in none.
func quietRule(name, group, version string) string {
	return fmt.Sprintf(`
---
apiVersion: configbutler.ai/v1alpha1
kind: ClusterWatchRule
metadata: {name: %s}
spec:
  destinationRef: {name: selected, namespace: default}
  namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: In, values: [quiet, quiet-limits]}]}
  rules: [{apiGroups: [%q], apiVersions: [%q], resources: ["*"]}]
`, name, group, version)
}

// rulesByVersion returns rules of which the n-th ask for the n-th version of each group that has
// one.
func (q *quiet) rulesByVersion() []string {
	versions := map[string][]string{}
	for _, gvr := range q.watchable() {
		if !slices.Contains(versions[gvr.Group], gvr.Version) {
			versions[gvr.Group] = append(versions[gvr.Group], gvr.Version)
		}
	}
	var rules []string
	for i := 0; ; i++ {
		var text strings.Builder
		for _, group := range slices.Sorted(maps.Keys(versions)) {
			if i < len(versions[group]) {
				slices.Sort(versions[group])
				text.WriteString(quietRule(fmt.Sprintf("g%d", text.Len()), group, versions[group][i]))
			}
		}
		if text.Len() == 0 {
			return rules
		}
		rules = append(rules, text.String())
	}
}

// quietMirror is a Mirror with a repository of its own, whose requests are counted.
type quietMirror struct {
	*mirror
	name     string
	resync   time.Duration
	repo     *gitservertest.Repo
	requests *quietRequests
}

func (q *quiet) mirror(name string, resync time.Duration, rules ...string) *quietMirror {
	q.t.Helper()
	m := &quietMirror{name: name, resync: resync, repo: q.git.NewRepo(name + ".git"), requests: newQuietRequests()}
	c := *q.cluster
	c.config = q.env.Config()
	c.config.WarningHandler = rest.NoWarnings{} // deprecated versions are versions
	c.config.Wrap(m.requests.wrap)
	opts := options(q.t)
	opts.Logger = opts.Logger.WithName(name)
	opts.Source.Rediscover, opts.Source.Resync, opts.Write.Encryptor = quietRediscover, resync, quietSeal{}
	m.mirror = start(&c, load(q.t, quietDestinations+strings.Join(rules, ""), "REPO", m.repo.URL()), opts)
	return m
}

func tipsOf(mirrors []*quietMirror) map[string]string {
	tips := map[string]string{}
	for _, m := range mirrors {
		tips[m.name], _ = m.repo.Tip("main")
	}
	return tips
}

// settle waits until the API server, too, has nothing left to do with what was made.
func (q *quiet) settle(mirrors []*quietMirror) {
	q.t.Helper()
	const still = 10 * time.Second
	tips, since := tipsOf(mirrors), time.Now()
	eventually(q.t, func() bool {
		if now := tipsOf(mirrors); !maps.Equal(now, tips) {
			tips, since = now, time.Now()
		}
		return time.Since(since) > still
	}, func() string { return mirrors[0].repo.Git("log", "-p", "--max-count=3", "main") })
}
