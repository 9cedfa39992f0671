package source

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source/clustertest"
	"github.com/kubescribe/kubescribe/ruleset"
)

// inGroup has a rule look into one more group.
func inGroup(group string, r ruleset.Rule) ruleset.Rule {
	r.Resources[0].APIGroups = append(r.Resources[0].APIGroups, group)
	return r
}

func TestATypeThatARuleNamesAndTheClusterLacksIsAFaultUntilItIsThere(t *testing.T) {
	var log logged
	f := newFixture(t, -1, &Options{Logger: log.logger()})
	f.setRules([]destination.Spec{spec("prod", "main"), spec("dev", "dev")},
		inGroup("example.com", rule("prod", "prod", "configmap", "widgets")), rule("dev", "dev", "configmaps"))
	require.Eventually(t, func() bool { return len(f.statusOf("prod").Faults) == 2 }, wait, tick)
	require.Eventually(t, func() bool { f.takeAll(); return f.idle("dev")() }, wait, tick)
	faults := f.statusOf("prod").Faults
	require.ErrorContains(t, faults[0], "did you mean configmaps")
	require.Equal(t, []schema.GroupResource{{Resource: "configmaps"}}, faults[0].Meant)
	require.Equal(t, faults, f.watcher.Faults())
	require.Empty(t, f.statusOf("dev").Faults)
	require.NoError(t, f.watcher.Err(), "discovery itself is well")

	require.Equal(t, 2, log.count("a rule asks for what the cluster does not have"))
	require.NoError(t, f.cluster.AddType(clustertest.Type{Group: "example.com", Versions: []string{"v1"}, Resource: "widgets", Kind: "Widget", Namespaced: true}))
	require.Eventually(t, func() bool { return len(f.statusOf("prod").Faults) == 1 }, wait, tick)
	require.Zero(t, log.count("the cluster has all"))
	f.setRules([]destination.Spec{spec("prod", "main")}, inGroup("example.com", rule("prod", "prod", "configmaps", "widgets")))
	require.Eventually(t, func() bool { return !f.wrong() }, wait, tick)
	require.Equal(t, 1, log.count("the cluster has all"))
}

// Of a group that discovery cannot read nothing is known. It is no fault of the rule.
func TestATypeOfAGroupThatCannotBeReadIsNoFaultOfTheRule(t *testing.T) {
	var log logged
	d := New(FromDynamic(newGatedAPI()), nil, newLines(-1), &Options{Logger: log.logger()})
	configMaps := schema.GroupResource{Resource: "configmaps"}
	named := func(groups ...string) error {
		return &ruleset.TypeError{Groups: groups, Meant: []schema.GroupResource{configMaps}, Err: ruleset.ErrNotServed}
	}
	missing := errors.Join(named("broken.io"), named("*"), named("example.com"))
	down := errors.New("down")
	d.update(func(l *ledger) { l.answered(down, missing, map[string]bool{"broken.io": true}) })
	require.Len(t, d.Faults(), 1)
	require.Len(t, d.ledger.discovered.meant[destination.Ref{}], 3, "it may be a typo all the same")
	require.ErrorIs(t, d.Err(), down)
	require.Equal(t, 1, log.count("API groups cannot be read"))
	d.update(func(l *ledger) { l.answered(down, missing, map[string]bool{"broken.io": true}) })
	require.Equal(t, 1, log.count("API groups cannot be read"))
	require.Equal(t, 1, log.count("a rule asks for what the cluster does not have"))
	d.update(func(l *ledger) { l.answered(nil, missing, nil) })
	require.Len(t, d.Faults(), 3)
	require.NoError(t, d.Err())
	require.Equal(t, 1, log.count("all API groups can be read again"))

	odd := errors.New("odd")
	d.update(func(l *ledger) { l.answered(nil, odd, nil) })
	require.Empty(t, d.Faults())
	require.ErrorIs(t, d.Err(), odd)
	d.update(func(l *ledger) { l.answered(nil, nil, nil) })
	for range 2 {
		d.update(func(l *ledger) { l.unanswered(down) })
	}
	require.ErrorIs(t, d.Err(), down)
	require.Equal(t, 1, log.count("discovery failed"))
}

