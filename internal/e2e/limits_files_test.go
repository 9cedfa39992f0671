package e2e

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// manyRepositories mirrors the ConfigMaps of a namespace to main of every repository of the URLs,
// to the folder f. The names are those of oneDestination with a number behind; key and hosts are
// what SSH needs.
func manyRepositories(ns string, urls []string, key, hosts []byte) string {
	one := strings.ReplaceAll(oneDestination, "name: repo}", "name: repo-$N}")
	one = strings.ReplaceAll(one, "{name: rule,", "{name: rule-$N,")
	all := []string{fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: {name: ssh, namespace: %s}\ndata: {identity: %s, known_hosts: %s}\n",
		ns, base64.StdEncoding.EncodeToString(key), base64.StdEncoding.EncodeToString(hosts))}
	for i, url := range urls {
		text := replace(one, "NS", ns, "REPO", url, "DEST", fmt.Sprintf("dest-%d", i), "FOLDER", "f", "N", fmt.Sprint(i))
		text = strings.ReplaceAll(text, "{name: repo,", fmt.Sprintf("{name: repo-%d,", i))
		if strings.HasPrefix(url, "ssh:") {
			text = strings.Replace(text, "spec: {repoURL", "spec: {secretRef: {name: ssh}, repoURL", 1)
		}
		all = append(all, text)
	}
	return strings.Join(all, "---\n")
}

func TestSixtyFourDescriptorsAreEnoughForMoreRepositories(t *testing.T) {
	testsize.Sampled(t)
	t.Parallel()
	mem, c := emptyMemoryCluster(t)
	var types []string // each of which takes a connection for its watch: HTTP/1.1 has no streams
	for i := range 44 {
		name := fmt.Sprintf("thing%ds", i)
		types = append(types, name)
		require.NoError(t, mem.AddType(clustertest.Type{Group: "things.example", Versions: []string{"v1"}, Kind: fmt.Sprintf("Thing%d", i), Resource: name, Namespaced: true}))
	}
	ns := c.namespace()
	relay, kubeconfig := behindRelay(t, c.kubeconfig)
	git := gitservertest.NewServer(t, nil)
	ssh := gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{Server: git})
	var repos []*gitservertest.Repo
	var urls []string
	byHTTP := testsize.Sizes{Usual: 6, Long: 16, Soak: 80}.Pick()
	byOthers := testsize.Sizes{Usual: 1, Long: 2, Soak: 10}.Pick()
	for i := range byHTTP + 2*byOthers {
		repo := git.NewRepo(fmt.Sprintf("repo-%d.git", i))
		repos = append(repos, repo)
		switch {
		case i < byHTTP:
			urls = append(urls, repo.URL())
		case i < byHTTP+byOthers:
			urls = append(urls, repo.FileURL())
		default:
			urls = append(urls, repo.SSHURL())
		}
	}
	c.configMap(ns, "a", "one")
	// Every connection that can be opened is open at the same time.
	hung := make(chan struct{})
	git.Intercept(func(gitservertest.Request) gitservertest.Fault { return gitservertest.Fault{Hold: hung} })
	manifests := manyRepositories(ns, urls, ssh.ClientKeyPEM(), []byte(ssh.KnownHosts()))
	manifests = strings.Replace(manifests, "rules: [", fmt.Sprintf("rules: [{apiGroups: [things.example], resources: [%s]}, ", strings.Join(types, ", ")), 1)
	p := startLimited(t, limits{files: 64}, kubeconfig, manifests)
	// A git command takes nine descriptors at once (three pipes, one that tells of its start, and
	// its pidfd). Where it finds too few it leaves up to eight of them free.
	p.says("too many open files")
	p.eventually(func() bool { return p.descriptors() >= 64-8 }, func() string { return fmt.Sprint(p.descriptors(), " descriptors") })
	relay.cut() // the watches have to find a descriptor too
	c.configMap(ns, "a", "two")
	c.configMap(ns, "b", "one")
	close(hung)
	all := func(want map[string]string) {
		t.Helper()
		for i, repo := range repos {
			p.eventually(func() bool { return cmp.Equal(folder(repo, "main", "f"), want) }, func() string {
				return urls[i] + cmp.Diff(want, folder(repo, "main", "f"))
			})
		}
	}
	all(configMapFiles(ns, "a", "two", "b", "one"))
	c.configMap(ns, "a", "three")
	c.delete(configMaps, ns, "b")
	all(configMapFiles(ns, "a", "three"))
	require.LessOrEqual(t, p.descriptors(), 64)
	t.Logf("%d descriptors at the end", p.descriptors())
	p.stop()
	for _, repo := range repos {
		require.LessOrEqual(t, commits(repo, "main"), 3)
	}
}
