package source

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

const leader = "control-plane.alpha.kubernetes.io/leader"

// lock returns a ConfigMap that a leader holds as its lock, as it is after some renewals.
func lock(name string, renewals int) *unstructured.Unstructured {
	obj := configMap("default", name, "1")
	obj.SetAnnotations(map[string]string{leader: fmt.Sprintf(`{"holderIdentity":"a","renewTime":"%d"}`, renewals), "note": "x"})
	return obj
}

func ignoring(r ruleset.Rule, pointers ...string) ruleset.Rule {
	r.Ignore = []ruleset.FieldSelector{{Pointers: pointers}}
	return r
}

func (f *fixture) file(to, name string) string { return f.files[to+" configmaps/default/"+name] }

// A hundred leaders renew their locks: nothing of it reaches the queue.
func TestALockThatIsRenewedMakesNoEvent(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	for i := range 100 {
		f.apply(lock(fmt.Sprint(i), 0))
	}
	f.apply(lock("marker", 0))
	f.setRules([]destination.Spec{spec("p", "main")}, rule("r", "p", "configmaps"))
	f.seeded("p")
	require.NotContains(t, f.file("p", "7"), leader)
	require.Contains(t, f.file("p", "7"), "note: x")
	for renewal := range 3 {
		for i := range 100 {
			f.apply(lock(fmt.Sprint(i), renewal+1))
		}
		f.quiet("p")
	}
	quiet := f.watcher.reader.match.Load().quiet
	require.Len(t, quiet.known, 100, "from the second renewal on, none is encoded")

	changed := lock("7", 4)
	changed.Object["data"] = map[string]any{"key": "2"}
	f.apply(changed)
	require.Equal(t, "UPDATE configmaps/default/7 for default/p", f.next().String())
	require.Contains(t, f.file("p", "7"), `key: "2"`)
}

// With Keep the lock is a field like any other.
func TestALockThatARuleKeepsIsWritten(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	f.apply(lock("a", 0))
	r := rule("r", "p", "configmaps")
	r.Keep = []ruleset.Preset{ruleset.IgnoreLeaderLocks}
	f.setRules([]destination.Spec{spec("p", "main")}, r)
	f.seeded("p")
	f.apply(lock("a", 1))
	f.next()
	require.Contains(t, f.file("p", "a"), `"renewTime":"1"`)
}

func TestAnUpdateThatLooksAsTheLastOneIsNotEncoded(t *testing.T) {
	out := newLines(-1)
	d, _, f := newRig(t, out, rule("r", "prod", "configmaps"))
	read := func(obj *unstructured.Unstructured) *change {
		var c change
		loaded(obj, func(o *object) { c = d.reader.read(t.Context(), f.of, o, modified) })
		return &c
	}
	deliver := func(c *change) int {
		before := len(out.waiting)
		d.reader.deliver(t.Context(), *c, nil, modified, f, d.update)
		return len(out.waiting) - before
	}
	first := read(lock("a", 0))
	require.False(t, first.unencoded())
	require.Equal(t, 1, deliver(first))
	second := read(lock("a", 1))
	require.False(t, second.unencoded(), "nobody has seen yet that it makes such updates")
	require.Zero(t, deliver(second))
	for renewal := range 3 {
		c := read(lock("a", 2+renewal))
		require.True(t, c.unencoded())
		require.Zero(t, deliver(c))
	}
	// Somebody has lost it meanwhile: it is encoded after all.
	key := objectKey{d.ledger.typeOf(f.of), types.NamespacedName{Namespace: "default", Name: "a"}}
	key.forgetDigest()
	c := read(lock("a", 9))
	require.True(t, c.unencoded())
	require.Equal(t, 1, deliver(c))
	require.NotNil(t, out.waiting[len(out.waiting)-1].Content)
	// What differs is encoded, and what came before is known no more.
	other := lock("a", 10)
	other.SetLabels(map[string]string{"x": "y"})
	require.Equal(t, 1, deliver(read(other)))
	require.Equal(t, 1, deliver(read(lock("a", 11))))
	// New rules remember nothing of what the old ones saw.
	d.setRules(d.reader.match.Load().rules)
	require.False(t, read(lock("a", 12)).unencoded())
}

// A reflector that goes on may have read an object before the rules changed, and take it to the
// ledger after that.
func TestAnObjectThatWasReadByOldRulesIsReadOnceMore(t *testing.T) {
	out := newLines(-1)
	d, _, f := newRigWith(t, out, &Options{Encryptor: sealing{}}, rule("r", "prod", "configmaps"))
	obj := lasting(lock("a", 0))
	c := d.reader.read(t.Context(), f.of, obj, added)
	r := rule("r", "prod", "configmaps")
	r.Sensitive = []event.SensitiveType{{}}
	d.setRules(compiledRules(t, []destination.Spec{spec("prod", "main")}, r).ruleSet)
	d.reader.deliver(t.Context(), c, obj, added, f, d.update)
	require.Len(t, out.waiting, 1)
	require.NotNil(t, out.waiting[0].Sensitive)
}

