package gogit

import (
	"context"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/kubescribe/kubescribe/destination"
)

// remote is the way to a lane's branch on its server. Who made it holds the lane.
type remote struct {
	sink *Sink
	lane *lane
	dst  destination.Destination // for whom
	ref  plumbing.ReferenceName
	auth func(context.Context) (Auth, error) // what the next connection shows

	secrets []string               // of every connection so far: no error may hold one
	fetched map[plumbing.Hash]bool // commits that came with fetches: they are in the history of the branch
}

func newRemote(s *Sink, l *lane, d destination.Destination) *remote {
	return &remote{
		sink: s, lane: l, dst: d, ref: plumbing.NewBranchReferenceName(d.Branch), fetched: map[plumbing.Hash]bool{},
	}
}
