package object

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
)

// gitIn runs git in a folder and returns what it writes.
func gitIn(t *testing.T, folder, input string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir, cmd.Stdin = folder, strings.NewReader(input)
	var words bytes.Buffer
	cmd.Stderr = &words
	out, err := cmd.Output()
	require.NoError(t, err, "git %v: %s", args, words.String())
	return string(out)
}

func TestObjectsHaveTheNamesThatGitGivesThem(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{SHA1, SHA256} {
		folder := t.TempDir()
		gitIn(t, folder, "", "init", "-q", "--bare", "--object-format="+f.String())
		for _, data := range []string{"", "hello\n", strings.Repeat("x", 100_000)} {
			want := strings.TrimSpace(gitIn(t, folder, data, "hash-object", "--stdin"))
			id := f.Name(plumbing.BlobObject, []byte(data))
			require.Equal(t, want, id.String())
			require.Len(t, want, 2*f.Width())
			require.Equal(t, f, id.Format())
			parsed, ok := ParseID(f, want)
			require.True(t, ok)
			require.Equal(t, id, parsed)
			require.Equal(t, id, idOf(f, id.Bytes()))
		}
		require.Equal(t, strings.TrimSpace(gitIn(t, folder, "", "hash-object", "-t", "tree", "--stdin")), f.EmptyTree().String())
	}
}

func TestANameOfOneFormatIsNoneOfAnother(t *testing.T) {
	t.Parallel()
	for name, f := range map[string]Format{"sha1": SHA1, "sha256": SHA256} {
		got, ok := FormatOf(name)
		require.True(t, ok)
		require.Equal(t, f, got)
		require.Equal(t, name, f.String())
		zero, ok := ParseID(f, strings.Repeat("0", 2*f.Width()))
		require.True(t, ok)
		require.Equal(t, ID{}, zero, "zeros name nothing, whatever the format")
		require.Len(t, zero.Hex(f), 2*f.Width())
	}
	_, ok := FormatOf("md5")
	require.False(t, ok)
	for _, digits := range []string{"", "1", strings.Repeat("1", 64), strings.Repeat("g", 40), strings.Repeat("1", 39)} {
		_, ok := ParseID(SHA1, digits)
		require.False(t, ok, digits)
	}
	short := hexID(strings.Repeat("1", 40))
	long := hexID(strings.Repeat("1", 40) + strings.Repeat("0", 24))
	require.NotEqual(t, short, long, "what follows a short name is not a part of it")
	require.Negative(t, hexID(someHash).Compare(hexID(otherHash)))
}

func TestAMapKeepsTheFormatsApart(t *testing.T) {
	t.Parallel()
	var m Map[string]
	short, long := hexID(strings.Repeat("1", 40)), hexID(strings.Repeat("1", 40)+strings.Repeat("0", 24))
	require.False(t, m.Has(short))
	m.Set(short, "short")
	require.False(t, m.Has(long))
	m.Set(long, "long")
	require.Equal(t, 2, m.Len())
	require.Equal(t, map[ID]string{short: "short", long: "long"}, maps.Collect(m.All()))
	for range m.All() {
		break // who has enough gets no more
	}
	m.Delete(long)
	value, ok := m.Get(short)
	require.True(t, ok)
	require.Equal(t, "short", value)
	m.Delete(short)
	require.Zero(t, m.Len())
}

