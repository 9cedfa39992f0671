package gitsink

import (
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

// pendingCommit is a commit in the making.
type pendingCommit struct {
	changes []Change
	events  []event.Event
	removed int    // the number of orphans among the changes
	pruned  int    // the number of files that no rule covers
	moved   int    // the number of files that another layout had elsewhere
	layout  string // to which they are moved
}

// add puts a change into the commit that its event belongs to.
func (p *planRun) add(e event.Event, c Change, entry *Entry) {
	if n := len(p.pending.events); n > 0 {
		switch p.writer.opts.CommitPer {
		case PerEvent:
			p.flush()
		case PerAuthor:
			if !p.pending.events[n-1].Author.Same(e.Author) {
				p.flush()
			}
		}
	}
	p.pending.events = append(p.pending.events, e)
	p.pending.changes = append(p.pending.changes, c)
	p.overlay[c.Path] = entry
	delete(p.moves, c.Path)
}

// flush makes a Commit of what is pending.
func (p *planRun) flush() {
	pending := p.pending
	p.pending = pendingCommit{}
	if len(pending.changes) == 0 {
		return
	}
	opts := p.writer.opts
	c := Commit{Changes: pending.changes, Message: message(p.to, pending), Author: author(pending.events), Committer: opts.Committer}
	if opts.Message != nil {
		c.Message = opts.Message(p.to, slices.Clone(pending.events))
	}
	p.commits = append(p.commits, c)
}

// author returns who made all of the events, with the time of the newest. It is zero if more than
// one made them, or if that is unknown.
func author(events []event.Event) Signature {
	if len(events) == 0 || events[0].Author.Same(event.Author{}) {
		return Signature{}
	}
	s := Signature{Name: events[0].Author.Name, Email: events[0].Author.Email}
	for _, e := range events {
		if !e.Author.Same(events[0].Author) {
			return Signature{}
		}
		when := e.Author.When
		if when.IsZero() {
			when = e.Time
		}
		if when.After(s.When) {
			s.When = when
		}
	}
	return s
}
