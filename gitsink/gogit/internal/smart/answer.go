package smart

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

const (
	maxAnswer   = 4 << 20 // of a push: its report and the words of hooks
	maxProgress = 4 << 20 // of what is said beside a pack
	maxShallows = 1 << 16 // commits at which a fetched history ends
	maxACKs     = 1 << 10 // of what a fetch has
)

// readNegotiation reads what comes before a pack: where the history ends, if a depth was asked
// for, and what of the haves is common. What r holds then is the pack.
func readNegotiation(f object.Format, r *bufio.Reader, shallow bool) ([]object.ID, error) {
	line := int64(len("0035shallow ") + 2*f.Width() + 1) // about
	p := newPackets(r, "the answer to a fetch before its pack", (maxShallows+maxACKs)*line)
	var shallows []object.ID
	if shallow {
		var err error
		if shallows, err = readShallows(f, p); err != nil {
			return nil, err
		}
	}
	return shallows, skipACKs(p, r)
}

func readShallows(f object.Format, p *packets) ([]object.ID, error) {
	var shallows []object.ID
	for {
		kind, line, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case kind == packetFlush:
			return shallows, nil
		case kind != packetLine:
			return nil, Malformed("a packet of another protocol among those that say where the history ends")
		}
		line = bytes.TrimSpace(line)
		text, isShallow := bytes.CutPrefix(line, []byte("shallow "))
		text, isUnshallow := bytes.CutPrefix(text, []byte("unshallow "))
		if !isShallow && !isUnshallow {
			return nil, Malformed("%q does not say where the history ends", excerpt(line))
		}
		hash, err := parseID(f, text)
		if err != nil {
			return nil, err
		}
		if !isShallow {
			continue
		}
		if len(shallows) == maxShallows {
			return nil, fmt.Errorf("%w: the history ends at more than %d commits", gitsink.ErrTooLarge, maxShallows)
		}
		shallows = append(shallows, hash)
	}
}

// skipACKs reads one line at least: NAK, or ACK of something that was had. Several come of a
// server that was asked for multi_ack.
func skipACKs(p *packets, r *bufio.Reader) error {
	for n := 0; n == 0 || isACK(r); n++ {
		kind, line, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case kind != packetLine || !bytes.HasPrefix(line, []byte("ACK ")) && !bytes.HasPrefix(line, []byte("NAK")):
			return Malformed("the answer to a fetch begins with %q", excerpt(line))
		case n == maxACKs:
			return fmt.Errorf("%w: more than %d answers to what a fetch has", gitsink.ErrTooLarge, maxACKs)
		}
	}
	return nil
}

// isACK looks ahead. What follows is a pack, or a packet of a sideband, which begins with a byte
// of control.
func isACK(r *bufio.Reader) bool {
	ahead, err := r.Peek(7)
	return err == nil && (string(ahead[4:]) == "ACK" || string(ahead[4:]) == "NAK" || string(ahead[4:]) == "ERR")
}

// readReport reads the report of a push to its end: what became of the pack, and of each of the
// references that were to be set.
func readReport(r io.Reader, refs ...plumbing.ReferenceName) (*packp.ReportStatus, error) {
	p := newPackets(r, "the report of a push", maxAnswer)
	report := packp.NewReportStatus()
	for first := true; ; first = false {
		kind, line, err := p.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil, io.ErrUnexpectedEOF
		case err != nil:
			return nil, err
		case kind == packetFlush && !first:
			return report, nil
		case kind != packetLine:
			return nil, Malformed("the report of a push begins or goes on with a packet of another kind")
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		if first {
			status, ok := bytes.CutPrefix(line, []byte("unpack "))
			if !ok {
				return nil, Malformed("the report of a push begins with %q", excerpt(line))
			}
			report.UnpackStatus = string(status[:min(len(status), maxWords)])
			continue
		}
		status, err := parseCommandStatus(line)
		if err != nil {
			return nil, err
		}
		if slices.Contains(refs, status.ReferenceName) && len(report.CommandStatuses) < 2*len(refs) {
			report.CommandStatuses = append(report.CommandStatuses, status)
		}
	}
}

func parseCommandStatus(line []byte) (*packp.CommandStatus, error) {
	verdict, rest, _ := bytes.Cut(line, []byte(" "))
	name, why, hasReason := bytes.Cut(rest, []byte(" "))
	switch string(verdict) {
	case "ok":
		if len(name) > 0 && !hasReason {
			return &packp.CommandStatus{ReferenceName: plumbing.ReferenceName(name), Status: StatusOK}, nil
		}
	case "ng":
		// "ok" as the reason of a refusal would read as the opposite.
		if len(name) > 0 && len(why) > 0 && string(why) != StatusOK {
			return &packp.CommandStatus{ReferenceName: plumbing.ReferenceName(name), Status: string(why[:min(len(why), maxWords)])}, nil
		}
	}
	return nil, Malformed("the report of a push says %q", excerpt(line))
}

// StatusOK is what a report says of what went well (gitprotocol-pack(5)).
const StatusOK = "ok"

// The bands of a sideband (gitprotocol-pack(5)).
const (
	bandData     = 1
	bandProgress = 2
	bandError    = 3
)

// demultiplexer separates what a server sends from what it says beside that, to at most left bytes.
type demultiplexer struct {
	packets *packets
	words   io.Writer
	left    int
	rest    []byte // of a packet with data
	err     error
}

// demultiplex returns what is sent. limit bounds the bytes of it all; what is said goes to words.
func demultiplex(capabilities *capability.List, r io.Reader, words io.Writer, limit int64) io.Reader {
	if !capabilities.Supports(capability.Sideband64k) && !capabilities.Supports(capability.Sideband) {
		return r
	}
	return &demultiplexer{packets: newPackets(r, "what the server sends", limit), words: words, left: maxProgress}
}

func (d *demultiplexer) Read(p []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		d.rest, d.err = d.data()
	}
	n := copy(p, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// data returns the next bytes of data, or none if something was said; io.EOF at the end.
func (d *demultiplexer) data() ([]byte, error) {
	kind, line, err := d.packets.next()
	switch {
	case errors.Is(err, io.EOF): // a sideband ends with a flush
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	case kind == packetFlush:
		return nil, io.EOF
	case kind != packetLine || len(line) == 0:
		return nil, Malformed("a packet of no band among those of a sideband")
	}
	band, line := line[0], line[1:]
	switch band {
	case bandData:
		return line, nil
	case bandProgress:
		if d.left -= len(line); d.left < 0 {
			return nil, fmt.Errorf("%w: the server talks for more than %d bytes", gitsink.ErrTooLarge, maxProgress)
		}
		_, err := d.words.Write(line)
		return nil, err
	case bandError:
		return nil, &RemoteError{ErrRefused, string(line[:min(len(line), maxWords)])}
	}
	return nil, Malformed("a packet of the band %d, which there is not", band)
}

// noLimit is for what is bounded by whoever reads it.
const noLimit = math.MaxInt64
