package gitsinktest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
)

// fetching is a ploy for the answer to a fetch, behind an honest advertisement, once the client has
// said all that it has.
func fetching(answer func(t *turn)) ploy {
	return either(advertising, at(gitservertest.UploadPack, gitservertest.RPC, func(t *turn) {
		switch {
		case t.asks("done\n"):
			answer(t)
		case t.asks("have "):
			t.write(t.negotiation(t.server.tip))
		default:
			t.write(strings.TrimSuffix(t.negotiation(t.server.tip), pkt("NAK\n")))
		}
	}))
}

// advertising is a ploy that has nothing false in it.
var advertising = says(func(t *turn) string { return t.first("") + flushPkt })

// falseFetches go wrong before there is a pack, or beside it.
func falseFetches() []Hostile {
	saying := func(name, promise string, want, not error, answer func(t *turn)) Hostile {
		return served(Hostile{Name: name, Promise: promise, BaseFolder: base, Want: want, Not: not}, fetching(answer))
	}
	without := func(name string, line string) Hostile {
		return saying(name, promiseOfAnswers, gitsink.ErrTooLarge, gitsink.ErrUnavailable, func(t *turn) {
			endless(t.w, func(int) string { return line })
		})
	}
	garbage := func(name string, text func(t *turn) string) Hostile {
		return saying(name, promiseOfProtocol, gitsink.ErrProtocol, gitsink.ErrUnavailable, func(t *turn) { t.write(text(t)) })
	}
	return []Hostile{
		without("a fetch of shallow commits without an end", pkt("shallow "+noObject)),
		without("a fetch of commits that are shallow no more, without an end", pkt("unshallow "+noObject)),
		saying("a fetch that acknowledges without an end", promiseOfAnswers, gitsink.ErrTooLarge, gitsink.ErrUnavailable, func(t *turn) {
			t.write(strings.TrimSuffix(t.negotiation(t.server.tip), pkt("NAK\n")))
			endless(t.w, func(int) string { return pkt("ACK " + noObject + " common\n") })
		}),
		saying("a fetch with progress without an end", promiseOfAnswers, gitsink.ErrTooLarge, gitsink.ErrUnavailable, func(t *turn) {
			t.write(t.negotiation(t.server.tip))
			endless(t.w, func(int) string { return pkt("\x02Counting objects: \x1b[2J\r") })
		}),
		saying("a fetch that fails in 54 kB of escapes", promiseOfWords, gitsink.ErrRefused, gitsink.ErrUnavailable, func(t *turn) {
			t.write(t.negotiation(t.server.tip) + pkt("\x03"+tooManyWords))
		}),
		saying("a fetch that is refused", promiseOfRefusal, gitsink.ErrRefused, gitsink.ErrUnavailable, func(t *turn) { t.write(pkt("ERR " + notReachable)) }),
		garbage("a fetch with a shallow commit that is none", func(*turn) string { return pkt("shallow \x1b[2J") + flushPkt + pkt("NAK\n") }),
		garbage("a fetch with shallow commits that nobody asked for", func(t *turn) string {
			return t.negotiation(t.server.tip) + strings.Repeat(pkt("shallow "+noObject), 100) + flushPkt
		}),
		garbage("a fetch that answers with references", func(t *turn) string { return t.first("") + flushPkt }),
		garbage("a fetch that answers in protocol version 2", func(*turn) string { return pkt("acknowledgments\n") + pkt("NAK\n") + "0001" + pkt("packfile\n") }),
		garbage("a fetch in a band that there is not", func(t *turn) string { return t.negotiation(t.server.tip) + pkt("\x09PACK") }),
		garbage("a fetch of web pages", func(*turn) string { return strings.Repeat(page, 1000) }),
		saying("a fetch of no byte", promiseOfNoAnswer, gitsink.ErrUnavailable, nil, func(*turn) {}),
		served(Hostile{Name: "a fetch that is shallow at a commit of another repository", Promise: promiseOfNil},
			fetching(func(t *turn) {
				shallow := ""
				if t.asks("deepen ") {
					shallow = pkt("shallow "+noObject) + flushPkt
				}
				t.write(shallow + pkt("NAK\n") + t.packed(t.server.objects.sealed()) + t.flush())
			})),
		served(Hostile{
			Name: "a fetch of a byte each 100 ms", Promise: promiseOfTime, BaseFolder: base, Want: deadline, Cut: soon, Time: soon + lateEnd,
		}, fetching(func(t *turn) { t.drip(t.negotiation(t.server.tip) + t.packed(t.server.objects.sealed())) })),
	}
}

