package gitsink

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAFolderThatIsNotThereIsEmpty(t *testing.T) {
	tree, err := FolderTree(os.DirFS(filepath.Join(t.TempDir(), "missing")))
	require.NoError(t, err)
	require.True(t, empty(tree))
}

// locked is a folder of which one file cannot be read.
type locked struct{ fstest.MapFS }

func (l locked) Open(name string) (fs.File, error) {
	if name == "x" {
		return nil, fs.ErrPermission
	}
	return l.MapFS.Open(name)
}

func (l locked) ReadFile(name string) ([]byte, error) {
	if name == "x" {
		return nil, fs.ErrPermission
	}
	return l.MapFS.ReadFile(name)
}

func TestAFolderWithAFileThatCannotBeReadIsAnError(t *testing.T) {
	_, err := FolderTree(locked{fstest.MapFS{"x": {Data: []byte("1")}}})
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestAnErrorWithoutWordsNamesNoServer(t *testing.T) {
	require.NotContains(t, (&Error{Op: "push", Destination: to("prod"), Err: ErrRejected}).Error(), "(server:")
}

func TestAFolderThatNobodyAdoptsIsLeftAsItIs(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")["README.md"] = &fstest.MapFile{Data: []byte("x")}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod"))))
	require.Empty(t, sink.commits)
}

func TestAnAdoptionIsCommittedByTheCommitter(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")["README.md"] = &fstest.MapFile{Data: []byte("x")}
	robot := Signature{Name: "robot", Email: "robot@example.com"}
	w, _ := newTestWriter(t, sink, &WriterOptions{Committer: robot, Policy: func(destination.Destination) Policy { return Policy{Adopt: true} }})
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod"))))
	require.Equal(t, robot, sink.commits[0].Committer)
}

func TestAnOwnerFileThatIsOursIsNotWrittenAgain(t *testing.T) {
	us := owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), false, ""}
	for name, text := range map[string][]byte{"as we write it": us.encode(), "in other words": append(us.encode(), "# a note\n"...)} {
		sink := &memorySink{}
		sink.folder("prod")[OwnerFile] = &fstest.MapFile{Data: text}
		w, _ := newTestWriter(t, sink, nil)
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), name)
		require.Len(t, sink.commits[0].Changes, 1, name)
	}
	tree, err := FolderTree(fstest.MapFS{OwnerFile: {Data: us.encode()}})
	require.NoError(t, err)
	c, err := unnamed.checkOwnership(t.Context(), refusing{tree}, us.as(true), false)
	require.NoError(t, err, "it is known by its hash, and need not be read")
	require.False(t, c.owner.Adopted)
	tree, err = FolderTree(fstest.MapFS{OwnerFile: {Data: []byte("x: [")}})
	require.NoError(t, err)
	_, err = unnamed.checkOwnership(t.Context(), tree, us, false)
	require.ErrorContains(t, err, "cannot be read")
}

func TestOnlyAFolderCanHaveAnOwnerOrStandInTheWay(t *testing.T) {
	sink := &memorySink{}
	for _, path := range []string{"n", "ns/configmaps/a", "ns/configmaps/a.kubescribe", "n.kubescribe"} {
		sink.folder("prod")[path] = &fstest.MapFile{Data: []byte("x")}
	}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	require.Empty(t, (*reports)[0].Skipped)
	require.Contains(t, sink.names("prod"), "ns/configmaps/a.yaml")
}

// doubtful is an Encryptor that cannot compare.
type doubtful struct{ reverser }

func (*doubtful) Same(context.Context, event.Plaintext) (bool, error) {
	return false, errors.New("the key service does not answer")
}

func secretOf(name, content string) event.Event {
	e := write("prod", name, content)
	e.Resource.Resource = "secrets"
	return e
}

func TestASecretThatCannotBeComparedStaysAndIsTriedAgain(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")["ns/secrets/s.yaml"] = &fstest.MapFile{Data: []byte("stored")}
	sink.folder("prod")["ns/configmaps/dir.yaml/file"] = &fstest.MapFile{Data: []byte("x")}
	w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: &doubtful{}})
	err := w.Handle(t.Context(), batch(secretOf("s", "new"), write("prod", "dir", "1"), write("prod", "a", "1")))
	var partial *queue.PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Events, 1, "what stands in the way does so the next time, too")
	require.Equal(t, "s", partial.Events[0].Resource.Name)
	require.Equal(t, "stored", string(sink.folder("prod")["ns/secrets/s.yaml"].Data))
}

