package source

import (
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
)

// take has a sink do what the first event in the queue says.
func (s *schedule) take() {
	if len(s.waiting) == 0 {
		return
	}
	e := s.waiting[0]
	s.waiting = s.waiting[1:]
	s.say("done: %s", e)
	to := fileOf(e.Event)
	switch e.Operation {
	case event.Delete:
		delete(s.files, to)
	case event.SeedSync:
		s.sync(e)
	default:
		content := string(e.Content.Bytes())
		if e.Sensitive != nil {
			content = sealed + content
		} else if s.current() && s.mustBeSealed(to) {
			s.fault("%v is written in plain", to)
		}
		s.files[to] = file{content: content, state: stateIn(content), step: e.step}
	}
}

// mustBeSealed reports whether a rule calls the object of a file sensitive, whatever its labels and
// those of its namespace.
func (s *schedule) mustBeSealed(to fileKey) bool {
	ns, _, _ := strings.Cut(to.object, "/")
	return to.branch == s.branch[to.destination] && slices.ContainsFunc(s.rules, func(r scheduleRule) bool {
		return r.Sealed && r.To == to.destination && (r.Namespace == "" || r.Namespace == ns) && !r.Team && !r.Tier
	})
}

// sync runs the plan of a SeedSync. Now and then the push fails and the plan is run again later.
func (s *schedule) sync(e queued) {
	seen, orphans := s.compareFiles(e.Event)
	if s.room >= 0 && s.chance.IntN(4) == 0 {
		s.say("not pushed: %s", e)
		s.waiting = slices.Insert(s.waiting, 0, e)
		return
	}
	to := fileOf(e.Event)
	for _, orphan := range orphans {
		to.object = orphan
		s.judge(to, s.files[to])
		delete(s.files, to)
	}
	s.unlocked(func() { e.Inventory.Landed(seen) })
}

// disturb has somebody else change a file, and the sink find out.
func (s *schedule) disturb() {
	keys := slices.SortedFunc(maps.Keys(s.files), func(a, b fileKey) int {
		return strings.Compare(a.destination+a.branch+a.object, b.destination+b.branch+b.object)
	})
	if len(keys) == 0 {
		return
	}
	key := pick(s.chance, keys)
	if s.chance.IntN(2) == 0 {
		s.say("somebody removes %v", key)
		delete(s.files, key)
	} else {
		s.say("somebody changes %v", key)
		s.files[key] = file{content: "theirs", state: s.files[key].state, step: s.files[key].step}
	}
	s.unlocked(func() { _ = s.system.Sweep(ref(key.destination)) })
}

func fileOf(e event.Event) fileKey {
	return fileKey{destination: e.Destination.Ref.Name, branch: e.Destination.Branch, object: e.Resource.Namespace + "/" + e.Resource.Name}
}

func stateIn(content string) (state int) {
	_, rest, _ := strings.Cut(content, "state: \"")
	_, _ = fmt.Sscanf(rest, "%d", &state)
	return state
}

// compareFiles tells the Inventory of a SeedSync which files differ, and returns those that a sweep
// takes for orphans.
func (s *schedule) compareFiles(e event.Event) (seen event.Snapshot, orphans []string) {
	s.mu.Unlock()
	defer s.mu.Lock()
	_ = e.Inventory.View(func(v event.Snapshot) error {
		seen = v
		living := map[string]bool{}
		for o := range v.Objects() {
			key := fileKey{e.Destination.Ref.Name, e.Destination.Branch, o.Namespace + "/" + o.Name}
			living[key.object] = true
			name := event.NewContent([]byte(s.files[key].content)).SHA1()
			if !o.Digest.Names(hex.EncodeToString(name[:])) {
				v.Differs(o)
			}
		}
		if !v.MaySweep() {
			return nil
		}
		scopes := v.Collections()
		for _, key := range slices.SortedFunc(maps.Keys(s.files), func(a, b fileKey) int { return strings.Compare(a.object, b.object) }) {
			ns, name, _ := strings.Cut(key.object, "/")
			id := event.ID{Resource: "configmaps", Namespace: ns, Name: name}
			mine := key.destination == e.Destination.Ref.Name && key.branch == e.Destination.Branch
			swept := slices.ContainsFunc(scopes, func(c event.Collection) bool { return c.Contains(id) })
			if mine && swept && !living[key.object] {
				orphans = append(orphans, key.object)
			}
		}
		return nil
	})
	return seen, orphans
}

// judge complains if a file goes that tells of a time since which its object is wanted without a
// break, unless the Watcher was not told of the present yet or has still to adopt the rules:
// another state of the object, of its namespace's labels or of the rules may not have wanted it.
func (s *schedule) judge(key fileKey, f file) {
	since, wanted := s.since[key.destination][key.object]
	ns, _, _ := strings.Cut(key.object, "/")
	s.api.hear()
	present, told := s.api.present(), s.current()
	for _, what := range []string{"configmaps/" + key.object, "namespaces//" + ns} {
		told = told && (s.api.told[what] == present[what] || what[0] == 'n' && !s.teams)
	}
	if wanted && told && key.branch == s.branch[key.destination] && f.step > since.step && f.state >= since.state {
		s.fault("%v goes; it was sent at %d, and its object is wanted since %d", key, f.step, since.step)
	}
}

