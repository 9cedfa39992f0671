package object

import (
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestTheModeOfAnEntryIsWhatGitReadsOfIt(t *testing.T) {
	t.Parallel()
	const hash = someHash
	for mode, want := range map[string]struct {
		public       gitsink.Mode
		kind         string
		folder, file bool
	}{
		"100644":        {gitsink.ModeFile, "file", false, true},
		"100664":        {gitsink.ModeFile, "file", false, true},
		"100655":        {gitsink.ModeFile, "file", false, true},
		"100755":        {gitsink.ModeExecutable, "file", false, true},
		"0100744":       {gitsink.ModeExecutable, "file", false, true},
		"40000":         {0o40000, "folder", true, false},
		"040755":        {0o40755, "folder", true, false},
		"120000":        {gitsink.ModeSymlink, "symbolic link", false, false},
		"160000":        {gitsink.ModeSubmodule, "submodule", false, false},
		"":              {0, "entry of mode ", false, false},
		"100":           {0o100, "entry of mode 100", false, false},
		"7777777777777": {0, "entry of mode 7777777777777", false, false},
	} {
		e := Entry{Mode: mode, Raw: hexID(hash).raw()}
		require.Equal(t, gitsink.Entry{Mode: want.public, Hash: hash}, e.Public(), mode)
		require.Equal(t, want.kind, e.kind(), mode)
		require.Equal(t, want.folder, e.IsTree(), mode)
		require.Equal(t, want.file, e.IsFile(), mode)
	}
}

func TestATreeIsReadUpToWhereItIsDamaged(t *testing.T) {
	t.Parallel()
	a, odd := fileEntry("a", "1"), Entry{Mode: "", Name: "", Raw: hexID(someHash).raw()}
	for _, test := range []struct {
		tree    string
		want    []Entry
		damaged bool
	}{
		{"", nil, false},
		{treeWith(a, odd), []Entry{a, odd}, false},
		{treeWith(odd, a), []Entry{odd, a}, false},
		{treeWith(a) + "x", []Entry{a}, true},
		{treeWith(a) + "100644 b", []Entry{a}, true},
		{treeWith(a) + treeWith(a)[:len(treeWith(a))-1], []Entry{a}, true},
		{"\x00", nil, true},
		{"a\x00 " + someHash, nil, true},
	} {
		var got []Entry
		var faults []error
		for e, err := range Entries(SHA1, test.tree) { // to the end, whatever comes
			if err != nil {
				faults = append(faults, err)
				require.Zero(t, e)
				continue
			}
			got = append(got, e)
		}
		require.Equal(t, test.want, got, "%q", test.tree)
		if !test.damaged {
			require.Empty(t, faults, "%q", test.tree)
			continue
		}
		require.Equal(t, []error{ErrDamaged}, faults, "%q", test.tree)
		_, found := Lookup(SHA1, test.tree, "")
		require.False(t, found, "what cannot be read is no entry without a name")
		_, found = Lookup(SHA1, test.tree, "a")
		require.Equal(t, len(test.want) > 0, found)
	}
	for _, damaged := range []string{"", "x", " ", "100644 b", "100644 b\x00short"} {
		e, rest, ok := cutEntry(SHA1, damaged)
		require.False(t, ok, "%q", damaged)
		require.Zero(t, e)
		require.Empty(t, rest)
	}
	for e, err := range Entries(SHA1, treeWith(a, odd)) { // who has enough gets no more
		require.NoError(t, err)
		require.Equal(t, a, e)
		break
	}
}

func TestEntriesAreInGitsOrder(t *testing.T) {
	t.Parallel()
	none := ID{}
	sorted := []Entry{
		fileEntry("", ""), fileEntry("A", ""), fileEntry("a", ""), fileEntry("a-", ""), fileEntry("a.b", ""), folderEntry("a", none),
		fileEntry("a0", ""), folderEntry("a0", none), fileEntry("aaa", ""), fileEntry("ab", ""), fileEntry("b", ""), folderEntry("b", none), fileEntry("ä", ""),
	}
	for i, a := range sorted {
		for j, b := range sorted {
			want := min(max(i-j, -1), 1)
			require.Equal(t, want, compareEntries(a, b), "%q and %q", a.Name, b.Name)
		}
	}
}

func TestAFolderIsFoundByItsPath(t *testing.T) {
	t.Parallel()
	s := NewStore()
	deep := plant(s, fileEntry("x", "1"))
	lost := hexID(someHash)
	mid := plant(s, folderEntry("deep", deep), folderEntry("lost", lost))
	root := plant(s, fileEntry("file", "1"), folderEntry("mid", mid), Entry{"160000", "mod", lost.raw()})
	for _, test := range []struct {
		root   ID
		path   string
		want   ID
		reason string
		err    error
	}{
		{root, "", root, "", nil},
		{ID{}, "a/b", ID{}, "", nil},
		{root, "mid", mid, "", nil},
		{root, "mid/deep", deep, "", nil},
		{root, "mid/lost", lost, "", nil},
		{root, "none", ID{}, "", nil},
		{root, "mid/none/x", ID{}, "", nil},
		{root, "mid//deep", ID{}, "", nil},
		{root, "mid/lost/x", ID{}, "", ErrIncomplete},
		{root, "file", ID{}, `"file" is a file, not a folder`, gitsink.ErrPath},
		{root, "mod/x", ID{}, `"mod" is a submodule, not a folder`, gitsink.ErrPath},
		{root, "mid/deep/x/y", ID{}, `"x" is a file, not a folder`, gitsink.ErrPath},
	} {
		got, err := FolderIn(s, test.root, test.path)
		require.Equal(t, test.want, got, test.path)
		if test.err == nil {
			require.NoError(t, err, test.path)
		}
		require.ErrorIs(t, err, test.err, test.path)
		if test.reason != "" {
			require.Equal(t, &PathError{Path: test.path, Reason: test.reason}, err)
		}
	}
}

func TestADeltaIsSentOnlyWhereItIsLessThanHalf(t *testing.T) {
	t.Parallel()
	const insert = 30 // the instruction for the entry that is new
	var sent, whole int
	for n := 1; n < 80; n++ {
		old := treeWith(fileEntry(strings.Repeat("a", n), ""))
		data := old + treeWith(fileEntry("b", ""))
		delta := treeDelta(SHA1, old, data)
		thin := &thinner{
			has:     func(h ID) (string, bool) { return old, h == hashOfTree(old) },
			origins: map[ID]ID{},
		}
		o := New(SHA1, plumbing.TreeObject, []byte(data))
		o.From = hashOfTree(old)
		base, got := thin.thin(o)
		require.Equal(t, o.From, base)
		if len(delta)+SHA1.Width() <= len(data)/2 {
			require.Equal(t, delta, got, "%d bytes of %d", len(delta), len(data))
			sent++
		} else {
			require.Nil(t, got, "%d bytes of %d", len(delta), len(data))
			whole++
		}
	}
	require.Greater(t, sent, 20)
	require.Greater(t, whole, insert)
}

func TestADeltaIsMadeOfTreesThatTheServerHas(t *testing.T) {
	t.Parallel()
	var many []Entry
	for _, c := range "abcdefghij" {
		many = append(many, fileEntry(string(c), "1"))
	}
	old := treeWith(many...)
	first := treeWith(append(many, fileEntry("k", "1"))...)
	second := treeWith(append(many, fileEntry("k", "1"), fileEntry("l", "1"))...)
	made := func(data string, kind plumbing.ObjectType, from ID) Object {
		o := New(SHA1, kind, []byte(data))
		o.From = from
		return o
	}
	asked, served := []ID{}, true
	thin := &thinner{origins: map[ID]ID{}, has: func(h ID) (string, bool) {
		asked = append(asked, h)
		return old, served
	}}
	for name, o := range map[string]Object{
		"a tree that is new":     made(first, plumbing.TreeObject, ID{}),
		"what is no tree at all": made(first, plumbing.CommitObject, hashOfTree(old)),
	} {
		_, delta := thin.thin(o)
		require.Nil(t, delta, name)
		require.Empty(t, asked, name)
	}
	served = false
	_, delta := thin.thin(made(first, plumbing.TreeObject, hashOfTree(old)))
	require.Nil(t, delta, "the server has no such tree")
	require.Empty(t, thin.origins)

	served, asked = true, nil
	base, delta := thin.thin(made(first, plumbing.TreeObject, hashOfTree(old)))
	require.Equal(t, hashOfTree(old), base)
	require.Equal(t, treeDelta(SHA1, old, first), delta)
	base, delta = thin.thin(made(second, plumbing.TreeObject, hashOfTree(first)))
	require.Equal(t, hashOfTree(old), base, "never another of the pack")
	require.Equal(t, treeDelta(SHA1, old, second), delta)
	require.Equal(t, []ID{hashOfTree(old), hashOfTree(old)}, asked)
}

func TestDeltasAreWrittenAsGitReadsThem(t *testing.T) {
	t.Parallel()
	a, b, c := fileEntry("a", "1"), fileEntry("b", "1"), fileEntry("c", "1") // 29 bytes each
	other := fileEntry("b", "2")
	for name, test := range map[string]struct {
		old, tree []Entry
		want      string // after the sizes
	}{
		"nothing of nothing":                   {nil, nil, ""},
		"the same":                             {[]Entry{a, b, c}, []Entry{a, b, c}, "\x90\x57"},
		"two of one name, which are the same":  {[]Entry{a, a, b}, []Entry{a, a, b}, "\x90\x57"},
		"without the first":                    {[]Entry{a, b, c}, []Entry{b, c}, "\x91\x1d\x3a"},
		"without the one in the middle":        {[]Entry{a, b, c}, []Entry{a, c}, "\x90\x1d\x91\x3a\x1d"},
		"another one in the middle":            {[]Entry{a, b, c}, []Entry{a, other, c}, "\x90\x1d\x1d" + treeWith(other) + "\x91\x3a\x1d"},
		"new ones at the front stand together": {[]Entry{c}, []Entry{a, b, c}, "\x3a" + treeWith(a, b) + "\x90\x1d"},
		"new ones at the end":                  {[]Entry{a}, []Entry{a, b, c}, "\x90\x1d\x3a" + treeWith(b, c)},
		"all of it new, in more than one insert": {
			nil, []Entry{a, b, c, fileEntry("d", ""), fileEntry("e", "")},
			"\x7f" + treeWith(a, b, c, fileEntry("d", ""), fileEntry("e", ""))[:127] + "\x12" + treeWith(fileEntry("e", ""))[11:],
		},
	} {
		d := &deltaWriter{}
		d.size(len(treeWith(test.old...)))
		d.size(len(treeWith(test.tree...)))
		require.Equal(t, string(d.out)+test.want, string(treeDelta(SHA1, treeWith(test.old...), treeWith(test.tree...))), name)
	}
	require.Nil(t, treeDelta(SHA1, "damaged", treeWith(a)))
	require.Nil(t, treeDelta(SHA1, treeWith(a), "damaged"))
	require.Nil(t, treeDelta(SHA1, treeWith(a)+"damaged", treeWith(b)))

	for name, test := range map[string]struct {
		write func(d *deltaWriter)
		want  string
	}{
		"a size of one byte":             {func(d *deltaWriter) { d.size(0x7f) }, "\x7f"},
		"a size of two":                  {func(d *deltaWriter) { d.size(0x80) }, "\x80\x01"},
		"a size of three":                {func(d *deltaWriter) { d.size(0x4001) }, "\x81\x80\x01"},
		"all that a copy can carry":      {func(d *deltaWriter) { d.copy(0, maxCopy) }, "\x80"},
		"one byte more":                  {func(d *deltaWriter) { d.copy(0, maxCopy+1) }, "\x80\x94\x01\x01"},
		"one byte less":                  {func(d *deltaWriter) { d.copy(1, maxCopy-1) }, "\xb1\x01\xff\xff"},
		"far away":                       {func(d *deltaWriter) { d.copy(0x01020304, 0x0500) }, "\xaf\x04\x03\x02\x01\x05"},
		"zeros are left out":             {func(d *deltaWriter) { d.copy(0x01000200, 5) }, "\x9a\x02\x01\x05"},
		"copies that join":               {func(d *deltaWriter) { d.copy(5, 5); d.copy(10, 2) }, "\x91\x05\x07"},
		"copies that do not":             {func(d *deltaWriter) { d.copy(5, 5); d.copy(11, 2) }, "\x91\x05\x05\x91\x0b\x02"},
		"a copy after one that was cut":  {func(d *deltaWriter) { d.copy(5, 5); d.copy(0, 2) }, "\x91\x05\x05\x90\x02"},
		"an insert before the beginning": {func(d *deltaWriter) { d.tree = "xcc"; d.insert(0, 1); d.copy(0, 2) }, "\x01x\x90\x02"},
		"inserts around a copy":          {func(d *deltaWriter) { d.tree = "xyccz"; d.insert(0, 1); d.insert(1, 1); d.copy(2, 2); d.insert(4, 1) }, "\x02xy\x91\x02\x02\x01z"},
		"all that an insert can carry":   {func(d *deltaWriter) { d.tree = strings.Repeat("x", maxInsert); d.insert(0, maxInsert) }, "\x7f" + strings.Repeat("x", 127)},
		"more than that":                 {func(d *deltaWriter) { d.tree = strings.Repeat("x", maxInsert+1); d.insert(0, maxInsert+1) }, "\x7f" + strings.Repeat("x", 127) + "\x01x"},
	} {
		d := &deltaWriter{}
		test.write(d)
		d.flush()
		require.Equal(t, test.want, string(d.out), name)
	}
}
