package event

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"strconv"

	"github.com/kubescribe/kubescribe/internal/opaque"
)

// Content is what a file is to hold, with the names that Git gives to it. It never changes: the
// events of several destinations share one. Its bytes show in no log and no error, however it is
// printed. A nil Content is empty.
type Content struct {
	// data is behind a pointer, where %s does not find it for a Content in a field that is not
	// exported.
	data   *[]byte
	sha1   [sha1.Size]byte
	sha256 [sha256.Size]byte
}

// NewContent returns data as a Content. The caller must not change data afterwards.
func NewContent(data []byte) *Content {
	both := &struct {
		Content
		data []byte
	}{data: data} // one allocation
	c := &both.Content
	c.data = &both.data
	// Names of blobs, as gitformat-pack(5) and hash-object have them.
	var room [32]byte
	header := append(strconv.AppendInt(append(room[:0], "blob "...), int64(len(data)), 10), 0)
	short, long := sha1.New(), sha256.New()
	short.Write(header)
	short.Write(data)
	short.Sum(c.sha1[:0])
	long.Write(header)
	long.Write(data)
	long.Sum(c.sha256[:0])
	return c
}

// Bytes returns the content, which must not be changed.
func (c *Content) Bytes() []byte {
	if c == nil || c.data == nil {
		return nil
	}
	return *c.data
}

// Size returns the number of bytes.
func (c *Content) Size() int { return len(c.Bytes()) }

// SHA1 is the name of the content in a repository that names objects by SHA-1.
func (c *Content) SHA1() [sha1.Size]byte { return c.sha1 }

// SHA256 is the name in one that names them by SHA-256.
func (c *Content) SHA256() [sha256.Size]byte { return c.sha256 }

// Names reports whether blob, in hexadecimal digits of SHA-1 or SHA-256, is the name of the
// content.
func (c *Content) Names(blob string) bool {
	if len(blob) == hex.EncodedLen(sha256.Size) {
		return c != nil && begins(blob, c.sha256[:])
	}
	return c != nil && len(blob) == hex.EncodedLen(sha1.Size) && begins(blob, c.sha1[:])
}

// Digest returns the digest of the content; that of nil is zero.
func (c *Content) Digest() (d Digest) {
	if c != nil {
		copy(d.SHA1[:], c.sha1[:])
		copy(d.SHA256[:], c.sha256[:])
	}
	return d
}

// String says how large the content is. Like the methods below it is one of the value: those of a
// pointer would not be found for a copy, and show it.
func (c Content) String() string { return fmt.Sprintf("content of %d bytes", c.Size()) }

// GoString is String, so that not even %#v shows the content.
func (c Content) GoString() string { return c.String() }

// MarshalLog implements logr.Marshaler with String.
func (c Content) MarshalLog() any { return c.String() }

// Format implements fmt.Formatter with String, whatever the verb.
func (c Content) Format(f fmt.State, verb rune) { opaque.Format(f, verb, c.String()) }

// LogValue implements slog.LogValuer with String.
func (c Content) LogValue() slog.Value { return opaque.LogValue(c.String()) }

// MarshalJSON implements json.Marshaler with String, since loggers marshal what they are given.
func (c Content) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(c.String()) }

// Digest stands for a Content where the names would take too much memory: it has the first sixteen
// bytes of each. The zero Digest stands for a content that is not known.
//
// Eight bytes would not do. Two contents that agree in eight are found within minutes, and whoever
// may write an object could hide a change of it from the mirror.
type Digest struct {
	SHA1, SHA256 [16]byte
}

// Names reports whether blob, in hexadecimal digits of SHA-1 or SHA-256, is the name of the
// content. Nothing is the name of one that is not known.
func (d *Digest) Names(blob string) bool {
	switch len(blob) {
	case hex.EncodedLen(sha1.Size):
		return begins(blob, d.SHA1[:]) && *d != Digest{}
	case hex.EncodedLen(sha256.Size):
		return begins(blob, d.SHA256[:]) && *d != Digest{}
	}
	return false
}

// begins reports whether hexadecimal digits, in lower case, begin with those of name.
func begins(digits string, name []byte) bool {
	const hexadecimal = "0123456789abcdef"
	if len(digits) < 2*len(name) {
		return false
	}
	for i, b := range name {
		if digits[2*i] != hexadecimal[b>>4] || digits[2*i+1] != hexadecimal[b&15] {
			return false
		}
	}
	return true
}