// packing is a case in which the answer to a fetch holds this pack.
func packing(name string, c Hostile, pack func(t *turn) []byte) Hostile {
	c.Name = name
	return served(c, fetching(func(t *turn) { t.write(t.negotiation(t.server.tip) + t.packed(pack(t)) + t.flush()) }))
}

// falsePacks are damaged, or hold something else than was asked for.
func falsePacks() []Hostile {
	damaged := func(name string, pack func(good []byte) []byte) Hostile {
		return packing(name, Hostile{Promise: promiseOfProtocol, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable},
			func(t *turn) []byte { return pack(t.server.objects.sealed()) })
	}
	lacking := func(name string, build func(o *rawObjects)) Hostile {
		return packing(name, Hostile{Promise: promiseOfObjects, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable},
			func(*turn) []byte {
				o := newRawObjects()
				build(o)
				return o.sealed()
			})
	}
	flipped := func(good []byte, at int) []byte {
		good = bytes.Clone(good)
		good[at] ^= 0x40
		return good
	}
	return []Hostile{
		damaged("a pack with another checksum", func(good []byte) []byte { return flipped(good, len(good)-1) }),
		damaged("a pack with a damaged object", func(good []byte) []byte { return flipped(good, len(good)/2) }),
		damaged("a pack that is cut", func(good []byte) []byte { return good[:len(good)/2] }),
		damaged("a pack of no byte", func([]byte) []byte { return nil }),
		damaged("a pack that promises 4 billion objects", func(good []byte) []byte { return append(packHeader(1<<32-1), good[12:]...) }),
		damaged("a pack of another version", func(good []byte) []byte { return flipped(good, 7) }),
		damaged("a pack that is none", func(good []byte) []byte { return bytes.Repeat([]byte("\x1b[2J"), len(good)) }),
		damaged("a delta on what comes later", func([]byte) []byte {
			return sealed(append(packHeader(1), 6<<4|3, 0x7f, 0x78, 0x9c))
		}),
		damaged("an object of a type that there is not", func([]byte) []byte { return sealed(append(packHeader(1), 5<<4|3, 0x78, 0x9c)) }),
		damaged("an object whose length has no end", func([]byte) []byte {
			return sealed(append(packHeader(1), bytes.Repeat([]byte{0xff}, 1000)...))
		}),
		damaged("an object that is shorter than it says", func([]byte) []byte {
			pack := append(packHeader(1), 2<<4|0x8f, 1)
			return sealed(append(pack, deflated("short")...))
		}),
		damaged("an object that is longer than it says", func([]byte) []byte {
			return sealed(append(append(packHeader(1), 2<<4|1), deflated(strings.Repeat("long", 1<<20))...))
		}),
		lacking("a pack without an object", func(*rawObjects) {}),
		lacking("a pack without the commit", func(o *rawObjects) { o.tree() }),
		lacking("a pack of another commit than was advertised", func(o *rawObjects) { o.commit(o.tree(rawEntry{rawFile, "other", o.blob("other")})) }),
		holding("a pack with a tree that is none", promiseOfProtocol, func(o *rawObjects) objectName {
			return o.commit(o.add(packedTree, []byte("no tree")))
		}),
		holding("a pack without the trees", promiseOfObjects, func(o *rawObjects) objectName { return o.commit(objectName{1}) }),
		holding("a pack without the tree of the folder", promiseOfObjects, func(o *rawObjects) objectName {
			return o.commit(o.tree(rawEntry{rawFolder, base, objectName{1}}))
		}),
		holding("a pack with a file for the folder's tree", promiseOfObjects, func(o *rawObjects) objectName {
			return o.commit(o.tree(rawEntry{rawFolder, base, o.blob("no tree")}))
		}),
		holding("a pack with a commit that is none", promiseOfProtocol, func(o *rawObjects) objectName { return o.add(packedCommit, []byte("\x1b[2J")) }),
	}
}

