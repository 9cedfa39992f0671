package object

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"
)

// The packs of several destinations have the same contents, and these are in memory once.
func TestPacksShareWhatTheyHaveInCommon(t *testing.T) {
	t.Parallel()
	objects := blobs(20_000, 30_000, 100)
	first := EncodePack(SHA1, objects, nil) // compressed for one alone
	second, third := EncodePack(SHA1, objects, nil), EncodePack(SHA1, objects, nil)
	require.Equal(t, first.Bytes(), second.Bytes())
	shared := 0
	for _, a := range second {
		for _, b := range third {
			if &a[0] == &b[0] {
				shared += len(a)
			}
		}
	}
	require.Greater(t, shared, len(second.Bytes())/2)
	require.Less(t, len(second), 10, "what is short is put together")
}

// A pack is the same bytes however its pieces lie.
func TestAPackOfManyPiecesIsOneText(t *testing.T) {
	t.Parallel()
	w := newPackWriter(SHA1, 0)
	var want []byte
	for i := range 5000 {
		piece := bytes.Repeat([]byte{byte(i)}, i%700)
		w.write(piece)
		want = append(want, piece...)
	}
	got := w.end().Bytes()
	require.True(t, bytes.Equal(want, got[packHeader:len(got)-SHA1.Width()]))
}