// The packs of each format go both ways: git reads what is written here, and what git writes is
// read.
func TestPacksOfEachFormatAreThoseOfGit(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{SHA1, SHA256} {
		folder := t.TempDir()
		gitIn(t, folder, "", "init", "-q", "--bare", "--object-format="+f.String())
		store := NewStore()
		e, err := NewEditor(f, store, ID{})
		require.NoError(t, err)
		for i := range 200 {
			path := fmt.Sprintf("dir/file-%03d", i)
			require.NoError(t, e.Apply(path, gitsink.Change{Path: path, Data: []byte(path)}))
		}
		send := func(root, parent ID, objects []Object) Object {
			commit := New(f, plumbing.CommitObject, EncodeCommit(root, parent, gitsink.Commit{Message: "m"}, gitsink.Signature{Name: "o"}, time.Unix(1_800_000_000, 0)))
			pack := EncodePack(f, append(objects, commit), store.Lookup).Bytes()
			gitIn(t, folder, string(pack), "index-pack", "--stdin", "--fix-thin", "--strict")
			gitIn(t, folder, "", "update-ref", "refs/heads/main", commit.Hash.String())
			gitIn(t, folder, "", "fsck", "--strict", "--no-dangling")
			for _, o := range objects {
				if o.Kind == plumbing.TreeObject {
					store.Add(o.Hash, string(o.Data))
				}
			}
			return commit
		}
		root, objects := e.Commit()
		first := send(root, ID{}, objects)
		require.NoError(t, e.Apply("dir/file-100", gitsink.Change{Path: "dir/file-100", Data: []byte("new")}))
		root, objects = e.Commit()
		thin := EncodePack(f, objects, store.Lookup).Bytes()
		require.Less(t, len(thin), 600, "the folder goes as a delta")
		second := send(root, first.Hash, objects)
		got, err := RootOf(f, gitIn(t, folder, "", "cat-file", "commit", "main"))
		require.NoError(t, err)
		require.Equal(t, root, got)

		gitIn(t, folder, "", "repack", "-adq")
		// Bases are named by offset, or by name.
		for _, offsets := range []string{"--delta-base-offset", "--no-reuse-object"} {
			pack := gitIn(t, folder, second.Hash.String()+"\n", "pack-objects", "--stdout", "--revs", "-q", offsets)
			read, err := Unpack(f, strings.NewReader(pack), Limits{1 << 20, 1 << 20}, true)
			require.NoError(t, err)
			require.Equal(t, 2, read.Commits.Len())
			require.Equal(t, 4, read.Trees.Len())
			require.Equal(t, 201, read.Blobs.Len())
			for hash, data := range read.Trees.All() {
				require.Equal(t, hash, f.Name(plumbing.TreeObject, []byte(data)))
			}
			damaged := []byte(pack)
			damaged[len(damaged)-1] ^= 1
			_, err = Unpack(f, bytes.NewReader(damaged), Limits{1 << 20, 1 << 20}, true)
			require.ErrorIs(t, err, gitsink.ErrProtocol, "it ends with another hash than its own")
		}
	}
}

func TestASignatureStandsWhereItsFormatHasIt(t *testing.T) {
	t.Parallel()
	for f, header := range map[Format]string{SHA1: "\ngpgsig a\n b\n\nm\n", SHA256: "\ngpgsig-sha256 a\n b\n\nm\n"} {
		signed := WithSignature(f, []byte("tree x\n\nm\n"), "a\nb")
		require.Equal(t, "tree x"+header, string(signed))
		require.True(t, IsSigned(New(f, plumbing.CommitObject, signed)))
		require.False(t, IsSigned(New(f, plumbing.CommitObject, []byte("tree x\n\nm\n"))))
	}
}

// FuzzPackReader reads what may be a pack as go-git's scanner does: the same objects, or an error
// of both. A delta whose base would lie in the pack's header is an error for us, as for git, but
// not for go-git.
func FuzzPackReader(f *testing.F) {
	pack := EncodePack(SHA1, blobs(0, 15, 100), nil).Bytes()
	f.Add(pack)
	f.Add(gogittest.DeltaChain(3))
	f.Add(pack[:len(pack)-1])
	f.Add([]byte("PACK\x00\x00\x00\x020000a\x01"))
	f.Fuzz(func(t *testing.T, pack []byte) {
		p := newPackReader(SHA1, bytes.NewReader(pack))
		defer p.close()
		judge := packfile.NewScanner(io.MultiReader(bytes.NewReader(pack)))
		count, err := p.header()
		_, want, judged := judge.Header()
		require.Equal(t, judged == nil, err == nil)
		if err != nil {
			return
		}
		require.Equal(t, want, count)
		for range count {
			h, err := p.next()
			j, judged := judge.NextObjectHeader()
			if judged == nil && j.Type == plumbing.OFSDeltaObject && (j.OffsetReference < packHeader || j.OffsetReference >= j.Offset) {
				require.ErrorIs(t, err, errMalformed)
				return
			}
			require.Equal(t, judged == nil, err == nil, "%v and %v", judged, err)
			if err != nil {
				return
			}
			require.Equal(t, j.Type, h.kind)
			require.Equal(t, j.Length, h.length)
			require.Equal(t, j.Offset, h.offset)
			require.Equal(t, j.OffsetReference, h.before)
			require.Equal(t, j.Reference.String(), h.base.String())
			if h.length > 1<<20 {
				return
			}
			var content, other bytes.Buffer
			err = p.content(&content)
			_, _, judged = judge.NextObject(&other)
			if judged == nil && int64(other.Len()) != h.length { // which go-git leaves to who reads
				judged = errMalformed
			}
			require.Equal(t, judged == nil, err == nil, "%v and %v", judged, err)
			if err != nil {
				return
			}
			require.Equal(t, other.String(), content.String())
		}
		_, judged = judge.Checksum()
		require.Equal(t, judged == nil, p.trailer() == nil)
	})
}
