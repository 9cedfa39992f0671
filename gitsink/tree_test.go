package gitsink

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/gitattr"
	"github.com/kubescribe/kubescribe/queue"
)

// stubTree is a Tree of entries and contents. It fails as it is told.
type stubTree struct {
	entries  map[string]Entry
	files    map[string]string
	above    map[string][]byte
	aboveErr error
	readErr  error
	most     int    // files that it reads at once; 0: any number
	bad      string // a file that cannot be read
	reads    int
}

func (s *stubTree) Paths(prefix string) iter.Seq2[string, Entry] {
	return func(yield func(string, Entry) bool) {
		for _, path := range slices.Sorted(maps.Keys(s.entries)) {
			if (prefix == "" || strings.HasPrefix(path, prefix+"/")) && !yield(path, s.entries[path]) {
				return
			}
		}
	}
}

func (s *stubTree) Entry(path string) (Entry, bool) {
	e, ok := s.entries[path]
	return e, ok
}

func (s *stubTree) Read(_ context.Context, paths ...string) (map[string][]byte, error) {
	s.reads++
	if s.most > 0 && len(paths) > s.most {
		return nil, fmt.Errorf("%w: %d files", ErrTooLarge, len(paths))
	}
	found := map[string][]byte{}
	for _, path := range paths {
		if path == s.bad && path != "" {
			return nil, errBad
		}
		if content, ok := s.files[path]; ok {
			found[path] = []byte(content)
		}
	}
	return found, s.readErr
}

var errBad = errors.New("a bad sector")

func (s *stubTree) ReadAbove(context.Context, string) (map[string][]byte, error) {
	return s.above, s.aboveErr
}

// stub returns a stubTree of regular files.
func stub(files map[string]string) *stubTree {
	s := &stubTree{entries: map[string]Entry{}, files: files}
	for path, content := range files {
		s.entries[path] = Entry{Mode: ModeFile, Hash: nameOf(content)}
	}
	return s
}

func TestTheFoldersOnTheWayToPathsAreThoseThatAreRead(t *testing.T) {
	t.Parallel()
	got := foldersOf([]string{"a/b/c.yaml", "a/b/d.yaml", "a/e.yaml", "f.yaml"})
	require.Equal(t, map[string]struct{}{"": {}, "a/": {}, "a/b/": {}}, got)
}

func TestWhichPathHasWhichFilter(t *testing.T) {
	t.Parallel()
	attributes := "*.yaml filter=x\n*.bin filter=\n*.txt -filter\n"
	in := filters{folder: "clusters/a", known: gitattr.Set{gitattr.Parse("clusters/a", []byte(attributes))}, large: []string{"other", "clusters/a/big"}}
	for path, want := range map[string]string{
		"ns/web.yaml": "clusters/a/.gitattributes", "big/web.yaml": "clusters/a/big/.gitattributes", "big/x": "clusters/a/big/.gitattributes",
		"bigger.yaml": "clusters/a/.gitattributes", "x.bin": "", "x.txt": "", "x": "",
	} {
		f, ok := in.of(path)
		require.Equal(t, want != "", ok, path)
		require.Equal(t, want, f.File, path)
		if ok && !strings.HasPrefix(path, "big/") {
			require.Equal(t, Filtered{want, "*.yaml", "x"}, f)
		}
	}
	root := filters{large: []string{""}}
	f, ok := root.of("a/b")
	require.True(t, ok)
	require.Equal(t, ".gitattributes", f.File)
	require.Contains(t, f.String(), "more than the 65536 bytes")
	require.NotContains(t, Filtered{"a", "*.yaml", "x"}.String(), "bytes")
	for folder, want := range map[string]string{"": "a/b", "c": "c/a/b"} {
		require.Equal(t, want, (&filters{folder: folder}).fromRoot("a/b"))
		require.Equal(t, folder, (&filters{folder: folder}).fromRoot(""))
	}
}

