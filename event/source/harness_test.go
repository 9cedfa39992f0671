package source

import (
	"context"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/discovery"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

var (
	configMaps = schema.GroupVersionResource{Version: "v1", Resource: "configmaps"}
)

// lines is a queue of which the test takes events by hand.
type lines struct {
	mu        sync.Mutex
	room      int    // events that may wait; negative: any number
	hung      string // the name of a destination that has no room
	waiting   []event.Event
	changed   chan struct{} // closed and replaced when something changes
	forgotten []destination.Destination
}

func newLines(room int) *lines { return &lines{room: room, changed: make(chan struct{})} }

func (l *lines) notify() {
	close(l.changed)
	l.changed = make(chan struct{})
}

func (l *lines) setRoom(n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.room = n
	l.notify()
}

func (l *lines) TryAdd(e event.Event) error {
	if err := e.Validate(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.full(e.Destination) {
		return queue.ErrFull
	}
	l.waiting = append(l.waiting, e)
	l.notify()
	return nil
}

func (l *lines) Add(context.Context, event.Event) error { panic("the watcher must not block") }

func (l *lines) Room(ctx context.Context, d destination.Destination) error {
	return l.until(ctx, func() bool { return !l.full(d) })
}

// full reports whether there is no room for a destination. The caller holds mu.
func (l *lines) full(d destination.Destination) bool {
	return l.hung == d.Ref.Name || l.room >= 0 && len(l.waiting) >= l.room
}

func (l *lines) empty() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.waiting) == 0
}

func (l *lines) hang(name string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hung = name
	l.notify()
}

func (l *lines) Forget(_ context.Context, d destination.Destination) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.forgotten = append(l.forgotten, d)
	return nil
}