func TestASecretThatIsStoredIsLeftAsItIs(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: &reverser{}})
	require.NoError(t, w.Handle(t.Context(), batch(secretOf("s", "plain"))))
	stored := string(sink.folder("prod")["ns/secrets/s.yaml"].Data)
	require.NoError(t, w.Handle(t.Context(), batch(secretOf("s", "plain"))))
	require.Len(t, sink.commits, 1)
	require.Equal(t, stored, string(sink.folder("prod")["ns/secrets/s.yaml"].Data))
}

// reading is a Tree that notes what is read.
type reading struct {
	Tree
	read *[][]string
}

func (r reading) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	*r.read = append(*r.read, paths)
	return r.Tree.Read(ctx, paths...)
}

func TestOnlyStoredSecretsThatAreWrittenAreReadAllAtOnce(t *testing.T) {
	files := fstest.MapFS{
		OwnerFile:                  {Data: owner{"cluster-1", "default/prod", "main", event.DefaultLayout.Name(), true, ""}.encode()},
		"ns/secrets/s.yaml":        {Data: []byte("x")},
		"ns/secrets/gone.yaml":     {Data: []byte("x")},
		"ns/configmaps/known.yaml": {Data: []byte("x")},
	}
	tree, err := FolderTree(files)
	require.NoError(t, err)
	gone := remove("prod", "gone")
	gone.Resource.Resource = "secrets"
	events := []event.Event{secretOf("s", "1"), secretOf("new", "1"), gone, write("prod", "known", "1")}
	for _, c := range []struct {
		enc  event.Encryptor
		want [][]string
	}{{&reverser{}, [][]string{{"ns/secrets/s.yaml"}}}, {nil, nil}} {
		w, _ := newTestWriter(t, &memorySink{}, &WriterOptions{Encryptor: c.enc})
		var read [][]string
		_, err := w.plan(t.Context(), to("prod"), reading{tree, &read}, events)
		require.NoError(t, err)
		require.Equal(t, c.want, read)
	}
}

func TestWhatABatchDeletesIsNoOrphanOfIt(t *testing.T) {
	sink := &memorySink{}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), write("prod", "b", "1"))))
	require.NoError(t, w.Handle(t.Context(), batch(remove("prod", "a"), write("prod", "b", "2"), seedSync("prod", "b"))))
	require.Zero(t, (*reports)[1].Removed)
	require.Len(t, sink.commits[1].Changes, 2)
	require.Equal(t, []string{"ns/configmaps/b.yaml"}, sink.names("prod"))
}

// unnamed is a Writer that has no options of its own.
var unnamed = &Writer{opts: (*WriterOptions)(nil).withDefaults()}

// renamed is a Layout of another name.
type renamed struct{ event.Layout }

func (renamed) Name() string { return "renamed" }

func TestALayoutOfOnesOwnIsUsedAndNamed(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, &WriterOptions{Layout: renamed{event.DefaultLayout}})
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	require.Contains(t, string(sink.folder("prod")[OwnerFile].Data), "layout: renamed\n")
}

// brief is a lease that is held for one plan.
type brief struct {
	heldLease
	asked *int
}

func (b brief) Held(context.Context) bool { *b.asked++; return *b.asked == 1 }

func TestALeaseThatIsLostOnTheWayIsNoPartialSuccess(t *testing.T) {
	sink := &memorySink{}
	w, reports := newTestWriter(t, sink, nil)
	err := w.Handle(t.Context(), queue.Batch{Events: []event.Event{write("prod", "a", "1"), write("dev", "a", "1")}, Lease: brief{asked: new(int)}})
	require.ErrorIs(t, err, queue.ErrLeaseLost)
	var partial *queue.PartialError
	require.False(t, errors.As(err, &partial), "nothing of it is ours to settle")
	require.Len(t, sink.commits, 1)
	require.Len(t, *reports, 2)
}

// tired is a sink that gives up after some attempts.
type tired struct{ GitSink }

func (tired) Apply(context.Context, destination.Destination, Plan) (Result, error) {
	return Result{Attempts: 3}, ErrConflict
}

func TestAReportOfAFailureTellsTheAttempts(t *testing.T) {
	w, reports := newTestWriter(t, tired{}, nil)
	require.ErrorIs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), ErrConflict)
	require.Equal(t, 3, (*reports)[0].Result.Attempts)
}

// boastful is a sink that says that it has done what it has not.
type boastful struct{ GitSink }

func (boastful) Apply(context.Context, destination.Destination, Plan) (Result, error) {
	return Result{}, nil
}

func TestASinkThatRunsNoPlanHasWrittenNothing(t *testing.T) {
	w, reports := newTestWriter(t, boastful{}, nil)
	require.ErrorIs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), errNotPlanned)
	require.ErrorIs(t, (*reports)[0].Err, errNotPlanned)
}
