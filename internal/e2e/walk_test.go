package e2e

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// TestWalkInProcess does at random what can happen to a cluster, to what is mirrored and to the
// process that mirrors it. At quiet points the branches equal what the rules say of the cluster,
// and between them no file was deleted by mistake.
func TestWalkInProcess(t *testing.T) {
	testsize.Sampled(t)
	if real() {
		t.Skip("go test without KUBEBUILDER_ASSETS runs it")
	}
	newWalk(t, memoryWalkServer(t)).run()
}

func TestWalkOnARealServer(t *testing.T) { newWalk(t, realWalkServer(t, nil)).run() }

// TestWalkWithoutAWatchCache has etcd serve all lists and watches, so that what it has compacted is
// gone: 410.
func TestWalkWithoutAWatchCache(t *testing.T) {
	newWalk(t, realWalkServer(t, &testenv.Options{DisableWatchCache: true})).run()
}

// walk is a random walk. What it does itself to the cluster it does one step after another.
type walk struct {
	*walkServer
	chance *rand.Rand
	git    *gitservertest.Server
	repo   *gitservertest.Repo
	log    *os.File
	child  *child // nil: killed
	rules  walkRules
	names  int // names of objects of a type in a namespace
	count  int // operations done
	values int

	objects  map[walkKey]*unstructured.Unstructured // as the server returned them last
	served   map[walkType]bool
	blobs    map[blobKey]string
	history  map[walkKey][]string // for people
	said     []string             // since the last quiet point, for people
	reviveAt int                  // the operation before which a killed process is started
	// The operation before which everything is allowed again; 0: it is.
	allowAt int
	// The operation before which the Git server is on the net again; 0: it is.
	upAt  int
	saved *walkSnapshot // nil: none was taken yet

	// Since the last quiet point: what was touched, and all that the Mirror may have taken for
	// true.
	touched        map[walkKey]bool
	touchedTypes   map[walkType]bool
	rulesSeen      []walkRules
	namespacesSeen map[string][]map[string]string
	servedSeen     map[walkType][]bool
	tips           map[string]string
	before         map[walkDest]map[string]string // what the folders held
	rewound        bool
	noticed        int // the number of rewinds that the Mirror had noticed before
}

func newWalk(t *testing.T, server *walkServer) *walk {
	t.Helper()
	log, err := os.Create(filepath.Join(t.TempDir(), "mirror.log"))
	require.NoError(t, err)
	git := gitservertest.NewServer(t, nil)
	w := &walk{
		walkServer: server, chance: testsize.Chance(t), log: log, names: 1000, git: git, repo: git.NewRepo("walk.git"),
		objects: map[walkKey]*unstructured.Unstructured{}, served: map[walkType]bool{}, blobs: map[blobKey]string{},
		history: map[walkKey][]string{}, touched: map[walkKey]bool{}, touchedTypes: map[walkType]bool{},
		namespacesSeen: map[string][]map[string]string{}, servedSeen: map[walkType][]bool{}, tips: map[string]string{},
	}
	w.rules = firstWalkRules(w.repo.URL())
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the end of the log of the Mirror:\n%s", lastLines(log.Name(), 150))
		}
		_ = log.Close()
	})
	return w
}

