package gitsink

import (
	"context"
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
	owner, owned := ownedFolder(p.base, path)
	if e.Operation == event.Delete {
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
	if owned {
		p.skip(e, fmt.Errorf("%w: %s stands in the way of %s", ErrOwned, owner, path), false)
		return nil
	}
	if err := p.blocked(path, entry, exists); err != nil {
		p.skip(e, err, false)
		return nil
	}
	if f, filtered := p.filters.of(path); filtered && p.writer.opts.RefuseFiltered {
		p.skip(e, fmt.Errorf("%w: %s has %w, which is not run", ErrPath, path, f), false)
		return nil
	}
	data, err := p.content(ctx, e, path, exists)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		p.skip(e, err, !errors.Is(err, event.ErrSecret))
		return nil
	}
	if data == nil || exists && entry.holds(data) {
		return nil
	}
	p.add(e, Change{Path: path, Data: data}, &Entry{Mode: ModeFile, Hash: blobHash(data)})
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
