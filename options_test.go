package kubescribe_test

import (
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/metrics"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// sealed is an Encryptor.
type sealed struct{}

func (sealed) Encrypt(context.Context, event.Plaintext) ([]byte, error) {
	return []byte("sealed\n"), nil
}

func (sealed) Same(_ context.Context, p event.Plaintext) (bool, error) {
	return string(p.Stored) == "sealed\n", nil
}

// elsewhere is a Layout of somebody's own.
type elsewhere struct{ event.Layout }

func (elsewhere) Name() string                   { return "elsewhere/v1" }
func (e elsewhere) Path(r event.Resource) string { return e.Layout.Path(r) + "/object.yaml" }
func (e elsewhere) Collection(path string) (event.Collection, bool) {
	path, ok := strings.CutSuffix(path, "/object.yaml")
	scope, legal := e.Layout.Collection(path)
	return scope, ok && legal
}

func TestEachOptionOfWhatIsWrittenHasItsSay(t *testing.T) {
	c := cluster(t)
	require.NoError(t, c.Apply(&unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": "s", "namespace": "default"},
	}}))
	c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "get" && r.Name == metav1.NamespaceSystem {
			return &clustertest.Fault{Error: apierrors.NewForbidden(schema.GroupResource{Resource: "namespaces"}, r.Name, nil)}
		}
		return nil
	})
	sink, repo := newFake()
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		GitSink: sink, ClusterID: "the-cluster",
		Write: gitsink.WriterOptions{
			Layout: elsewhere{event.DefaultLayout}, Encryptor: sealed{},
			Committer: gitsink.Signature{Name: "Robot", Email: "robot@example.com"},
			Message:   func(destination.Destination, []event.Event) string { return "In our words\n" },
		},
	}))
	require.NoError(t, err)
	rules := rulesFor(repo, prodRef)
	rules.Rules[0].Resources[0].Resources = []string{"secrets", "misspelt"}
	require.NoError(t, m.SetRules(rules))
	stop := start(t, m)
	require.ErrorIs(t, m.WaitSynced(limited(t)), ruleset.ErrNotServed)
	require.NotZero(t, m.Status().Queue.Counts)
	require.NoError(t, stop())
	files := repo.Tree("main")
	require.Equal(t, "sealed\n", files["prod/default/secrets/s.yaml/object.yaml"])
	require.Contains(t, files["prod/.kubescribe"], "source: the-cluster")
	log := repo.Log("main")[0]
	require.Equal(t, []string{"Robot", "In our words"}, []string{log.Committer, log.Subject})
}

func TestWhatHasAFilterIsLeftOutIfThatIsAskedFor(t *testing.T) {
	t.Parallel()
	for _, refuse := range []bool{false, true} {
		c := cluster(t)
		configMap(t, c, "a", "one")
		sink, repo := newFake()
		repo.Commit("main", map[string]gitservertest.File{"prod/.gitattributes": {Content: "*.yaml filter=git-crypt\n"}}, "Crypt")
		m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
			GitSink: sink, Write: gitsink.WriterOptions{RefuseFiltered: refuse},
		}))
		require.NoError(t, err)
		require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
		start(t, m)
		require.Eventually(t, func() bool {
			st, _ := m.DestinationStatus(prodRef)
			return !st.LastSeed.IsZero() || len(st.Skipped) > 0
		}, 30*time.Second, 10*time.Millisecond)
		_, written := repo.Tree("main")["prod/default/configmaps/a.yaml"]
		require.Equal(t, refuse, !written)
	}
}

func TestEachOptionOfTheDefaultSinkHasItsSay(t *testing.T) {
	t.Parallel()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	var mu sync.Mutex
	asked := map[string]int{}
	ask := func(what string, d destination.Destination) {
		mu.Lock()
		defer mu.Unlock()
		asked[what+" for "+d.Ref.Name]++
	}
	opts := quick(kubescribe.Options{Git: gogit.Options{
		Auth: func(_ context.Context, d destination.Destination) (gogit.Auth, error) {
			ask("Auth", d)
			return gogit.Auth{}, nil
		},
		Signer: func(_ context.Context, d destination.Destination) (gogit.Signer, error) {
			ask("Signer", d)
			return gogit.Unsigned, nil
		},
	}})
	opts.Git.RateLimit = func(d destination.Destination) gogit.RateLimit {
		ask("RateLimit", d)
		return gogit.RateLimit{Interval: -1}
	}
	m, err := kubescribe.New(c.Config(), opts)
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, stop())
	require.ElementsMatch(t, []string{"Auth for prod", "Signer for prod", "RateLimit for prod"}, slices.Collect(maps.Keys(asked)))
}

