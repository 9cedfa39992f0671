package gitsink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAMessageSaysWhatHappened(t *testing.T) {
	as := func(op event.Operation, listed bool, name string) event.Event {
		e := write("prod", name, "1")
		e.Operation, e.Listed = op, listed
		return e
	}
	events := func(n int) (all []event.Event) {
		for i := range n {
			all = append(all, as(event.Update, false, fmt.Sprint("n", i)))
		}
		return all
	}
	root := to("prod")
	root.BaseFolder = ""
	for _, c := range []struct {
		to   destination.Destination
		of   pendingCommit
		want string
	}{
		{to("prod"), pendingCommit{events: []event.Event{as(event.Create, false, "a")}}, "Create configmaps/ns/a\n"},
		{to("prod"), pendingCommit{events: []event.Event{as(event.Update, false, "a")}}, "Update configmaps/ns/a\n"},
		{to("prod"), pendingCommit{events: []event.Event{as(event.Update, true, "a")}}, "Sync configmaps/ns/a\n"},
		{to("prod"), pendingCommit{events: []event.Event{as(event.Delete, true, "a")}}, "Delete configmaps/ns/a\n"},
		{to("prod"), pendingCommit{removed: 1}, "Remove 1 file without an object from clusters/prod\n"},
		{root, pendingCommit{removed: 2}, "Remove 2 files without an object from the repository root\n"},
		{root, pendingCommit{pruned: 2}, "Remove 2 files that no rule covers any more from the repository root\n"},
		{to("prod"), pendingCommit{events: events(1), removed: 2},
			"Sync 3 files in clusters/prod\n\n- Update configmaps/ns/n0\n- Remove 2 files without an object\n"},
		{to("prod"), pendingCommit{events: events(2)}, "Sync 2 files in clusters/prod\n\n- Update configmaps/ns/n0\n- Update configmaps/ns/n1\n"},
	} {
		require.Equal(t, c.want, message(c.to, c.of))
	}
	require.Equal(t, maxListed, strings.Count(message(root, pendingCommit{events: events(maxListed)}), "\n- Update"))
	require.NotContains(t, message(root, pendingCommit{events: events(maxListed)}), "more")
	long := message(root, pendingCommit{events: events(maxListed + 3)})
	require.Equal(t, maxListed, strings.Count(long, "\n- Update"))
	require.True(t, strings.HasSuffix(long, "\n- and 3 more\n"))
}

func TestACommitIsOfTheAuthorOfAllItsEventsAtTheTimeOfTheNewest(t *testing.T) {
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	by := func(name string, when, seen int64) event.Event {
		e := write("prod", "a", "1")
		e.Author = event.Author{Name: name, Email: name + "@example.com"}
		if when > 0 {
			e.Author.When = at(when)
		}
		e.Time = at(seen)
		return e
	}
	require.Zero(t, author(nil))
	require.Zero(t, author([]event.Event{write("prod", "a", "1")}))
	require.Zero(t, author([]event.Event{by("ann", 1, 1), by("bob", 1, 1)}))
	require.Equal(t, Signature{Name: "ann", Email: "ann@example.com", When: at(7)}, author([]event.Event{by("ann", 3, 9), by("ann", 7, 9), by("ann", 5, 9)}))
	require.Equal(t, at(4), author([]event.Event{by("ann", 0, 4)}).When, "else when it was seen")
	nobody := by("", 5, 5)
	nobody.Author.Email = ""
	require.Zero(t, author([]event.Event{nobody}))
}

func TestCommitsCarryWhatTheOptionsSay(t *testing.T) {
	sink := &memorySink{}
	committer := Signature{Name: "robot", Email: "robot@example.com"}
	w, reports := newTestWriter(t, sink, &WriterOptions{Committer: committer, CommitPer: PerEvent,
		Message: func(d destination.Destination, events []event.Event) string {
			names := fmt.Sprint(d.Ref.Name, len(events))
			clear(events) // a copy
			return names
		}})
	e := write("prod", "a", "1")
	e.Author = event.Author{Name: "ann", Email: "ann@example.com", When: time.Unix(5, 0)}
	require.NoError(t, w.Handle(t.Context(), batch(e, write("prod", "b", "1"), seedSync("prod", "a", "b"))))
	require.Len(t, sink.commits, 2)
	require.Equal(t, Signature{Name: "ann", Email: "ann@example.com", When: time.Unix(5, 0)}, sink.commits[0].Author)
	for i, c := range sink.commits {
		require.Equal(t, committer, c.Committer)
		require.Equal(t, "prod1", c.Message)
		require.Len(t, c.Changes, 2-i, "the OwnerFile goes with the first")
	}
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "c", "1"), seedSync("prod", "a"))))
	require.Len(t, sink.commits, 4, "what is swept is a commit of its own")
	require.Equal(t, "prod0", sink.commits[3].Message)
	r := (*reports)[1]
	require.Equal(t, to("prod"), r.Destination)
	require.Equal(t, []string{"3", "4"}, r.Result.Commits)
	require.True(t, r.Adopted)
}

