package gogit

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1" //nolint:gosec // what a pack ends with
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"
)

// errTooMuch means that a fetch is larger than it may be.
var errTooMuch = errors.New("the pack is larger than allowed")

// object is a Git object that is not stored anywhere yet.
type object struct {
	kind plumbing.ObjectType
	hash plumbing.Hash
	data []byte
	from plumbing.Hash // of a tree: the one that it takes the place of; zero: none
}

func newObject(kind plumbing.ObjectType, data []byte) object {
	return object{kind: kind, hash: plumbing.ComputeHash(kind, data), data: data}
}

// encodePack writes a pack (gitformat-pack(5)) of the objects: each whole, or those trees as deltas whose origins has
// returns, which the server has to have. An object that was made twice, as folders of equal content are, is in the pack
// once: git unpack-objects --strict refuses a repeated tree.
func encodePack(objects []object, has func(plumbing.Hash) (tree string, ok bool)) ([]byte, error) {
	if has == nil {
		has = func(plumbing.Hash) (string, bool) { return "", false }
	}
	trees := &thinner{has: has, origins: map[plumbing.Hash]plumbing.Hash{}}
	packed := make(map[plumbing.Hash]bool, len(objects))
	var bodies bytes.Buffer
	deflater := takeDeflater()
	defer deflater.giveBack()
	for _, o := range objects {
		if packed[o.hash] {
			continue
		}
		packed[o.hash] = true
		data := o.data
		if base, delta := trees.thin(o); delta != nil {
			data = delta
			bodies.Write(objectHeader(plumbing.REFDeltaObject, len(data)))
			bodies.Write(base[:])
		} else {
			bodies.Write(objectHeader(o.kind, len(data)))
		}
		if err := deflater.deflate(&bodies, data); err != nil {
			return nil, err
		}
	}
	pack := make([]byte, 0, packHeader+bodies.Len()+sha1.Size)
	pack = append(pack, "PACK"...)
	pack = binary.BigEndian.AppendUint32(pack, 2) // the version
	pack = binary.BigEndian.AppendUint32(pack, uint32(len(packed)))
	pack = append(pack, bodies.Bytes()...)
	sum := sha1.Sum(pack)
	return append(pack, sum[:]...), nil
}

// packHeader is the length of a pack's header.
const packHeader = 12

// objectHeader is the type and the size: 4 bits of it in the first byte, 7 in each that follows, the lowest first.
func objectHeader(kind plumbing.ObjectType, length int) []byte {
	header := []byte{byte(kind)<<4 | byte(length&0xf)}
	for size := length >> 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	return header
}

// deflater compresses what goes into packs. It holds most of a megabyte, which costs more to make than a small push to
// compress; so there are a few for all, and who finds none waits.
type deflater struct{ w *zlib.Writer }

// deflaters are those that are free; the nil ones are not made yet.
var deflaters = func() chan *deflater {
	n := min(runtime.GOMAXPROCS(0), 4)
	free := make(chan *deflater, n)
	for range n {
		free <- nil
	}
	return free
}()

// takeDeflater returns one for the caller alone. The fastest level makes manifests about 7 % larger than the default one, in
// a quarter of the time.
func takeDeflater() *deflater {
	if d := <-deflaters; d != nil {
		return d
	}
	w, _ := zlib.NewWriterLevel(io.Discard, zlib.BestSpeed) // the level is valid
	return &deflater{w}
}

func (d *deflater) giveBack() {
	d.w.Reset(io.Discard) // so as not to hold the pack
	deflaters <- d
}

func (d *deflater) deflate(to io.Writer, data []byte) error {
	d.w.Reset(to)
	if _, err := d.w.Write(data); err != nil {
		return err
	}
	return d.w.Close()
}

// unpacked is what a pack holds. Each object is known by the hash of its content, so none can stand in for another.
type unpacked struct {
	commits map[plumbing.Hash][]byte
	trees   map[plumbing.Hash]string
	blobs   map[plumbing.Hash][]byte
}

// unpacker reads a pack as it arrives (gitformat-pack(5)). Blobs that are not wanted are never held in memory, not even as
// bases of deltas: what is made from a blob is a blob.
type unpacker struct {
	scanner   *packfile.Scanner
	keepBlobs bool
	left      int64 // bytes that may still be kept
	byOffset  map[int64]object
	byHash    map[plumbing.Hash]object
	waiting   map[plumbing.Hash][][]byte // deltas by the hash of their base, which is not here yet
}