func (l *lines) until(ctx context.Context, f func() bool) error {
	for {
		l.mu.Lock()
		ok, changed := f(), l.changed
		l.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// fixture is a Watcher on an in-process API server.
type fixture struct {
	t       *testing.T
	cluster *clustertest.Cluster
	lines   *lines
	watcher *Watcher
	files   contents
	pages   counts
	stop    func()
}

// counts are the pages of listings by resource. The questions for the server's clock are none:
// after a listing that took long there is one.
type counts struct {
	mu  sync.Mutex
	all map[string]int
}

func (c *counts) count(r clustertest.FaultRequest) *clustertest.Fault {
	if r.Verb == "list" && r.Options.FieldSelector == "" {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.all[r.Resource.Resource]++
	}
	return nil
}

// listed is the number of pages of a type that were asked for.
func (f *fixture) listed(resource string) int {
	f.pages.mu.Lock()
	defer f.pages.mu.Unlock()
	return f.pages.all[resource]
}

// wrong reports whether discovery failed, or does not know what rules name.
func (f *fixture) wrong() bool { return f.watcher.Err() != nil || len(f.watcher.Faults()) > 0 }

// keepNothing has all that differs read a second time.
func (f *fixture) keepNothing() { f.watcher.update(func(l *ledger) { l.kept.bound = 0 }) }

func newFixture(t *testing.T, room int, opts *Options) *fixture {
	t.Helper()
	f := &fixture{t: t, cluster: clustertest.New(nil), lines: newLines(room), files: contents{}}
	t.Logf("clustertest.Options{Seed: %d}", f.cluster.Seed())
	f.pages.all = map[string]int{}
	f.cluster.Fail(f.pages.count)
	config := f.cluster.Config()
	client, err := NewClient(config)
	require.NoError(t, err)
	disco, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	if opts == nil {
		opts = &Options{}
	}
	opts.PageSize = 3
	if opts.Rediscover == 0 {
		opts.Rediscover = 50 * time.Millisecond
	}
	f.watcher = New(client, disco, f.lines, opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.watcher.Start(ctx) }()
	f.stop = func() {
		cancel()
		require.NoError(t, <-done)
	}
	t.Cleanup(func() {
		f.stop()
		f.cluster.Close()
	})
	return f
}

func ref(name string) destination.Ref { return types.NamespacedName{Namespace: "default", Name: name} }

func spec(name, branch string) destination.Spec {
	return destination.Spec{
		Ref: ref(name), RepositoryRef: ref("repo"), Branch: branch, BaseFolder: "clusters/" + name,
		AllowedNamespaces: []string{"*"}, // the rules are of many
	}
}

func (f *fixture) setRules(specs []destination.Spec, rules ...ruleset.Rule) {
	f.t.Helper()
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/org/repo.git"}}, specs)
	require.NoError(f.t, err)
	rs, err := ruleset.Compile(set, rules...)
	require.NoError(f.t, err)
	f.watcher.SetRules(set, rs)
}

func rule(name, to string, resources ...string) ruleset.Rule {
	return ruleset.Rule{
		Name:        types.NamespacedName{Name: name},
		Destination: ref(to),
		Resources:   []ruleset.ResourceRule{{APIGroups: []string{""}, Resources: resources}},
	}
}

func configMap(namespace, name, value string) *unstructured.Unstructured {
	return newObject("v1", "ConfigMap", namespace, name, map[string]any{"data": map[string]any{"key": value}})
}

func newObject(apiVersion, kind, namespace, name string, rest map[string]any) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: rest}
	u.SetAPIVersion(apiVersion)
	u.SetKind(kind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

func (f *fixture) apply(objs ...*unstructured.Unstructured) {
	f.t.Helper()
	for _, o := range objs {
		require.NoError(f.t, f.cluster.Apply(o))
	}
}

// next takes the next event, and does to files what it says. A SeedSync that does not sweep, since
// files differ, is passed over.
func (f *fixture) next() event.Event {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	for {
		require.NoError(f.t, f.lines.until(ctx, func() bool { return len(f.lines.waiting) > 0 }), "no event came")
		f.lines.mu.Lock()
		e := f.lines.waiting[0]
		f.lines.waiting = f.lines.waiting[1:]
		f.lines.notify()
		f.lines.mu.Unlock()
		if swept := f.files.do(e); swept || e.Operation != event.SeedSync {
			return e
		}
	}
}

// takeAll does what all waiting events say, and returns them as text. SeedSyncs that do not sweep
// are left out.
func (f *fixture) takeAll() (got []string) {
	f.lines.mu.Lock()
	taken := f.lines.waiting
	f.lines.waiting = nil
	f.lines.notify()
	f.lines.mu.Unlock()
	for _, e := range taken {
		if swept := f.files.do(e); swept || e.Operation != event.SeedSync {
			got = append(got, e.String())
		}
	}
	return got
}

// contents are what a sink would have made of the events: content by destination and ID. Files
// without an object stay.
type contents map[string]string

// do does what an event says. For a SeedSync it reports whether it swept.
func (c contents) do(e event.Event) (swept bool) {
	key := func(id event.ID) string { return e.Destination.Ref.Name + " " + id.String() }
	switch e.Operation {
	case event.Delete:
		delete(c, key(e.Resource.ID))
	case event.SeedSync:
		var seen event.Snapshot
		_ = e.Inventory.View(func(v event.Snapshot) error {
			seen = v
			for o := range v.Objects() {
				content, exists := c[key(o.ID)]
				name := event.NewContent([]byte(content)).SHA1()
				allowed := o.Precondition == event.Always || exists == (o.Precondition == event.IfPresent)
				if allowed && (!exists || !o.Digest.Names(hex.EncodeToString(name[:]))) {
					v.Differs(o)
				}
			}
			swept = v.MaySweep()
			return nil
		})
		e.Inventory.Landed(seen)
	default:
		c[key(e.Resource.ID)] = string(e.Content.Bytes())
	}
	return swept
}

// seeded takes events until every named destination got its SeedSync, and returns them as text.
func (f *fixture) seeded(names ...string) []string {
	f.t.Helper()
	var got []string
	for len(names) > 0 {
		e := f.next()
		got = append(got, e.String())
		if e.Operation == event.SeedSync {
			names = slices.DeleteFunc(names, func(n string) bool { return n == e.Destination.Ref.Name })
		}
	}
	return got
}

// quiet fails if an event waits, after everything that happened so far has been delivered: a marker
// object, which must be wanted by the destination, goes the same way and must come next.
func (f *fixture) quiet(to string) {
	f.t.Helper()
	marker := configMap("default", "marker", time.Now().String())
	f.apply(marker)
	e := f.next()
	require.Equal(f.t, fmt.Sprintf("configmaps/default/marker for default/%s", to), e.String()[len("UPDATE "):], "an event came that should not")
}

// inventory returns the Inventory of a destination.
func (f *fixture) inventory(to string) event.Inventory {
	f.watcher.mu.RLock()
	defer f.watcher.mu.RUnlock()
	return inventory{f.watcher, f.watcher.ledger.targets[ref(to)], f.watcher.ledger.clock}
}

func view(t *testing.T, e event.Event) (scopes []event.Collection, living []string) {
	t.Helper()
	require.NoError(t, e.Inventory.View(func(v event.Snapshot) error {
		scopes = v.Collections()
		for o := range v.Objects() {
			if slices.ContainsFunc(scopes, func(c event.Collection) bool { return c.Contains(o.ID) }) {
				living = append(living, o.ID.String())
			}
		}
		return nil
	}))
	slices.Sort(living)
	return scopes, living
}

// How long and how often a test looks for what happens in another goroutine and leaves no event.
const (
	wait = 20 * time.Second
	tick = 5 * time.Millisecond
)
