package eventtest

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

var layoutChecks = []check{
	{
		name:    "the layout has one name",
		promise: "It is one line of printable text",
		run:     checkName,
	},
	{
		name:    "an object has the same path for ever",
		promise: "the same Resource has the same Path for ever",
		run:     checkPure,
	},
	{
		name:    "the version and the kind play no part",
		promise: "Version and Kind play no part.",
		run:     checkVersionAndKind,
	},
	{
		name:    "two objects have two paths",
		promise: "Two different IDs never have the same path, also on a file system that ignores case",
		run:     checkInjective,
	},
	{
		name:    "no path is a folder of another",
		promise: "no path is a folder of another",
		run:     checkFolders,
	},
	{
		name:    "Git and every file system take the paths",
		promise: "Each path is one that Git and every file system take",
		run: func(layout event.Layout) error {
			return eachPath(layout, faultOfPath)
		},
	},
	{
		name:    "no path is that of instructions to a tool",
		promise: "no file that a tool takes for its instructions",
		run: func(layout event.Layout) error {
			return eachPath(layout, faultOfFile)
		},
	},
	{
		name:    "the collection of an object can be told from its path",
		promise: "Collection(Path(r)) is the collection of r, with All false.",
		run:     checkCollection,
	},
	{
		name:    "what the layout did not write belongs to no collection",
		promise: "False means that it did not, or that the path does not say.",
		run:     checkForeign,
	},
	{
		name:    "all methods may be called concurrently",
		promise: "All methods may be called concurrently.",
		run:     checkConcurrent,
	},
}

const maxName = 1000 // bytes: the ownership file holds 4,096

func checkName(layout event.Layout) error {
	name := layout.Name()
	_ = pathOf(layout, realistic[0])
	switch again := layout.Name(); {
	case name == "":
		return errors.New("Name is empty")
	case again != name:
		return fmt.Errorf("Name was %q, and then %q", name, again)
	case len(name) > maxName:
		return fmt.Errorf("Name has %d bytes, more than %d", len(name), maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("Name has something that cannot be printed in one line: %q", name)
	case strings.TrimSpace(name) != name:
		return fmt.Errorf("Name begins or ends with a space: %q", name)
	}
	return nil
}

// some are every n-th object, and all realistic ones, for checks that need no pairs.
func some(n int) (ids []event.ID) {
	ids = slices.Clone(realistic)
	for i := 0; i < len(objects); i += n {
		ids = append(ids, objects[i])
	}
	return ids
}

func checkPure(layout event.Layout) error {
	first := map[event.ID]string{}
	for _, id := range some(1) {
		first[id] = pathOf(layout, id)
	}
	for _, id := range some(1) {
		if again := pathOf(layout, id); again != first[id] {
			return fmt.Errorf("the path was %.100q, and then %.100q: %s", first[id], again, shown(id))
		}
	}
	return nil
}

func checkVersionAndKind(layout event.Layout) error {
	for _, id := range some(50) {
		bare := pathOf(layout, id)
		for _, r := range []event.Resource{{ID: id, Version: "v1", Kind: "Pod"}, {ID: id, Version: "v1beta2"}, {ID: id, Kind: "List"}} {
			if got := layout.Path(r); got != bare {
				return fmt.Errorf("with the version %q and the kind %q the path is %.100q, without %.100q", r.Version, r.Kind, got, bare)
			}
		}
	}
	return nil
}

// folded returns a path as a file system compares it that ignores case. Some fold more than others.
func folded(path string) string { return strings.ToLower(strings.ToUpper(path)) }

func checkInjective(layout event.Layout) error {
	seen := map[string]event.ID{}
	for _, id := range some(1) {
		key := folded(pathOf(layout, id))
		if other, met := seen[key]; met && other != id {
			return fmt.Errorf("two objects share %.200q: %s; and %s", pathOf(layout, id), shown(id), shown(other))
		}
		seen[key] = id
	}
	return nil
}

func checkFolders(layout event.Layout) error {
	files := map[string]event.ID{}
	for _, id := range some(1) {
		files[folded(pathOf(layout, id))] = id
	}
	for _, id := range some(1) {
		whole := folded(pathOf(layout, id))
		for i := range len(whole) {
			if whole[i] != '/' {
				continue
			}
			if other, is := files[whole[:i]]; is {
				return fmt.Errorf("%.200q is the file of %s, and a folder of %s", whole[:i], shown(other), shown(id))
			}
		}
	}
	return nil
}

func eachPath(layout event.Layout, fault func(path string) error) error {
	for _, id := range some(1) {
		if err := fault(pathOf(layout, id)); err != nil {
			return fmt.Errorf("%w: the path is %.300q of %s", err, pathOf(layout, id), shown(id))
		}
	}
	return nil
}

// faultOfPath says what a file system or Git has against a path.
func faultOfPath(p string) error {
	if path.Clean(p) != p {
		return errors.New("it is not clean: path.Clean makes another one of it")
	}
	if err := destination.ValidatePath(p); err != nil {
		return err
	}
	for part := range strings.SplitSeq(p, "/") {
		if err := faultOfComponent(part); err != nil {
			return err
		}
	}
	return nil
}

// faultOfComponent says why Windows or a Mac cannot hold a name.
func faultOfComponent(name string) error {
	stem, _, _ := strings.Cut(strings.ToLower(name), ".")
	switch {
	case strings.ContainsAny(name, `<>:"|?*`):
		return fmt.Errorf("the component %.100q has a character that Windows does not allow", name)
	case name[len(name)-1] == '.' || name[len(name)-1] == ' ':
		return fmt.Errorf("the component %.100q ends with a dot or a space, which Windows drops", name)
	case slices.Contains([]string{"con", "prn", "aux", "nul"}, stem), isPort(stem):
		return fmt.Errorf("the component %.100q is a device of Windows", name)
	case strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }):
		return fmt.Errorf("the component %.100q has characters that a Mac stores in another form", name)
	}
	return nil
}