// unpack reads a whole pack of at most limit bytes, and keeps at most limit bytes of it. Past either it fails with
// errTooMuch.
func unpack(r io.Reader, limit int64, keepBlobs bool) (unpacked, error) {
	bounded := &boundedReader{r: r, left: limit}
	u := &unpacker{
		scanner: packfile.NewScanner(bounded), keepBlobs: keepBlobs, left: limit,
		byOffset: map[int64]object{}, byHash: map[plumbing.Hash]object{}, waiting: map[plumbing.Hash][][]byte{},
	}
	err := u.run()
	if bounded.left <= 0 {
		err = errTooMuch
	}
	if err != nil {
		return unpacked{}, fmt.Errorf("reading a pack: %w", err)
	}
	got := unpacked{commits: map[plumbing.Hash][]byte{}, trees: map[plumbing.Hash]string{}, blobs: map[plumbing.Hash][]byte{}}
	for hash, o := range u.byHash {
		switch o.kind {
		case plumbing.CommitObject:
			got.commits[hash] = o.data
		case plumbing.TreeObject:
			got.trees[hash] = string(o.data)
		case plumbing.BlobObject:
			got.blobs[hash] = o.data
		}
	}
	return got, nil
}

func (u *unpacker) run() error {
	_, count, err := u.scanner.Header()
	if err != nil {
		return err
	}
	for range count {
		header, err := u.scanner.NextObjectHeader()
		if err == nil {
			err = u.next(header)
		}
		if err != nil {
			return err
		}
	}
	_, err = u.scanner.Checksum()
	return err
}

// next reads one object. A delta without its base belongs to a blob that was not kept, or its base is still to come.
func (u *unpacker) next(header *packfile.ObjectHeader) error {
	base := object{}
	switch header.Type {
	case plumbing.CommitObject, plumbing.TreeObject:
	case plumbing.BlobObject:
		if !u.keepBlobs {
			return u.skip()
		}
	case plumbing.OFSDeltaObject:
		known := false
		if base, known = u.byOffset[header.OffsetReference]; !known {
			return u.skip()
		}
	case plumbing.REFDeltaObject:
		base = u.byHash[header.Reference]
	default: // tags
		return u.skip()
	}
	data, err := u.read(header.Length)
	switch {
	case err != nil:
		return err
	case !header.Type.IsDelta():
		return u.keep(header.Offset, newObject(header.Type, data))
	case base.kind == plumbing.InvalidObject:
		u.waiting[header.Reference] = append(u.waiting[header.Reference], data)
		return nil
	}
	return u.patch(header.Offset, base, data)
}

func (u *unpacker) skip() error {
	_, _, err := u.scanner.NextObject(io.Discard)
	return err
}

func (u *unpacker) read(size int64) ([]byte, error) {
	if size > u.left {
		return nil, errTooMuch
	}
	var content bytes.Buffer
	content.Grow(int(min(size, 1<<20)))
	if _, _, err := u.scanner.NextObject(&content); err != nil {
		return nil, err
	}
	if int64(content.Len()) != size {
		return nil, fmt.Errorf("%w: an object has %d bytes, not %d", packfile.ErrMalformedPackFile, content.Len(), size)
	}
	u.left -= size
	return content.Bytes(), nil
}

func (u *unpacker) patch(offset int64, base object, delta []byte) error {
	_, n := binary.Uvarint(delta) // the size of the base, then that of the result
	size, _ := binary.Uvarint(delta[max(n, 0):])
	if size > uint64(u.left) {
		return errTooMuch
	}
	data, err := packfile.PatchDelta(base.data, delta)
	if err != nil {
		return err
	}
	u.left -= int64(len(data)) - int64(len(delta))
	return u.keep(offset, newObject(base.kind, data))
}

// keep takes an object, and the deltas that waited for it; their offsets are unknown by now, which is no harm: a pack
// names a base either by offset or by hash.
func (u *unpacker) keep(offset int64, o object) error {
	if offset >= 0 {
		u.byOffset[offset] = o
	}
	u.byHash[o.hash] = o
	deltas := u.waiting[o.hash]
	delete(u.waiting, o.hash)
	for _, delta := range deltas {
		if err := u.patch(-1, o, delta); err != nil {
			return err
		}
	}
	return nil
}

// boundedReader ends with errTooMuch, and left at zero or below, when more than left bytes come.
type boundedReader struct {
	r    io.Reader
	left int64
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooMuch
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	return n, err
}
