package gitsink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/kubescribe/kubescribe/event"
)

// fold adds one event to the run. An object that cannot be written is left out and reported; the
// error is for what stops the whole plan.
func (p *planRun) fold(ctx context.Context, e event.Event) error {
	path := p.path(e)
	entry, exists := p.entry(path)
	if e.Operation == event.Delete {
		owner, owned := ownedFolder(p.base, path)
		switch {
		case !exists || !entry.isFile():
		case owned:
			p.excluded[strings.TrimSuffix(owner, OwnerFile)] = true
		default:
			p.add(e, Change{Path: path, Remove: true}, nil)
		}
		return nil
	}
	if e.Precondition == event.IfAbsent && exists || e.Precondition == event.IfPresent && !exists {
		return nil
	}
	if err := p.denied(path, entry, exists); err != nil {
		p.skip(e, err, false)
		return nil
	}
	content, err := p.content(ctx, e, path, exists)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		p.skip(e, err, !errors.Is(err, event.ErrSecret))
		return nil
	}
	if content == nil || exists && entry.isFile() && content.Names(entry.Hash) {
		return nil
	}
	name := content.SHA1()
	p.add(e, writing(path, content), &Entry{Mode: ModeFile, Hash: hex.EncodeToString(name[:])})
	return nil
}

// denied returns why nothing may be written at a path; nil if it may.
func (p *planRun) denied(path string, entry Entry, exists bool) error {
	if owner, owned := ownedFolder(p.base, path); owned {
		return fmt.Errorf("%w: %s stands in the way of %s", ErrOwned, owner, path)
	}
	if err := p.blocked(path, entry, exists); err != nil {
		return err
	}
	if f, filtered := p.filters.of(path); filtered && p.writer.opts.RefuseFiltered {
		return fmt.Errorf("%w: %s has %w, which is not run", ErrPath, path, f)
	}
	return nil
}

// blocked returns why a path cannot be written: something of somebody else's stands in the way. It
// is found out here, since the sink would refuse the whole commit for one such path.
func (p *planRun) blocked(path string, entry Entry, exists bool) error {
	if exists && !entry.isFile() {
		return fmt.Errorf("%w: %s is a symbolic link or a submodule", ErrPath, path)
	}
	for i := range len(path) {
		if path[i] == '/' {
			if _, ok := p.base.Entry(path[:i]); ok {
				return fmt.Errorf("%w: %s is not a folder", ErrPath, path[:i])
			}
		}
	}
	if !exists {
		for range p.base.Paths(path) {
			return fmt.Errorf("%w: %s is a folder", ErrPath, path)
		}
	}
	return nil
}

func (p *planRun) skip(e event.Event, err error, retry bool) {
	p.report.Skipped = append(p.report.Skipped, Skipped{e.Resource, err, retry})
	if retry {
		p.again = append(p.again, e)
	}
}
