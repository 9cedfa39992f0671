package gitsink

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// memorySink keeps one folder for each destination and applies plans to it as FolderTree shows it.
type memorySink struct {
	folders map[string]fstest.MapFS
	commits []Commit
	err     error // fails Apply
}

func (s *memorySink) folder(name string) fstest.MapFS {
	if s.folders == nil {
		s.folders = map[string]fstest.MapFS{}
	}
	if s.folders[name] == nil {
		s.folders[name] = fstest.MapFS{}
	}
	return s.folders[name]
}

func (s *memorySink) Apply(ctx context.Context, d destination.Destination, plan Plan) (Result, error) {
	if s.err != nil {
		return Result{}, &Error{Op: "push", Destination: d, Err: s.err}
	}
	files := s.folder(d.Ref.Name)
	given := maps.Clone(files)
	tree, err := FolderTree(files)
	if err != nil {
		return Result{}, err
	}
	commits, err := plan(ctx, tree)
	if err != nil {
		return Result{}, &Error{Op: "plan", Destination: d, Err: err}
	}
	var result Result
	for _, c := range commits {
		for _, change := range c.Changes {
			switch {
			case change.Remove:
				delete(files, change.Path)
			case change.From != "":
				files[change.Path] = given[change.From]
			default:
				files[change.Path] = &fstest.MapFile{Data: change.Data, Mode: 0o644}
			}
		}
		s.commits = append(s.commits, c)
		result.Commits = append(result.Commits, fmt.Sprint(len(s.commits)))
	}
	return result, nil
}

func (s *memorySink) Close() error { return nil }

func (s *memorySink) names(folder string) []string {
	tree, err := FolderTree(s.folder(folder))
	if err != nil {
		panic(err)
	}
	var names []string
	for path := range tree.Paths("") {
		if path != OwnerFile {
			names = append(names, path)
		}
	}
	return names
}

type heldLease struct{ lost bool }

func (l heldLease) Held(context.Context) bool  { return !l.lost }
func (l heldLease) Done(context.Context) error { panic("the handler must not settle") }
func (l heldLease) Retry(context.Context, error, ...event.Event) error {
	panic("the handler must not settle")
}
func batch(events ...event.Event) queue.Batch { return queue.Batch{Events: events, Lease: heldLease{}} }
func to(name string) destination.Destination {
	return destination.Destination{Ref: types.NamespacedName{Namespace: "default", Name: name},
		Repository: "https://git.example/org/repo.git", Branch: "main", BaseFolder: "clusters/" + name}
}

func id(name string) event.Resource {
	return event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "ns", Name: name}, Version: "v1", Kind: "ConfigMap"}
}

func write(d, name, content string) event.Event {
	return event.Event{Destination: to(d), Operation: event.Update, Resource: id(name), Content: event.NewContent([]byte(content))}
}

func remove(d, name string) event.Event {
	return event.Event{Destination: to(d), Operation: event.Delete, Resource: id(name)}
}

func seedSync(d string, living ...string) event.Event {
	scope := event.Collection{Resource: "configmaps", All: true}
	live := event.NewInventory([]event.Collection{scope}, func(event.Collection) ([]event.Resource, error) {
		var all []event.Resource
		for _, name := range living {
			all = append(all, id(name))
		}
		return all, nil
	})
	return event.Event{Destination: to(d), Operation: event.SeedSync, Inventory: live}
}

func newTestWriter(t *testing.T, sink GitSink, opts *WriterOptions) (*Writer, *[]Report) {
	t.Helper()
	var reports []Report
	if opts == nil {
		opts = &WriterOptions{}
	}
	opts.OnReport = func(r Report) { reports = append(reports, r) }
	w, err := NewWriter(sink, "cluster-1", opts)
	require.NoError(t, err)
	return w, &reports
}

func TestWriterSplitsABatchByDestination(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), write("dev", "b", "2"), write("prod", "c", "3"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml", "ns/configmaps/c.yaml"}, sink.names("prod"))
	require.Equal(t, []string{"ns/configmaps/b.yaml"}, sink.names("dev"))
	require.Len(t, sink.commits, 2)
}

