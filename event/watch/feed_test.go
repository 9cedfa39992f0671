package watch

import (
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// A feeder asks for an object; before the answer comes, the stream delivers a newer version, which finds room. The answer
// must not be sent behind it.
func TestAnAnswerThatIsOlderThanWhatTheStreamSaidIsDropped(t *testing.T) {
	out := newLines(0)
	l := newLedger()
	set, err := destination.Resolve([]destination.Repository{{Ref: ref("repo"), URL: "https://git.example/r.git"}}, []destination.Spec{spec("prod", "main")})
	require.NoError(t, err)
	rules, err := ruleset.Compile(set, rule("prod", "prod", "configmaps"))
	require.NoError(t, err)
	d := &desk{ledger: l, rules: rules, out: out, opts: (*Options)(nil).withDefaults()}
	prod, _ := set.Get(ref("prod"))
	to := &target{destination: prod, dirty: map[dirtyKey]struct{}{}, feeding: true}
	l.targets[ref("prod")] = to
	s := &stream{watch: ruleset.Watch{Resource: ruleset.Type{Version: "v1", Resource: "configmaps", Kind: "ConfigMap", Namespaced: true}}, to: d}
	old, newer := configMap("default", "a", "old"), configMap("default", "a", "new")

	d.object(t.Context(), s, old, added) // no room: dirty
	require.Len(t, to.dirty, 1)
	asked := d.now() // the feeder asks now
	d.object(t.Context(), s, newer, modified)
	require.Len(t, to.dirty, 1, "still no room")
	out.room = -1
	require.True(t, d.offer(t.Context(), to, s, old, asked), "the old answer")
	require.Empty(t, out.waiting, "is dropped")
	require.Contains(t, to.dirty, dirtyKey{l.typeOf(s.watch.Resource), types.NamespacedName{Namespace: "default", Name: "a"}}, "and asked for again")

	require.True(t, d.offer(t.Context(), to, s, newer, d.now()))
	require.Len(t, out.waiting, 1)
	require.Contains(t, string(out.waiting[0].Content), "new")
	require.Empty(t, to.dirty)

	// What is asked for while the object dies is not brought back.
	to.dirty[dirtyKey{l.typeOf(s.watch.Resource), types.NamespacedName{Namespace: "default", Name: "a"}}] = struct{}{}
	asked = d.now()
	s.watch.Coverage = []ruleset.Coverage{{Destination: prod, Scope: s.scope()}}
	d.deleted(t.Context(), s, newer, removed)
	require.True(t, d.offer(t.Context(), to, s, newer, asked))
	require.Len(t, out.waiting, 2)
	require.Equal(t, "DELETE configmaps/default/a for default/prod", out.waiting[1].String())
}
