package gogittest

import (
	"bytes"
	"compress/zlib"
	"crypto/sha1"
	"encoding/binary"
	"fmt"

	"github.com/go-git/go-git/v5/plumbing"
)

// DeltaChain is a pack of n trees, with names of SHA-1, each but the last a delta on the next one.
// The names are read from the end on, so it is in memory, uncompressed.
func DeltaChain(n int) []byte {
	trees := make([][]byte, n)
	for i := range n {
		trees[i] = fmt.Appendf(nil, "100644 %08d\x00%020d", i, i)
	}
	var pack bytes.Buffer
	pack.WriteString("PACK\x00\x00\x00\x02")
	_ = binary.Write(&pack, binary.BigEndian, uint32(n))
	z, _ := zlib.NewWriterLevel(&pack, zlib.NoCompression)
	put := func(data []byte) {
		z.Reset(&pack)
		_, _ = z.Write(data)
		_ = z.Close()
	}
	for i := range n - 1 {
		base := plumbing.ComputeHash(plumbing.TreeObject, trees[i+1])
		delta := append([]byte{byte(len(trees[i+1])), byte(len(trees[i])), byte(len(trees[i]))}, trees[i]...)
		pack.Write(headerOf(plumbing.REFDeltaObject, len(delta)))
		pack.Write(base[:])
		put(delta)
	}
	pack.Write(headerOf(plumbing.TreeObject, len(trees[n-1])))
	put(trees[n-1])
	sum := sha1.Sum(pack.Bytes())
	return append(pack.Bytes(), sum[:]...)
}

// headerOf is the header of an object of 16 to 2,047 bytes in a pack.
func headerOf(kind plumbing.ObjectType, size int) []byte {
	return []byte{0x80 | byte(kind)<<4 | byte(size&0xf), byte(size >> 4)}
}