func TestWriterFoldsEventsInTheirOrder(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), remove("prod", "a"), write("prod", "b", "1"),
		remove("prod", "c"), write("prod", "b", "2"))))
	require.Equal(t, []string{"ns/configmaps/b.yaml"}, sink.names("prod"))
	require.Equal(t, "2", string(sink.folder("prod")["ns/configmaps/b.yaml"].Data))
	require.Len(t, sink.commits, 1)
}

func TestWriterMakesNoCommitWhenNothingChanges(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), remove("prod", "nothing"), seedSync("prod", "a"))))
	require.Len(t, sink.commits, 1)
}

func TestWriterHonoursConditions(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	create := func(name, content string) event.Event {
		e := write("prod", name, content)
		e.Precondition = event.IfAbsent
		return e
	}
	update := func(name, content string) event.Event {
		e := write("prod", name, content)
		e.Precondition = event.IfPresent
		return e
	}
	require.NoError(t, w.Handle(t.Context(), batch(create("a", "1"), create("a", "2"), update("b", "1"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml"}, sink.names("prod"))
	require.Equal(t, "1", string(sink.folder("prod")["ns/configmaps/a.yaml"].Data))
	require.NoError(t, w.Handle(t.Context(), batch(update("a", "3"))))
	require.Equal(t, "3", string(sink.folder("prod")["ns/configmaps/a.yaml"].Data))
	require.NoError(t, w.Handle(t.Context(), batch(remove("prod", "a"), create("a", "4"))))
	require.Equal(t, "4", string(sink.folder("prod")["ns/configmaps/a.yaml"].Data))
}

func TestWriterLooksForOrphansOnTheTreeThatTheBatchLeaves(t *testing.T) {
	sink := &memorySink{}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "old", "1"), write("prod", "a", "1"))))
	sink.folder("prod")["README.md"] = &fstest.MapFile{Data: []byte("mine")}
	// b is written by this batch, but is dead by the time the plan runs.
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "b", "1"), seedSync("prod", "a"))))
	require.Equal(t, []string{"README.md", "ns/configmaps/a.yaml"}, sink.names("prod"))
	require.Len(t, sink.commits, 2)
	require.Equal(t, 2, (*reports)[1].Removed)
	require.True(t, (*reports)[1].Swept())
}

func TestWriterHoldsBackTooManyDeletionsAndWritesTheRest(t *testing.T) {
	sink := &memorySink{}
	approved := false
	w, reports := newTestWriter(t, sink, &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Approval: orphan.Approval{All: approved}} }})
	var events []event.Event
	for i := range 11 {
		events = append(events, write("prod", fmt.Sprintf("n%d", i), "1"))
	}
	require.NoError(t, w.Handle(t.Context(), batch(events...)))
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "new", "1"), seedSync("prod", "new"))))
	require.Len(t, sink.names("prod"), 12)
	require.Equal(t, 11, (*reports)[1].Held.Count)
	approved = true
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "new"))))
	require.Equal(t, []string{"ns/configmaps/new.yaml"}, sink.names("prod"))
}

func TestWriterPrunesNothingInAFolderThatIsNotAdopted(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")["ns/configmaps/theirs.yaml"] = &fstest.MapFile{Data: []byte("x")}
	adopt := false
	w, reports := newTestWriter(t, sink, &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Adopt: adopt} }})
	for range 2 { // the second time with an OwnerFile
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seedSync("prod", "a"))))
		require.Len(t, sink.names("prod"), 2)
		last := (*reports)[len(*reports)-1]
		require.Equal(t, []string{"ns/configmaps/theirs.yaml"}, last.Unadopted)
		require.False(t, last.Adopted)
	}
	adopt = true
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "a"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml"}, sink.names("prod"))
	adopt = false
	sink.folder("prod")["ns/configmaps/late.yaml"] = &fstest.MapFile{Data: []byte("x")}
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "a"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml"}, sink.names("prod"))
}

