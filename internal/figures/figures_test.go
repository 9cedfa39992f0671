package main

import (
	"bytes"
	"io/fs"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"

	"github.com/kubescribe/kubescribe/internal/testsize"
)

// sample writes the module of testdata into a folder and returns that.
func sample(t *testing.T, change func(name, text string) string) string {
	t.Helper()
	archive, err := txtar.ParseFile("testdata/sample.txtar")
	require.NoError(t, err)
	for i, f := range archive.Files {
		archive.Files[i].Data = []byte(change(f.Name, string(f.Data)))
	}
	files, err := txtar.FS(archive)
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.CopyFS(dir, files))
	return dir
}

func asItIs(_, text string) string { return text }

func TestEveryFigureOfASmallModuleIsKnown(t *testing.T) {
	t.Parallel()
	want, err := os.ReadFile("testdata/sample.md")
	require.NoError(t, err)
	var out bytes.Buffer
	o := options{dir: sample(t, asItIs), files: true}
	require.NoError(t, o.run(t.Context(), &out, nil))
	require.Equal(t, string(want), out.String())
}

func TestPatternsChooseThePackages(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	o := options{dir: sample(t, asItIs)}
	require.NoError(t, o.run(t.Context(), &out, []string{"./shop/layers"}))
	require.Contains(t, out.String(), "| shop/layers |")
	require.NotContains(t, out.String(), "| shop |", "it is only a dependency")
	require.NotContains(t, out.String(), "##", "files are listed only if -files asks for it")
}

func TestAMapThatIsWrongIsAnError(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	for change, want := range map[[2]string]string{
		{"//   - base.go: wrongly at the top\n", ""}:         `shop/layers: the map in layers.go lacks ["base.go"], and lists [] twice or in vain`,
		{"top.go, middle.go:", "top.go, middle.go"}:          `lacks ["middle.go" "top.go"]`,
		{"top.go, middle.go:", "top.go, middle.go, x.go:"}:   `lacks [], and lists ["x.go"] twice or in vain`,
		{"top.go, middle.go:", "top.go, middle.go, top.go:"}: `lacks [], and lists ["top.go"] twice or in vain`,
	} {
		dir := sample(t, func(_, text string) string { return strings.Replace(text, change[0], change[1], 1) })
		var out bytes.Buffer
		o := options{dir: dir}
		require.ErrorContains(t, o.run(t.Context(), &out, nil), want)
		require.Contains(t, out.String(), "| **all** |", "the figures are printed all the same")
	}
}

func TestCodeThatDoesNotCompileIsAnError(t *testing.T) {
	t.Parallel()
	dir := sample(t, func(name, text string) string {
		if name == "shop/good.go" {
			text += "\nvar wrong int = limits\n"
		}
		return text
	})
	var out bytes.Buffer
	o := options{dir: dir}
	require.ErrorContains(t, o.run(t.Context(), &out, nil), "undefined: limits")
	require.Empty(t, out.String())
}

func TestAFolderWithoutAModuleIsAnError(t *testing.T) {
	t.Parallel()
	o := options{dir: t.TempDir()}
	require.ErrorContains(t, o.run(t.Context(), &bytes.Buffer{}, nil), "go list in "+o.dir)
	o.dir += "/gone"
	require.ErrorIs(t, o.run(t.Context(), &bytes.Buffer{}, nil), fs.ErrNotExist)
}

// Of seven files all orders can be tried.
func TestTheSearchFindsTheBestOrderOfSmallGraphs(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	chance := rand.New(rand.NewPCG(seed, 0))
	for range 50 {
		names := []string{"a", "b", "c", "d", "e", "f", "g"}
		g := fileGraph{}
		for _, from := range names {
			g[from] = map[string]bool{}
			for _, to := range names {
				if from != to && chance.IntN(5) < 2 {
					g[from][to] = true
				}
			}
		}
		fewest := g.count()
		permutations(names, func(order []string) { fewest = min(fewest, g.countUp(order)) })
		order := g.searchOrder()
		require.Equal(t, fewest, g.countUp(order), "%v", g)
		require.Equal(t, order, g.searchOrder(), "the same graph has the same order")
		require.ElementsMatch(t, names, order)
	}
}

func TestAFileMovesOnlyToABetterPlace(t *testing.T) {
	t.Parallel()
	uses := func(names ...string) map[string]bool {
		to := map[string]bool{}
		for _, name := range names {
			to[name] = true
		}
		return to
	}
	g := fileGraph{"a": uses("b", "c"), "b": uses("c"), "c": uses(), "d": uses("b"), "e": uses("e2"), "e2": uses("e")}
	require.Equal(t, []string{"a", "c", "b"}, g.move([]string{"c", "b", "a"}, "a"), "up")
	require.Equal(t, []string{"a", "b", "c"}, g.move([]string{"c", "a", "b"}, "c"), "down")
	require.Equal(t, []string{"a", "d", "b", "c"}, g.move([]string{"b", "a", "d", "c"}, "b"), "between those that use it and those that it uses")
	require.Equal(t, []string{"e2", "e"}, g.move([]string{"e2", "e"}, "e"), "no place is better")
}

// permutations calls f with every order of the names.
func permutations(names []string, f func([]string)) {
	var extend func(order, rest []string)
	extend = func(order, rest []string) {
		if len(rest) == 0 {
			f(order)
		}
		for i := range rest {
			extend(append(slices.Clip(order), rest[i]), slices.Delete(slices.Clone(rest), i, i+1))
		}
	}
	extend(nil, names)
}

func TestAPercentileIsAWidthThatOccurs(t *testing.T) {
	t.Parallel()
	var widths []int
	for i := 20; i > 0; i-- {
		widths = append(widths, i*10)
	}
	require.Equal(t, 180, tally{widths: widths}.percentile(90))
	require.Equal(t, 200, tally{widths: widths}.percentile(100))
	require.Equal(t, 190, tally{widths: widths[:19]}.percentile(90), "18 of 19 do not exceed it, and 17 are too few")
	require.Equal(t, 7, tally{widths: []int{7}}.percentile(90))
	require.Zero(t, tally{}.percentile(90))
}

func TestNothingIsLargestWhereNothingIs(t *testing.T) {
	t.Parallel()
	var m most
	m.see(0, "nothing")
	require.Empty(t, m.String())
	m.see(2, "first")
	m.see(2, "second")
	require.Equal(t, "2 first", m.String())
}
