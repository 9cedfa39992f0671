package object

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
)

// errMalformed means that what came is no pack.
var errMalformed = errors.New("malformed pack")

// packReader reads a pack object by object, once and from its beginning (gitformat-pack(5)).
// go-git has one too, for names of 20 bytes only.
type packReader struct {
	format  Format
	from    io.Reader
	inflate io.ReadCloser // a zlib reader, once one is needed
	sum     *hasher       // of all that was read before hashed
	left    int64         // bytes of the content that is still to be read; below zero: none

	buffer  [16 << 10]byte
	begins  int64 // the offset of the buffer in the pack
	at, end int   // what is in the buffer, and not read yet
	hashed  int   // what is in sum
	failed  error // of from, when the buffer is empty
}

// packedHeader is what a pack says of an object before its content.
type packedHeader struct {
	kind   plumbing.ObjectType
	offset int64
	length int64
	base   ID    // of a delta that names its base
	before int64 // of a delta whose base comes before it: the offset of that
}

// packReaders are those that are free: what inflates is larger than most packs.
var packReaders sync.Pool

func newPackReader(f Format, from io.Reader) *packReader {
	p, ok := packReaders.Get().(*packReader)
	if !ok {
		p = &packReader{}
	}
	p.format, p.from, p.sum, p.left = f, from, f.hasher(), -1
	p.begins, p.at, p.end, p.hashed, p.failed = 0, 0, 0, 0, nil
	return p
}

// close gives back what others can use.
func (p *packReader) close() {
	hashers[p.format].Put(p.sum)
	p.from, p.sum = nil, nil
	packReaders.Put(p)
}

// fill reads more into an empty buffer.
func (p *packReader) fill() error {
	p.hash()
	p.begins += int64(p.end)
	p.at, p.end, p.hashed = 0, 0, 0
	for range 100 {
		if p.failed != nil {
			return p.failed
		}
		if p.end, p.failed = p.from.Read(p.buffer[:]); p.end > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// hash adds what was read to the sum.
func (p *packReader) hash() {
	p.sum.Write(p.buffer[p.hashed:p.at]) // a hash never fails
	p.hashed = p.at
}

// ReadByte implements io.ByteReader: what inflates takes no byte more than it needs.
func (p *packReader) ReadByte() (byte, error) {
	if p.at == p.end {
		if err := p.fill(); err != nil {
			return 0, err
		}
	}
	b := p.buffer[p.at]
	p.at++
	return b, nil
}

// Read implements io.Reader.
func (p *packReader) Read(data []byte) (int, error) {
	if p.at == p.end && len(data) > 0 {
		if err := p.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(data, p.buffer[p.at:p.end])
	p.at += n
	return n, nil
}

// header reads the beginning of the pack, and returns the number of objects.
func (p *packReader) header() (count uint32, err error) {
	var head [packHeader]byte
	if _, err := io.ReadFull(p, head[:]); err != nil {
		return 0, err
	}
	if version := binary.BigEndian.Uint32(head[4:]); string(head[:4]) != "PACK" || version != 2 {
		return 0, fmt.Errorf("%w: it begins with %q", errMalformed, head[:8])
	}
	return binary.BigEndian.Uint32(head[8:]), nil
}

// next reads up to the content of the next object. What was left unread of the one before is
// dropped.
func (p *packReader) next() (h packedHeader, err error) {
	if err := p.drop(); err != nil {
		return h, err
	}
	h.offset = p.begins + int64(p.at)
	if h.kind, h.length, err = p.kindAndLength(); err != nil {
		return h, err
	}
	switch h.kind {
	case plumbing.OFSDeltaObject:
		back, err := p.distance()
		if err != nil {
			return h, err
		}
		if back <= 0 || back > h.offset-packHeader {
			return h, fmt.Errorf("%w: a delta has no base before it", errMalformed)
		}
		h.before = h.offset - back
	case plumbing.REFDeltaObject:
		var name [maxWidth]byte
		if _, err := io.ReadFull(p, name[:p.format.Width()]); err != nil {
			return h, err
		}
		h.base = idOf(p.format, name[:])
	}
	p.left = h.length
	return h, nil
}

// kindAndLength reads the type, in three bits, and the length: four bits beside the type, and
// seven in each byte that follows.
func (p *packReader) kindAndLength() (kind plumbing.ObjectType, length int64, err error) {
	b, err := p.ReadByte()
	if err != nil {
		return 0, 0, err
	}
	kind, length = plumbing.ObjectType(b>>4&7), int64(b&0xf)
	for shift := 4; b&0x80 != 0; shift += 7 {
		if b, err = p.ReadByte(); err != nil {
			return 0, 0, err
		}
		if shift > 56 || int64(b&0x7f) > math.MaxInt64>>shift {
			return 0, 0, fmt.Errorf("%w: an object has no length that can be", errMalformed)
		}
		length |= int64(b&0x7f) << shift
	}
	return kind, length, nil
}

// distance reads how far back a base is: seven bits a byte, the highest first, and each but the
// last counts one more.
func (p *packReader) distance() (back int64, err error) {
	b, err := p.ReadByte()
	if err != nil {
		return 0, err
	}
	back = int64(b & 0x7f)
	for b&0x80 != 0 {
		if b, err = p.ReadByte(); err != nil {
			return 0, err
		}
		if back >= math.MaxInt64>>8 {
			return 0, fmt.Errorf("%w: a delta has no base before it", errMalformed)
		}
		back = (back+1)<<7 | int64(b&0x7f)
	}
	return back, nil
}

// content writes the content of the object whose header was read last.
func (p *packReader) content(to io.Writer) error {
	length := p.left
	p.left = -1
	var err error
	if p.inflate == nil {
		p.inflate, err = zlib.NewReader(p)
	} else {
		err = p.inflate.(zlib.Resetter).Reset(p, nil)
	}
	if err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(p.inflate, length))
	if err != nil {
		return err
	}
	var more [1]byte
	switch k, err := io.ReadFull(p.inflate, more[:]); { // to its end, where its checksum is
	case k > 0, n != length:
		return fmt.Errorf("%w: an object has another length than %d bytes", errMalformed, length)
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// drop reads what was left unread of an object.
func (p *packReader) drop() error {
	if p.left < 0 {
		return nil
	}
	return p.content(io.Discard)
}

// trailer reads the end of the pack: the hash of all that came before.
func (p *packReader) trailer() error {
	if err := p.drop(); err != nil {
		return err
	}
	p.hash()
	var want, got [maxWidth]byte
	p.sum.Sum(want[:0])
	if _, err := io.ReadFull(p, got[:p.format.Width()]); err != nil {
		return err
	}
	if !bytes.Equal(got[:], want[:]) {
		return fmt.Errorf("%w: it ends with another hash than its own", errMalformed)
	}
	return nil
}
