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
		if err := p.deleteFormer(ctx, e, path); err != nil {
			return err
		}
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
	if err := p.refusal(path, func() error { return p.blocked(path, entry, exists) }); err != nil {
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

// refusal returns why nothing may be written at a path; nil if it may. blocked says what stands in
// the way.
func (p *planRun) refusal(path string, blocked func() error) error {
	if owner, owned := p.ownedFolder(path); owned {
		return fmt.Errorf("%w: %s stands in the way of %s", ErrOwned, owner, path)
	}
	if err := blocked(); err != nil {
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
		return notRegular(path)
	}
	for folder := range foldersAbove(path) {
		if _, ok := p.base.Entry(folder); ok {
			return notFolder(folder)
		}
	}
	if !exists {
		for range p.base.Paths(path) {
			return isFolder(path)
		}
	}
	return nil
}

func notRegular(path string) error {
	return fmt.Errorf("%w: %s is a symbolic link or a submodule", ErrPath, path)
}

func notFolder(path string) error { return fmt.Errorf("%w: %s is not a folder", ErrPath, path) }

func isFolder(path string) error { return fmt.Errorf("%w: %s is a folder", ErrPath, path) }

func (p *planRun) skip(e event.Event, err error, retry bool) {
	p.skips.add(Skipped{e.Resource, err, retry})
	if retry {
		p.again = append(p.again, e)
	}
}
