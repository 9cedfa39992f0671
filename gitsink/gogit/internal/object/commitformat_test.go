package object

import (
	"bytes"
	"maps"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
)

func TestACommitIsWrittenAsGitWouldWriteIt(t *testing.T) {
	t.Parallel()
	root, parent := hexID(someHash), hexID(otherHash)
	now := time.Unix(1000, 0)
	const fallback = "bot <bot@x>"
	who := func(name, email string, when int64) gitsink.Signature {
		s := gitsink.Signature{Name: name, Email: email}
		if when != 0 {
			s.When = time.Unix(when, 5).In(time.FixedZone("", 3600))
		}
		return s
	}
	for name, test := range map[string]struct {
		author, committer gitsink.Signature
		wantAuthor        string
		wantCommitter     string
	}{
		"nobody":                          {who("", "", 0), who("", "", 0), fallback + " 1000 +0000", fallback + " 1000 +0000"},
		"nobody, at a time":               {who("", "", 0), who("", "", 7), fallback + " 7 +0000", fallback + " 7 +0000"},
		"nobody, authored at a time":      {who("", "", 5), who("", "", 7), fallback + " 5 +0000", fallback + " 7 +0000"},
		"an author":                       {who("A", "a@x", 0), who("", "", 7), "A <a@x> 1000 +0000", fallback + " 7 +0000"},
		"an author at a time":             {who("A", "a@x", 5), who("", "", 0), "A <a@x> 5 +0000", fallback + " 1000 +0000"},
		"a committer":                     {who("", "", 0), who("C", "c@x", 7), "C <c@x> 7 +0000", "C <c@x> 7 +0000"},
		"a committer, authored earlier":   {who("", "", 5), who("C", "c@x", 7), "C <c@x> 5 +0000", "C <c@x> 7 +0000"},
		"both":                            {who("A", "a@x", 5), who("C", "c@x", 7), "A <a@x> 5 +0000", "C <c@x> 7 +0000"},
		"names alone":                     {who("A", "", 5), who("C", "", 7), "A <> 5 +0000", "C <> 7 +0000"},
		"addresses alone":                 {who("", "a@x", 5), who("", "c@x", 7), "a@x <a@x> 5 +0000", "c@x <c@x> 7 +0000"},
		"a name of which nothing is left": {who("<>", "", 5), who(".", ",", 7), "unknown <> 5 +0000", "unknown <> 7 +0000"},
		"what ends a name or a line":      {who("A<B>C\nD\x00E\x1fF\x7fG H", "a b<@>\n", 5), who(" .C, 'D'\\", "c", 7), "ABCDEFG H <a b@> 5 +0000", "C, 'D <c> 7 +0000"},
		"before and after all times":      {who("A", "a", -1), who("C", "c", lastSecond+1), "A <a> 0 +0000", "C <c> 253402300799 +0000"},
		"at the last of all times":        {who("A", "a", 1), who("C", "c", lastSecond), "A <a> 1 +0000", "C <c> 253402300799 +0000"},
		"bytes that are no text":          {who("A\xff", "a", 5), who("ä", "ö", 7), "A\uFFFD <a> 5 +0000", "ä <ö> 7 +0000"},
	} {
		for _, p := range []ID{parent, {}} {
			want := "tree " + someHash + "\n"
			if p == parent {
				want += "parent " + otherHash + "\n"
			}
			want += "author " + test.wantAuthor + "\ncommitter " + test.wantCommitter + "\n\nwhy\n"
			commit := gitsink.Commit{Author: test.author, Committer: test.committer, Message: "why"}
			require.Equal(t, want, string(EncodeCommit(root, p, commit, who("bot", "bot@x", 3), now)), name)
		}
	}
	for message, want := range map[string]string{
		"": "update\n", " \n\t": "update\n", "\x00": "update\n", "\n why\n\nbody \n\n": "why\n\nbody\n", "a\x00b\xff": "ab\uFFFD\n",
	} {
		require.Equal(t, want, cleanMessage(message), "%q", message)
	}
}

func TestThePackHoldsEachObjectOnce(t *testing.T) {
	t.Parallel()
	var many []Entry
	for _, c := range "abcdefghij" {
		many = append(many, fileEntry(string(c), "1"))
	}
	old := treeWith(many...)
	tree := New(SHA1, plumbing.TreeObject, []byte(treeWith(append(many, fileEntry("k", "1"))...)))
	require.Equal(t, plumbing.TreeObject, tree.Kind)
	require.Equal(t, hashOfTree(string(tree.Data)), tree.Hash)
	tree.From = hashOfTree(old)
	blob := New(SHA1, plumbing.BlobObject, []byte("data"))
	commit := New(SHA1, plumbing.CommitObject, []byte("tree "+someHash+"\n"))
	objects := []Object{blob, tree, blob, commit, tree}

	whole := EncodePack(SHA1, objects, nil).Bytes()
	require.Equal(t, "PACK\x00\x00\x00\x02\x00\x00\x00\x03", string(whole[:packHeader]))
	got, err := Unpack(SHA1, bytes.NewReader(whole), Limits{1 << 20, 1 << 20}, true)
	require.NoError(t, err)
	want := Unpacked{
		Commits: *mapOf(map[ID]string{commit.Hash: string(commit.Data)}),
		Trees:   *mapOf(map[ID]string{tree.Hash: string(tree.Data)}),
		Blobs:   *mapOf(map[ID]string{blob.Hash: string(blob.Data)}),
	}
	require.Equal(t, want, got)

	has := func(h ID) (string, bool) { return old, h == tree.From }
	thin := EncodePack(SHA1, objects, has).Bytes()
	require.Contains(t, string(thin), tree.From.raw(), "the base of the delta")
	got, err = Unpack(SHA1, bytes.NewReader(thin), Limits{1 << 20, 1 << 20}, true)
	require.NoError(t, err)
	require.Zero(t, got.Trees.Len(), "its base is not in the pack")
	require.Equal(t, want.Commits, got.Commits)
	require.Equal(t, want.Blobs, got.Blobs)
	base := New(SHA1, plumbing.TreeObject, []byte(old))
	thin = EncodePack(SHA1, append(objects, base), has).Bytes()
	got, err = Unpack(SHA1, bytes.NewReader(thin), Limits{1 << 20, 1 << 20}, true)
	require.NoError(t, err)
	require.Equal(t, string(tree.Data), maps.Collect(got.Trees.All())[tree.Hash])

	empty := EncodePack(SHA1, nil, nil).Bytes()
	require.Len(t, empty, packHeader+20)
}

func TestTheSizeOfAnObjectIsWrittenInSevens(t *testing.T) {
	t.Parallel()
	for length, want := range map[int]string{
		0: "\x30", 15: "\x3f", 16: "\xb0\x01", 2047: "\xbf\x7f", 2048: "\xb0\x80\x01", 1<<18 + 1: "\xb1\x80\x80\x01",
	} {
		require.Equal(t, want, string(objectHeader(plumbing.BlobObject, length)), "%d bytes", length)
	}
	require.Equal(t, "\x7f", string(objectHeader(plumbing.REFDeltaObject, 15)))
}
