package gitsink

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

// KustomizationFile is the file in which Policy.Kustomization lists what is in a folder.
const KustomizationFile = "kustomization.yaml"

// kustomizationNote begins each KustomizationFile of ours. One without it is somebody else's.
const kustomizationNote = "# Written by kubescribe, which keeps this list up to date. Without this line the file is yours.\n"

const kustomizationHead = kustomizationNote + "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n"

// encodeKustomization returns a KustomizationFile that lists names. Quotes keep a folder called 1
// or true from being anything else than a name.
func encodeKustomization(names map[string]bool) *event.Content {
	b := bytes.NewBufferString(kustomizationHead)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		quoted, err := json.Marshal(name)
		if err != nil {
			panic(err) // a string always encodes
		}
		b.WriteString("- " + string(quoted) + "\n")
	}
	return event.NewContent(b.Bytes())
}

// decodeKustomization returns the names that a KustomizationFile lists, and whether it is ours.
// What somebody has added to one of ours in another form, or what leads out of its folder, is lost
// with the next change.
func decodeKustomization(data []byte) (names map[string]bool, ours bool) {
	if !bytes.HasPrefix(data, []byte(kustomizationNote)) {
		return nil, false
	}
	names = map[string]bool{}
	for line := range strings.Lines(string(data)) {
		var name string
		if entry, is := strings.CutPrefix(line, "- "); is && json.Unmarshal([]byte(entry), &name) == nil && isName(name) {
			names[name] = true
		}
	}
	return names, true
}

// isName reports whether a text can be no more than a name in the same folder: kustomize takes
// others for paths and URLs.
func isName(s string) bool { return s != "" && s != "." && s != ".." && !strings.ContainsAny(s, "/:") }

// kustomizer finds out which KustomizationFiles have to change. A folder is listed in the one above
// it if it has one itself. The list of a folder is what it was, without what is gone and with what
// is new, so a run that neither adds nor removes a file looks at none. A SeedSync looks at all of
// them: to each list belongs what can be ours by its path, of the collections that were listed.
type kustomizer struct {
	run     *planRun
	seed    bool
	folders map[string]*listing // by path, "" is the base folder
	changes []Change
	foreign map[string]bool // the files of somebody else that stand in the way
}

// listing is what a KustomizationFile lists, and ought to.
type listing struct {
	add, drop map[string]bool
	entry     Entry
	exists    bool
	theirs    bool            // it is somebody else's
	open      bool            // only a SeedSync can tell what belongs to it
	listed    map[string]bool // as it was; nil if it need not be known
	below     []string        // the folders right in it that have to be looked at
	fresh     bool            // something is new in it or below, or belongs to it
}

// kustomize adds the changes of KustomizationFiles to the last commit of the run.
func (p *planRun) kustomize(ctx context.Context, seen *survey) error {
	k := &kustomizer{run: p, seed: seen != nil, folders: map[string]*listing{}, foreign: map[string]bool{}}
	switch {
	case p.policy.Kustomization:
		k.gather()
		if err := k.load(ctx); err != nil {
			return err
		}
		k.decide()
	case k.seed:
		if err := k.removeAll(ctx, seen.kustomizations); err != nil {
			return err
		}
	}
	p.report.Kustomizations = orphan.NewFound(slices.Sorted(maps.Keys(k.foreign)))
	if len(k.changes) == 0 {
		return nil
	}
	if n := len(p.commits); n > 0 {
		p.commits[n-1].Changes = append(p.commits[n-1].Changes, k.changes...)
		return nil
	}
	p.commits = []Commit{{Message: "Update the kustomizations of " + folderName(p.to) + "\n", Committer: p.writer.opts.Committer, Changes: k.changes}}
	return nil
}

// folder returns the listing of a folder, and makes those of the folders above it.
func (k *kustomizer) folder(path string) *listing {
	l := k.folders[path]
	if l == nil {
		l = &listing{add: map[string]bool{}, drop: map[string]bool{}}
		k.folders[path] = l
		if path != "" {
			above := k.folder(parent(path))
			above.below = append(above.below, path)
		}
	}
	return l
}

// parent returns the folder that a path lies in, "" for the base folder.
func parent(path string) string { return path[:max(strings.LastIndexByte(path, '/'), 0)] }

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }

// gather finds the folders that have to be looked at.
func (k *kustomizer) gather() {
	p := k.run
	for path, e := range p.overlay {
		before, was := p.base.Entry(path)
		switch was = was && before.isFile(); {
		case e != nil && !was:
			k.folder(parent(path)).add[base(path)] = true
		case e == nil && was:
			k.folder(parent(path)).drop[base(path)] = true
		}
	}
	if !k.seed {
		return
	}
	for path := range p.paths() {
		if base(path) == KustomizationFile {
			k.folder(parent(path))
		} else if c, ours := p.layout.Collection(path); ours && p.sweepable(c) {
			k.folder(parent(path)).add[base(path)] = true
		}
	}
}