// account notes since when objects are wanted.
func (s *schedule) account() {
	for to, since := range s.since {
		wanted := s.wanted(to)
		for key := range wanted {
			if _, ok := since[key]; !ok {
				since[key] = want{s.step, stateIn(wanted[key])}
			}
		}
		maps.DeleteFunc(since, func(key string, _ want) bool { _, ok := wanted[key]; return !ok })
	}
}

// wanted returns the objects that a destination wants now, and their content.
func (s *schedule) wanted(to string) map[string]string {
	teams := map[string]bool{}
	for _, ns := range s.api.state("namespaces", "", s.api.version) {
		teams[ns.GetName()] = ns.GetLabels()["team"] == "a"
	}
	wanted := map[string]string{}
	for _, obj := range s.api.state("configmaps", "", s.api.version) {
		claimed, of := false, contentKey{stateOf(&obj), ruleForm{Data: true, Mark: true}}
		for _, r := range s.rules {
			if r.To == to && (r.Namespace == "" || r.Namespace == obj.GetNamespace()) &&
				(!r.Team || teams[obj.GetNamespace()]) && (!r.Tier || obj.GetLabels()["tier"] == "a") {
				claimed = true
				of.Data, of.Mark, of.Sealed = of.Data && r.Data, of.Mark && r.Mark, of.Sealed || r.Sealed
			}
		}
		if !claimed {
			continue
		}
		if s.contents[of] == "" {
			s.contents[of] = encode(s.t, &obj, of.ruleForm)
		}
		wanted[obj.GetNamespace()+"/"+obj.GetName()] = s.contents[of]
	}
	return wanted
}

// sealed begins a file that is encrypted.
const sealed = "sealed: "

func encode(t *testing.T, obj *unstructured.Unstructured, as ruleForm) string {
	obj = obj.DeepCopy()
	if as.Data {
		unstructured.RemoveNestedField(obj.Object, "data", "noise")
	}
	if as.Mark {
		unstructured.RemoveNestedField(obj.Object, "metadata", "annotations")
		unstructured.RemoveNestedField(obj.Object, "metadata", "labels")
	}
	content, err := event.ContentOf(obj, &event.Options{})
	require.NoError(t, err)
	if as.Sealed {
		return sealed + string(content.Bytes())
	}
	return string(content.Bytes())
}

// covered reports whether a rule of a destination covers a namespace.
func (s *schedule) covered(to, namespace string) bool {
	return slices.ContainsFunc(s.rules, func(r scheduleRule) bool {
		return r.To == to && (r.Namespace == "" || r.Namespace == namespace)
	})
}

// rest lets everything come to an end, and compares. That nothing is left to do counts when it is
// still so after the longest pause that a reflector makes, and after the longest one before a
// rewind that was found is told to all. A rewind of which nobody could be told, since the versions
// had come as far again, is for Resync to heal.
func (s *schedule) rest() {
	s.room = -1
	idle, enough := 0, 3
	if s.rewound {
		enough = 8
	}
	for _, w := range s.watches() {
		if w.outlived { // its time is up
			w.over.Store(true)
			close(w.events)
		}
	}
	for range 400 {
		s.unlocked(synctest.Wait)
		s.step++
		for len(s.pending()) > 0 {
			s.serve(false)
			s.unlocked(synctest.Wait)
		}
		for _, w := range s.watches() {
			for _, more := s.api.next(w); more; _, more = s.api.next(w) {
				s.api.deliver(w)
				s.unlocked(synctest.Wait)
			}
		}
		s.unlocked(synctest.Wait)
		for len(s.waiting) > 0 {
			s.take()
		}
		s.account()
		if !s.idle("p") || !s.idle("q") {
			idle = 0
		} else if idle++; idle == enough && s.rewound && !s.api.caught {
			s.say("Resync")
			s.resync("p", "q")
			s.rewound, idle = false, 0
		} else if idle == enough {
			s.compare()
			if s.rests++; s.rests > restDisturbed || len(s.faults) > 0 {
				return
			}
			idle = 0
			s.disturbRest()
		}
		s.unlocked(func() { time.Sleep(2 * maxPause) })
	}
	s.fault("it does not come to rest")
}

func (s *schedule) resync(to ...string) {
	s.unlocked(func() {
		for _, of := range to {
			require.NoError(s.t, s.system.Resync(ref(of)))
		}
	})
}

func (s *schedule) idle(to string) (idle bool) {
	s.unlocked(func() {
		st, ok := s.system.Status(ref(to))
		idle = ok && st.Idle() && st.Complete == st.Streams
	})
	return idle
}

func (s *schedule) compare() {
	for to := range s.since {
		held := map[string]string{}
		for key, f := range s.files {
			ns, _, _ := strings.Cut(key.object, "/")
			if key.destination == to && key.branch == s.branch[to] && s.covered(to, ns) {
				held[key.object] = f.content
			}
		}
		if diff := cmp.Diff(s.wanted(to), held); diff != "" {
			s.fault("%s is not what the rules say:\n%s", to, diff)
		}
	}
}