func isPort(stem string) bool {
	number, ok := strings.CutPrefix(stem, "com")
	if !ok {
		number, ok = strings.CutPrefix(stem, "lpt")
	}
	return ok && len(number) == 1 && '0' <= number[0] && number[0] <= '9'
}

// instructions are names of files that Git, kustomize, SOPS and kubescribe itself take for theirs.
var instructions = []string{
	".gitattributes", ".gitmodules", ".gitignore", ".kubescribe", ".sops.yaml", ".sourceignore", "kustomization", "kustomization.yaml", "kustomization.yml",
}

func faultOfFile(p string) error {
	if name := strings.ToLower(path.Base(p)); slices.Contains(instructions, name) {
		return fmt.Errorf("%q is a file with instructions for a tool", name)
	}
	return nil
}

func checkCollection(layout event.Layout) error {
	for _, id := range some(1) {
		p := pathOf(layout, id)
		got, ok := layout.Collection(p)
		switch want := collectionOf(id); {
		case ok && got != want:
			return fmt.Errorf("the collection of %.200q is %+v, want %+v", p, got, want)
		case !ok && legal(id):
			return fmt.Errorf("%.200q is not known as its own: %s", p, shown(id))
		}
	}
	return nil
}

// foreign are paths that belong to others in every folder.
var foreign = []string{
	"", "/", ".", "..", "//", "README.md", "docs/README.md", ".kubescribe", ".gitattributes", ".github/workflows/ci.yaml", "kustomization.yaml",
	"a/kustomization.yaml", "a/b/kustomization.yaml", "a/b/c/kustomization.yaml", "charts/web/templates/_helpers.tpl", "a/b/.hidden.yaml", "../a/b/c.yaml",
}

func checkForeign(layout event.Layout) error {
	for _, p := range foreign {
		if c, ok := layout.Collection(p); ok {
			return fmt.Errorf("%q is taken for a file of %+v", p, c)
		}
	}
	for _, id := range realistic {
		p := pathOf(layout, id)
		for _, other := range []string{p + ".bak", p + "~", p + "/", "/" + p, "./" + p, p + "/x.yaml", strings.ToUpper(p), strings.TrimSuffix(p, path.Ext(p)), " " + p} {
			if c, ok := layout.Collection(other); ok {
				return fmt.Errorf("%.200q is taken for a file of %+v, as %.200q is", other, c, p)
			}
		}
	}
	return nil
}

func checkConcurrent(layout event.Layout) error {
	ids := some(20)
	want := make([]string, len(ids))
	for i, id := range ids {
		want[i] = pathOf(layout, id)
	}
	const goroutines = 8
	faults := make([]error, goroutines)
	var all sync.WaitGroup
	for g := range goroutines {
		all.Add(1)
		go func() {
			defer all.Done()
			faults[g] = check{run: func(event.Layout) error { return differs(layout, ids, want) }}.against(layout)
		}()
	}
	all.Wait()
	return errors.Join(faults...)
}

func differs(layout event.Layout, ids []event.ID, want []string) error {
	name := layout.Name()
	for range 20 {
		for i, id := range ids {
			if got := pathOf(layout, id); got != want[i] {
				return fmt.Errorf("among others the path is %.100q, alone %.100q", got, want[i])
			}
			if got, ok := layout.Collection(want[i]); ok && got != collectionOf(id) {
				return fmt.Errorf("among others the collection of %.100q is %+v", want[i], got)
			}
		}
		if again := layout.Name(); again != name {
			return fmt.Errorf("among others the name is %q, and then %q", name, again)
		}
	}
	return nil
}