// load reads the files that are there, unless their names say that they are as they should be.
func (k *kustomizer) load(ctx context.Context) error {
	var unknown []string
	for _, path := range k.bottomUp() {
		l := k.folders[path]
		file := join(path, KustomizationFile)
		l.entry, l.exists = k.run.base.Entry(file)
		l.theirs = l.exists && !l.entry.isFile() || k.blocked(path, file)
		expected := k.expected(l)
		switch {
		case l.theirs:
		case l.exists && k.seed && encodeKustomization(expected).Names(l.entry.Hash):
			l.listed = map[string]bool{}
		case l.exists:
			unknown = append(unknown, file)
		default:
			l.open = !k.seed && k.hasOthers(path)
		}
	}
	return readOwn(ctx, k.run.base, unknown, func(file string, names map[string]bool, ours bool) {
		l := k.folders[parent(file)]
		l.listed, l.theirs = names, !ours
	})
}

// expected is what a list has to have if it is to have no more than what is new, or belongs to it
// in a SeedSync. The folders below come first.
func (k *kustomizer) expected(l *listing) map[string]bool {
	names := maps.Clone(l.add)
	for _, below := range l.below {
		if k.folders[below].fresh {
			names[base(below)] = true
		}
	}
	l.fresh = len(names) > 0
	return names
}

// blocked reports whether something of somebody else's keeps a KustomizationFile from being
// written: kustomize refuses two in a folder.
func (k *kustomizer) blocked(path, file string) bool {
	for _, other := range []string{"kustomization.yml", "Kustomization"} {
		if _, exists := k.run.base.Entry(join(path, other)); exists {
			return true
		}
	}
	return k.run.refusal(file, func() error { return k.run.blocked(file, Entry{Mode: ModeFile}, true) }) != nil
}

// hasOthers reports whether a folder had files of ours before this run.
func (k *kustomizer) hasOthers(path string) bool {
	for file := range k.run.base.Paths(path) {
		if k.run.ours(file) {
			return true
		}
	}
	return false
}

// readOwn reads KustomizationFiles. One that is too large is not ours.
func readOwn(ctx context.Context, base Tree, files []string, use func(file string, names map[string]bool, ours bool)) error {
	for chunk := range slices.Chunk(files, readAtOnce) {
		read, err := base.Read(ctx, chunk...)
		for _, file := range chunk {
			if errors.Is(err, ErrTooLarge) && len(chunk) > 1 {
				if err := readOwn(ctx, base, []string{file}, use); err != nil {
					return err
				}
				continue
			}
			if err != nil && !errors.Is(err, ErrTooLarge) {
				return err
			}
			names, ours := decodeKustomization(read[file])
			use(file, names, ours)
		}
	}
	return nil
}

// bottomUp returns the folders, each after those in it.
func (k *kustomizer) bottomUp() []string {
	depth := func(path string) int {
		if path == "" {
			return 0
		}
		return strings.Count(path, "/") + 1
	}
	return slices.SortedFunc(maps.Keys(k.folders), func(a, b string) int {
		if d := depth(b) - depth(a); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
}

// decide makes the changes, from the folders at the bottom to the base folder.
func (k *kustomizer) decide() {
	for _, path := range k.bottomUp() {
		l := k.folders[path]
		file := join(path, KustomizationFile)
		if l.theirs && len(l.add) > 0 {
			k.foreign[file] = true
		}
		if l.theirs && len(l.add) > 0 {
			k.announce(path, true)
		}
		if l.open || l.theirs {
			continue
		}
		names := k.names(path, l)
		content := encodeKustomization(names)
		switch {
		case len(names) > 0 && !(l.exists && content.Names(l.entry.Hash)):
			k.changes = append(k.changes, writing(file, content))
		case len(names) == 0 && l.exists:
			k.changes = append(k.changes, Change{Path: file, Remove: true})
		}
		k.announce(path, len(names) > 0)
	}
}

// names returns what a list is to have.
func (k *kustomizer) names(path string, l *listing) map[string]bool {
	names := maps.Clone(l.add)
	for name := range l.listed {
		if k.seed && !k.stands(join(path, name)) {
			continue
		}
		names[name] = true
	}
	for name := range l.drop {
		delete(names, name)
	}
	return names
}

// stands reports whether a file is there as the run leaves it, or a folder with a
// KustomizationFile.
func (k *kustomizer) stands(path string) bool {
	if e, exists := k.run.entry(path); exists {
		return e.isFile()
	}
	return k.run.exists(join(path, KustomizationFile))
}

// announce tells the list above whether a folder is to be in it.
func (k *kustomizer) announce(path string, is bool) {
	if path == "" {
		return
	}
	above := k.folders[parent(path)]
	if is {
		above.add[base(path)] = true
	} else {
		above.drop[base(path)] = true
	}
}

// removeAll removes the files that are ours.
func (k *kustomizer) removeAll(ctx context.Context, files []string) error {
	err := readOwn(ctx, k.run.base, files, func(file string, _ map[string]bool, ours bool) {
		if _, foreign := outermost(file, k.run.foreign); ours && !foreign {
			k.changes = append(k.changes, Change{Path: file, Remove: true})
		}
	})
	slices.SortFunc(k.changes, func(a, b Change) int { return strings.Compare(a.Path, b.Path) })
	return err
}

func join(folder, name string) string {
	if folder == "" {
		return name
	}
	return folder + "/" + name
}
