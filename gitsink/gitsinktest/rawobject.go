package gitsinktest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// objectName is the hash of an object.
type objectName [sha1.Size]byte

// String returns the hexadecimal digits.
func (n objectName) String() string { return hex.EncodeToString(n[:]) }

// The types of objects in a pack (gitformat-pack(5)).
const (
	packedCommit   = 1
	packedTree     = 2
	packedBlob     = 3
	packedRefDelta = 7
)

// rawObjects are objects that Git may find invalid. They go into the pack as they come, since there
// can be many.
type rawObjects struct {
	known map[objectName]bool
	pack  bytes.Buffer
	count uint32
	zip   *zlib.Writer
}

func newRawObjects() *rawObjects {
	zip, _ := zlib.NewWriterLevel(io.Discard, zlib.NoCompression) // the level is valid
	return &rawObjects{known: map[objectName]bool{}, zip: zip}
}

func nameOf(kind int, data []byte) objectName {
	names := map[int]string{packedCommit: "commit", packedTree: "tree", packedBlob: "blob"}
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", names[kind], len(data))
	h.Write(data)
	return objectName(h.Sum(nil))
}

func (o *rawObjects) add(kind int, data []byte) objectName {
	name := nameOf(kind, data)
	if !o.known[name] {
		o.known[name] = true
		o.count++
		writePacked(&o.pack, o.zip, kind, nil, data)
	}
	return name
}

// writePacked writes an entry of a pack: an object, or a delta on a base.
func writePacked(w io.Writer, zip *zlib.Writer, kind int, base, data []byte) {
	header := []byte{byte(kind)<<4 | byte(len(data)&0xf)}
	for size := len(data) >> 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	_, _ = w.Write(append(header, base...))
	zip.Reset(w)
	_, _ = zip.Write(data)
	_ = zip.Close()
}

func (o *rawObjects) blob(content string) objectName { return o.add(packedBlob, []byte(content)) }

// rawEntry is an entry of a tree.
type rawEntry struct {
	mode, name string
	object     objectName
}

const (
	rawFolder  = "40000"
	rawFile    = gitservertest.ModeRegular
	rawSymlink = gitservertest.ModeSymlink
)

// tree makes a tree of the entries in their order.
func (o *rawObjects) tree(entries ...rawEntry) objectName {
	var data []byte
	for _, e := range entries {
		data = append(append(append(append(append(data, e.mode...), ' '), e.name...), 0), e.object[:]...)
	}
	return o.add(packedTree, data)
}

// fold makes a tree of so many entries that are all one object, named by their numbers.
func (o *rawObjects) fold(entries int, mode string, object objectName) objectName {
	var all []rawEntry
	for i := range entries {
		all = append(all, rawEntry{mode, fmt.Sprintf("%03d", i), object})
	}
	return o.tree(all...)
}

// nest puts an object so many folders deep.
func (o *rawObjects) nest(depth int, e rawEntry) objectName {
	tree := o.tree(e)
	for range depth {
		tree = o.tree(rawEntry{rawFolder, "d", tree})
	}
	return tree
}

func (o *rawObjects) commit(tree objectName) objectName {
	return o.add(packedCommit, fmt.Appendf(nil, "tree %s\nauthor A <a@example.com> 1 +0000\ncommitter A <a@example.com> 1 +0000\n\nhostile\n", tree))
}

// packHeader begins a pack.
func packHeader(count uint32) []byte {
	return binary.BigEndian.AppendUint32([]byte("PACK\x00\x00\x00\x02"), count)
}

// branch puts the objects into a repository without a check, and the branch main at a commit of the
// tree.
func (o *rawObjects) branch(t testing.TB, r *gitservertest.Repo, tree objectName) {
	t.Helper()
	tip := o.commit(tree)
	pack := filepath.Join(r.Dir(), "objects", "pack", "pack-raw.pack")
	if err := o.write(pack); err != nil {
		t.Fatalf("gitsinktest: %v", err)
	}
	r.Git("index-pack", pack)
	r.Git("update-ref", "refs/heads/main", tip.String())
}

// write writes a pack of the objects, with its checksum.
func (o *rawObjects) write(path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	sum := sha1.New()
	all := io.MultiReader(bytes.NewReader(packHeader(o.count)), bytes.NewReader(o.pack.Bytes()))
	_, err = io.Copy(io.MultiWriter(file, sum), all)
	if err == nil {
		_, err = file.Write(sum.Sum(nil))
	}
	return errors.Join(err, file.Close())
}
