package gitsink

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// The table says of every path what a map of them would say.
func TestFileNamesAreThoseOfAMap(t *testing.T) {
	chance := testsize.Chance(t)
	files, model := newFileNames(), map[string]string{}
	path := func() string { return fmt.Sprintf("d%d/f%d", chance.IntN(9), chance.IntN(99)) }
	entry := func() Entry {
		return Entry{Mode: ModeFile, Hash: fmt.Sprintf("%08x", chance.Uint32()) + strings.Repeat("5", 32)}
	}
	for len(model) < 300 {
		if p, e := path(), entry(); model[p] == "" {
			files.find(p, e)
			model[p] = e.Hash
		}
	}
	files.sort()
	for range 5000 {
		p := path()
		want, is := model[p]
		require.Equal(t, is, files.has(p))
		switch chance.IntN(3) {
		case 0:
			e := entry()
			files.put(p, e)
			model[p] = e.Hash
		case 1:
			name, exists := files.take(p)
			require.Equal(t, is, exists)
			if is {
				require.Equal(t, blobNameOf(Entry{Mode: ModeFile, Hash: want}), name)
			}
			delete(model, p)
		}
		require.Equal(t, len(model) == 0, files.none())
	}
	for p := range model {
		require.False(t, files.none())
		files.take(p)
	}
	require.True(t, files.none())
	require.ErrorIs(t, files.blocked("d1", blobName{}, false), ErrPath, "a folder stands there")
}
