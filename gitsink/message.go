package gitsink

import (
	"fmt"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/quote"
)

const (
	maxListed = 50  // the number of objects named in a commit message
	maxShown  = 300 // the bytes of each name: RBAC bounds none
)

// shown returns an ID as it stands in a message. ID.String quotes what a reader of the message
// could take for a trailer, or for an order to skip a pipeline.
func shown(id event.ID) string {
	s := id.String()
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "..."
}

// message returns a line that says what happened, and below it the objects.
func message(to destination.Destination, c pendingCommit) string {
	var b strings.Builder
	switch {
	case len(c.events) == 1 && c.removed == 0:
		fmt.Fprintf(&b, "%s %s\n", verb(c.events[0]), shown(c.events[0].Resource.ID))
		return b.String()
	case c.moved > 0:
		fmt.Fprintf(&b, "Move %s in %s to the layout %s\n", files(c.moved), folderName(to), quote.Words(c.layout))
		return b.String()
	case c.pruned > 0:
		fmt.Fprintf(&b, "Remove %s that no rule covers any more from %s\n", files(c.pruned), folderName(to))
		return b.String()
	case len(c.events) == 0:
		fmt.Fprintf(&b, "Remove %s without an object from %s\n", files(c.removed), folderName(to))
		return b.String()
	}
	fmt.Fprintf(&b, "Sync %s in %s\n\n", files(len(c.events)+c.removed), folderName(to))
	for i, e := range c.events {
		if i == maxListed {
			fmt.Fprintf(&b, "- and %d more\n", len(c.events)-i)
			break
		}
		fmt.Fprintf(&b, "- %s %s\n", verb(e), shown(e.Resource.ID))
	}
	if c.removed > 0 {
		fmt.Fprintf(&b, "- Remove %s without an object\n", files(c.removed))
	}
	return b.String()
}

func verb(e event.Event) string {
	switch {
	case e.Operation == event.Delete:
		return "Delete"
	case e.Listed:
		return "Sync"
	case e.Operation == event.Create:
		return "Create"
	default:
		return "Update"
	}
}

func files(n int) string {
	if n == 1 {
		return "1 file"
	}
	return fmt.Sprintf("%d files", n)
}

func folderName(d destination.Destination) string {
	if d.BaseFolder == "" {
		return "the repository root"
	}
	return quote.Path(d.BaseFolder)
}
