package gitsink

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/opaque"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// Commit is one commit of a Plan; each builds on the one before. A commit whose changes change
// nothing is left out.
type Commit struct {
	Changes           []Change
	Message           string
	Author, Committer Signature // a zero Author is the Committer, a zero Committer the sink's
}

// Change writes, copies or removes one file. The changes of a commit are applied in order. To
// remove what is not there is no fault.
type Change struct {
	Path   string // slash path relative to the base folder; one that leaves it is ErrPath
	Data   []byte
	Remove bool
	// Content is the same as Data with the names that Git gives to it; nil if they are not known.
	// It spares a sink the hashing, and may be ignored.
	Content *event.Content
	// From is a file of the Tree that the plan was given: the file at Path becomes what that is,
	// content and mode, whatever was done to it before in the same plan. It stays where it is. To
	// copy what is not there, or is no file, is ErrPath. A sink need not read the content. Default:
	// "", so Data is written.
	From string
}

func writing(path string, content *event.Content) Change {
	return Change{Path: path, Data: content.Bytes(), Content: content}
}

// String names the change; it never shows the content.
func (c Change) String() string {
	if c.Remove {
		return "remove " + quote.Path(c.Path)
	}
	if c.From != "" {
		return "copy " + quote.Path(c.From) + " to " + quote.Path(c.Path)
	}
	return fmt.Sprintf("write %s (%d bytes)", quote.Path(c.Path), len(c.Data))
}

// MarshalLog implements logr.Marshaler with String.
func (c Change) MarshalLog() any { return c.String() }

// Format implements fmt.Formatter with String, whatever the verb: none shows the content.
func (c Change) Format(f fmt.State, verb rune) { opaque.Format(f, verb, c.String()) }

// LogValue implements slog.LogValuer with String.
func (c Change) LogValue() slog.Value { return opaque.LogValue(c.String()) }

// MarshalJSON implements json.Marshaler with String, since loggers marshal what they are given.
func (c Change) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(c.String()) }

// Signature is who and when, as in a commit's header.
type Signature struct {
	Name, Email string
	When        time.Time // zero: when the commit is made
}