// What is read once more is the object as it came, with what its file does not show.
func TestAnObjectStaysAsItIsWhenItsContentIsMade(t *testing.T) {
	obj := configMap("default", "a", "1")
	obj.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "Owner", Name: "o", UID: "u", Controller: ptr(true)}})
	obj.SetResourceVersion("7")
	o := lasting(obj)
	first, err := o.content()
	require.NoError(t, err)
	require.NotContains(t, string(first.Bytes()), "ownerReferences")
	require.True(t, o.controlled())
	require.Equal(t, obj, o.unstructured())
	second, err := o.content()
	require.NoError(t, err)
	require.Equal(t, first.Digest(), second.Digest())
}

func ptr[T any](v T) *T { return &v }

func TestWhatIsRememberedOfQuietObjectsIsBounded(t *testing.T) {
	q := newQuiet()
	key := func(i int) quietKey {
		return quietKey{name: types.NamespacedName{Namespace: strings.Repeat("n", 63), Name: fmt.Sprint(strings.Repeat("x", 240), i)}}
	}
	for i := range 2 * maxQuiet {
		q.add(key(i), looks{hash: uint64(i), digests: make([]event.Digest, 3)})
		require.LessOrEqual(t, q.size, quietBytes)
	}
	require.Greater(t, len(q.known), 1000)
	small := newQuiet()
	for i := range 2 * maxQuiet {
		small.add(quietKey{name: types.NamespacedName{Name: fmt.Sprint(i)}}, looks{digests: make([]event.Digest, 1)})
	}
	require.LessOrEqual(t, len(small.known), maxQuiet)
	for k := range q.known {
		q.forget(k)
	}
	require.Zero(t, q.size)
}

// Two destinations of one object, of which one ignores a field: each has a content of its own, and
// is sent what changes it.
func TestEachDestinationHasWhatItsOwnRulesLeaveOfAnObject(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"), newObject("v1", "ConfigMap", "default", "b", map[string]any{"data": map[string]any{}}))
	specs := []destination.Spec{spec("p", "main"), spec("q", "main")}
	f.setRules(specs, ignoring(rule("p", "p", "configmaps"), "/data/key"), rule("q", "q", "configmaps"))
	f.seeded("p", "q")
	require.NotContains(t, f.file("p", "a"), "key")
	require.Contains(t, f.file("q", "a"), `key: "1"`)
	require.Equal(t, f.file("p", "b"), f.file("q", "b"))
	f.watcher.read(func(l *ledger) {
		for _, tl := range l.types {
			require.Len(t, tl.apart, 1, "only an object whose files differ has two digests")
		}
	})

	f.apply(configMap("default", "a", "2"))
	require.Equal(t, "UPDATE configmaps/default/a for default/q", f.next().String())
	require.Contains(t, f.file("q", "a"), `key: "2"`)
	more := configMap("default", "a", "2")
	more.SetLabels(map[string]string{"x": "y"})
	f.apply(more)
	require.ElementsMatch(t, []string{"UPDATE configmaps/default/a for default/p", "UPDATE configmaps/default/a for default/q"},
		[]string{f.next().String(), f.next().String()})

	// They change roles.
	f.setRules(specs, rule("p", "p", "configmaps"), ignoring(rule("q", "q", "configmaps"), "/data/*"))
	f.seeded("p", "q")
	require.Contains(t, f.file("p", "a"), `key: "2"`)
	require.NotContains(t, f.file("q", "a"), "key")
}

// A rule that wants a field wins, and one that only deletes wants none.
func TestAFieldIsLeftOutIfAllRulesOfADestinationLeaveItOut(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"))
	deleting := rule("d", "p", "configmaps")
	deleting.Resources[0].Operations = []event.Operation{event.Delete}
	specs := []destination.Spec{spec("p", "main")}
	f.setRules(specs, ignoring(rule("r", "p", "configmaps"), "/data"), deleting)
	f.seeded("p")
	require.NotContains(t, f.file("p", "a"), "key")
	f.setRules(specs, ignoring(rule("r", "p", "configmaps"), "/data"), deleting, ignoring(rule("s", "p", "configmaps"), "/metadata/labels"))
	f.seeded("p")
	require.Contains(t, f.file("p", "a"), `key: "1"`)
}

