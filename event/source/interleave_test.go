package source

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Listings, watches, writes to the cluster, labels of namespaces, restores of the cluster from a
// snapshot, rule changes, a queue with little room and plans are interleaved at random, each a step
// of its own. Two things are checked. No file is taken away whose object lives and has been wanted
// ever since the file was written. And when all have come to rest, the files are what the rules
// say.
func TestWhateverTheOrderOfListingsWatchesRulesAndPlansNoFileIsLost(t *testing.T) {
	t.Parallel()
	schedules := testsize.Sizes{Short: 30, Usual: 100, Long: 300, Soak: 20_000}.Pick()
	if testsize.Repeats() {
		schedules = 1
	}
	first := testsize.Seed(t)
	for i := range uint64(schedules) {
		ok := t.Run(fmt.Sprintf("KUBESCRIBE_SEED=%d", first+i), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { newSchedule(t, first+i).run(60) })
		})
		if !ok {
			return
		}
	}
}

// schedule is one interleaving. It is the queue and, with its api, the API server as well. mu
// guards it; it is not held while the Watcher is asked something, since the Watcher's goroutines
// come here with locks of theirs.
type schedule struct {
	mu       sync.Mutex
	t        *testing.T
	chance   *rand.Rand
	api      *gatedAPI
	system   system
	current  func() bool // the rules are adopted
	requests []*gatedRequest
	said     []string
	faults   []string
	step     int

	room     int  // events that may wait; negative: any number
	teams    bool // rules look at the labels of namespaces
	waiting  []queued
	sent     map[fileKey]file // the last write that came into the queue
	files    map[fileKey]file
	live     map[string]bool
	contents map[contentKey]string
	rewound  bool // ever
	rests    int  // the number of times that all came to rest
	rules    []scheduleRule
	branch   map[string]string // of each destination
	// Destination, object: since when it is wanted without a break.
	since map[string]map[string]want
}

// want is the beginning of a time in which an object is wanted.
type want struct {
	step  int
	state int // of the object, then
}

type queued struct {
	event.Event
	step int
}

type fileKey struct{ destination, branch, object string }

type file struct {
	content string
	state   int // the object's
	step    int // when it came into the queue
}

// scheduleRule is a rule in the words of the checker, which reads it for itself.
type scheduleRule struct {
	Namespace, To string // "": a cluster rule
	Team, Tier    bool   // only namespaces with team=a, only objects with tier=a
	ruleForm
}

// ruleForm is what a rule wants of an object's file.
type ruleForm struct {
	Data, Mark bool // without the data noise; without the annotation noise and the label tier
	Sealed     bool // sensitive
}

// contentKey names what a file holds of an object in one state.
type contentKey struct {
	state int
	ruleForm
}

// sealing stands for an Encryptor. The files of this test are sealed where they are written.
type sealing struct{ event.Encryptor }

var scheduleNamespaces = []string{"x", "y"}

// system is what is checked: a Watcher, or a ledger alone.
type system interface {
	SetRules(destination.Set, *ruleset.RuleSet)
	Resync(destination.Ref) error
	Sweep(destination.Ref) error
	Status(destination.Ref) (DestinationStatus, bool)
}

// newSchedule returns an interleaving of a Watcher's goroutines.
func newSchedule(t *testing.T, seed uint64) *schedule {
	s := newModel(t, seed)
	s.current = func() bool { return true } // each step waits for that
	s.api.initial = initialMode(s.chance.IntN(int(initialModes)))
	s.system = New(FromDynamic(s.api), s.api, s, &Options{
		PageSize: 1, Collapse: s.chance.IntN(2) + 1, Resync: -1, Encryptor: sealing{}, InitialEvents: s.chance.IntN(2) == 0,
	})
	return s
}

