package destination

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// refuseOverlaps finds the destinations of one lane whose base folders are equal
// or nested, and gives each a fault that names one of those it overlaps with.
func (r *resolver) refuseOverlaps(lane Lane, destinations []Destination) {
	// With a slash at its end, a folder is a prefix of exactly what lies in it,
	// and sorts right before it: "a-b/" < "a/" < "a/c/", while "a" < "a-b" < "a/c".
	slices.SortFunc(destinations, func(a, b Destination) int {
		return cmp.Or(compareFolders(a.BaseFolder, b.BaseFolder), compareRefs(a.Ref, b.Ref))
	})
	// The folders around the present one, outermost first. All but the outermost
	// have their fault already.
	var around []Destination
	for _, d := range destinations {
		for len(around) > 0 && !contains(around[len(around)-1].BaseFolder, d.BaseFolder) {
			around = around[:len(around)-1]
		}
		if len(around) > 0 {
			outer := around[len(around)-1]
			r.refuseOverlap(lane, d, outer)
			if r.faults[outer.Ref] == nil {
				r.refuseOverlap(lane, outer, d)
			}
		}
		around = append(around, d)
	}
}

func (r *resolver) refuseOverlap(lane Lane, d, with Destination) {
	r.faults[d.Ref] = d.fault("BaseFolder", d.BaseFolder, fmt.Errorf(
		"%w: %s %s has %q on %s; give each a folder outside the other's",
		ErrOverlap, KindDestination, with.Ref, with.BaseFolder, lane))
}

// contains reports whether inner is outer or lies in it.
func contains(outer, inner string) bool {
	rest, ok := strings.CutPrefix(inner, outer)
	return ok && (outer == "" || rest == "" || rest[0] == '/')
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
