package object

import (
	"bytes"
	"compress/zlib" //nolint:gosec // what a pack ends with
	"encoding/binary"
	"io"
	"runtime"

	"github.com/go-git/go-git/v5/plumbing"
)

// packHeader is the length of a pack's header.
const packHeader = 12

// EncodePack writes a pack (gitformat-pack(5)) of the objects: each whole, or those trees as
// deltas whose origins has returns, which the server has to have. An object that was made twice,
// as folders of equal content are, is in the pack once: git unpack-objects --strict refuses a
// repeated tree.
func EncodePack(f Format, objects []Object, has func(ID) (tree string, ok bool)) ([]byte, error) {
	if has == nil {
		has = func(ID) (string, bool) { return "", false }
	}
	trees := &thinner{has: has, origins: map[ID]ID{}}
	packed := make(map[ID]bool, len(objects))
	var bodies bytes.Buffer
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
			bodies.Write(objectHeader(plumbing.REFDeltaObject, len(data)))
			bodies.Write(base.sum[:f.Width()])
		} else {
			bodies.Write(objectHeader(o.Kind, len(data)))
		}
		if err := deflater.deflate(&bodies, data); err != nil {
			return nil, err
		}
	}
	pack := make([]byte, 0, packHeader+bodies.Len()+f.Width())
	pack = append(pack, "PACK"...)
	pack = binary.BigEndian.AppendUint32(pack, 2) // the version
	pack = binary.BigEndian.AppendUint32(pack, uint32(len(packed)))
	pack = append(pack, bodies.Bytes()...)
	return f.sum(pack), nil
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

// deflater compresses what goes into packs. It holds most of a megabyte, which costs more to make
// than a small push to compress; so there are a few for all, and who finds none waits.
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

// takeDeflater returns one for the caller alone. The fastest level makes manifests about 7 %
// larger than the default one, in a quarter of the time.
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
