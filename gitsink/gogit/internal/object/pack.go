package object

import (
	"bytes"
	"encoding/binary"

	"github.com/go-git/go-git/v5/plumbing"
)

// packHeader is the length of a pack's header.
const packHeader = 12

// EncodePack writes a pack (gitformat-pack(5)) of the objects: each whole, or those trees as
// deltas whose origins has returns, which the server has to have. An object that was made twice,
// as folders of equal content are, is in the pack once: git unpack-objects --strict refuses a
// repeated tree.
func EncodePack(f Format, objects []Object, has func(ID) (tree string, ok bool)) []byte {
	if has == nil {
		has = func(ID) (string, bool) { return "", false }
	}
	trees := &thinner{has: has, origins: map[ID]ID{}}
	packed := make(map[ID]bool, len(objects))
	pack := bytes.NewBuffer(make([]byte, packHeader, packHeader+sizeOf(objects)/usualRatio+f.Width()))
	deflater := takeDeflater()
	defer deflater.giveBack()
	for _, o := range objects {
		if packed[o.Hash] {
			continue
		}
		packed[o.Hash] = true
		data := o.Data
		if base, delta := trees.thin(o); delta != nil {
			data = delta
			pack.Write(objectHeader(plumbing.REFDeltaObject, len(data)))
			pack.Write(base.sum[:f.Width()])
		} else {
			pack.Write(objectHeader(o.Kind, len(data)))
		}
		if o.Kind == plumbing.BlobObject {
			pack.Write(known.deflated(o.Hash, data, deflater))
		} else {
			deflater.deflate(pack, data)
		}
	}
	header := pack.Bytes()
	copy(header, "PACK")
	binary.BigEndian.PutUint32(header[4:], 2) // the version
	binary.BigEndian.PutUint32(header[8:], uint32(len(packed)))
	return f.sum(pack.Bytes())
}

// usualRatio is what manifests compress to, about. A pack that is larger grows.
const usualRatio = 3

func sizeOf(objects []Object) (n int) {
	for _, o := range objects {
		n += len(o.Data)
	}
	return n
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