// newModel returns the cluster, the queue and the files of an interleaving.
func newModel(t *testing.T, seed uint64) *schedule {
	s := &schedule{
		t: t, chance: rand.New(rand.NewPCG(seed, 0)), api: newGatedAPI(), room: -1,
		contents: map[contentKey]string{}, files: map[fileKey]file{}, sent: map[fileKey]file{}, live: map[string]bool{}, branch: map[string]string{"p": "main", "q": "main"},
		since: map[string]map[string]want{"p": {}, "q": {}},
	}
	if s.chance.IntN(2) == 0 {
		s.room = 1 + s.chance.IntN(3)
	}
	s.teams = s.chance.IntN(2) == 0
	s.api.refusesFuture = s.chance.IntN(2) == 0
	for _, ns := range scheduleNamespaces {
		s.label(ns)
	}
	for range 3 {
		s.write()
	}
	return s
}

func (s *schedule) say(format string, args ...any) {
	s.said = append(s.said, fmt.Sprintf("%d ", s.step)+fmt.Sprintf(format, args...))
}

// fault is called by the Watcher's goroutines, too; check ends the test.
func (s *schedule) fault(format string, args ...any) {
	s.faults = append(s.faults, fmt.Sprintf(format, args...))
}

func (s *schedule) check() {
	s.t.Helper()
	if len(s.faults) > 0 {
		s.t.Fatalf("%s\n%s", strings.Join(s.said, "\n"), strings.Join(s.faults, "\n"))
	}
}

func (s *schedule) run(steps int) {
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error)
	go func() { ended <- s.system.(*Watcher).Start(ctx) }()
	defer func() {
		cancel()
		require.NoError(s.t, <-ended)
	}()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeRules()
	for range steps {
		s.unlocked(synctest.Wait)
		s.check()
		s.step++
		s.act()
		s.account()
	}
	s.rest()
	s.check()
}

func (s *schedule) unlocked(f func()) {
	s.mu.Unlock()
	defer s.mu.Lock()
	f()
}

// act does one step.
func (s *schedule) act() {
	switch n := s.chance.IntN(100); {
	case n < 15:
		s.write()
	case n < 20:
		s.label(pick(s.chance, scheduleNamespaces))
	case n < 25:
		s.changeRules()
	case n < 50:
		s.serve(s.chance.IntN(12) == 0)
	case n < 70:
		s.tell()
	case n < 72:
		s.expire()
	case n < 74:
		s.disturb()
	case n < 76:
		s.rewind()
		s.unlocked(func() { time.Sleep(2 * fastestRestore) })
	case n < 90:
		s.take()
	default:
		s.say("time passes")
		s.unlocked(func() { time.Sleep(time.Duration(s.chance.IntN(3000)) * time.Millisecond) })
	}
}

func pick[T any](chance *rand.Rand, list []T) T { return list[chance.IntN(len(list))] }

// write does something to one object.
func (s *schedule) write() {
	obj := configMap(pick(s.chance, scheduleNamespaces), pick(s.chance, []string{"a", "b"}), "")
	key := obj.GetNamespace() + "/" + obj.GetName()
	kind := apiwatch.Modified
	switch lives := s.live[key]; {
	case !lives:
		kind = apiwatch.Added
	case s.chance.IntN(3) == 0:
		kind = apiwatch.Deleted
	}
	obj.Object["data"] = map[string]any{"state": fmt.Sprint(s.api.states + 1)}
	if s.chance.IntN(2) == 0 {
		obj.SetLabels(map[string]string{"tier": "a"})
	}
	if kind == apiwatch.Modified && s.chance.IntN(2) == 0 {
		s.last(obj) // noise alone
		if s.chance.IntN(3) == 0 {
			obj.SetLabels(pick(s.chance, []map[string]string{nil, {"tier": "a"}}))
		}
	}
	_ = unstructured.SetNestedField(obj.Object, fmt.Sprint(s.chance.IntN(3)), "data", "noise")
	obj.SetAnnotations(map[string]string{"noise": fmt.Sprint(s.chance.IntN(3))})
	s.api.write("configmaps", kind, obj)
	s.live[key] = kind != apiwatch.Deleted
	s.say("%s %s %v %v %v, version %d, state %d", kind, key, obj.GetLabels(), obj.GetAnnotations(), obj.Object["data"], s.api.version, s.api.states)
}

