package object

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestTreesThatSeveralStoresHoldAreInMemoryOnce(t *testing.T) {
	t.Parallel()
	s := sharedTrees{texts: map[ID]weakText{}}
	large := strings.Repeat("tree", sharedFrom)
	first := s.tree(idNumber(1), strings.Clone(large))
	same := func(a, b string) bool { return unsafe.StringData(a) == unsafe.StringData(b) }
	require.True(t, same(first, s.tree(idNumber(1), strings.Clone(large))))
	other := strings.Clone(large[1:])
	require.True(t, same(other, s.tree(idNumber(1), other)), "a name is no proof")
	small := strings.Clone("small")
	require.True(t, same(small, s.tree(idNumber(2), small)))
	require.Len(t, s.texts, 1)
	runtime.KeepAlive(first)
}

func TestTreesThatNobodyHoldsAreForgotten(t *testing.T) {
	t.Parallel()
	s := sharedTrees{texts: map[ID]weakText{}}
	held := s.tree(idNumber(0), strings.Repeat("0", sharedFrom))
	for i := range 10 * sharedSweep {
		s.tree(idNumber(i+1), fmt.Sprintf("%*d", sharedFrom, i))
		if i%sharedSweep == 0 {
			runtime.GC()
		}
	}
	require.Less(t, len(s.texts), 4*sharedSweep)
	text, ok := s.texts[idNumber(0)].get()
	require.True(t, ok)
	require.Equal(t, held, text)
}

func idNumber(i int) ID { return SHA1.Name(0, fmt.Append(nil, i)) }