// throttled counts the requests that waited for a limit on their rate.
type throttled struct{ n atomic.Int64 }

func (c *throttled) Observe(context.Context, string, url.URL, time.Duration) { c.n.Add(1) }

func TestNoRequestWaitsForALimitThatNobodySet(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]float32{"none is set": 0, "one is set": 1000} {
		t.Run(name, func(t *testing.T) {
			before, waits := metrics.RateLimiterLatency, &throttled{}
			metrics.RateLimiterLatency = waits
			t.Cleanup(func() { metrics.RateLimiterLatency = before }) // after the Mirror has ended
			c := cluster(t)
			sink, repo := newFake()
			config := c.Config()
			config.QPS, config.Burst = limit, 1000
			m, err := kubescribe.New(config, quick(kubescribe.Options{GitSink: sink}))
			require.NoError(t, err)
			require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
			stop := start(t, m)
			synced(t, m)
			require.NoError(t, stop())
			require.Equal(t, limit > 0, waits.n.Load() > 0)
		})
	}
}

func TestEachOptionOfTheWatchesHasItsSay(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	var mu sync.Mutex
	var seen []clustertest.FaultRequest
	c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		mu.Lock()
		defer mu.Unlock()
		if r.Resource.Resource == "configmaps" {
			seen = append(seen, r)
		}
		return nil
	})
	sink, repo := newFake()
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		GitSink: sink, Source: source.Options{Collapse: 1, InitialEvents: true},
	}))
	require.NoError(t, err)
	rules := rulesFor(repo, prodRef)
	rules.Destinations[0].AllowedNamespaces = []string{"*"}
	one, two := rules.Rules[0], rules.Rules[0]
	one.Name.Namespace, two.Name.Namespace = "one", "two"
	rules.Rules = []ruleset.Rule{one, two}
	require.NoError(t, m.SetRules(rules))
	stop := start(t, m)
	synced(t, m)
	require.NoError(t, stop())
	require.NotEmpty(t, seen)
	for _, r := range seen {
		require.Equal(t, "watch", r.Verb, "listings come by watches")
		require.Empty(t, r.Namespace, "two namespaces are more than one")
		require.NotNil(t, r.Options.SendInitialEvents)
	}
}

func TestAListingHasPagesOfTheSizeThatIsSet(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	configMap(t, c, "a", "one")
	configMap(t, c, "b", "one")
	var asked atomic.Int64
	c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "list" && r.Resource.Resource == "configmaps" && r.Options.Limit == 1 {
			asked.Add(1)
		}
		return nil
	})
	sink, repo := newFake()
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{GitSink: sink, Source: source.Options{PageSize: 1}}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	start(t, m)
	synced(t, m)
	require.GreaterOrEqual(t, asked.Load(), int64(2))
}

func TestEveryChangeIsACommitWhereTheQueueKeepsAll(t *testing.T) {
	for keep, commits := range map[bool]int{false: 1, true: 3} {
		c := cluster(t)
		sink, repo := newFake()
		opts := quick(kubescribe.Options{GitSink: sink, Write: gitsink.WriterOptions{CommitPer: gitsink.PerEvent}})
		opts.Queue = queue.Options{KeepEvery: keep, Window: queue.Window{Debounce: time.Hour, MaxWait: time.Hour}}
		m, err := kubescribe.New(c.Config(), opts)
		require.NoError(t, err)
		require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
		stop := start(t, m)
		waiting := func(n int) {
			t.Helper()
			require.Eventually(t, func() bool {
				st, _ := m.DestinationStatus(prodRef)
				return st.Watch.Complete > 0 && st.Line.Waiting == n
			}, 30*time.Second, 5*time.Millisecond)
		}
		waiting(1) // the SeedSync
		for i, value := range []string{"one", "two", "three"} {
			configMap(t, c, "a", value)
			n := 1
			if keep {
				n += i
			}
			waiting(n + 1) // and the SeedSync
		}
		require.NoError(t, stop())
		require.Len(t, repo.Log("main"), commits)
	}
}

