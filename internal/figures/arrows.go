package main

import (
	"fmt"
	"go/types"
	"maps"
	"math/rand/v2"
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
	_, function := object.(*types.Func)
	return function || object.Parent() == p.types.Scope()
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
		if listed := fileMap(f.syntax.Doc.Text()); len(listed) > 0 {
			order, fault = p.follow(listed, f.name)
			return order, true, fault
		}
	}
	return g.searchOrder(), false, nil
}

// follow returns the files in the order of a map, which the named file holds and need not name.
func (p *goPackage) follow(listed []string, holder string) (order []string, fault error) {
	var all, lacks, strays []string
	for _, f := range p.files {
		all = append(all, f.name)
		if !slices.Contains(listed, f.name) && f.name != holder {
			lacks = append(lacks, f.name)
		}
	}
	for _, name := range listed {
		if slices.Contains(all, name) && !slices.Contains(order, name) {
			order = append(order, name)
		} else {
			strays = append(strays, name)
		}
	}
	for _, name := range all {
		if !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	if len(lacks)+len(strays) > 0 {
		fault = fmt.Errorf("%s: the map in %s lacks %q, and lists %q twice or in vain", p.path, holder, lacks, strays)
	}
	return order, fault
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

// starts is the number of orders from which the search begins. With it the search finds the fewest
// arrows for every package here that is small enough to try all orders.
const starts = 60

// searchOrder returns an order with few arrows that run up. The fewest are not promised: to find
// them is the feedback arc set problem, which is NP-hard. The same graph always has the same order.
func (g fileGraph) searchOrder() []string {
	names := slices.Sorted(maps.Keys(g))
	best := g.settle(names)
	chance := rand.New(rand.NewPCG(1, 2)) // always the same
	for range starts - 1 {
		chance.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
		if order := g.settle(names); g.countUp(order) < g.countUp(best) {
			best = order
		}
	}
	return best
}

// settle moves single files until no move is for the better.
func (g fileGraph) settle(order []string) []string {
	for {
		next := order
		for _, name := range order {
			next = g.move(next, name)
		}
		if slices.Equal(next, order) {
			return order
		}
		order = next
	}
}

// move puts one file where the fewest of its arrows run up, and leaves it where it is if no other
// place is better.
func (g fileGraph) move(order []string, name string) []string {
	at := slices.Index(order, name)
	rest := slices.Delete(slices.Clone(order), at, at+1)
	// The number of arrows that run up at each place, less that at the top.
	up, counts := 0, []int{0}
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