// filtersOf reads the filters for paths, or for all files.
func filtersOf(t *testing.T, tree Tree, paths []string, all bool) (filters, error) {
	t.Helper()
	attributes := attributesOf(tree, paths)
	if all {
		attributes = look(tree).attributes
	}
	return readFilters(t.Context(), tree, "", attributes)
}

func TestWhichFilesOfAttributesAreRead(t *testing.T) {
	t.Parallel()
	line := "* filter=x\n"
	files := map[string]string{".gitattributes": line, "a/.gitattributes": line, "b/.gitattributes": line, "c/x.gitattributes": line}
	for name, c := range map[string]struct {
		paths      []string
		all        bool
		root, a, b string // the file that says the filter there
	}{
		"of a sweep":           {nil, true, ".gitattributes", "a/.gitattributes", "b/.gitattributes"},
		"on the way":           {[]string{"a/x.yaml"}, false, ".gitattributes", "a/.gitattributes", ".gitattributes"},
		"of the folder itself": {[]string{"x.yaml"}, false, ".gitattributes", ".gitattributes", ".gitattributes"},
		"none on the way":      {[]string{"d/x.yaml"}, false, ".gitattributes", ".gitattributes", ".gitattributes"},
	} {
		f, err := filtersOf(t, stub(files), c.paths, c.all)
		require.NoError(t, err, name)
		for path, want := range map[string]string{"x": c.root, "a/x": c.a, "b/x": c.b, "c/x": ".gitattributes"} {
			said, ok := f.of(path)
			require.True(t, ok, "%s: %s", name, path)
			require.Equal(t, want, said.File, "%s: %s", name, path)
		}
	}

	linked := stub(files)
	for path := range linked.entries {
		linked.entries[path] = Entry{Mode: ModeSymlink}
	}
	for _, all := range []bool{true, false} {
		f, err := filtersOf(t, linked, []string{"a/x.yaml"}, all)
		require.NoError(t, err)
		require.True(t, f.none())
		require.Zero(t, linked.reads, "a link says nothing, and nothing is asked for")
	}
	other, err := filtersOf(t, stub(map[string]string{".gitattributes": "* text\n"}), nil, true)
	require.NoError(t, err)
	require.True(t, other.none(), "no filter is mentioned")
}

func TestAttributesThatCannotBeReadEndThePlanAndLargeOnesAreTold(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	tree := stub(map[string]string{".gitattributes": "* filter=x\n", "a/.gitattributes": "* filter=x\n"})
	tree.readErr = broken
	_, err := filtersOf(t, tree, nil, true)
	require.ErrorIs(t, err, broken)
	tree.readErr, tree.aboveErr = nil, broken
	_, err = filtersOf(t, tree, nil, true)
	require.ErrorIs(t, err, broken)

	tree.aboveErr, tree.most = nil, 1
	f, err := filtersOf(t, tree, nil, true)
	require.NoError(t, err, "all of them may have a filter for any path")
	require.Equal(t, []string{"", "a"}, f.large)

	for size, large := range map[int]int{maxAttributes: 0, maxAttributes + 1: 1} {
		content := "* filter=x\n" + strings.Repeat("#", size-len("* filter=x\n"))
		f, err := filtersOf(t, stub(map[string]string{".gitattributes": content}), nil, true)
		require.NoError(t, err)
		require.Len(t, f.large, large, size)
		require.False(t, f.none())
	}
}

func TestFilesAreReadInHalvesWhereTheyAreTooLargeTogether(t *testing.T) {
	t.Parallel()
	tree, got := stub(map[string]string{"a": "1", "b": "2", "c": "3"}), map[string]string{}
	use := func(path string, data []byte) { got[path] = string(data) }
	tree.most = 1
	require.NoError(t, readFiles(t.Context(), tree, []string{"a", "b", "c"}, use))
	require.Equal(t, tree.files, got)
	tree.reads = 0
	require.NoError(t, readFiles(t.Context(), tree, nil, use))
	require.Zero(t, tree.reads, "nothing is asked for")

	for _, tree.bad = range []string{"a", "c"} {
		require.ErrorIs(t, readFiles(t.Context(), tree, []string{"a", "b", "c"}, use), errBad)
	}
	tree.bad = ""
	tree.most, tree.readErr = 0, fmt.Errorf("%w: alone", ErrTooLarge)
	require.ErrorIs(t, readFiles(t.Context(), tree, []string{"a"}, use), ErrTooLarge)
	broken := errors.New("broken")
	tree.reads, tree.readErr = 0, broken
	require.ErrorIs(t, readFiles(t.Context(), tree, []string{"a", "b"}, use), broken)
	require.Equal(t, 1, tree.reads, "halves are no better")
}