func TestWriterRefusesAnotherOwnersFolder(t *testing.T) {
	sink := &memorySink{}
	first, _ := newTestWriter(t, sink, nil)
	require.NoError(t, first.Handle(t.Context(), batch(write("prod", "a", "1"))))
	second, err := NewWriter(sink, "cluster-2", nil)
	require.NoError(t, err)
	err = second.Handle(t.Context(), batch(write("prod", "a", "2"), seedSync("prod")))
	require.ErrorIs(t, err, ErrOwned)
	require.ErrorIs(t, err, queue.ErrPermanent)
	require.ErrorContains(t, err, "cluster-1")
	require.Equal(t, "1", string(sink.folder("prod")["ns/configmaps/a.yaml"].Data))
	require.Len(t, sink.commits, 1)

	adopting, err := NewWriter(sink, "cluster-2", &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Adopt: true} }})
	require.NoError(t, err)
	require.NoError(t, adopting.Handle(t.Context(), batch(seedSync("prod"))))
	require.Empty(t, sink.names("prod"))
	require.ErrorIs(t, first.Handle(t.Context(), batch(write("prod", "a", "1"))), ErrOwned)
}

func TestWriterRefusesAnOwnerFileThatItCannotRead(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")[OwnerFile] = &fstest.MapFile{Data: []byte("source: [broken")}
	w, _ := newTestWriter(t, sink, nil)
	require.ErrorIs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), ErrOwned)
}

func TestWriterAcceptsAnOwnerFileThatSaysTheSameInOtherWords(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")[OwnerFile] = &fstest.MapFile{Data: []byte("{source: cluster-1, destination: default/prod, layout: " + event.DefaultLayout.Name() + ", adopted: true}\n")}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	require.True(t, (*reports)[0].Adopted)
}

// A branch was made from another one, or that was merged into ours: the OwnerFile came along.
func TestWriterTakesAnOwnerFileOfAnotherBranchForACopy(t *testing.T) {
	ownerFile := func(source, destination, branch string) *fstest.MapFile {
		return &fstest.MapFile{Data: owner{source, destination, branch, event.DefaultLayout.Name(), true, ""}.encode()}
	}
	for _, other := range []string{"cluster-1", "cluster-2"} {
		sink := &memorySink{}
		sink.folder("prod")[OwnerFile] = ownerFile(other, "default/other", "elsewhere")
		sink.folder("prod")["ns/configmaps/theirs.yaml"] = &fstest.MapFile{Data: []byte("x")}
		w, reports := newTestWriter(t, sink, nil)
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seedSync("prod", "a"))))
		require.Equal(t, []string{"ns/configmaps/a.yaml", "ns/configmaps/theirs.yaml"}, sink.names("prod"), "nothing goes before it is adopted")
		require.Equal(t, []string{"ns/configmaps/theirs.yaml"}, (*reports)[0].Unadopted)
		require.Contains(t, string(sink.folder("prod")[OwnerFile].Data), "branch: main\n")

		late, err := NewWriter(sink, "cluster-3", nil)
		require.NoError(t, err)
		require.ErrorIs(t, late.Handle(t.Context(), batch(write("prod", "a", "2"))), ErrOwned, "here it is ours now")
	}
	// The destination has moved to a branch that was made from its old one: what it had adopted it
	// has adopted.
	sink := &memorySink{}
	sink.folder("prod")[OwnerFile] = ownerFile("cluster-1", "default/prod", "elsewhere")
	sink.folder("prod")["ns/configmaps/old.yaml"] = &fstest.MapFile{Data: []byte("x")}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seedSync("prod", "a"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml"}, sink.names("prod"))

	// Nobody knows of which branch the file is.
	sink = &memorySink{}
	sink.folder("prod")[OwnerFile] = ownerFile("cluster-2", "default/prod", "")
	w, _ = newTestWriter(t, sink, nil)
	require.ErrorIs(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))), ErrOwned)
}