// last makes an object what it was last.
func (s *schedule) last(obj *unstructured.Unstructured) {
	for _, was := range s.api.state("configmaps", obj.GetNamespace(), s.api.version) {
		if was.GetName() == obj.GetName() {
			obj.Object = was.Object
		}
	}
}

func (s *schedule) label(ns string) {
	obj := newObject("v1", "Namespace", "", ns, map[string]any{})
	if s.chance.IntN(2) == 0 {
		obj.SetLabels(map[string]string{"team": "a"})
	}
	s.say("namespace %s gets %v", ns, obj.GetLabels())
	kind := apiwatch.Modified
	if s.step == 0 {
		kind = apiwatch.Added
	}
	s.api.write("namespaces", kind, obj)
}

// rewind restores the cluster from a snapshot.
func (s *schedule) rewind() {
	version := len(scheduleNamespaces) + s.chance.IntN(s.api.version-len(scheduleNamespaces)+1)
	ends := s.chance.IntN(4) > 0
	s.say("the cluster is set back from version %d to %d, watches end: %t", s.api.version, version, ends)
	s.api.hear()
	s.api.rewind(version, ends)
	s.rewound = true
	clear(s.live)
	for _, obj := range s.api.state("configmaps", "", version) {
		s.live[obj.GetNamespace()+"/"+obj.GetName()] = true
	}
}

func (s *schedule) changeRules() {
	s.rules = nil
	for range 1 + s.chance.IntN(3) {
		r := scheduleRule{Namespace: pick(s.chance, []string{"", "x", "y"}), To: pick(s.chance, []string{"p", "q"}), Tier: s.chance.IntN(3) == 0}
		r.ruleForm = s.drawForm()
		r.Team = s.teams && r.Namespace == "" && s.chance.IntN(2) == 0
		s.rules = append(s.rules, r)
	}
	if s.chance.IntN(4) == 0 {
		s.branch["p"] = pick(s.chance, []string{"main", "dev"})
	}
	s.setRules()
}

func (s *schedule) drawForm() ruleForm {
	return ruleForm{Data: s.chance.IntN(2) == 0, Mark: s.chance.IntN(2) == 0, Sealed: s.chance.IntN(4) == 0}
}

// changeForm has one rule want something else of the files of the same objects.
func (s *schedule) changeForm() {
	s.rules = slices.Clone(s.rules)
	s.rules[s.chance.IntN(len(s.rules))].ruleForm = s.drawForm()
	s.setRules()
}

// disturbRest does something while all is at rest: nothing comes after it that would heal it.
func (s *schedule) disturbRest() {
	for range 1 + s.chance.IntN(2) {
		s.write()
	}
	if s.chance.IntN(4) == 0 {
		s.changeForm()
	}
	s.account()
}

// restDisturbed is the number of times that rest is disturbed at the end of a schedule.
const restDisturbed = 4

func (s *schedule) setRules() {
	s.say("rules %+v, p on %s", s.rules, s.branch["p"])
	specs := []destination.Spec{spec("p", s.branch["p"]), spec("q", s.branch["q"])}
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/r.git"}}, specs)
	require.NoError(s.t, err)
	var rules []ruleset.Rule
	for i, of := range s.rules {
		r := rule(fmt.Sprint("rule-", i), of.To, "configmaps")
		r.Name.Namespace = of.Namespace
		if of.Team {
			r.NamespaceSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"team": "a"}}
		}
		if of.Tier {
			r.ObjectSelector = &metav1.LabelSelector{MatchLabels: map[string]string{"tier": "a"}}
		}
		if of.Data {
			r.Ignore = append(r.Ignore, ruleset.FieldSelector{Pointers: []string{"/data/noise"}})
		}
		if of.Mark {
			r.Ignore = append(r.Ignore, ruleset.FieldSelector{Resources: []string{"configmaps"}, Annotations: []string{"nois?"}, Labels: []string{"tier"}})
		}
		if of.Sealed {
			r.Sensitive = []event.SensitiveType{{}}
		}
		rules = append(rules, r)
	}
	rs, err := ruleset.Compile(set, rules...)
	require.NoError(s.t, err)
	s.system.SetRules(set, rs)
}