func TestATreeEndsWithItsContextAndWithWhoReads(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	tree := cancelableTree{stub(map[string]string{"a": "", "b": "", "c": ""}), ctx}
	count := func(stop int) (n int) {
		for range tree.Paths("") {
			if n++; n == stop {
				break
			}
		}
		return n
	}
	require.Equal(t, 3, count(0))
	require.Equal(t, 2, count(2))
	cancel()
	require.Zero(t, count(0))
}

func TestFoldersWithAnOwnerAreFoundByRegularFilesBelow(t *testing.T) {
	t.Parallel()
	tree := stub(map[string]string{OwnerFile: "", "a/" + OwnerFile: "", "b/c/" + OwnerFile: "", "x" + OwnerFile: "", "d/" + OwnerFile: ""})
	tree.entries["d/"+OwnerFile] = Entry{Mode: ModeExecutable}
	folders := look(tree).foreign
	require.Equal(t, map[string]bool{"a/": true, "b/c/": true}, folders)
	for path, want := range map[string]string{
		"a/x": "a/", "a": "", "ab/x": "", "b/x": "", "b/c/d/x": "b/c/", "d/x": "", "x": "",
	} {
		folder, found := outermost(path, folders)
		require.Equal(t, want, folder, path)
		require.Equal(t, want != "", found, path)
		file, owned := ownedFolder(tree, path)
		require.Equal(t, want != "", owned, path)
		if owned {
			require.Equal(t, want+OwnerFile, file)
		}
	}
	_, found := outermost("a/x", nil)
	require.False(t, found)
	folder, _ := outermost("a/b/x", map[string]bool{"a/b/": true, "a/": true})
	require.Equal(t, "a/", folder)
}

func TestWhatAnErrorSaysOfAnOwnerIsBoundedAndNamesNoStrangers(t *testing.T) {
	t.Parallel()
	us := owner{Destination: "team/prod"}
	require.Equal(t, `"team/dev"`, owner{Destination: "team/dev"}.shownTo(us))
	require.Equal(t, "of another namespace", owner{Destination: "other/dev"}.shownTo(us))
	require.Equal(t, `"`+strings.Repeat("x", maxQuoted)+`"`, quoted(strings.Repeat("x", maxQuoted)))
	require.Equal(t, `"`+strings.Repeat("x", maxQuoted)+`"...`, quoted(strings.Repeat("x", maxQuoted+1)))

	_, err := decodeOwner([]byte("source: a\n" + strings.Repeat("#", maxOwnerFile-len("source: a\n"))))
	require.NoError(t, err, "the bound may be reached")
	_, err = decodeOwner([]byte("[source]: a\n"))
	require.ErrorContains(t, err, "unknown or stands there twice")

	written := us.as(true)
	formatted := stub(map[string]string{OwnerFile: "{destination: team/prod, adopted: true}\n"})
	got, err := unnamed.checkOwnership(t.Context(), formatted, us, false)
	require.NoError(t, err)
	require.Equal(t, ownership{owner: written}, got)

	tree := stub(map[string]string{OwnerFile: "source: a\n"})
	for mode, want := range map[Mode]error{ModeSymlink: ErrPath, ModeExecutable: ErrPath, ModeFile: ErrOwned} {
		tree.entries[OwnerFile] = Entry{Mode: mode}
		_, err := unnamed.checkOwnership(t.Context(), tree, us, false)
		require.ErrorIs(t, err, want)
	}
}

