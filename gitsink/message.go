package gitsink

import (
	"fmt"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/quote"
)

const (
	maxListed = 50  // objects named in a commit message
	maxShown  = 300 // bytes of each: RBAC bounds no name
)

// shown returns an ID as it stands in a message. ID.String has quoted what could be taken for a trailer, or for an
// order to skip a pipeline.
func shown(id event.ID) string {
	s := id.String()
	if len(s) <= maxShown {
		return s
	}
	return strings.ToValidUTF8(s[:maxShown], "") + "..."
}

// message says what happened: a line, and below it the objects.
func message(to destination.Destination, g group) string {
	var b strings.Builder
	switch {
	case len(g.events) == 1 && g.removed == 0:
		fmt.Fprintf(&b, "%s %s\n", verb(g.events[0]), shown(g.events[0].Resource.ID))
		return b.String()
	case g.pruned > 0:
		fmt.Fprintf(&b, "Remove %s that no rule covers any more from %s\n", files(g.pruned), folderName(to))
		return b.String()
	case len(g.events) == 0:
		fmt.Fprintf(&b, "Remove %s without an object from %s\n", files(g.removed), folderName(to))
		return b.String()
	}
	fmt.Fprintf(&b, "Sync %s in %s\n\n", files(len(g.events)+g.removed), folderName(to))
	for i, e := range g.events {
		if i == maxListed {
			fmt.Fprintf(&b, "- and %d more\n", len(g.events)-i)
			break
		}
		fmt.Fprintf(&b, "- %s %s\n", verb(e), shown(e.Resource.ID))
	}
	if g.removed > 0 {
		fmt.Fprintf(&b, "- Remove %s without an object\n", files(g.removed))
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