func TestWhatGoesWrongIsLogged(t *testing.T) {
	t.Parallel()
	c := cluster(t)
	c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
		if r.Verb == "list" && r.Resource.Resource == "secrets" {
			return &clustertest.Fault{Error: apierrors.NewInternalError(errors.New("etcd is down"))}
		}
		return nil
	})
	var mu sync.Mutex
	var logged strings.Builder
	sink, repo := newFake()
	sink.Fail(func(string, destination.Destination) error { return errors.New("the disk is full") })
	opts := quick(kubescribe.Options{GitSink: sink, Logger: funcr.New(func(_, args string) {
		mu.Lock()
		defer mu.Unlock()
		logged.WriteString(args + "\n")
	}, funcr.Options{Verbosity: 1})})
	m, err := kubescribe.New(c.Config(), opts)
	require.NoError(t, err)
	rules := rulesFor(repo, prodRef, devRef)
	rules.Rules[1].Resources[0].Resources = []string{"secrets"}
	require.NoError(t, m.SetRules(rules))
	configMap(t, c, "a", "one")
	stop := start(t, m)
	for _, what := range []string{"etcd is down", "the disk is full", "Line backs off"} {
		require.Eventually(t, func() bool {
			mu.Lock()
			defer mu.Unlock()
			return strings.Contains(logged.String(), what)
		}, 30*time.Second, 10*time.Millisecond, what)
	}
	_ = stop()
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, logged.String(), "Batch failed")
}

// waiting is a Mirror with an event that is due in an hour.
func waiting(t *testing.T, o kubescribe.Options) (m *kubescribe.Mirror, repo fakeRepo, stop func() error) {
	t.Helper()
	c := cluster(t)
	sink, repo := newFake()
	o.GitSink = sink
	opts := quick(o)
	opts.Queue.Window = queue.Window{Debounce: time.Hour, MaxWait: time.Hour}
	m, err := kubescribe.New(c.Config(), opts)
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	stop = start(t, m)
	waits := func(events int) {
		require.Eventually(t, func() bool {
			st, _ := m.DestinationStatus(prodRef)
			return st.Watch.Complete > 0 && st.Line.Waiting == events
		}, 30*time.Second, 10*time.Millisecond)
	}
	waits(1) // the SeedSync
	configMap(t, c, "a", "one")
	waits(2)
	return m, repo, stop
}

func TestTheEndPushesWhatWasAcceptedUnlessAnotherLeads(t *testing.T) {
	t.Parallel()
	_, repo, stop := waiting(t, kubescribe.Options{})
	require.NoError(t, stop())
	require.Contains(t, repo.Tree("main"), "prod/default/configmaps/a.yaml")

	asked := 0
	_, repo, stop = waiting(t, kubescribe.Options{StillLeader: func(context.Context) bool { asked++; return false }, Handover: -1})
	require.ErrorAs(t, stop(), new(*queue.RemainingError))
	require.Empty(t, repo.Branches())
	require.Equal(t, 1, asked, "no plan is run any more")
}

func TestTheWatcherHasTimeToEnd(t *testing.T) {
	t.Parallel()
	began := make(chan struct{}, 1)
	c := cluster(t)
	sink, repo := newFake()
	m, err := kubescribe.New(c.Config(), quick(kubescribe.Options{
		GitSink: sink, DrainTimeout: time.Millisecond,
		Source: source.Options{
			Attribute: func(ctx context.Context, _ *unstructured.Unstructured, _ event.Operation) event.Author {
				select {
				case began <- struct{}{}:
				default:
				}
				<-ctx.Done()
				time.Sleep(200 * time.Millisecond) // a slow answer of somebody else's
				return event.Author{}
			},
		},
	}))
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
	configMap(t, c, "a", "one")
	stop := start(t, m)
	<-began
	require.NotErrorIs(t, stop(), queue.ErrLeftBehind)
}

func TestFoldersAreLookedAtAgainWhileItRuns(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]kubescribe.Options{
		"after a handover": {Handover: 100 * time.Millisecond}, "at times": {Source: source.Options{Resync: 100 * time.Millisecond}},
	} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t)
			var repo fakeRepo
			opts.GitSink, repo = newFake()
			m, err := kubescribe.New(c.Config(), quick(opts))
			require.NoError(t, err)
			require.NoError(t, m.SetRules(rulesFor(repo, prodRef)))
			start(t, m)
			synced(t, m)
			first, _ := m.DestinationStatus(prodRef)
			require.Eventually(t, func() bool {
				st, _ := m.DestinationStatus(prodRef)
				return st.LastSeed.After(first.LastSeed)
			}, 30*time.Second, 10*time.Millisecond)
		})
	}
}