func TestAnErrorAndAChangeAreShownWithinTheirBounds(t *testing.T) {
	t.Parallel()
	err := &Error{Op: "push", Err: errors.New(strings.Repeat("e", 3000)), Server: strings.Repeat("x", 2*maxErrorText)}
	require.LessOrEqual(t, len(err.Error()), maxErrorText)
	require.Greater(t, len(err.Error()), maxErrorText-8)
	for _, verb := range []string{"%v", "%s", "%+v", "%#v", "%q"} {
		require.Contains(t, fmt.Sprintf(verb, Change{Path: "a", Remove: true}), "remove a")
		require.Contains(t, fmt.Sprintf(verb, Change{Path: "a", Data: []byte("12")}), "write a (2 bytes)")
	}
	id := event.ID{Resource: "configmaps", Name: strings.Repeat("x", maxShown-len("configmaps/"))}
	require.Equal(t, id.String(), shown(id))
	id.Name += "x"
	require.Equal(t, id.String()[:maxShown]+"...", shown(id))
	for c, ok := range map[CommitPer]bool{PerBatch - 1: false, PerBatch: true, PerAuthor: true, PerEvent: true, PerEvent + 1: false} {
		require.Equal(t, ok, c.Validate() == nil, c)
		_, err := NewWriter(&memorySink{}, "cluster", &WriterOptions{CommitPer: c})
		require.Equal(t, ok, err == nil, c)
	}
}

func TestOnlyPermanentErrorsOfASinkAreStray(t *testing.T) {
	t.Parallel()
	d := destination.Destination{Branch: "main"}
	var s strays
	require.NoError(t, s.judge(d, nil))
	bare := fmt.Errorf("x: %w", ErrAuth)
	require.Equal(t, bare, s.judge(d, bare), "it says nothing of itself")
	bare = fmt.Errorf("x: %w", queue.ErrPermanent)
	require.Equal(t, bare, s.judge(d, bare), "it is no error of a sink")
	require.Len(t, s.after, 1)
	other := d
	other.Branch = "other"
	require.NoError(t, s.judge(other, nil))
	require.Len(t, s.after, 2, "one success does not forget another")
	refused := &Error{Op: "fetch", Destination: d, Err: ErrAuth}
	for range strayTries + 1 {
		_ = s.judge(d, refused)
	}
	require.NotContains(t, s.after, d)
	for i := 0; len(s.after) < maxStrays; i++ {
		s.after[destination.Destination{BaseFolder: fmt.Sprint(i)}] = 0
	}
	require.NoError(t, s.judge(d, nil))
	require.Len(t, s.after, 1)
}

// A plan whose context has ended writes nothing, and says why it ended.
func TestAPlanWhoseContextHasEndedSaysWhy(t *testing.T) {
	t.Parallel()
	why := errors.New("the sink is closed")
	sink := sinkFunc(func(ctx context.Context, _ destination.Destination, plan Plan) (Result, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		cancel(why)
		_, err := plan(ctx, stub(nil))
		return Result{}, err
	})
	w, err := NewWriter(sink, "cluster", nil)
	require.NoError(t, err)
	require.ErrorIs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), why)
	idle := sinkFunc(func(context.Context, destination.Destination, Plan) (Result, error) { return Result{}, nil })
	w, err = NewWriter(idle, "cluster", nil)
	require.NoError(t, err)
	e := (*Error)(nil)
	require.ErrorAs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), &e)
	require.Equal(t, "plan", e.Op)
	require.Equal(t, write("prod", "a", "1").Destination, e.Destination)
}

type sinkFunc func(context.Context, destination.Destination, Plan) (Result, error)

func (f sinkFunc) Apply(ctx context.Context, d destination.Destination, plan Plan) (Result, error) {
	return f(ctx, d, plan)
}
func (sinkFunc) Close() error { return nil }

