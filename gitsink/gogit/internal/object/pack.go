package object

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
)

// packHeader is the length of a pack's header.
const packHeader = 12

// Pack is a pack in parts, which nobody may change. Contents that several packs have are in memory
// once: a seed pushes the same objects to each destination.
type Pack [][]byte

// Bytes returns the pack in one piece.
func (p Pack) Bytes() []byte { return bytes.Join(p, nil) }

// EncodePack writes a pack (gitformat-pack(5)) of the objects: each whole, or those trees as
// deltas whose origins has returns, which the server has to have. An object that was made twice,
// as folders of equal content are, is in the pack once: git unpack-objects --strict refuses a
// repeated tree.
func EncodePack(f Format, objects []Object, has func(ID) (tree string, ok bool)) Pack {
	if has == nil {
		has = func(ID) (string, bool) { return "", false }
	}
	trees := &thinner{has: has, origins: map[ID]ID{}}
	deflater := takeDeflater()
	defer deflater.giveBack()
	objects = once(objects)
	w := newPackWriter(f, len(objects))
	for _, o := range objects {
		data := o.Data
		if base, delta := trees.thin(o); delta != nil {
			data = delta
			w.write(objectHeader(plumbing.REFDeltaObject, len(data)))
			w.write(base.sum[:f.Width()])
		} else {
			w.write(objectHeader(o.Kind, len(data)))
		}
		if o.Kind == plumbing.BlobObject {
			w.write(known.deflated(o.Hash, data, deflater))
		} else {
			w.write(deflater.deflated(data))
		}
	}
	return w.end()
}

// once returns the objects without those that come again.
func once(objects []Object) []Object {
	seen := make(map[ID]bool, len(objects))
	return slices.DeleteFunc(slices.Clone(objects), func(o Object) bool {
		again := seen[o.Hash]
		seen[o.Hash] = true
		return again
	})
}

// packWriter puts a pack together. Short pieces are copied into chunks, one after the other; long
// ones become parts as they are.
type packWriter struct {
	format Format
	hash   *hasher
	pack   Pack
	chunk  []byte // of which all before from is in the pack
	from   int
}

const (
	packChunk = 16 << 10
	longPiece = 512
)

func newPackWriter(f Format, objects int) *packWriter {
	w := &packWriter{format: f, hash: f.hasher()}
	header := append(make([]byte, 0, packHeader), "PACK"...)
	header = binary.BigEndian.AppendUint32(header, 2) // the version
	w.write(binary.BigEndian.AppendUint32(header, uint32(objects)))
	return w
}

func (w *packWriter) write(piece []byte) {
	w.hash.Write(piece) // a hash never fails
	w.put(piece)
}

func (w *packWriter) put(piece []byte) {
	if len(piece) >= longPiece {
		w.cut()
		w.pack = append(w.pack, piece)
		return
	}
	if len(w.chunk)+len(piece) > cap(w.chunk) {
		w.cut()
		w.chunk, w.from = make([]byte, 0, packChunk), 0
	}
	w.chunk = append(w.chunk, piece...)
}

// cut makes a part of what was copied since the last one.
func (w *packWriter) cut() {
	if part := w.chunk[w.from:]; len(part) > 0 {
		w.pack = append(w.pack, part)
		w.from = len(w.chunk)
	}
}

func (w *packWriter) end() Pack {
	w.put(w.hash.Sum(nil))
	w.cut()
	hashers[w.format].Put(w.hash)
	return w.pack
}

// objectHeader is the type and the size: 4 bits of it in the first byte, 7 in each that follows,
// the lowest first.
func objectHeader(kind plumbing.ObjectType, length int) []byte {
	header := []byte{byte(kind)<<4 | byte(length&0xf)}
	for size := length >> 4; size > 0; size >>= 7 {
		header[len(header)-1] |= 0x80
		header = append(header, byte(size&0x7f))
	}
	return header
}
