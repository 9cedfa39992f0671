package smart

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/kubescribe/kubescribe/gitsink"
)

// maxPacket is the longest pkt-line (gitprotocol-common(5)), its length included.
const maxPacket = 65520

// packetKind tells a line from the packets that hold none.
type packetKind int

const (
	packetLine packetKind = iota
	packetFlush
	packetDelim
	packetEnd
)

// packets reads pkt-lines. Every answer of a server goes through one: it is the place of the
// bound in bytes, which counts what arrives after any compression of HTTP, and of the server's
// last word, an ERR line.
type packets struct {
	r     io.Reader
	left  int64  // bytes that may still come
	limit int64  // of left, for the error
	what  string // is read, for the error
	line  [maxPacket]byte
}

func newPackets(r io.Reader, what string, limit int64) *packets {
	return &packets{r: r, left: limit, limit: limit, what: what}
}

// next returns the next packet. A line is valid until the next call. io.EOF means that the server
// has ended between two packets.
func (p *packets) next() (packetKind, []byte, error) {
	var head [4]byte
	n, err := p.fill(head[:])
	if err != nil {
		if n == 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			err = io.EOF
		}
		return 0, nil, err
	}
	length, err := packetLength(head)
	if err != nil {
		return 0, nil, err
	}
	switch length {
	case 0:
		return packetFlush, nil, nil
	case 1:
		return packetDelim, nil, nil
	case 2:
		return packetEnd, nil, nil
	}
	line := p.line[:length-len(head)]
	if _, err := p.fill(line); err != nil {
		return 0, nil, err
	}
	if words, isError := bytes.CutPrefix(line, []byte("ERR ")); isError {
		return 0, nil, &RemoteError{ErrRefused, string(words[:min(len(words), maxWords)])}
	}
	return packetLine, line, nil
}

// fill reads all of data; what ends before that is io.ErrUnexpectedEOF, of which n bytes came.
func (p *packets) fill(data []byte) (n int, err error) {
	if p.left -= int64(len(data)); p.left < 0 {
		return 0, fmt.Errorf("%w: %s is longer than %d bytes", gitsink.ErrTooLarge, p.what, p.limit)
	}
	n, err = io.ReadFull(p.r, data)
	if errors.Is(err, io.EOF) && len(data) > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// packetLength reads the four hexadecimal digits that a packet begins with. Three is the length
// of nothing.
func packetLength(head [4]byte) (int, error) {
	length := 0
	for _, c := range head {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 || c < '0' {
			return 0, Malformed("a packet begins with %q in place of its length", head[:])
		}
		length = length<<4 | digit
	}
	if length == 3 || length > maxPacket {
		return 0, Malformed("a packet has the length %d", length)
	}
	return length, nil
}

// excerpt is the beginning of a line, for an error.
func excerpt(line []byte) []byte { return line[:min(len(line), 64)] }
