package object

import (
	"bytes"
	"compress/zlib"
	"io"
	"runtime"
	"sync"
	"weak"
)

// deflater compresses what goes into packs. It holds most of a megabyte, which costs more to make
// than a small push to compress; so there are a few for all, and who finds none waits.
type deflater struct {
	w  *zlib.Writer
	to bytes.Buffer // of deflated
}

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
	return &deflater{w: w}
}

func (d *deflater) giveBack() {
	d.w.Reset(io.Discard) // so as not to hold what it wrote to
	if d.to.Cap() > keptDeflated {
		d.to = bytes.Buffer{}
	}
	deflaters <- d
}

// deflate cannot fail: a buffer takes everything.
func (d *deflater) deflate(to *bytes.Buffer, data []byte) {
	d.w.Reset(to)
	_, _ = d.w.Write(data)
	_ = d.w.Close()
}

func (d *deflater) deflated(data []byte) []byte {
	d.to.Reset()
	d.deflate(&d.to, data)
	return bytes.Clone(d.to.Bytes())
}

// keptDeflated is the size up to which a deflater keeps the memory that it wrote into.
const keptDeflated = 1 << 20

const (
	recentSeen     = 4096    // contents of which it is known that they were compressed lately
	recentDeflated = 2 << 20 // bytes of what is kept of them; there are two generations of both
)

// known is for all: the destinations of a cluster are written by several lanes.
var known deflatedOnce

// deflatedOnce keeps what contents become that are compressed again and again: an object goes to
// every destination that wants it, at about the same time. A content is known by its place in
// memory and its name. The name alone would be a question of trust in a hash, and at one place
// another content may lie by now: the data of a plan is the caller's. What is compressed for the
// first time is not kept: most of it is for one destination. It may be used concurrently.
type deflatedOnce struct {
	mu         sync.Mutex // guards what follows
	young, old generation
}

// place is where a content lies, and its name. No other memory is ever at the same place, even when
// the content is gone.
type place struct {
	first weak.Pointer[byte]
	name  ID
}

func placeOf(name ID, data []byte) place { return place{weak.Make(&data[0]), name} }

// generation has nil for what was compressed once.
type generation struct {
	deflated map[place][]byte
	size     int
}

// deflated returns data, whose name is that, as d compresses it. Nobody may change the result.
func (k *deflatedOnce) deflated(name ID, data []byte, d *deflater) []byte {
	if len(data) == 0 {
		return d.deflated(data)
	}
	at := placeOf(name, data)
	before, seen := k.get(at)
	if before != nil {
		return before
	}
	now := d.deflated(data)
	if seen {
		k.put(at, now)
	} else {
		k.put(at, nil)
	}
	return now
}

func (k *deflatedOnce) get(at place) (deflated []byte, seen bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if deflated, seen = k.young.deflated[at]; !seen {
		if deflated, seen = k.old.deflated[at]; deflated != nil {
			k.keep(at, deflated)
		}
	}
	return deflated, seen
}

func (k *deflatedOnce) put(at place, deflated []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keep(at, deflated)
}

// keep needs mu.
func (k *deflatedOnce) keep(at place, deflated []byte) {
	if k.young.size > recentDeflated || len(k.young.deflated) >= recentSeen {
		k.old, k.young = k.young, generation{}
	}
	if k.young.deflated == nil {
		k.young.deflated = map[place][]byte{}
	}
	k.young.size += len(deflated) - len(k.young.deflated[at])
	k.young.deflated[at] = deflated
}
