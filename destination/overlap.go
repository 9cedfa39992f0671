package destination

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// claimed is a destination without a fault of its own, and since when it is there; zero: nobody
// knows.
type claimed struct {
	Destination
	since time.Time
}

// refuseOverlaps finds the destinations of one remote branch whose base folders are equal or
// nested. Of two the older one keeps its folder, since a tenant cannot choose his age; where
// neither is known to be older, both are refused. What an older one has refused stands in nobody's
// way.
func (r *resolver) refuseOverlaps(remoteBranch RemoteBranch, destinations []claimed) {
	slices.SortFunc(destinations, func(a, b claimed) int {
		return cmp.Or(a.since.Compare(b.since), compareFolders(a.BaseFolder, b.BaseFolder), compareRefs(a.Ref, b.Ref))
	})
	ageless := 0 // sorted first
	for ageless < len(destinations) && destinations[ageless].since.IsZero() {
		ageless++
	}
	standing := newFolders(destinations[:ageless]) // what those that come have to respect
	if ageless > 0 {
		all := newFolders(destinations)
		for _, d := range destinations[:ageless] {
			r.refuseOverlap(remoteBranch, d, all)
		}
	}
	for rest := destinations[ageless:]; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].since.Equal(rest[0].since) {
			n++
		}
		peers := slices.DeleteFunc(slices.Clone(rest[:n]), func(d claimed) bool { return r.refuseOverlap(remoteBranch, d, standing) })
		among := newFolders(peers)
		for _, d := range peers {
			r.refuseOverlap(remoteBranch, d, among)
			standing.add(d)
		}
		rest = rest[n:]
	}
}

// refuseOverlap refuses d if one of the others overlaps with it. Its error names nothing of another
// namespace's.
func (r *resolver) refuseOverlap(remoteBranch RemoteBranch, d claimed, others folders) bool {
	with, ok := others.overlapping(d.Destination)
	if !ok {
		return false
	}
	err := fmt.Errorf("%w: the folder of another destination on this branch stands in the way; choose another folder", ErrOverlap)
	switch {
	case with.Ref.Namespace != d.Ref.Namespace:
	case !with.since.IsZero() && with.since.Before(d.since):
		err = fmt.Errorf("%w: %s %s, which is older, has %q on %s; give each a folder outside the other's",
			ErrOverlap, KindDestination, with.Ref, with.BaseFolder, remoteBranch)
	default:
		err = fmt.Errorf("%w: %s %s has %q on %s; give each a folder outside the other's",
			ErrOverlap, KindDestination, with.Ref, with.BaseFolder, remoteBranch)
	}
	r.faults[d.Ref] = d.fault("BaseFolder", d.BaseFolder, err)
	return true
}

// folders finds what overlaps with a folder, in time that depends on its depth only.
type folders struct {
	at    map[string][]claimed // by folder, the first two
	below map[string]claimed   // by folder, the first that lies deeper
}

func newFolders(destinations []claimed) folders {
	f := folders{at: make(map[string][]claimed, len(destinations)), below: map[string]claimed{}}
	for _, d := range destinations {
		f.add(d)
	}
	return f
}

func (f folders) add(d claimed) {
	if same := f.at[d.BaseFolder]; len(same) < 2 {
		f.at[d.BaseFolder] = append(same, d)
	}
	for folder := d.BaseFolder; folder != ""; {
		folder = folder[:max(strings.LastIndexByte(folder, '/'), 0)]
		if _, ok := f.below[folder]; !ok {
			f.below[folder] = d
		}
	}
}

// overlapping returns a destination other than d itself whose folder is d's, lies around it, the
// nearest first, or in it.
func (f folders) overlapping(d Destination) (claimed, bool) {
	for _, other := range f.at[d.BaseFolder] {
		if other.Ref != d.Ref {
			return other, true
		}
	}
	for folder := d.BaseFolder; folder != ""; {
		folder = folder[:max(strings.LastIndexByte(folder, '/'), 0)]
		if around := f.at[folder]; len(around) > 0 {
			return around[0], true
		}
	}
	in, ok := f.below[d.BaseFolder]
	return in, ok
}

// compareFolders compares a+"/" with b+"/"; "" stands for itself.
func compareFolders(a, b string) int {
	n := min(len(a), len(b))
	if c := strings.Compare(a[:n], b[:n]); c != 0 || len(a) == len(b) || n == 0 {
		return cmp.Or(c, cmp.Compare(len(a), len(b)))
	}
	if len(a) < len(b) {
		return cmp.Or(cmp.Compare('/', b[n]), -1)
	}
	return cmp.Or(cmp.Compare(a[n], '/'), 1)
}

func compareRefs(a, b Ref) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}