// A typo must not read as an order to remove the files of what was meant.
func TestWhatATypoMayMeanIsNotUncovered(t *testing.T) {
	f := newFixture(t, -1, nil)
	f.setRules([]destination.Spec{spec("prod", "main")}, rule("prod", "prod", "configmap", "secrets"))
	require.Eventually(t, func() bool { f.takeAll(); return f.idle("prod")() && len(f.statusOf("prod").Faults) > 0 }, wait, tick)
	uncovered := func(resource string) (is bool) {
		f.watcher.read(func(l *ledger) {
			is = l.uncovered(l.targets[ref("prod")], event.Collection{Resource: resource, Namespace: "default"})
		})
		return is
	}
	require.False(t, uncovered("configmaps"))
	require.False(t, uncovered("secrets"))
	require.True(t, uncovered("services"))
}

func TestTheLogSaysWhatIsLeftOutWhenThatChanges(t *testing.T) {
	var log logged
	r := rule("prod", "prod", "configmaps")
	d, to, s := newRigWith(t, newLines(-1), &Options{Logger: log.logger()}, r)
	tell := func() { d.update((*ledger).tellAll) }
	tell()
	require.Empty(t, log.lines)
	d.begin(s)
	d.failed(s, apierrors.NewForbidden(schema.GroupResource{Resource: "configmaps"}, "", errors.New("no")))
	tell()
	tell()
	require.Equal(t, 1, log.count("some of what the rules ask for is left out"))
	require.Equal(t, 1, log.count(`"collectionsNotListed"=1`))
	d.begin(s)
	d.completed(t.Context(), s)
	d.update(func(l *ledger) { l.landed(to, l.clock, true) })
	require.Equal(t, 1, log.count("nothing is left out any more"), "it need not be asked")
	for i := range 2 * maxRefused {
		d.update(func(l *ledger) { l.refuse(to, d.keyed(s, fmt.Sprint(i)), errBroken) })
	}
	tell()
	require.Equal(t, 1, log.count(fmt.Sprintf(`"objectsRefused"=%d`, 2*maxRefused)))
	to.gone = true
	d.update(func(l *ledger) { to.refused = refusals{}; l.tell(to) })
	require.Equal(t, 1, log.count("nothing is left out any more"), "of what is gone nothing is said")
}

func TestRefusedObjectsAreCountedAndTheFirstNamed(t *testing.T) {
	var r refusals
	id := func(i int) event.ID { return event.ID{Resource: "configmaps", Name: fmt.Sprintf("%03d", i)} }
	for range 2 {
		for i := range maxRefused + 42 {
			require.Equal(t, i < maxRefused, r.add(id(i), errBroken))
		}
	}
	require.Equal(t, maxRefused+42, r.count())
	require.Len(t, r.list(), maxRefused)
	require.Equal(t, id(0), r.list()[0].ID)
	r.remove(id(0))
	r.remove(id(maxRefused))
	r.remove(event.ID{})
	require.Equal(t, maxRefused+40, r.count())
	require.True(t, r.add(id(maxRefused+1), errBroken), "there is room to say why")
	require.Equal(t, maxRefused+40, r.count())
}

// The first hundred are named. When these can be written, others are left that nobody can name.
func TestRefusedObjectsThatAreNotNamedAreToldAllTheSame(t *testing.T) {
	d, to, _ := newRig(t, newLines(-1), rule("prod", "prod", "secrets"))
	id := func(i int) event.ID { return event.ID{Resource: "secrets", Name: fmt.Sprint(i)} }
	for i := range maxRefused + 1 {
		to.refused.add(id(i), event.ErrSecret)
	}
	for i := range maxRefused {
		to.refused.remove(id(i))
	}
	d.ledger.tell(to)
	require.Equal(t, leftOut{refused: 1}, to.told)
}
