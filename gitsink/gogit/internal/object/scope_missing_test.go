package object

import (
	"bytes"
	"maps"
	"runtime"
	"testing"
	"weak"

	"github.com/stretchr/testify/require"
)

func TestWhatIsMissingIsWantedNext(t *testing.T) {
	t.Parallel()
	lost, other := hexID(someHash), hexID(otherHash)
	type hashes = []ID
	for _, test := range []struct {
		name          string
		build         func(s *Store) ID
		folders       []string
		single, whole hashes
		known         []string // folders that were here once, afterwards
	}{
		{"no folder", func(s *Store) ID { return lost }, nil, nil, nil, nil},
		{"no root", func(s *Store) ID { return ID{} }, []string{"", "a"}, nil, nil, nil},
		{"the root is missing, on the way", func(s *Store) ID { return lost }, []string{"a", "b/c"}, hashes{lost}, nil, nil},
		{"the root is missing, itself", func(s *Store) ID { return lost }, []string{""}, nil, hashes{lost}, nil},
		{"a folder is missing", func(s *Store) ID { return plant(s, folderEntry("a", lost)) }, []string{"a", "none"}, nil, hashes{lost}, nil},
		{"a folder that was here once", func(s *Store) ID {
			s.folders["a"] = true
			return plant(s, folderEntry("a", lost), folderEntry("b", other))
		}, []string{"a", "b"}, hashes{lost}, hashes{other}, []string{"a"}},
		{"two ways", func(s *Store) ID {
			return plant(s, folderEntry("a", lost), folderEntry("b", other))
		}, []string{"a/x", "b/x", "a/y"}, hashes{lost, other}, nil, nil},
		{"files and modules in the way", func(s *Store) ID {
			return plant(s, fileEntry("f", "1"), Entry{"160000", "m", lost.raw()})
		}, []string{"f", "f/x", "m", "m/x"}, nil, nil, nil},
		{"below a folder", func(s *Store) ID {
			return plant(s, folderEntry("a", plant(s, fileEntry("f", "1"), folderEntry("b", lost), folderEntry("c", other))))
		}, []string{"a"}, hashes{lost, other}, nil, nil},
		{"all of it is here", func(s *Store) ID {
			return plant(s, folderEntry("a", plant(s, fileEntry("f", "1"))), folderEntry("b", lost))
		}, []string{"a"}, nil, nil, []string{"a"}},
		{"a folder that is closed", func(s *Store) ID {
			s.closed.Set(lost, true)
			return plant(s, folderEntry("a", lost), folderEntry("b", other))
		}, []string{"a"}, nil, nil, []string{"a"}},
	} {
		s := NewStore()
		root := test.build(s)
		single, whole, err := s.Missing(root, test.folders)
		require.NoError(t, err, test.name)
		require.ElementsMatch(t, test.single, single, test.name)
		require.ElementsMatch(t, test.whole, whole, test.name)
		known := map[string]bool{}
		for _, folder := range test.known {
			known[folder] = true
		}
		require.Equal(t, known, s.folders, test.name)
		s.Root = root
		require.Equal(t, len(single) == 0 && len(whole) == 0, s.Covers(test.folders), test.name)
		s.Complete = true
		require.True(t, s.Covers(test.folders), test.name)
	}
	const damaged = "100644 a\x00short"
	s := NewStore()
	s.Add(hashOfTree(damaged), damaged)
	s.Root = plant(s, folderEntry("a", hashOfTree(damaged)))
	_, _, err := s.Missing(s.Root, []string{"a"})
	require.ErrorIs(t, err, ErrDamaged)
	require.ErrorContains(t, err, hashOfTree(damaged).String())
	require.False(t, s.Covers([]string{"a"}))
	require.Empty(t, s.folders)
}

func TestTheWayToAFolderEndsWhereATreeIsMissing(t *testing.T) {
	t.Parallel()
	s, lost := NewStore(), hexID(someHash)
	b := plant(s, folderEntry("c", lost), fileEntry("f", "1"))
	root := plant(s, folderEntry("b", b))
	for folder, want := range map[string]struct {
		hash    ID
		arrived bool
	}{
		"": {root, true}, "b": {b, true}, "b/c": {lost, true}, "b/c/d": {lost, false}, "b/c/d/e": {lost, false},
		"none": {ID{}, true}, "b/none/x": {ID{}, true}, "b/f": {ID{}, true}, "b/f/x": {ID{}, true},
	} {
		hash, arrived := s.walk(root, folder)
		require.Equal(t, want.hash, hash, folder)
		require.Equal(t, want.arrived, arrived, folder)
	}
}

func TestATreeIsClosedOnlyWhenAllBelowItIsHere(t *testing.T) {
	t.Parallel()
	lost, other := hexID(someHash), hexID(otherHash)
	s := NewStore()
	leaf := plant(s, fileEntry("f", "1"), Entry{"160000", "m", lost.raw()})
	whole := plant(s, folderEntry("a", leaf), folderEntry("b", leaf))
	first := plant(s, folderEntry("a", lost), folderEntry("b", leaf), fileEntry("z", "1"))
	last := plant(s, folderEntry("a", whole), folderEntry("b", other))
	above := plant(s, folderEntry("a", first), folderEntry("b", whole))
	twice := plant(s, folderEntry("a", last), folderEntry("b", whole), folderEntry("c", last))
	after := plant(s, folderEntry("a", whole), folderEntry("b", twice))
	known := plant(s, fileEntry("known", "1"))
	missingBelowClosed := plant(s, folderEntry("a", known))
	for _, test := range []struct {
		name    string
		hash    ID
		closed  []ID // before
		missing []ID
		then    []ID
	}{
		{"a leaf", leaf, nil, nil, []ID{leaf}},
		{"a whole tree", whole, nil, nil, []ID{leaf, whole}},
		{"the first is missing", first, nil, []ID{lost}, []ID{leaf}},
		{"the last is missing", last, nil, []ID{other}, []ID{leaf, whole}},
		{"missing two levels below", above, nil, []ID{lost}, []ID{leaf, whole}},
		{"missing twice", twice, nil, []ID{other}, []ID{leaf, whole}},
		{"missing after a whole one", after, nil, []ID{other}, []ID{leaf, whole}},
		{"itself", lost, nil, []ID{lost}, nil},
		{"closed itself", lost, []ID{lost}, nil, []ID{lost}},
		{"closed below", missingBelowClosed, []ID{known}, nil, []ID{known, missingBelowClosed}},
		{"what was missing is closed by now", first, []ID{lost}, nil, []ID{lost, leaf, first}},
	} {
		s.closed = Map[bool]{}
		for _, hash := range test.closed {
			s.closed.Set(hash, true)
		}
		missing, then := map[ID]bool{}, map[ID]bool{}
		require.NoError(t, s.below(test.hash, missing), test.name)
		for _, hash := range test.missing {
			require.True(t, missing[hash], test.name)
		}
		require.Len(t, missing, len(test.missing), test.name)
		for _, hash := range test.then {
			then[hash] = true
		}
		require.Equal(t, then, maps.Collect(s.closed.All()), test.name)
	}
}

// A compressor that nobody uses would keep the pack of the last push alive.
func TestACompressorThatIsFreeHoldsNoPack(t *testing.T) {
	d := takeDeflater()
	pack := new(bytes.Buffer)
	d.deflate(pack, []byte("data"))
	held := weak.Make(pack)
	runtime.KeepAlive(pack)
	d.giveBack()
	runtime.GC()
	require.Nil(t, held.Value())
}
