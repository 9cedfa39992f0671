package source

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/ruleset"
)

// Two backlogs share the places of a type; a map for each is the model. Whatever is added, removed,
// born and buried, they agree, and no place is lost or given twice.
func TestABacklogAgreesWithAMapAndGivesItsPlacesBack(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	l := newLedger(nil)
	tl := l.typeOf(ruleset.Type{Version: "v1", Resource: "configmaps", Namespaced: true})
	var backlogs [2]backlog
	model := [2]map[objectKey]bool{{}, {}}
	for range 20_000 {
		i := chance.IntN(2)
		key := objectKey{tl, types.NamespacedName{Name: fmt.Sprint(chance.IntN(100))}}
		switch chance.IntN(5) {
		case 0, 1:
			deleted := chance.IntN(2) == 0
			backlogs[i].add(key, deleted)
			model[i][key] = model[i][key] || deleted
		case 2:
			backlogs[i].remove(key)
			delete(model[i], key)
		case 3:
			tl.put(key.name, entry{})
		case 4:
			tl.remove(key.name)
		}
		if chance.IntN(1000) == 0 {
			backlogs[i].drop()
			clear(model[i])
		}
		waits, deleted := backlogs[i].has(key)
		want, ok := model[i][key]
		require.Equal(t, ok, waits)
		require.Equal(t, want, deleted)
		require.Equal(t, len(model[i]), backlogs[i].count)
	}
	for i := range backlogs {
		got := map[objectKey]bool{}
		for key := range backlogs[i].of(tl) {
			_, got[key] = backlogs[i].has(key)
		}
		require.Equal(t, model[i], got)
		backlogs[i].drop()
	}
	for name := range tl.entries {
		tl.remove(name)
	}
	require.Empty(t, tl.slots.of)
	require.Len(t, tl.slots.free, len(tl.slots.names), "every place is free")
	require.LessOrEqual(t, len(tl.slots.names), 100)
}