// holding is a case in which a commit is advertised and sent that build returns.
func holding(name, promise string, build func(o *rawObjects) objectName) Hostile {
	o := newRawObjects()
	tip := build(o)
	return served(Hostile{Name: name, Promise: promise, BaseFolder: base, Want: gitsink.ErrProtocol, Not: gitsink.ErrUnavailable}, either(
		says(func(t *turn) string { return firstLine(t.service, tip.String(), "") + flushPkt }),
		at(gitservertest.UploadPack, gitservertest.RPC, func(t *turn) { t.write(t.negotiation(tip) + t.packed(o.sealed()) + t.flush()) }),
	))
}

func deflated(text string) []byte {
	var b bytes.Buffer
	zip := zlib.NewWriter(&b)
	_, _ = io.WriteString(zip, text)
	_ = zip.Close()
	return b.Bytes()
}

// deltaBombs are packs of which more comes out than goes in.
func deltaBombs() []Hostile {
	huge := func(name string, write func(t *turn, w io.Writer)) Hostile {
		return served(Hostile{
			Name: name, Promise: promiseOfAnswers, Want: gitsink.ErrTooLarge, Not: gitsink.ErrUnavailable,
		}, fetching(func(t *turn) {
			t.write(t.negotiation(t.server.tip))
			write(t, banded{t})
			t.write(t.flush())
		}))
	}
	zip := func() *zlib.Writer { return zlib.NewWriter(io.Discard) }
	return []Hostile{
		huge("a pack of a billion trees", func(_ *turn, w io.Writer) {
			_, _ = w.Write(packHeader(1 << 30))
			var one bytes.Buffer
			writePacked(&one, zip(), packedTree, nil, []byte("100644 x\x00"+strings.Repeat("1", 20)))
			endless(w, func(int) string { return one.String() })
		}),
		huge("a tree of a terabyte", func(_ *turn, w io.Writer) {
			_, _ = w.Write(append(packHeader(1), 2<<4|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10))
			endless(w, func(int) string { return "\x78\x9c" })
		}),
		huge("a file of a terabyte", func(_ *turn, w io.Writer) {
			_, _ = w.Write(append(packHeader(1), 3<<4|0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10))
			endless(w, func(int) string { return "\x78\x9c" })
		}),
		huge("deltas that double what is there", func(_ *turn, w io.Writer) {
			_, _ = w.Write(packHeader(21))
			z := zip()
			writePacked(w, z, packedTree, nil, bytes.Repeat([]byte("x"), run))
			for size := run; size < 64<<20; size *= 2 {
				base := nameOfRun(size)
				writePacked(w, z, packedRefDelta, base[:], doubling(size))
			}
		}),
		huge("a delta that says it makes a terabyte", func(_ *turn, w io.Writer) {
			_, _ = w.Write(packHeader(2))
			content := []byte(strings.Repeat("x", 100))
			writePacked(w, zip(), packedTree, nil, content)
			base := nameOf(packedTree, content)
			delta := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(len(content))), 1<<40)
			writePacked(w, zip(), packedRefDelta, base[:], append(delta, 0x90, 100))
		}),
	}
}

// doubling is a delta that makes something twice as long of what is there.
func doubling(size int) []byte {
	delta := binary.AppendUvarint(binary.AppendUvarint(nil, uint64(size)), uint64(2*size))
	for range 2 {
		for from := 0; from < size; from += maxCopy {
			n := min(size-from, maxCopy)
			delta = append(delta, 0xff, byte(from), byte(from>>8), byte(from>>16), byte(from>>24), byte(n), byte(n>>8), byte(n>>16))
		}
	}
	return delta
}

const maxCopy = 0xffff00 // of an instruction in a delta

// run is the length of the tree that is doubled.
const run = 920

// nameOfRun is the name of a tree of so many letters, which is never in memory.
func nameOfRun(size int) objectName {
	h := sha1.New()
	fmt.Fprintf(h, "tree %d\x00", size)
	for block := bytes.Repeat([]byte("x"), run); size > 0; size -= len(block) {
		h.Write(block)
	}
	return objectName(h.Sum(nil))
}

// banded writes a pack as far as the client wants it in a sideband.
type banded struct{ t *turn }

// Write implements io.Writer: everything is data of the side band.
func (b banded) Write(p []byte) (int, error) {
	for chunk := p; len(chunk) > 0; {
		n := min(len(chunk), 32<<10)
		if _, err := io.WriteString(b.t.w, b.t.packed(chunk[:n])); err != nil {
			return 0, err
		}
		chunk = chunk[n:]
	}
	return len(p), nil
}
