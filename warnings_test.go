package kubescribe_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

func TestEachWarningOfTheAPIServerIsLoggedOnce(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	config := rest.CopyConfig(c.Config())
	warned := &warning{}
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { warned.next = next; return warned })
	var said lines
	m, err := kubescribe.New(config, quick(kubescribe.Options{Logger: funcr.New(said.add, funcr.Options{})}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, stop())
	require.Greater(t, warned.answers, 2)
	require.Equal(t, 1, said.with("v1 Endpoints is deprecated"))
	require.Zero(t, said.with("stale"), "110 is of a cache")
	require.LessOrEqual(t, said.with("number"), 100)
}

// warning adds headers to each answer: the same warning, one about a cache, and a hundred new ones.
type warning struct {
	next    http.RoundTripper
	mu      sync.Mutex
	answers int
}

func (w *warning) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := w.next.RoundTrip(r)
	if err != nil {
		return answer, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers++
	answer.Header.Add("Warning", `110 - "stale"`)
	answer.Header.Add("Warning", `299 - "v1 Endpoints is deprecated"`)
	for i := range 100 {
		answer.Header.Add("Warning", fmt.Sprintf(`299 - "number %d"`, w.answers*100+i))
	}
	return answer, nil
}

// lines are what a Logger was told.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) add(prefix, args string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, prefix+args)
}

func (l *lines) with(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
