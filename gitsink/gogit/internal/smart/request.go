package smart

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// FetchRequest is what to ask of git-upload-pack (gitprotocol-pack(5)).
type FetchRequest struct {
	Wants, Haves, Shallows []object.ID
	Depth                  int          // zero: all that is new since the haves
	Filter                 packp.Filter // where the server offers it; "": none
}

var errNothingWanted = errors.New("a fetch wants nothing")

// encode writes the request, as far as the server offers what it needs. deepens reports whether
// the answer says where the history ends.
func (r FetchRequest) encode(refs *Advertisement) (request []byte, deepens bool, err error) {
	if len(r.Wants) == 0 {
		return nil, false, errNothingWanted
	}
	shallow := (r.Depth > 0 || len(r.Shallows) > 0) && refs.Capabilities.Supports(capability.Shallow)
	filter := r.Filter != "" && refs.Capabilities.Supports(capability.Filter)
	var b bytes.Buffer
	suffix := " " + strings.Join(r.capabilities(refs, shallow, filter), " ")
	for i, want := range unique(r.Wants) {
		if i > 0 {
			suffix = ""
		}
		writePacket(&b, "want %s%s\n", want, suffix)
	}
	if shallow {
		for _, end := range unique(r.Shallows) {
			writePacket(&b, "shallow %s\n", end)
		}
		if r.Depth > 0 {
			writePacket(&b, "deepen %d\n", r.Depth)
		}
	}
	if filter {
		writePacket(&b, "filter %s\n", r.Filter)
	}
	b.WriteString(flush)
	for _, have := range unique(r.Haves) {
		writePacket(&b, "have %s\n", have)
	}
	writePacket(&b, "done\n")
	return b.Bytes(), shallow && r.Depth > 0, nil
}

// unique returns the names in order, each once.
func unique(ids []object.ID) []object.ID {
	return slices.Compact(slices.SortedFunc(slices.Values(ids), object.ID.Compare))
}

// capabilities are those that the request asks for: none that is not offered.
func (r FetchRequest) capabilities(refs *Advertisement, shallow, filter bool) []string {
	offered := refs.Capabilities
	var asked []string
	ask := func(c capability.Capability, is bool) {
		if is {
			asked = append(asked, c.String())
		}
	}
	// Azure DevOps refuses who does not ask for it. It changes nothing here: all haves are followed
	// by "done" at once.
	ask(capability.MultiACK, refs.MultiAck)
	ask(capability.Sideband64k, offered.Supports(capability.Sideband64k))
	ask(capability.Sideband, offered.Supports(capability.Sideband) && !offered.Supports(capability.Sideband64k))
	ask(capability.OFSDelta, offered.Supports(capability.OFSDelta))
	ask(capability.NoProgress, offered.Supports(capability.NoProgress))
	ask(capability.Shallow, shallow)
	ask(capability.Filter, filter)
	return append(asked, refs.identification()...)
}

// identification are the capabilities that say who asks, and in which format. A server takes
// SHA-1 for granted.
func (a *Advertisement) identification() (said []string) {
	if a.Format != object.SHA1 {
		said = append(said, string(objectFormat)+"="+a.Format.String())
	}
	if a.Capabilities.Supports(capability.Agent) {
		said = append(said, capability.Agent.String()+"="+capability.DefaultAgent())
	}
	return said
}

// Update sets a reference that is at Old to New; zero: there is no such reference.
type Update struct {
	Ref      plumbing.ReferenceName
	Old, New object.ID
}

// encode writes the request of a push without its pack.
func (u Update) encode(refs *Advertisement) []byte {
	var asked []string
	for _, c := range []capability.Capability{capability.ReportStatus, capability.Sideband64k} {
		if refs.Capabilities.Supports(c) {
			asked = append(asked, c.String())
		}
	}
	asked = slices.Concat(asked, refs.identification())
	var b bytes.Buffer
	writePacket(&b, "%s %s %s\x00%s", u.Old.Hex(refs.Format), u.New.Hex(refs.Format), u.Ref, strings.Join(asked, " "))
	b.WriteString(flush)
	return b.Bytes()
}

// flush is the packet that ends a part of the protocol.
const flush = "0000"

// writePacket writes a pkt-line (gitprotocol-common(5)).
func writePacket(b *bytes.Buffer, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	fmt.Fprintf(b, "%04x%s", len(line)+4, line)
}