// pending returns the requests that wait for their answer.
func (s *schedule) pending() []*gatedRequest {
	for {
		select {
		case q := <-s.api.requests:
			s.requests = append(s.requests, q)
			continue
		default:
		}
		s.requests = slices.DeleteFunc(s.requests, func(q *gatedRequest) bool { return q.ctx.Err() != nil })
		return s.requests
	}
}

// serve answers a request, or refuses it.
func (s *schedule) serve(refuse bool) {
	requests := s.pending()
	if len(requests) == 0 {
		return
	}
	i := s.chance.IntN(len(requests))
	q := requests[i]
	s.requests = slices.Delete(requests, i, i+1)
	var err error
	if refuse {
		err = pick(s.chance, []error{
			apierrors.NewForbidden(configMaps.GroupResource(), "", nil), apierrors.NewInternalError(fmt.Errorf("broken")),
			apierrors.NewResourceExpired("too old"),
		})
	}
	s.say("%s %s %s/%s %s answered: %v", q.verb, q.resource, q.ns, q.name, q.options.Continue, err)
	s.api.answer(q, err)
}

func (s *schedule) watches() []*gatedWatch {
	s.api.watches = slices.DeleteFunc(s.api.watches, func(w *gatedWatch) bool { return w.over.Load() })
	return s.api.watches
}

// tell lets a watch say what comes next.
func (s *schedule) tell() {
	if watches := s.watches(); len(watches) > 0 {
		w := pick(s.chance, watches)
		if h, ok := s.api.next(w); ok {
			s.say("watch of %s %s says %s %s/%s", w.resource, w.ns, h.kind, h.object.GetNamespace(), h.object.GetName())
		}
		s.api.deliver(w)
	}
}

// expire ends a watch: it is cut, or what it stands on is forgotten.
func (s *schedule) expire() {
	watches := s.watches()
	if len(watches) == 0 {
		return
	}
	w := pick(s.chance, watches)
	w.over.Store(true)
	if s.chance.IntN(2) == 0 {
		s.say("watch of %s %s is gone", w.resource, w.ns)
		w.events <- apiwatch.Event{Type: apiwatch.Error, Object: &apierrors.NewResourceExpired("too old").ErrStatus}
	} else {
		s.say("watch of %s %s is cut", w.resource, w.ns)
	}
	close(w.events)
}

func (s *schedule) TryAdd(e event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.enqueue(e)
}

func (s *schedule) enqueue(e event.Event) error {
	if e.Destination.Branch != s.branch[e.Destination.Ref.Name] {
		return nil // of a destination that has moved: it is forgotten soon
	}
	if s.room >= 0 && len(s.waiting) >= s.room {
		return queue.ErrFull
	}
	s.waiting = append(s.waiting, queued{e, s.step})
	switch key := fileOf(e); e.Operation {
	case event.SeedSync:
	case event.Delete:
		s.judge(key, s.sent[key])
	default:
		s.sent[key] = file{state: stateIn(string(e.Content.Bytes())), step: s.step}
	}
	return nil
}

func (s *schedule) Add(context.Context, event.Event) error { panic("the watcher must not block") }

func (s *schedule) Room(ctx context.Context, _ destination.Destination) error {
	full := func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.room >= 0 && len(s.waiting) >= s.room
	}
	for full() {
		rest(ctx, 100*time.Millisecond)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

func (s *schedule) Forget(_ context.Context, d destination.Destination) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.waiting = slices.DeleteFunc(s.waiting, func(e queued) bool { return e.Destination == d })
	return nil
}