// What is not known of the file of one destination is known of none: a digest that stays behind
// would hide a change.
func TestWhatIsForgottenOfAnObjectIsForgottenOfAllItsFiles(t *testing.T) {
	tl := &typeLedger{entries: map[types.NamespacedName]entry{}, apart: map[uint32][]event.Digest{}, slots: slots{of: map[types.NamespacedName]uint32{}}}
	key := objectKey{tl, types.NamespacedName{Name: "a"}}
	one, two := event.Digest{SHA1: [16]byte{1}}, event.Digest{SHA1: [16]byte{2}}
	of := &owners{list: []owner{{to: &target{}}, {to: &target{}, variant: 1}}}
	tl.put(key.name, entry{digest: one, owners: of}, two)
	k := key.known()
	require.Equal(t, one, k.digest(of.list[0]))
	require.Equal(t, two, k.digest(of.list[1]))
	key.forgetDigest()
	k = key.known()
	require.Equal(t, unknown, k.digest(of.list[0]))
	require.Equal(t, unknown, k.digest(of.list[1]))
	tl.put(key.name, entry{digest: one, owners: of}, two)
	tl.remove(key.name)
	require.Empty(t, tl.apart)
}

func TestWhatIsSensitiveIsRefusedWithoutAnEncryptorAndNamed(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]*Options{"by a rule": {}, "by an option": {Sensitive: []event.SensitiveType{{Resources: []string{"configmaps"}}}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, -1, opts)
			f.apply(configMap("default", "a", "1"))
			r := rule("r", "p", "configmaps")
			if opts.Sensitive == nil {
				r.Sensitive = []event.SensitiveType{{Resources: []string{"configmaps"}}}
			}
			f.setRules([]destination.Spec{spec("p", "main"), spec("q", "main")}, r, rule("q", "q", "configmaps"))
			f.seeded("p", "q")
			st, ok := f.watcher.Status(ref("p"))
			require.True(t, ok)
			require.Len(t, st.Refused, 1)
			require.ErrorIs(t, st.Refused[0].Err, event.ErrSensitive)
			require.Empty(t, f.file("p", "a"))
			st, _ = f.watcher.Status(ref("q"))
			require.Len(t, st.Refused, len(opts.Sensitive), "an option is for all, a rule for its destination")
		})
	}
}

func TestWhatIsSensitiveIsSentEachTimeSinceItsFileIsEncrypted(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, &Options{Encryptor: sealing{}})
	f.apply(configMap("default", "a", "1"))
	specs := []destination.Spec{spec("p", "main")}
	f.setRules(specs, rule("r", "p", "configmaps"))
	f.seeded("p")
	r := rule("r", "p", "configmaps")
	r.Sensitive = []event.SensitiveType{{Pointers: []string{"/data/*"}}}
	f.setRules(specs, r)
	e := f.next()
	require.Equal(t, []string{"/data/*"}, e.Sensitive.Fields)
	require.Contains(t, f.lines.forgotten[0].Ref.Name, "p", "what waits in plain is forgotten")
	f.seeded("p")
	require.NoError(t, f.watcher.Sweep(ref("p")))
	require.NotNil(t, f.next().Sensitive)
	f.seeded("p")
	f.setRules(specs, rule("r", "p", "configmaps"))
	e = f.next()
	require.Equal(t, "UPDATE configmaps/default/a for default/p", e.String(), "the file is to be in plain again")
	require.Nil(t, e.Sensitive)
}

// What a condition cannot decide for one destination changes nothing for the others.
func TestAnUndecidedConditionHidesNoChangeFromOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, -1, nil)
	f.apply(configMap("default", "a", "1"))
	r := rule("r", "p", "configmaps")
	because := "over budget"
	r.Condition = undecided{&because}
	f.setRules([]destination.Spec{spec("p", "main"), spec("q", "main")}, r, rule("q", "q", "configmaps"))
	f.seeded("p", "q")
	for i := range 3 {
		f.apply(configMap("default", "a", fmt.Sprint(i+2)))
		require.Equal(t, "UPDATE configmaps/default/a for default/q", f.next().String())
	}
	require.Eventually(t, func() bool { st, _ := f.watcher.Status(ref("p")); return len(st.Refused) == 1 }, wait, tick)
}

// What an update costs of which nothing is left, once it is known to be one.
func BenchmarkRenewalOfALock(b *testing.B) {
	for name, presets := range map[string][]ruleset.Preset{"ignored": nil, "kept": {ruleset.IgnoreLeaderLocks}} {
		b.Run(name, func(b *testing.B) {
			r := rule("r", "prod", "configmaps")
			r.Keep = presets
			t := &testing.T{}
			d, _, f := newRig(t, newLines(-1), r)
			locks := [2]*unstructured.Unstructured{lock("a", 0), lock("a", 1)}
			for _, l := range locks {
				l.Object["data"] = map[string]any{"key": strings.Repeat("abcdefghi ", 200)}
			}
			d.ledger.offer = func(event.Event) error { return nil }
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				loaded(locks[i%2], func(o *object) {
					c := d.reader.read(b.Context(), f.of, o, modified)
					d.reader.deliver(b.Context(), c, o, modified, f, d.update)
				})
			}
		})
	}
}
