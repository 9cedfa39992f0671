package gogit

import (
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

// maxUnknown bounds what a lane remembers of pushes whose outcome is unknown.
const maxUnknown = 16

// rememberUnknown remembers a push that may land yet, to know it again: by whoever made it, its
// commits must not be made twice, nor taken for somebody else's.
func (g *pushGroup) rememberUnknown(ch *pushStack) {
	d := unknownPush{old: ch.old, tip: ch.tip}
	for _, p := range ch.parts {
		folder := p.call.dst.BaseFolder
		part := unknownPart{call: p.call, folder: folder}
		for _, m := range p.commits {
			part.commits = append(part.commits, landedCommit{m.hash, digestOf(m.from)})
		}
		d.parts = append(d.parts, part)
		if last, ok := g.remote.lane.seen[folder]; ok {
			if after, err := object.FolderIn(ch, ch.root, folder); err == nil {
				g.remote.lane.seen[folder] = lastSeenFolder{is: last.is, maybe: after}
			}
		}
	}
	g.remote.lane.unknown = append(g.remote.lane.unknown, d)
	if n := len(g.remote.lane.unknown) - maxUnknown; n > 0 {
		g.remote.lane.unknown = g.remote.lane.unknown[n:]
	}
}

// settleUnknown finds out which pushes of unknown outcome have landed, now that the branch is at
// tip. What has not, and cannot any more, is forgotten: a push lands on the commit it was made on
// or not at all.
func (g *pushGroup) settleUnknown(tip object.ID) error {
	var wanted []object.ID
	for _, d := range g.remote.lane.unknown {
		if d.old != tip && d.tip != tip && !g.remote.fetched[d.tip] {
			wanted = append(wanted, d.tip)
		}
	}
	in := map[object.ID]bool{}
	if len(wanted) > 0 && !tip.IsZero() {
		var err error
		if in, err = g.remote.ancestors(g.callers.ctx, tip, wanted); err != nil {
			return err
		}
	}
	var left []unknownPush
	for _, d := range g.remote.lane.unknown {
		switch {
		case d.tip == tip, g.remote.fetched[d.tip], in[d.tip]:
			g.noteLanded(d)
		case d.old == tip:
			left = append(left, d)
		}
	}
	g.remote.lane.unknown = left
	return nil
}

// noteLanded takes note of a push that has landed. Calls that are still here are told; for the
// others, which have returned with ErrUnknown, the commits are remembered until the next plan for
// their folder.
func (g *pushGroup) noteLanded(d unknownPush) {
	for _, p := range d.parts {
		g.remote.lane.landed[p.folder] = append(g.remote.lane.landed[p.folder], p.commits...)
		if p.call == nil || p.call.over {
			continue
		}
		for _, f := range p.commits {
			p.call.result.Commits = append(p.call.result.Commits, f.hash.String())
		}
	}
}

// withoutLanded leaves out of a plan's commits those at the beginning that have landed already,
// if together they change nothing. Without this, a plan with several commits on one file would
// set it back to the first and write its history once more.
func (g *pushGroup) withoutLanded(ch *pushStack, c *call, commits []gitsink.Commit) ([]gitsink.Commit, error) {
	landed := countLanded(commits, g.remote.lane.landed[c.dst.BaseFolder])
	if landed == 0 {
		return commits, nil
	}
	if err := object.CheckPaths(c.dst.BaseFolder, commits); err != nil {
		return nil, err
	}
	e, err := object.NewEditor(ch.format, ch, ch.root)
	if err != nil {
		return nil, err
	}
	for _, commit := range commits[:landed] {
		for _, change := range commit.Changes {
			if err := e.Apply(object.Join(c.dst.BaseFolder, change.Path), change); err != nil {
				return nil, err
			}
		}
	}
	if root, _ := e.Commit(); root != ch.root {
		return commits, nil
	}
	return commits[landed:], nil
}