func TestWriterLeavesOutWhatCannotBeWritten(t *testing.T) {
	sink := &memorySink{}
	sink.folder("prod")["ns/configmaps/dir.yaml/file"] = &fstest.MapFile{Data: []byte("x")}
	sink.folder("prod")["ns2/configmaps"] = &fstest.MapFile{Data: []byte("x")}
	w, reports := newTestWriter(t, sink, nil)
	secret := write("prod", "s", "data: {password: aHVudGVyMg==}\n")
	secret.Resource.Resource = "secrets"
	below := write("prod", "b", "1")
	below.Resource.Namespace = "ns2"
	require.NoError(t, w.Handle(t.Context(), batch(secret, write("prod", "dir", "1"), below, write("prod", "good", "1"))))
	require.Contains(t, sink.names("prod"), "ns/configmaps/good.yaml")
	skipped := (*reports)[0].Skipped
	require.Len(t, skipped, 3)
	require.ErrorIs(t, skipped[0].Err, event.ErrSecret)
	require.NotContains(t, skipped[0].Err.Error(), "aHVudGVyMg")
	require.ErrorIs(t, skipped[1].Err, ErrPath)
	require.ErrorIs(t, skipped[2].Err, ErrPath)
}

func TestWriterLeavesLinksAlone(t *testing.T) {
	sink := &memorySink{}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	sink.folder("prod")["ns/configmaps/link.yaml"] = &fstest.MapFile{Data: []byte("a.yaml"), Mode: fs.ModeSymlink | 0o777}
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "link", "1"), remove("prod", "link"), seedSync("prod", "a"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml", "ns/configmaps/link.yaml"}, sink.names("prod"), "neither written, nor deleted, nor an orphan")
	require.ErrorIs(t, (*reports)[1].Skipped[0].Err, ErrPath)
}

func TestWriterShowsAllThatAnAdoptionWouldRemove(t *testing.T) {
	sink := &memorySink{}
	for i := range 20 {
		sink.folder("prod")[fmt.Sprintf("ns/configmaps/old-%d.yaml", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seedSync("prod", "a"))))
	require.Nil(t, (*reports)[0].Held, "an approval would not help")
	require.Len(t, (*reports)[0].Unadopted, 20)
}

// reverser encrypts by prefixing a counter, so that every ciphertext is new, and fails as often as
// it is told.
type reverser struct {
	calls int
	fail  int
}

func (r *reverser) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	if r.fail > 0 {
		r.fail--
		return nil, errors.New("the key service does not answer")
	}
	r.calls++
	return []byte(fmt.Sprintf("%d:%x", r.calls, p.Content)), nil
}

func (r *reverser) Same(_ context.Context, p event.Plaintext) (bool, error) {
	_, sum, _ := strings.Cut(string(p.Stored), ":")
	return sum == fmt.Sprintf("%x", p.Content), nil
}

func TestWriterEncryptsSecretsAndDoesNotCommitTheSameOneAgain(t *testing.T) {
	sink := &memorySink{}
	enc := &reverser{fail: 1}
	w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: enc})
	secret := write("prod", "s", "plain")
	secret.Resource.Resource = "secrets"
	err := w.Handle(t.Context(), batch(secret, write("prod", "a", "1")))
	var partial *queue.PartialError
	require.ErrorAs(t, err, &partial)
	require.Empty(t, cmp.Diff([]string{secret.String()}, []string{partial.Events[0].String()}))
	require.Equal(t, []string{"ns/configmaps/a.yaml"}, sink.names("prod"), "the neighbour is written")

	require.NoError(t, w.Handle(t.Context(), batch(secret)))
	require.NoError(t, w.Handle(t.Context(), batch(secret)))
	require.Equal(t, 1, enc.calls)
	require.NotContains(t, string(sink.folder("prod")["ns/secrets/s.yaml"].Data), "plain")
}

func TestWriterComparesASecretWithWhatTheBatchHasMadeOfIt(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: &reverser{}})
	secret := func(content string) event.Event {
		e := write("prod", "s", content)
		e.Resource.Resource = "secrets"
		return e
	}
	require.NoError(t, w.Handle(t.Context(), batch(secret("one"))))
	require.NoError(t, w.Handle(t.Context(), batch(secret("two"), secret("one"))))
	require.Equal(t, "3:"+fmt.Sprintf("%x", "one"), string(sink.folder("prod")["ns/secrets/s.yaml"].Data))
}