func TestAReportTellsOfAFailureToo(t *testing.T) {
	sink := &memorySink{err: ErrUnavailable}
	w, reports := newTestWriter(t, sink, nil)
	err := w.Handle(t.Context(), batch(write("prod", "a", "1")))
	require.ErrorIs(t, err, ErrUnavailable)
	var partial *queue.PartialError
	require.False(t, errors.As(err, &partial), "all of it is left")
	require.Len(t, *reports, 1)
	require.ErrorIs(t, (*reports)[0].Err, ErrUnavailable)
	require.Equal(t, to("prod"), (*reports)[0].Destination)
}

func TestAFolderIsAdoptedByACommitOfItsOwnIfNothingElseIsToBeDone(t *testing.T) {
	adopting := &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Adopt: true} }}
	for name, c := range map[string]struct {
		files   map[string]string
		commits int
	}{
		"nothing is there":     {nil, 0},
		"files are there":      {map[string]string{"README.md": "x"}, 1},
		"it is ours":           {map[string]string{OwnerFile: string(owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode())}, 0},
		"ours, not adopted":    {map[string]string{OwnerFile: string(owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), false, ""}.encode())}, 1},
		"it is somebody's":     {map[string]string{OwnerFile: string(owner{"cluster-2", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode())}, 1},
		"nobody can read that": {map[string]string{OwnerFile: "x: ["}, 1},
	} {
		sink := &memorySink{}
		for path, content := range c.files {
			sink.folder("prod")[path] = &fstest.MapFile{Data: []byte(content)}
		}
		w, reports := newTestWriter(t, sink, adopting)
		require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod"))), name)
		require.Len(t, sink.commits, c.commits, name)
		require.True(t, (*reports)[0].Adopted, name)
		if c.commits > 0 {
			require.Equal(t, "Adopt clusters/prod", sink.commits[0].Message)
			require.Equal(t, []Change{owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.change()}, sink.commits[0].Changes)
		}
	}
}

func TestAnOwnerIsWhoWritesAsWhatWhereAndHow(t *testing.T) {
	us := owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), false, ""}
	for name, change := range map[string]func(*owner){
		"source":      func(o *owner) { o.Source = "cluster-2" },
		"destination": func(o *owner) { o.Destination = "default/dev" },
		"layout":      func(o *owner) { o.Layout = "other" },
	} {
		them := us
		change(&them)
		sink := &memorySink{}
		sink.folder("prod")[OwnerFile] = &fstest.MapFile{Data: them.encode()}
		w, _ := newTestWriter(t, sink, nil)
		require.ErrorIs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), ErrOwned, name)
	}
	sink := &memorySink{} // ours, and not adopted: no read is needed, and nothing to be said anew
	sink.folder("prod")[OwnerFile] = &fstest.MapFile{Data: us.encode()}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	require.False(t, (*reports)[0].Adopted)
	require.Len(t, sink.commits[0].Changes, 1)
	require.Equal(t, us, w.owner(to("prod"), event.DefaultLayout))
}

func TestAFileKeepsItsModeAndIsNotWrittenAgain(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	tree, err := FolderTree(sink.folder("prod"))
	require.NoError(t, err)
	before, _ := tree.Entry("ns/configmaps/a.yaml")
	require.Equal(t, Entry{Mode: ModeFile, Hash: "56a6051ca2b02b04ef92d5150c9ef600403cb1de"}, before, "as git hash-object names it")
	sink.folder("prod")["ns/configmaps/a.yaml"].Mode = 0o755
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), "an executable file is a file")
	require.Len(t, sink.commits, 1)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "2"), write("prod", "a", "1"))))
	require.Len(t, sink.commits, 2, "there and back in one batch is still a batch of changes")
}

func TestFolderTreeShowsAFolderAsGitWould(t *testing.T) {
	files := fstest.MapFS{
		"b/x": {Data: []byte("1")}, "b.txt": {Data: []byte("2"), Mode: 0o755}, "b-link": {Data: []byte("b.txt"), Mode: fs.ModeSymlink | 0o777},
	}
	tree, err := FolderTree(files)
	require.NoError(t, err)
	var order []string
	for path := range tree.Paths("") {
		order = append(order, path)
	}
	require.Equal(t, []string{"b-link", "b.txt", "b/x"}, order, "in byte order")
	require.Equal(t, []string{"b/x"}, slices.Collect(maps.Keys(maps.Collect(tree.Paths("b")))))
	require.Equal(t, []string{"b/x"}, slices.Collect(maps.Keys(maps.Collect(tree.Paths("b/")))))
	for range tree.Paths("") {
		break
	}
	for path, mode := range map[string]Mode{"b/x": ModeFile, "b.txt": ModeExecutable, "b-link": ModeSymlink} {
		e, ok := tree.Entry(path)
		require.True(t, ok)
		require.Equal(t, mode, e.Mode, path)
		require.Equal(t, mode != ModeSymlink, e.isFile())
	}
	read, err := tree.Read(t.Context(), "b/x", "b-link", "missing")
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"b/x": []byte("1")}, read)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = tree.Read(ended, "b/x")
	require.ErrorIs(t, err, context.Canceled)
	delete(files, "b/x")
	_, err = tree.Read(t.Context(), "b/x")
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = FolderTree(broken{})
	require.ErrorIs(t, err, fs.ErrPermission)
}

