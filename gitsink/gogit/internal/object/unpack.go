package object

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/format/packfile"

	"github.com/kubescribe/kubescribe/gitsink"
)

const (
	// keptOverhead is what an object of a pack costs beside its bytes: its place in two maps, and
	// what the allocator adds.
	keptOverhead = 336
	// maxDeltaChain is the longest chain of deltas that is followed. git pack-objects --depth makes
	// none that is longer, and index-pack knows no limit: that is the machine's memory.
	maxDeltaChain = 4095
	// sparable is what a buffer may keep for the next object, and what the copies of one are not
	// counted for.
	sparable = 1 << 20
	// inflation is how many times what may be received may come out of it, objects that are dropped
	// included: a megabyte of pack can hold a gigabyte of zeros.
	inflation = 64
)

// Limits bound a pack: the bytes that may come, and those that may be kept of it, overhead
// included.
type Limits struct{ Receive, Hold int64 }

// Unpacked is what a pack holds. Each object is known by the hash of its content, so none can
// stand in for another.
type Unpacked struct {
	Commits, Trees, Blobs Map[string]
}

// kept is an object of a pack.
type kept struct {
	data  string
	chain int32 // deltas that it was made by
	hash  ID
	kind  plumbing.ObjectType
}

// unpacker reads a pack as it arrives (gitformat-pack(5)). Blobs that are not wanted are never
// held in memory, not even as bases of deltas: what is made from a blob is a blob.
type unpacker struct {
	pack      *packReader
	keepBlobs bool
	limits    Limits
	left      int64 // bytes that may still be kept
	inflating int64 // bytes that may still come out of what is received
	byOffset  map[int64]*kept
	byHash    Map[*kept]
	waiting   Map[[]string] // deltas by the hash of their base, which is not here yet
	content   bytes.Buffer  // of the object that is being read
	base      []byte        // of the delta that is being applied
}

// Unpack reads a whole pack. Past a limit it fails with an error that matches errTooMuch.
func Unpack(f Format, r io.Reader, limits Limits, keepBlobs bool) (Unpacked, error) {
	bounded := &boundedReader{r: r, left: limits.Receive}
	u := &unpacker{
		pack: newPackReader(f, bounded), keepBlobs: keepBlobs,
		limits: limits, left: limits.Hold, inflating: inflation * min(limits.Receive, 1<<40),
		byOffset: map[int64]*kept{},
	}
	defer u.pack.close()
	if err := bounded.cause(u.run()); err != nil {
		return Unpacked{}, fmt.Errorf("reading a pack: %w", err)
	}
	var got Unpacked
	u.byOffset, u.waiting = nil, Map[[]string]{}
	for hash, o := range u.byHash.All() {
		switch o.kind {
		case plumbing.CommitObject:
			got.Commits.Set(hash, o.data)
		case plumbing.TreeObject:
			got.Trees.Set(hash, o.data)
		case plumbing.BlobObject:
			got.Blobs.Set(hash, o.data)
		}
		u.byHash.Delete(hash)
	}
	return got, nil
}

func (u *unpacker) run() error {
	count, err := u.pack.header()
	if err != nil {
		return err
	}
	for range count {
		header, err := u.pack.next()
		if err == nil {
			err = u.next(header)
		}
		if err != nil {
			return err
		}
	}
	return u.pack.trailer()
}

// next reads one object. What it leaves unread, the scanner drops before the next one, and checks
// its length. A delta without its base belongs to a blob that was not kept, or its base is still
// to come.
func (u *unpacker) next(header packedHeader) error {
	if u.inflating -= header.length; header.length < 0 || u.inflating < 0 {
		return &LimitError{fmt.Sprintf("what comes out of the pack is more than %d times %d bytes", inflation, u.limits.Receive)}
	}
	var base *kept
	switch header.kind {
	case plumbing.CommitObject, plumbing.TreeObject:
	case plumbing.BlobObject:
		if !u.keepBlobs {
			return nil
		}
	case plumbing.OFSDeltaObject:
		if base = u.byOffset[header.before]; base == nil {
			return nil
		}
	case plumbing.REFDeltaObject:
		base, _ = u.byHash.Get(header.base)
	default: // tags
		return nil
	}
	if err := u.read(header.length); err != nil {
		return err
	}
	switch {
	case !header.kind.IsDelta():
		o, err := u.object(header.kind, 0, u.content.Bytes())
		if err != nil {
			return err
		}
		return u.keep(header.offset, o)
	case base == nil:
		delta, err := u.hold(u.content.Bytes())
		deltas, _ := u.waiting.Get(header.base)
		u.waiting.Set(header.base, append(deltas, delta))
		return err
	}
	o, err := u.patch(base, u.content.Bytes())
	if err != nil {
		return err
	}
	return u.keep(header.offset, o)
}

