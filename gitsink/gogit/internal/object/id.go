package object

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strconv"
	"sync"

	"github.com/go-git/go-git/v5/plumbing"
	gogithash "github.com/go-git/go-git/v5/plumbing/hash"
)

// Format is the hash by which a repository names its objects (gitprotocol-capabilities(5),
// object-format). The zero value is SHA1.
type Format uint8

// The formats of Git. No repository mixes them.
const (
	SHA1 Format = iota
	SHA256
)

const maxWidth = 32

// formats are the names in the capability object-format, and what goes with them.
var formats = [...]struct {
	name  string
	width int
	hash  func() hash.Hash
}{
	// go-git's SHA-1 detects the known attacks on it.
	SHA1:   {"sha1", 20, func() hash.Hash { return gogithash.New(crypto.SHA1) }},
	SHA256: {"sha256", 32, sha256.New},
}

// FormatOf returns the format with a name, as git spells it.
func FormatOf(name string) (f Format, ok bool) {
	for i, known := range formats {
		if known.name == name {
			return Format(i), true
		}
	}
	return SHA1, false
}

// String returns git's name of the format.
func (f Format) String() string { return formats[f].name }

// Width returns the number of bytes of a name.
func (f Format) Width() int { return formats[f].width }

// hasher computes names. Making one costs more than hashing a small object, so they are used again.
type hasher struct {
	hash.Hash
	header [32]byte
	sum    [maxWidth]byte
}

var hashers [len(formats)]sync.Pool

func (f Format) hasher() *hasher {
	if h, ok := hashers[f].Get().(*hasher); ok {
		h.Reset()
		return h
	}
	return &hasher{Hash: formats[f].hash()}
}

// Name returns the name of an object.
func (f Format) Name(kind plumbing.ObjectType, data []byte) ID {
	h := f.hasher()
	header := append(h.header[:0], kind.String()...)
	header = append(header, ' ')
	header = strconv.AppendInt(header, int64(len(data)), 10)
	h.Write(append(header, 0)) // a hash never fails
	h.Write(data)              // a hash never fails
	id := idOf(f, h.Sum(h.sum[:0]))
	hashers[f].Put(h)
	return id
}

// EmptyTree returns the name of the tree without entries.
func (f Format) EmptyTree() ID { return f.Name(plumbing.TreeObject, nil) }

// ID is the name of an object. The zero value names none, in every format.
type ID struct {
	sum    [maxWidth]byte // what a shorter name does not need is zero
	format Format
}

// ParseID reads a name in hexadecimal digits. One of zeros only is the zero value.
func ParseID[T string | []byte](f Format, digits T) (id ID, ok bool) {
	if len(digits) != 2*f.Width() {
		return ID{}, false
	}
	if _, err := hex.Decode(id.sum[:], []byte(digits)); err != nil {
		return ID{}, false
	}
	return id.of(f), true
}

// idOf reads a name as it stands in trees and packs.
func idOf[T string | []byte](f Format, raw T) (id ID) {
	copy(id.sum[:f.Width()], raw)
	return id.of(f)
}

// of gives a name its format, which none has.
func (id ID) of(f Format) ID {
	if id.IsZero() {
		return ID{}
	}
	id.format = f
	return id
}

// Format returns the format of a name that is not zero.
func (id ID) Format() Format { return id.format }

// IsZero reports whether id names no object.
func (id ID) IsZero() bool { return id.sum == [maxWidth]byte{} }

// Compare orders names by their bytes.
func (id ID) Compare(other ID) int { return bytes.Compare(id.sum[:], other.sum[:]) }

// Bytes returns the name as it stands in trees and packs.
func (id ID) Bytes() []byte { return append([]byte(nil), id.sum[:id.format.Width()]...) }

// raw is Bytes as a string.
func (id ID) raw() string { return string(id.sum[:id.format.Width()]) }

// String returns the hexadecimal digits of the name; of the zero value, those of SHA-1.
func (id ID) String() string { return id.Hex(id.format) }

// Hex returns the hexadecimal digits of the name, and of the zero value those of a format.
func (id ID) Hex(f Format) string { return hex.EncodeToString(id.sum[:f.Width()]) }