func lastLines(path string, n int) string {
	content, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(string(content), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

func (w *walk) say(format string, args ...any) {
	w.said = append(w.said, fmt.Sprintf("%d: ", w.count)+fmt.Sprintf(format, args...))
}

func (w *walk) note(k walkKey, format string, args ...any) {
	h := append(slices.Clone(w.history[k]), fmt.Sprintf("%d %s", w.count, fmt.Sprintf(format, args...)))
	w.history[k] = h[max(0, len(h)-8):]
}

func (w *walk) run() {
	objects := testsize.Sizes{Usual: 300, Long: 5000}.Pick()
	w.populate(objects)
	w.revive()
	operations := testsize.Sizes{Usual: 60, Long: 2000, Soak: 20_000}.Pick()
	points := testsize.Sizes{Usual: 3, Long: 10, Soak: 50}.Pick()
	w.quiet(true)
	for point := range points {
		for range operations / points {
			w.count++
			w.step()
		}
		w.quiet(point%2 == 1)
		w.fillUp(objects)
	}
	w.quiet(true)
	gone, forbidden := w.end()
	if !testsize.Long() {
		return // a short walk may not come past either
	}
	require.Positive(w.t, forbidden)
	if w.forgets {
		require.Positive(w.t, gone)
	}
}

// end stops the Mirror. It returns how often the server said that the past is gone, and that
// something is forbidden.
func (w *walk) end() (gone, forbidden int) {
	w.t.Helper()
	require.NoError(w.t, w.child.stop())
	w.repo.Fsck()
	log, err := os.ReadFile(w.log.Name())
	require.NoError(w.t, err)
	gone, forbidden = bytes.Count(log, []byte(saidGone)), bytes.Count(log, []byte(saidForbidden))
	w.t.Logf("%d objects, %d commits on main; the server said %d times gone, %d times forbidden",
		len(w.objects), commits(w.repo, "main"), gone, forbidden)
	return gone, forbidden
}

// populate fills the cluster.
func (w *walk) populate(objects int) {
	w.t.Helper()
	for _, t := range walkTypes {
		w.served[t] = true
	}
	for i := range walkNamespaceCount {
		w.relabelNamespace(walkKey{walkType: walkNamespaces, Name: walkNamespace(i)})
	}
	for t := range walkDefinitions {
		w.define(t)
	}
	w.fillUp(objects)
}

// fillUp creates objects until there are so many; types and namespaces that went took many along.
func (w *walk) fillUp(objects int) {
	w.t.Helper()
	for len(w.objects) < objects {
		if k := w.anyKey(); w.objects[k] == nil {
			w.note(k, "create")
			w.put(k, w.fresh(k))
		}
	}
}

// step does one operation.
func (w *walk) step() {
	if w.child == nil && w.count >= w.reviveAt {
		w.revive()
	}
	if w.allowAt > 0 && w.count >= w.allowAt {
		w.allow()
	}
	if w.upAt > 0 && w.count >= w.upAt {
		w.up()
	}
	switch what := w.chance.IntN(1000); {
	case what < 12:
		w.changeRules()
	case what < 18:
		w.toggle()
	case what < 26:
		w.say("all connections are cut")
		w.relay.cut()
	case what < 32:
		w.say("the server forgets the past")
		w.forget()
		if w.chance.IntN(2) == 0 {
			w.relay.cut()
		}
	case what < 34:
		w.say("the server is started again")
		w.restart()
	case what < 43 && w.allowAt == 0:
		w.deny()
	case what < 48 && w.child != nil:
		w.kill()
	case what < 49 && w.razes:
		w.raze(walkNamespace(w.chance.IntN(walkNamespaceCount)))
	case what < 53 && w.upAt == 0:
		w.say("the Git server is off the net")
		w.git.Down()
		w.upAt = w.count + 1 + w.chance.IntN(80)
	case what < 53+w.rewinds || what < 53+2*w.rewinds && w.saved == nil:
		w.snapshot()
	case what < 53+2*w.rewinds:
		w.rewind()
	default:
		w.operate()
	}
	// The Mirror is to be met in all states: in the middle of things, and having caught up.
	if w.chance.IntN(20) == 0 {
		time.Sleep(time.Duration(w.chance.IntN(300)) * time.Millisecond)
	}
}

func (w *walk) revive() {
	w.say("the Mirror is started")
	w.child = startChild(w.t, w.kubeconfig, w.log)
	w.setRules()
}

func (w *walk) kill() {
	if w.chance.IntN(4) == 0 {
		w.say("the Mirror is stopped")
		if err := w.child.stop(); err != nil {
			w.say("it left: %v", err) // what it could not push it will find again
		}
	} else {
		w.say("the Mirror is killed")
		w.child.kill()
	}
	w.child, w.reviveAt = nil, w.count+w.chance.IntN(60)
	if w.chance.IntN(2) == 0 {
		w.reviveAt = w.count // in the middle of what goes on, and knowing nothing
	}
}

func (w *walk) setRules() {
	w.t.Helper()
	rules := w.rules.clone()
	_, err := w.child.order(order{Rules: &rules})
	require.NoError(w.t, err)
}

func (w *walk) changeRules() {
	for more := true; more; more = w.chance.IntN(3) == 0 {
		var what string
		w.rules, what = w.rules.mutate(w.chance)
		w.say("%s", what)
		w.rulesSeen = append(w.rulesSeen, w.rules)
		if w.child != nil {
			w.setRules()
		}
	}
}

// deny forbids some types, or has the listing of one break off, for a while.
func (w *walk) deny() {
	w.allowAt = w.count + 1 + w.chance.IntN(80)
	if w.stumble != nil && w.chance.IntN(3) == 0 {
		t := pick(w.chance, walkTypes)
		w.say("listings of %s break off", t)
		w.stumble(t)
	} else {
		types := []walkType{pick(w.chance, walkTypes), pick(w.chance, walkTypes)}
		w.say("forbidden: %v", types)
		w.forbid(types...)
	}
	if w.child != nil && w.chance.IntN(2) == 0 {
		w.kill()
	}
	w.relay.cut() // what runs is not asked about again
}

func (w *walk) allow() {
	w.say("everything is allowed again")
	w.forbid()
	if w.stumble != nil {
		w.stumble(walkType{})
	}
	w.allowAt = 0
}

func (w *walk) up() {
	w.say("the Git server is back")
	w.git.Up()
	w.upAt = 0
}

const (
	// calm bounds how long a Mirror may take to catch up: it may be in the longest pause that it
	// makes after failures.
	calm = 150 * time.Second
	// lying bounds how long it may say that everything is written when it is not: it may not have
	// heard yet.
	lying = 20 * time.Second
	// behind is added where the cluster was set back: a watch may be in its longest pause before it
	// is opened again.
	behind = 75 * time.Second
)

// quiet waits until the Mirror has caught up and compares everything. With prune what no rule
// covers goes as well.
func (w *walk) quiet(prune bool) {
	w.t.Helper()
	began := time.Now()
	w.allow()
	w.up()
	if w.child == nil {
		w.revive()
	}
	wanted := w.wanted()
	held, uncovered := w.settle(wanted)
	w.judge(held)
	if prune {
		for _, dest := range slices.Sorted(maps.Keys(w.rules.Dests)) {
			_, err := w.child.order(order{Prune: dest})
			require.NoError(w.t, err, "prune %s", dest)
		}
		var left int
		if held, left = w.settle(wanted); left > 0 {
			w.noFaults([]string{fmt.Sprintf("%d files are left that no rule covers", left)})
		}
	}
	w.t.Logf("quiet after %d operations: %.1f s, %d rules, %d files, %d uncovered (pruned: %t)",
		w.count, time.Since(began).Seconds(), len(w.rules.Rules), files(wanted), uncovered, prune)
	if w.rewound {
		w.t.Logf("set back since the last time; noticed: %d", w.notices()-w.noticed)
	}
	w.said, w.rewound = nil, false
	w.touched, w.touchedTypes = map[walkKey]bool{}, map[walkType]bool{}
	w.rulesSeen = []walkRules{w.rules}
	for name, labels := range w.namespacesSeen {
		w.namespacesSeen[name] = labels[len(labels)-1:]
	}
	for _, t := range walkTypes {
		w.servedSeen[t] = []bool{w.served[t]}
	}
	for _, branch := range w.repo.Branches() {
		w.tips[branch], _ = w.repo.Tip(branch)
	}
	w.before = held
}

func files(wanted map[string]map[string]string) (n int) {
	for _, f := range wanted {
		n += len(f)
	}
	return n
}

// settle waits until the branches are as they should be while the Mirror says that it has written
// everything.
func (w *walk) settle(wanted map[string]map[string]string) (held map[walkDest]map[string]string, uncovered int) {
	w.t.Helper()
	deadline, doubtful, patience := time.Now().Add(calm), time.Now(), lying
	if w.rewound {
		patience += behind
	}
	for ; ; time.Sleep(200 * time.Millisecond) {
		_, err := w.child.order(order{Sync: 10 * time.Second})
		if err != nil {
			doubtful = time.Now()
		}
		held = w.held()
		var faults []string
		faults, uncovered = w.differences(wanted, held)
		if err == nil && len(faults) == 0 {
			return held, uncovered
		}
		late := time.Now().After(deadline) || time.Since(doubtful) > patience
		if late && w.unnoticed() {
			w.resync()
			deadline, doubtful, late = time.Now().Add(calm), time.Now(), false
		}
		if late {
			if err != nil {
				faults = append(faults, "not synced: "+err.Error())
			}
			for _, dest := range slices.Sorted(maps.Keys(w.rules.Dests)) {
				a, _ := w.child.order(order{State: dest})
				w.say("status: %s", a.State)
			}
			w.noFaults(faults)
		}
	}
}
