package gitsink

import (
	"errors"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// CommitPer says how the events of a batch are grouped into commits.
type CommitPer int

// The groupings.
const (
	PerBatch  CommitPer = iota // one commit for all; the default
	PerAuthor                  // one for each run of events of one author
	PerEvent                   // one for each event that changes something; use it with KeepEvery
)

// Validate returns an error if c is none of the above.
func (c CommitPer) Validate() error {
	if c < PerBatch || c > PerEvent {
		return fmt.Errorf("gitsink: CommitPer %d: use PerBatch (%d), PerAuthor (%d) or PerEvent (%d)", c, PerBatch, PerAuthor, PerEvent)
	}
	return nil
}

// WriterOptions change what a Writer does. Nil and the zero value mean the defaults.
type WriterOptions struct {
	// Layout says in which file an object is kept, where the Policy of a destination has no other.
	// Default: event.DefaultLayout.
	Layout event.Layout
	// Layouts are others that a folder may have been begun with, so that its files can be moved
	// when somebody adopts it. Those of package event are known. Default: none.
	Layouts []event.Layout
	// Encryptor encrypts Secrets and what else is sensitive; without one they are left out and
	// reported. Default: none.
	Encryptor event.Encryptor
	// Sensitive are types, or single fields of them, that are only ever written encrypted, whatever
	// the rules say. Rules may add to them; core v1 Secrets always belong to them. Default: none.
	Sensitive []event.SensitiveType
	// Message makes the commit message of the events that changed something. Default: what
	// happened, in a line, and the objects below it.
	Message func(destination.Destination, []event.Event) string
	// Committer of all commits. Default: the sink's.
	Committer Signature
	// CommitPer groups events into commits. Default: PerBatch.
	CommitPer CommitPer
	// RefuseFiltered leaves objects out whose file a .gitattributes gives a filter, such as
	// git-crypt or LFS, with an error that matches ErrPath: files are written as they are, no
	// filter is run. Default: they are written and reported.
	RefuseFiltered bool
	// Policy returns what is allowed in the folder of a destination. It is asked once in each run
	// of a plan, and not where the batch's lease is lost. It must be quick; calls may be
	// concurrent. Default: the zero Policy.
	Policy func(destination.Destination) Policy
	// OnReport gets what became of a batch, once for each of its destinations. Calls may be
	// concurrent. Default: none.
	OnReport func(Report)
}

func (o *WriterOptions) withDefaults() WriterOptions {
	var out WriterOptions
	if o != nil {
		out = *o
	}
	if out.Layout == nil {
		out.Layout = event.DefaultLayout
	}
	if out.Policy == nil {
		out.Policy = func(destination.Destination) Policy { return Policy{} }
	}
	if out.OnReport == nil {
		out.OnReport = func(Report) {}
	}
	return out
}

// Validate returns an error that names every option which cannot be.
func (o *WriterOptions) Validate() error {
	if o == nil {
		return nil
	}
	faults := []error{o.CommitPer.Validate()}
	for i := range o.Sensitive {
		if err := o.Sensitive[i].Validate(); err != nil {
			faults = append(faults, fmt.Errorf("gitsink: WriterOptions.Sensitive[%d]: %w", i, err))
		}
	}
	return errors.Join(faults...)
}