func TestWriterTriesAgainOnlyTheDestinationsThatFailed(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	other, err := NewWriter(sink, "cluster-2", nil)
	require.NoError(t, err)
	require.NoError(t, other.Handle(t.Context(), batch(write("dev", "x", "1"))))
	err = w.Handle(t.Context(), batch(write("dev", "a", "1"), write("prod", "b", "1"), write("dev", "c", "1")))
	var partial *queue.PartialError
	require.ErrorAs(t, err, &partial)
	require.Len(t, partial.Events, 2)
	require.Equal(t, []string{"ns/configmaps/b.yaml"}, sink.names("prod"))
}

func TestWriterWritesNothingWithoutItsLease(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	err := w.Handle(t.Context(), queue.Batch{Events: []event.Event{write("prod", "a", "1")}, Lease: heldLease{lost: true}})
	require.ErrorIs(t, err, queue.ErrLeaseLost)
	var partial *queue.PartialError
	require.False(t, errors.As(err, &partial))
	require.Empty(t, sink.commits)
}

func TestWriterGroupsCommits(t *testing.T) {
	by := func(e event.Event, name string) event.Event {
		e.Author = event.Author{Name: name, Email: name + "@example.com"}
		return e
	}
	events := []event.Event{by(write("prod", "a", "1"), "ann"), by(write("prod", "b", "1"), "ann"), by(write("prod", "c", "1"), "bob"),
		by(write("prod", "c", "1"), "cid"), by(write("prod", "a", "2"), "ann")}
	for per, want := range map[CommitPer][]string{
		PerBatch:  {""},
		PerAuthor: {"ann", "bob", "ann"},
		PerEvent:  {"ann", "ann", "bob", "ann"},
	} {
		sink := &memorySink{}
		w, _ := newTestWriter(t, sink, &WriterOptions{CommitPer: per})
		require.NoError(t, w.Handle(t.Context(), batch(events...)))
		var got []string
		for _, c := range sink.commits {
			got = append(got, c.Author.Name)
		}
		require.Equal(t, want, got)
		require.Equal(t, "2", string(sink.folder("prod")["ns/configmaps/a.yaml"].Data))
	}
}

func TestWriterNamesInTheMessageOnlyWhatChanged(t *testing.T) {
	sink := &memorySink{}
	w, _ := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), write("prod", "b", "1"))))
	require.Equal(t, "Sync 2 files in clusters/prod\n\n- Update configmaps/ns/a\n- Update configmaps/ns/b\n", sink.commits[0].Message)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), write("prod", "b", "2"))))
	require.Equal(t, "Update configmaps/ns/b\n", sink.commits[1].Message)
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "a"))))
	require.Equal(t, "Remove 1 file without an object from clusters/prod\n", sink.commits[2].Message)
}

func TestAMisspeltPolicyRemovesNothing(t *testing.T) {
	sink := &memorySink{}
	policy := orphan.Policy("")
	w, _ := newTestWriter(t, sink, &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Orphans: orphan.Options{Policy: policy}} }})
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"))))
	policy = "never"
	err := w.Handle(t.Context(), batch(remove("prod", "a")))
	require.ErrorIs(t, err, orphan.ErrInvalid)
	require.ErrorIs(t, err, queue.ErrPermanent)
	require.Equal(t, []string{"ns/configmaps/a.yaml"}, sink.names("prod"))
}

func TestWriterPolicies(t *testing.T) {
	for policy, want := range map[orphan.Policy][]string{
		orphan.Never:    {"ns/configmaps/a.yaml", "ns/configmaps/b.yaml"},
		orphan.OnDelete: {"ns/configmaps/b.yaml"},
		orphan.Always:   nil,
	} {
		sink := &memorySink{}
		w, _ := newTestWriter(t, sink, &WriterOptions{Policy: func(destination.Destination) Policy { return Policy{Orphans: orphan.Options{Policy: policy}} }})
		require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), write("prod", "b", "1"))))
		require.NoError(t, w.Handle(t.Context(), batch(remove("prod", "a"), seedSync("prod"))))
		require.Equal(t, want, sink.names("prod"), "policy %s", policy)
	}
}

func TestANewWriterNeedsASource(t *testing.T) {
	_, err := NewWriter(&memorySink{}, "", nil)
	require.ErrorContains(t, err, "source")
}