// broken is a folder that may not be read.
type broken struct{}

func (broken) Open(string) (fs.File, error) { return nil, fs.ErrPermission }

func TestAnErrorShowsTheServersWordsOnce(t *testing.T) {
	e := &Error{Op: "push", Destination: to("prod"), Err: ErrRejected, Server: "no Mondays"}
	require.ErrorContains(t, e, "no Mondays")
	require.Equal(t, 1, strings.Count(e.Error(), "no Mondays"))
	require.NotContains(t, (&Error{Op: "push", Destination: to("prod"), Err: ErrRejected}).Error(), `""`)
}

func TestOnlyManifestsThatNameTheirFileAreOurs(t *testing.T) {
	const path = "ns/deployments.apps/a.yaml"
	for manifest, want := range map[string]bool{
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n":        true,
		"apiVersion: apps/v1beta1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n":   true,
		"apiVersion: v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n":             false,
		"apiVersion: other/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n":       false,
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: b, namespace: ns}\n":        false,
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: other}\n":     false,
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}\n":                       false,
		"apiVersion: apps/v1\nmetadata: {name: a, namespace: ns}\n":                          false,
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {namespace: ns}\n":                 false,
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\n---\n{}": false,
		"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a, namespace: ns}\nx: [":    false,
	} {
		require.Equal(t, want, isManifestOf(event.DefaultLayout, path, []byte(manifest)), manifest)
	}
	require.False(t, isManifestOf(event.DefaultLayout, "README.md", []byte("kind: x\nmetadata: {name: README}\n")))
}

// refusing is a Tree that cannot be read.
type refusing struct{ Tree }

func (refusing) Read(context.Context, ...string) (map[string][]byte, error) {
	return nil, ErrUnavailable
}

func TestAPlanThatCannotReadWritesNothing(t *testing.T) {
	secret := write("prod", "s", "1")
	secret.Resource.Resource = "secrets"
	files := fstest.MapFS{
		"ns/secrets/s.yaml": {Data: []byte("x")},
		OwnerFile:           {Data: append(owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode(), '\n')},
	}
	tree, err := FolderTree(files)
	require.NoError(t, err)
	w, _ := newTestWriter(t, &memorySink{}, &WriterOptions{Encryptor: &reverser{}})
	_, err = w.plan(t.Context(), to("prod"), refusing{tree}, []event.Event{write("prod", "a", "1")})
	require.ErrorIs(t, err, ErrUnavailable, "whose folder it is")
	files[OwnerFile] = &fstest.MapFile{Data: owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode()}
	tree, err = FolderTree(files)
	require.NoError(t, err)
	_, err = w.plan(t.Context(), to("prod"), refusing{tree}, []event.Event{secret})
	require.ErrorIs(t, err, ErrUnavailable, "whether a Secret has changed")
	d, err := w.plan(t.Context(), to("prod"), refusing{tree}, []event.Event{write("prod", "a", "1"), remove("prod", "b")})
	require.NoError(t, err, "else nothing need be read")
	require.Len(t, d.commits, 1)

	bare := &coveringNothing{}
	e := seedSync("prod")
	e.Inventory = bare
	files["ns/configmaps/a.yaml"] = &fstest.MapFile{Data: []byte("x")}
	tree, err = FolderTree(files)
	require.NoError(t, err)
	w.opts.Policy = func(destination.Destination) Policy { return Policy{Prune: &orphan.Approval{}} }
	_, err = w.plan(t.Context(), to("prod"), refusing{tree}, []event.Event{e})
	require.ErrorIs(t, err, ErrUnavailable, "whether a file names its object")
	bare.err = errors.New("nobody knows what lives")
	_, err = w.plan(t.Context(), to("prod"), tree, []event.Event{e})
	require.ErrorIs(t, err, bare.err)
}

// coveringNothing is an Inventory of a destination without rules.
type coveringNothing struct{ err error }

func (c *coveringNothing) View(f func(event.Snapshot) error) error {
	if c.err != nil {
		return c.err
	}
	return event.NewInventory(nil, func(event.Collection) ([]event.Resource, error) { return nil, nil }).View(func(v event.Snapshot) error {
		return f(uncovering{v})
	})
}

func (*coveringNothing) Landed(event.Snapshot) {}

type uncovering struct{ event.Snapshot }

func (uncovering) Uncovered(event.Collection) bool { return true }
