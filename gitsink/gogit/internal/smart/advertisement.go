package smart

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

const (
	// maxAdvertisement bounds an advertisement; a million references have about 64 bytes each.
	maxAdvertisement = 64 << 20
	// maxCapabilities bounds the names that a server may give to what it can do.
	maxCapabilities = 256

	objectFormat = capability.Capability("object-format")
)

// Advertisement is what a service says of itself (gitprotocol-pack(5)). Of the references it
// holds those that matter to one branch, so that its size does not depend on the server.
type Advertisement struct {
	Refs         map[string]object.ID
	all          *branches // of several, those that matter to each
	Head         object.ID // where HEAD leads; zero: nowhere
	Format       object.Format
	Empty        bool // the repository has no reference at all
	Capabilities *capability.List
	MultiAck     bool // the service knows it; it is not in capabilities
}

// NoThin is advertised by a server that wants every object of a push whole
// (gitprotocol-capabilities(5)).
const NoThin capability.Capability = "no-thin"

// Usual is what the servers of today offer to who fetches, without their references. A server that
// offers less refuses a request made for this, or answers what cannot be read: git's dies of a
// filter that it does not allow, and of a tree that it does not give by its name.
func Usual(f object.Format) *Advertisement {
	offered := capability.NewList()
	for _, c := range []capability.Capability{
		capability.Sideband64k, capability.OFSDelta, capability.NoProgress, capability.Shallow, capability.Filter,
		capability.AllowTipSHA1InWant, capability.AllowReachableSHA1InWant,
	} {
		_ = offered.Add(c) // of a fixed list
	}
	return &Advertisement{Refs: map[string]object.ID{}, Format: f, Capabilities: offered, MultiAck: true}
}

// of is the advertisement for another of the branches that it was read for.
func (a *Advertisement) of(branch plumbing.ReferenceName) *Advertisement {
	other := *a
	other.Refs = a.all.near[branch.String()]
	return &other
}

// errSilent means that a server has nothing to say. Old ones say so of an empty repository to who
// fetches, but nobody fetches from one that shows no reference to who pushes either.
var errSilent = errors.New("the server advertised nothing at all")

// readAdvertisement keeps the branches, and for each one reference at most whose name cannot be
// beside it.
func readAdvertisement(r io.Reader, names ...plumbing.ReferenceName) (*Advertisement, error) {
	all := newBranches(names)
	a := &Advertisement{Refs: all.near[names[0].String()], all: all, Empty: true, Capabilities: capability.NewList()}
	p := newPackets(r, "what the server advertises", maxAdvertisement)
	kind, line, err := a.begin(p)
	for first := true; err == nil && kind != packetFlush; first = false {
		if kind != packetLine {
			return nil, Malformed("the advertisement holds a packet of another protocol")
		}
		if first {
			if line, err = a.greet(line); err != nil {
				return nil, err
			}
		}
		if err = a.add(line); err != nil {
			return nil, err
		}
		kind, line, err = p.next()
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, io.ErrUnexpectedEOF
	case err != nil:
		return nil, err
	}
	return a, nil
}

// begin skips what HTTP puts in front, and the version. A flush where a packet with capabilities
// has to be is errSilent. An end there is a connection that was cut: nothing is known of the
// repository.
func (a *Advertisement) begin(p *packets) (packetKind, []byte, error) {
	kind, line, err := p.next()
	if err == nil && kind == packetLine && bytes.HasPrefix(line, []byte("#")) {
		if kind, line, err = p.next(); err == nil && kind == packetFlush {
			kind, line, err = p.next()
		}
	}
	if err == nil && kind == packetLine && bytes.Equal(bytes.TrimSpace(line), []byte("version 1")) {
		kind, line, err = p.next()
	}
	if err == nil && kind == packetFlush {
		err = errSilent
	}
	return kind, line, err
}

// greet takes the capabilities off the first line. They say how to read the rest: first of all
// what names an object has.
func (a *Advertisement) greet(line []byte) ([]byte, error) {
	line, said, ok := bytes.Cut(line, []byte{0})
	if !ok {
		return nil, Malformed("the first line advertised, %q, has no capabilities", excerpt(line))
	}
	names := strings.Fields(string(said))
	if len(names) > maxCapabilities {
		return nil, fmt.Errorf("%w: the server advertises %d capabilities, and %d are allowed", gitsink.ErrTooLarge, len(names), maxCapabilities)
	}
	for _, name := range names {
		name, value, _ := strings.Cut(name, "=")
		if capability.Capability(name) == objectFormat {
			var known bool
			if a.Format, known = object.FormatOf(value); !known {
				return nil, fmt.Errorf("%w: it has object-format %s", gitsink.ErrUnsupported, value)
			}
		}
		var values []string
		if value != "" {
			values = []string{value}
		}
		// What go-git does not know, or finds twice, is not asked for.
		_ = a.Capabilities.Add(capability.Capability(name), values...)
	}
	return line, nil
}

// add takes a line that names a reference, what a tag leads to, or where the history ends.
func (a *Advertisement) add(line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	if shallow, ok := bytes.CutPrefix(line, []byte("shallow ")); ok {
		_, err := parseID(a.Format, shallow)
		return err
	}
	text, name, ok := bytes.Cut(line, []byte(" "))
	hash, err := parseID(a.Format, text)
	if err != nil {
		return err
	}
	if !ok || len(name) == 0 || bytes.ContainsAny(name, " \x00") {
		return Malformed("the line advertised with the object %s names no reference", hash)
	}
	switch {
	case bytes.HasSuffix(name, []byte("^{}")): // of a tag, or "capabilities^{}" without references
	case string(name) == ".have": // what a repository borrows its objects from refers to
	case string(name) == plumbing.HEAD.String():
		a.Head = hash
	default:
		a.Empty = false
		a.all.add(name, hash)
	}
	return nil
}

func parseID(f object.Format, text []byte) (object.ID, error) {
	id, ok := object.ParseID(f, text)
	if !ok {
		return id, Malformed("%q is no name of an object", excerpt(text))
	}
	return id, nil
}
