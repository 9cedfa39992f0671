package object

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"
)

func named(data []byte) ID { return New(SHA1, plumbing.BlobObject, data).Hash }

func TestAContentIsCompressedTwiceAndThenKnownByItsPlace(t *testing.T) {
	t.Parallel()
	d := takeDeflater()
	defer d.giveBack()
	k := &deflatedOnce{}
	data := []byte(strings.Repeat("one", 100))
	want := d.deflated(data)
	first, second, third := k.deflated(named(data), data, d), k.deflated(named(data), data, d), k.deflated(named(data), data, d)
	for _, got := range [][]byte{first, second, third} {
		require.Equal(t, want, got)
	}
	require.NotSame(t, &first[0], &second[0], "what goes to one destination is not kept")
	require.Same(t, &second[0], &third[0])

	equal := bytes.Clone(data)
	require.NotSame(t, &third[0], &k.deflated(named(equal), equal, d)[0], "another place")
	require.Equal(t, d.deflated(data[:10]), k.deflated(named(data[:10]), data[:10], d), "a part begins at the same place")
	require.Equal(t, d.deflated(nil), k.deflated(named(nil), nil, d))
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
		k.deflated(named(data), data, d)
		k.deflated(named(data), data, d)
		require.LessOrEqual(t, len(k.young.deflated)+len(k.old.deflated), 2*recentSeen)
		require.LessOrEqual(t, k.young.size+k.old.size, 2*recentDeflated+2*len(data))
	}
	last := all[len(all)-1]
	kept := k.deflated(named(last), last, d)
	require.Same(t, &kept[0], &k.deflated(named(last), last, d)[0])
	_, seen := k.get(placeOf(named(all[0]), all[0]))
	require.False(t, seen, "the oldest is forgotten")

	// What is used stays while others come and go.
	for i := range recentSeen + recentSeen/2 {
		k.put(placeOf(named(all[i]), all[i]), nil)
		require.Same(t, &kept[0], &k.deflated(named(last), last, d)[0], i)
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
				if !bytes.Equal(d.deflated(data), k.deflated(named(data), data, d)) {
					t.Error("another content")
				}
			}
		})
	}
	lanes.Wait()
}

// The data of a plan is the caller's, who may write the next one over it.
func TestAContentThatWasWrittenOverIsAnother(t *testing.T) {
	t.Parallel()
	data := make([]byte, 100)
	for i := range byte(5) {
		for at := range data {
			data[at] = i
		}
		blob := New(SHA1, plumbing.BlobObject, data)
		pack := EncodePack(SHA1, []Object{blob}, nil).Bytes()
		r, err := zlib.NewReader(bytes.NewReader(pack[packHeader+2:]))
		require.NoError(t, err)
		got, err := io.ReadAll(r)
		require.NoError(t, err)
		require.Equal(t, data, got)
	}
}
