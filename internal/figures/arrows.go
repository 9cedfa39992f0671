package main

import (
	"cmp"
	"fmt"
	"go/types"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// fileGraph holds, for each file of a package, the other files that it uses.
type fileGraph map[string]map[string]bool

// arrowsOf returns the arrows between the files of a package.
func arrowsOf(p *goPackage) fileGraph {
	g := fileGraph{}
	for _, f := range p.files {
		g[f.name] = map[string]bool{}
	}
	for ident, object := range p.info.Uses {
		if !p.declares(object) {
			continue
		}
		from, to := p.fileOf(ident.Pos()), p.fileOf(object.Pos())
		if from != to {
			g[from][to] = true
		}
	}
	return g
}

// declares reports whether an object is a name or a method of the package.
func (p *goPackage) declares(object types.Object) bool {
	if object.Pkg() != p.types {
		return false
	}
	f, ok := object.(*types.Func)
	return object.Parent() == p.types.Scope() || ok && f.Signature().Recv() != nil
}

// count returns the number of arrows.
func (g fileGraph) count() (n int) {
	for _, to := range g {
		n += len(to)
	}
	return n
}

// countUp returns the number of arrows that run up in an order.
func (g fileGraph) countUp(order []string) (n int) {
	for i, name := range order {
		for _, above := range order[:i] {
			if g[name][above] {
				n++
			}
		}
	}
	return n
}

// orderOf returns the order of the files of a package and whether its comment gives it. Files that
// the map lacks are at the bottom, and the error names them.
func orderOf(p *goPackage, g fileGraph) (order []string, given bool, fault error) {
	for _, f := range p.files {
		listed := fileMap(f.syntax.Doc.Text())
		if len(listed) == 0 {
			continue
		}
		var gone []string
		for _, name := range listed {
			switch {
			case g[name] == nil:
				gone = append(gone, name)
			case !slices.Contains(order, name):
				order = append(order, name)
			}
		}
		var lacks []string
		for _, other := range p.files {
			if !slices.Contains(order, other.name) {
				order = append(order, other.name)
				if other.name != f.name { // the file of the map itself need not be in it
					lacks = append(lacks, other.name)
				}
			}
		}
		if len(gone)+len(lacks) > 0 {
			fault = fmt.Errorf("%s: the map of files in %s lacks %q and names %q, which are not there", p.path, f.name, lacks, gone)
		}
		return order, true, fault
	}
	return g.searchOrder(), false, nil
}

// mapLine matches a line of a map, and its group the names of files at its beginning.
var mapLine = regexp.MustCompile(`^[\s*-]*(\w[\w.]*\.go(?:,\s*\w[\w.]*\.go)*):`)

// fileMap returns the names of files in the section "# Files" of a package comment.
func fileMap(comment string) (names []string) {
	inside := false
	for line := range strings.Lines(comment) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "# ") {
			inside = line == "# Files"
		}
		if m := mapLine.FindStringSubmatch(line); inside && m != nil {
			for name := range strings.SplitSeq(m[1], ",") {
				names = append(names, strings.TrimSpace(name))
			}
		}
	}
	return names
}

// searchOrder returns an order with few arrows that run up. The fewest are not promised: to find
// them is the feedback arc set problem, which is NP-hard. The same graph always has the same order.
func (g fileGraph) searchOrder() []string {
	order := g.greedy()
	for best := g.countUp(order); ; {
		next := slices.Clone(order)
		for _, name := range slices.Sorted(maps.Keys(g)) {
			next = g.move(next, name)
		}
		// A reversed order is the worst start for the moves, and so leads out of what is best
		// only among its neighbours (Chanas and Kobylanski).
		if up := g.countUp(next); up < best {
			order, best = next, up
			continue
		}
		slices.Reverse(next)
		for _, name := range slices.Clone(next) {
			next = g.move(next, name)
		}
		up := g.countUp(next)
		if up >= best {
			return order
		}
		order, best = next, up
	}
}

// greedy returns the order of Eades, Lin and Smyth: files that use no other go to the bottom, files
// that no other uses to the top, and when neither is left, the file that uses most others and is
// used least goes to the top.
func (g fileGraph) greedy() []string {
	rest := slices.Sorted(maps.Keys(g))
	var top, bottom []string
	for len(rest) > 0 {
		uses := func(name string) (n int) { return g.among(name, rest) }
		users := func(name string) (n int) {
			for _, other := range rest {
				if g[other][name] {
					n++
				}
			}
			return n
		}
		pick := slices.IndexFunc(rest, func(name string) bool { return uses(name) == 0 })
		if pick >= 0 {
			bottom = append(bottom, rest[pick])
		} else {
			best := slices.MaxFunc(rest, func(a, b string) int {
				if c := cmp.Compare(min(users(b), 1), min(users(a), 1)); c != 0 {
					return c
				}
				return cmp.Compare(uses(a)-users(a), uses(b)-users(b))
			})
			pick = slices.Index(rest, best)
			top = append(top, best)
		}
		rest = slices.Delete(rest, pick, pick+1)
	}
	slices.Reverse(bottom)
	return append(top, bottom...)
}

// among returns how many of the others a file uses.
func (g fileGraph) among(name string, others []string) (n int) {
	for _, other := range others {
		if g[name][other] {
			n++
		}
	}
	return n
}

// move puts one file where the fewest of its arrows run up, and leaves it where it is if no other
// place is better.
func (g fileGraph) move(order []string, name string) []string {
	at := slices.Index(order, name)
	rest := slices.Delete(slices.Clone(order), at, at+1)
	// At the top, every arrow to the file runs up and none from it does.
	up := 0
	for _, other := range rest {
		if g[other][name] {
			up++
		}
	}
	counts := []int{up}
	for _, other := range rest {
		if g[other][name] {
			up--
		}
		if g[name][other] {
			up++
		}
		counts = append(counts, up)
	}
	if fewest := slices.Min(counts); fewest < counts[at] {
		at = slices.Index(counts, fewest)
	}
	return slices.Insert(rest, at, name)
}
