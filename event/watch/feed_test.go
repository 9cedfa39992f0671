package watch

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// newDesk returns a desk for the ConfigMaps of one destination, prod, and its stream, which does not run.
func newDesk(t *testing.T, out *lines, r ruleset.Rule) (*desk, *target, *stream) {
	t.Helper()
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/r.git"}}, []destination.Spec{spec("prod", "main")})
	require.NoError(t, err)
	rules, err := ruleset.Compile(set, r)
	require.NoError(t, err)
	d := &desk{ledger: newLedger(), out: out, opts: (*Options)(nil).withDefaults()}
	d.match.Store(&matcher{rules: rules})
	prod, _ := set.Get(ref("prod"))
	to := &target{destination: prod, feeding: true}
	d.ledger.targets[ref("prod")] = to
	s := &stream{watch: ruleset.Watch{Resource: ruleset.Type{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}}, to: d}
	s.watch.Coverage = []ruleset.Coverage{{Destination: prod, Scope: s.scope()}}
	return d, to, s
}

// A feeder asks for an object; before the answer comes, the stream delivers a newer version, which finds room. The answer
// must not be sent behind it.
func TestAnAnswerThatIsOlderThanWhatTheStreamSaidIsDropped(t *testing.T) {
	out := newLines(0)
	d, to, s := newDesk(t, out, rule("prod", "prod", "configmaps"))
	a := objectKey{d.ledger.typeOf(s.watch.Resource), types.NamespacedName{Namespace: "default", Name: "a"}}
	old, newer := configMap("default", "a", "old"), configMap("default", "a", "new")

	d.object(t.Context(), s, old, added) // no room: it waits
	require.Equal(t, 1, to.backlog.count)
	asked := d.now() // the feeder asks now
	d.object(t.Context(), s, newer, modified)
	require.Equal(t, 1, to.backlog.count, "still no room")
	out.room = -1
	require.True(t, d.offer(t.Context(), to, s, old, asked), "the old answer")
	require.Empty(t, out.waiting, "is dropped")
	waits, _ := to.backlog.has(a)
	require.True(t, waits, "and asked for again")

	require.True(t, d.offer(t.Context(), to, s, newer, d.now()))
	require.Len(t, out.waiting, 1)
	require.Contains(t, string(out.waiting[0].Content), "new")
	require.Zero(t, to.backlog.count)

	// What is asked for while the object dies is not brought back.
	to.backlog.add(a, false)
	asked = d.now()
	d.deleted(t.Context(), s, newer, removed)
	require.True(t, d.offer(t.Context(), to, s, newer, asked))
	require.Len(t, out.waiting, 2)
	require.Equal(t, "DELETE configmaps/default/a for default/prod", out.waiting[1].String())
}

func TestADeleteWithoutRoomIsSentBeforeTheCreateThatARuleWithOnlyCreateWants(t *testing.T) {
	out := newLines(0)
	r := rule("prod", "prod", "configmaps")
	r.Resources[0].Operations = []event.Operation{event.Create, event.Delete}
	d, to, s := newDesk(t, out, r)
	obj := configMap("default", "a", "1")
	d.object(t.Context(), s, obj, added)
	out.room = 1
	require.True(t, d.offer(t.Context(), to, s, obj, d.now()), "the first create is in its line")
	d.deleted(t.Context(), s, obj, removed)
	d.object(t.Context(), s, configMap("default", "a", "2"), added)
	require.Equal(t, 1, to.backlog.count, "no room for either")
	out.room = 2
	require.False(t, d.offer(t.Context(), to, s, configMap("default", "a", "2"), d.now()))
	out.room = 3
	require.True(t, d.offer(t.Context(), to, s, configMap("default", "a", "2"), d.now()))
	require.Zero(t, to.backlog.count)
	var got []event.Operation
	for _, e := range out.waiting {
		got = append(got, e.Operation)
	}
	require.Equal(t, []event.Operation{event.Update, event.Delete, event.Update}, got)
}