// read reads the next object into content.
func (u *unpacker) read(size int64) error {
	if !u.fits(size, 0) {
		return u.full()
	}
	if u.content.Reset(); u.content.Cap() > sparable {
		u.content = bytes.Buffer{}
	}
	return u.pack.content(&u.content)
}

// fits reports whether an object may be kept, also while there is a copy of it and of the base that
// it is made from.
func (u *unpacker) fits(size, base int64) bool {
	return size >= 0 && size <= u.left && size-sparable+max(base-sparable, 0) <= u.left-size
}

func (u *unpacker) full() error {
	return &LimitError{fmt.Sprintf("the trees and commits of a fetch take more than %d bytes of memory: raise MaxHeldBytes", u.limits.Hold)}
}

// hold copies what is to be kept, and counts it.
func (u *unpacker) hold(data []byte) (string, error) {
	if u.left -= int64(len(data)) + keptOverhead; u.left < 0 {
		return "", u.full()
	}
	return string(data), nil
}

// object makes an object of what was read or patched.
func (u *unpacker) object(kind plumbing.ObjectType, chain int32, data []byte) (*kept, error) {
	held, err := u.hold(data)
	if err != nil {
		return nil, err
	}
	return &kept{kind: kind, chain: chain, hash: u.pack.format.Name(kind, data), data: held}, nil
}

func (u *unpacker) patch(base *kept, delta []byte) (*kept, error) {
	if base.chain >= maxDeltaChain {
		return nil, &LimitError{fmt.Sprintf("the pack has a chain of more than %d deltas", maxDeltaChain)}
	}
	_, n := binary.Uvarint(delta) // the size of the base, then that of the result
	if size, _ := binary.Uvarint(delta[max(n, 0):]); !u.fits(int64(size), int64(len(base.data))) {
		return nil, u.full()
	}
	if cap(u.base) > sparable {
		u.base = nil
	}
	u.base = append(u.base[:0], base.data...)
	data, err := packfile.PatchDelta(u.base, delta)
	if err != nil {
		return nil, err
	}
	return u.object(base.kind, base.chain+1, data)
}

// keep takes an object, and the deltas that waited for it and for what these have made: a work
// list, since a pack can be one chain. Their offsets are unknown by now, which is no harm: a pack
// names a base either by offset or by hash.
func (u *unpacker) keep(offset int64, o *kept) error {
	u.byOffset[offset] = o
	for pending := []*kept{o}; len(pending) > 0; {
		o, pending = pending[len(pending)-1], pending[:len(pending)-1]
		u.byHash.Set(o.hash, o)
		deltas, _ := u.waiting.Get(o.hash)
		u.waiting.Delete(o.hash)
		for _, delta := range deltas {
			made, err := u.patch(o, []byte(delta))
			if err != nil {
				return err
			}
			u.left += int64(len(delta)) + keptOverhead
			pending = append(pending, made)
		}
	}
	return nil
}

// boundedReader ends with errTooMuch, and left at zero or below, when more than left bytes come.
type boundedReader struct {
	r    io.Reader
	left int64
	err  error // of r, other than io.EOF: the library that reads may turn it into a text
}

func (b *boundedReader) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, ErrTooMuch
	}
	n, err := b.r.Read(p)
	b.left -= int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		b.err = err
	}
	return n, err
}

// cause is why reading a pack has failed: it was too large, the connection failed, or else what
// came whole is no pack.
func (b *boundedReader) cause(err error) error {
	switch {
	case err == nil || errors.Is(err, ErrTooMuch):
		return err
	case b.left <= 0:
		return ErrTooMuch
	case b.err != nil:
		return b.err
	}
	return fmt.Errorf("%w: %w", gitsink.ErrProtocol, err)
}