func TestWhatSomebodyChangedInTheFolderIsPutBackWithTheNextPush(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
	const path = "prod/default/configmaps/a.yaml"
	before := g.repo.Tree("main")[path]
	g.repo.Commit("main", map[string]gitservertest.File{path: {Content: "theirs\n"}}, "By hand")
	configMap(t, g.cluster, "b", "one")
	require.Eventually(t, func() bool { return g.repo.Tree("main")[path] == before }, 30*time.Second, 10*time.Millisecond)
}

func TestResyncPutsBackWhatIsMissing(t *testing.T) {
	t.Parallel()
	g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
	const path = "prod/default/configmaps/a.yaml"
	before := g.repo.Tree("main")[path]
	g.repo.Commit("main", map[string]gitservertest.File{path: {Content: "theirs\n"}}, "By hand")
	require.NoError(t, g.Resync(prodRef))
	require.Eventually(t, func() bool { return g.repo.Tree("main")[path] == before }, 30*time.Second, 10*time.Millisecond)
}

func TestWaitSyncedSaysWhatWillNotBeSynced(t *testing.T) {
	t.Run("another owner has a folder below", func(t *testing.T) {
		g := grow(t, func(g *grown) { configMap(t, g.cluster, "a", "one") })
		g.repo.Commit("main", map[string]gitservertest.File{
			"prod/default/.kubescribe":                  {Content: "source: other\n"},
			"prod/default/configmaps/of-the-other.yaml": {Content: "theirs\n"},
		}, "Theirs")
		require.NoError(t, g.Resync(prodRef))
		g.until(t, func(st kubescribe.DestinationStatus) bool { return st.Excluded != nil })
		require.ErrorIs(t, g.WaitSynced(limited(t)), gitsink.ErrOwned)
		st, _ := g.DestinationStatus(prodRef)
		require.False(t, st.Synced)
	})
	secrets := schema.GroupResource{Resource: "secrets"}
	refusing := func(t *testing.T, opts *kubescribe.Options, fault error) *kubescribe.Mirror {
		t.Helper()
		c := cluster(t)
		configMap(t, c, "a", "one")
		c.Fail(func(r clustertest.FaultRequest) *clustertest.Fault {
			if r.Verb == "list" && r.Resource.Resource == "secrets" {
				return &clustertest.Fault{Error: fault}
			}
			return nil
		})
		sink, repo := newFake()
		opts.GitSink, opts.Write.Encryptor = sink, sealed{}
		m, err := kubescribe.New(c.Config(), opts)
		require.NoError(t, err)
		rules := rulesFor(repo, prodRef)
		rules.Rules[0].Resources[0].Resources = []string{"configmaps", "secrets"}
		require.NoError(t, m.SetRules(rules))
		start(t, m)
		return m
	}
	waits := func(t *testing.T, m *kubescribe.Mirror, seen func(kubescribe.DestinationStatus) bool) {
		t.Helper()
		require.Eventually(t, func() bool {
			st, _ := m.DestinationStatus(prodRef)
			return seen(st) && len(st.Watch.Incomplete) > 0
		}, 30*time.Second, 10*time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, m.WaitSynced(ctx), context.DeadlineExceeded)
	}
	t.Run("a type may not be listed", func(t *testing.T) {
		m := refusing(t, quick(kubescribe.Options{}), apierrors.NewForbidden(secrets, "", nil))
		err := m.WaitSynced(limited(t))
		require.ErrorContains(t, err, "secrets cannot be listed")
		require.ErrorContains(t, err, "forbidden")
		st, _ := m.DestinationStatus(prodRef)
		require.False(t, st.Synced)
	})
	t.Run("but not while others wait", func(t *testing.T) {
		opts := quick(kubescribe.Options{})
		opts.Queue.Window = queue.Window{Debounce: time.Hour, MaxWait: time.Hour}
		m := refusing(t, opts, apierrors.NewForbidden(secrets, "", nil))
		waits(t, m, func(st kubescribe.DestinationStatus) bool { return st.Line.Waiting > 0 })
	})
	t.Run("nor while a listing is tried again", func(t *testing.T) {
		m := refusing(t, quick(kubescribe.Options{}), apierrors.NewInternalError(errors.New("etcd is down")))
		waits(t, m, func(st kubescribe.DestinationStatus) bool { return st.Watch.Idle() && st.Line == queue.KeyStats{} })
	})
}
