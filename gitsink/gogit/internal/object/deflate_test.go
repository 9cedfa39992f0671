package object

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAContentIsCompressedTwiceAndThenKnownByItsPlace(t *testing.T) {
	t.Parallel()
	d := takeDeflater()
	defer d.giveBack()
	k := &deflatedOnce{}
	data := []byte(strings.Repeat("one", 100))
	want := d.deflated(data)
	first, second, third := k.deflated(data, d), k.deflated(data, d), k.deflated(data, d)
	for _, got := range [][]byte{first, second, third} {
		require.Equal(t, want, got)
	}
	require.NotSame(t, &first[0], &second[0], "what goes to one destination is not kept")
	require.Same(t, &second[0], &third[0])

	equal := bytes.Clone(data)
	require.NotSame(t, &third[0], &k.deflated(equal, d)[0], "another place")
	require.Equal(t, d.deflated(data[:10]), k.deflated(data[:10], d), "a part begins at the same place")
	require.Equal(t, d.deflated(nil), k.deflated(nil, d))
}

func TestWhatIsKeptOfContentsIsBounded(t *testing.T) {
	t.Parallel()
	d := takeDeflater()
	defer d.giveBack()
	k := &deflatedOnce{}
	var all [][]byte
	for i := range 3 * recentSeen {
		data := fmt.Appendf(nil, "%08d%s", i, strings.Repeat(fmt.Sprint(i*i), 200))
		all = append(all, data)
		k.deflated(data, d)
		k.deflated(data, d)
		require.LessOrEqual(t, len(k.young.deflated)+len(k.old.deflated), 2*recentSeen)
		require.LessOrEqual(t, k.young.size+k.old.size, 2*recentDeflated+2*len(data))
	}
	last := all[len(all)-1]
	kept := k.deflated(last, d)
	require.Same(t, &kept[0], &k.deflated(last, d)[0])
	_, seen := k.get(placeOf(all[0]))
	require.False(t, seen, "the oldest is forgotten")

	// What is used stays while others come and go.
	for i := range recentSeen + recentSeen/2 {
		k.put(placeOf(all[i]), nil)
		require.Same(t, &kept[0], &k.deflated(last, d)[0], i)
	}
}

func TestManyLanesShareWhatIsCompressed(t *testing.T) {
	t.Parallel()
	k := &deflatedOnce{}
	var all [][]byte
	for i := range 50 {
		all = append(all, fmt.Appendf(nil, "%d%s", i, strings.Repeat("x", i)))
	}
	var lanes sync.WaitGroup
	for range 8 {
		lanes.Go(func() {
			d := takeDeflater()
			defer d.giveBack()
			for _, data := range all {
				if !bytes.Equal(d.deflated(data), k.deflated(data, d)) {
					t.Error("another content")
				}
			}
		})
	}
	lanes.Wait()
}