func TestGroupingNeverReordersTheChangesOfAnObject(t *testing.T) {
	n := rand.Uint64()
	t.Logf("seed %d", n)
	random := rand.New(rand.NewPCG(n, n))
	for range 300 {
		var events []event.Event
		last := map[string]string{}
		for i := range 1 + random.IntN(20) {
			name := string(rune('a' + random.IntN(4)))
			e := write("prod", name, fmt.Sprint(i))
			e.Author = event.Author{Name: []string{"", "ann", "bob"}[random.IntN(3)], When: time.Unix(int64(random.IntN(100)), 0)}
			if random.IntN(4) == 0 {
				author := e.Author
				e = remove("prod", name)
				e.Author = author
				delete(last, name)
			} else {
				last[name] = fmt.Sprint(i)
			}
			events = append(events, e)
		}
		for _, per := range []CommitPer{PerBatch, PerAuthor, PerEvent} {
			sink := &memorySink{}
			w, _ := newTestWriter(t, sink, &WriterOptions{CommitPer: per})
			require.NoError(t, w.Handle(t.Context(), batch(events...)))
			got := map[string]string{}
			for _, path := range sink.names("prod") {
				got[strings.TrimSuffix(strings.TrimPrefix(path, "ns/configmaps/"), ".yaml")] = string(sink.folder("prod")[path].Data)
			}
			require.Equal(t, last, got)
			order := map[string]int{}
			for _, c := range sink.commits {
				for _, change := range c.Changes {
					if change.Path == OwnerFile || change.Remove {
						continue
					}
					i, err := strconv.Atoi(string(change.Data))
					require.NoError(t, err)
					require.GreaterOrEqual(t, i, order[change.Path], "an older change of %s stands behind a newer one", change.Path)
					order[change.Path] = i
				}
			}
			for i := 1; per == PerAuthor && i < len(sink.commits); i++ {
				require.NotEqual(t, sink.commits[i-1].Author.Name, sink.commits[i].Author.Name, "neighbours of one author share a commit")
			}
		}
	}
}

// The destination had a folder with files of others on its old branch, and adopted nothing there.
func TestADestinationThatMovesToACopyOfItsBranchAdoptsNothingByThat(t *testing.T) {
	sink := &memorySink{}
	theirs := owner{"cluster-1", "default/prod", "elsewhere", event.DefaultLayout.Name(), false, ""}
	sink.folder("prod")[OwnerFile] = &fstest.MapFile{Data: theirs.encode()}
	sink.folder("prod")["ns/configmaps/theirs.yaml"] = &fstest.MapFile{Data: []byte("x")}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), seedSync("prod", "a"))))
	require.Equal(t, []string{"ns/configmaps/a.yaml", "ns/configmaps/theirs.yaml"}, sink.names("prod"))
	require.False(t, (*reports)[0].Adopted)
	require.Contains(t, string(sink.folder("prod")[OwnerFile].Data), "adopted: false\n")
	require.Contains(t, string(sink.folder("prod")[OwnerFile].Data), "branch: main\n")
}

// interrupted is an Encryptor whose context ends while it works.
type interrupted struct {
	reverser
	cancel context.CancelFunc
}

func (i *interrupted) Encrypt(ctx context.Context, _ event.Plaintext) ([]byte, error) {
	i.cancel()
	return nil, ctx.Err()
}

func TestAPlanThatIsInterruptedWritesNothingAndLeavesNothingOut(t *testing.T) {
	sink := &memorySink{}
	ctx, cancel := context.WithCancel(t.Context())
	w, reports := newTestWriter(t, sink, &WriterOptions{Encryptor: &interrupted{cancel: cancel}})
	secret := write("prod", "s", "plain")
	secret.Resource.Resource = "secrets"
	require.ErrorIs(t, w.Handle(ctx, batch(write("prod", "a", "1"), secret, write("prod", "b", "1"))), context.Canceled)
	require.Empty(t, sink.commits)
	for _, r := range *reports {
		require.Empty(t, r.Skipped, "nothing is wrong with the object")
		require.Error(t, r.Err)
	}
}