// What cannot be read ends the plan, wherever it is met.
func TestWhateverCannotBeReadEndsThePlan(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	plan := func(tree Tree, events ...event.Event) error {
		w, _ := newTestWriter(t, sinkFunc(func(ctx context.Context, _ destination.Destination, plan Plan) (Result, error) {
			_, err := plan(ctx, tree)
			return Result{}, err
		}), nil)
		return w.Handle(t.Context(), batch(events...))
	}
	tree := stub(map[string]string{OwnerFile: "source: a\n"})
	tree.readErr = broken
	require.ErrorIs(t, plan(tree, write("prod", "a", "1")), broken, "the owner")
	tree = stub(map[string]string{".gitattributes": "x"})
	tree.readErr = broken
	require.ErrorIs(t, plan(tree, write("prod", "a", "1")), broken, "attributes")
	failing := seedSync("prod")
	failing.Inventory = event.NewInventory([]event.Collection{{Resource: "configmaps", All: true}}, func(event.Collection) ([]event.Resource, error) { return nil, broken })
	require.ErrorIs(t, plan(stub(nil), failing), broken, "what lives")
}

func TestFiltersAreReportedOfFilesOfOursThatAreThere(t *testing.T) {
	t.Parallel()
	s := &memorySink{}
	folder := s.folder("prod")
	folder[".gitattributes"] = &fstest.MapFile{Data: []byte("*a.yaml filter=x\n*b.yaml filter=y\nREADME filter=z\n")}
	folder["README"] = &fstest.MapFile{Data: []byte("theirs")}
	w, reports := newTestWriter(t, s, nil)
	filtersOf := func(events ...event.Event) (names []string) {
		require.NoError(t, w.Handle(t.Context(), batch(events...)))
		for _, f := range (*reports)[len(*reports)-1].Filtered {
			names = append(names, f.Filter)
		}
		return names
	}
	require.Equal(t, []string{"x"}, filtersOf(write("prod", "a", "1"), write("prod", "aa", "1"), write("prod", "c", "1")), "each line once")
	require.Empty(t, filtersOf(write("prod", "b", "1"), remove("prod", "b")), "it does not stand")
	require.Empty(t, filtersOf(write("prod", "c", "2")), "a sweep looks at the others")
	require.Equal(t, []string{"x"}, filtersOf(seedSync("prod", "a", "aa", "c")), "what is not ours is nobody's matter")
	require.Empty(t, filtersOf(remove("prod", "a"), remove("prod", "aa")))
}

func TestAFolderOfAnotherOwnerWithNothingOfOursIsNotReported(t *testing.T) {
	t.Parallel()
	s := &memorySink{}
	folder := s.folder("prod")
	folder["ns/inner/"+OwnerFile] = &fstest.MapFile{Data: []byte("source: other\n")}
	folder["ns/inner/README"] = &fstest.MapFile{Data: []byte("theirs")}
	w, reports := newTestWriter(t, s, &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Adopt: true} }})
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod"))))
	require.Nil(t, (*reports)[0].Excluded)
}

// A tree on a disk may change while it is read.
func TestAFileThatChangesWhileItIsReadIsNoEntry(t *testing.T) {
	t.Parallel()
	_, err := FolderTree(growing{fstest.MapFS{"a": {Data: []byte("1234"), ModTime: time.Now()}}})
	require.ErrorContains(t, err, `"a" has 4 bytes, and 9 when it was opened`)
}

// growing is a file system whose files are shorter than they say.
type growing struct{ fstest.MapFS }

func (g growing) Open(name string) (fs.File, error) {
	file, err := g.MapFS.Open(name)
	if err != nil || name == "." {
		return file, err
	}
	return grown{file}, nil
}

type grown struct{ fs.File }

func (g grown) Stat() (fs.FileInfo, error) {
	info, err := g.File.Stat()
	return longer{info}, err
}

type longer struct{ fs.FileInfo }

func (longer) Size() int64 { return 9 }

// nameOf is Git's name of a content.
func nameOf(content string) string {
	name := event.NewContent([]byte(content)).SHA1()
	return hex.EncodeToString(name[:])
}
