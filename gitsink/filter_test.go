package gitsink

import (
	"context"
	"maps"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
)

// rootedSink is a memorySink whose Trees show what lies above the base folder, and count what is
// read.
type rootedSink struct {
	*memorySink
	above map[string][]byte
	reads *int
}

type rootedTree struct {
	Tree
	sink rootedSink
}

func (t rootedTree) ReadAbove(context.Context, string) (map[string][]byte, error) {
	return maps.Clone(t.sink.above), nil // nil, where nothing is above
}

func (t rootedTree) Read(ctx context.Context, paths ...string) (map[string][]byte, error) {
	*t.sink.reads++
	return t.Tree.Read(ctx, paths...)
}

func newRootedSink(above map[string][]byte) rootedSink {
	return rootedSink{&memorySink{}, above, new(int)}
}

func (s rootedSink) Apply(ctx context.Context, d destination.Destination, plan Plan) (Result, error) {
	return s.memorySink.Apply(ctx, d, func(ctx context.Context, base Tree) ([]Commit, error) {
		return plan(ctx, rootedTree{base, s})
	})
}

const web = "ns/configmaps/web.yaml"

func TestAFilterOfGitattributesIsReportedAndNotRun(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		above map[string][]byte
		files fstest.MapFS
		want  []Filtered
	}{
		"nothing":                  {nil, nil, nil},
		"another attribute":        {map[string][]byte{"": []byte("* text=auto\n")}, nil, nil},
		"the root":                 {map[string][]byte{"": []byte("*.yaml filter=git-crypt\n")}, nil, []Filtered{{".gitattributes", "*.yaml", "git-crypt"}}},
		"the folder above":         {map[string][]byte{"clusters": []byte("a/** filter=lfs\n")}, nil, []Filtered{{"clusters/.gitattributes", "a/**", "lfs"}}},
		"another folder":           {map[string][]byte{"clusters": []byte("b/** filter=lfs\n")}, nil, nil},
		"the base folder":          {nil, fstest.MapFS{".gitattributes": {Data: []byte("/ns/** filter=x\n")}}, []Filtered{{"clusters/a/.gitattributes", "/ns/**", "x"}}},
		"a folder below":           {nil, fstest.MapFS{"ns/.gitattributes": {Data: []byte("web.yaml filter=x\n")}}, []Filtered{{"clusters/a/ns/.gitattributes", "web.yaml", "x"}}},
		"taken back below":         {map[string][]byte{"": []byte("*.yaml filter=x\n")}, fstest.MapFS{"ns/.gitattributes": {Data: []byte("* !filter\n")}}, nil},
		"more than is read":        {map[string][]byte{"": make([]byte, maxAttributes+1)}, nil, []Filtered{{".gitattributes", "", ""}}},
		"more than is read, below": {nil, fstest.MapFS{"ns/.gitattributes": {Data: make([]byte, maxAttributes+1)}}, []Filtered{{"clusters/a/ns/.gitattributes", "", ""}}},
	} {
		for _, refuse := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				sink := newRootedSink(test.above)
				for path, file := range test.files {
					sink.folder("a")[path] = file
				}
				w, reports := newTestWriter(t, sink, &WriterOptions{RefuseFiltered: refuse})
				require.NoError(t, w.Handle(t.Context(), batch(write("a", "web", "1"))))
				report := (*reports)[0]
				_, written := sink.folder("a")[web]
				if refuse && test.want != nil {
					require.False(t, written)
					require.Len(t, report.Skipped, 1)
					require.ErrorIs(t, report.Skipped[0].Err, ErrPath)
					require.ErrorContains(t, report.Skipped[0].Err, test.want[0].File)
					require.ErrorContains(t, report.Skipped[0].Err, test.want[0].Pattern)
					require.False(t, report.Skipped[0].Retry, "it waits for somebody to act")
					return
				}
				require.True(t, written)
				require.Empty(t, report.Skipped)
				require.Equal(t, test.want, report.Filtered)
				require.Equal(t, len(test.files), *sink.reads, "there is one request at most, and none without such a file")
			})
		}
	}
}

func TestASinkThatShowsNothingAboveItsFolderMayHaveAttributesInIt(t *testing.T) {
	t.Parallel()
	sink := &memorySink{}
	sink.folder("a")["ns/.gitattributes"] = &fstest.MapFile{Data: []byte("*.yaml filter=lfs\n")}
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("a", "web", "1"))))
	require.Equal(t, []Filtered{{"clusters/a/ns/.gitattributes", "*.yaml", "lfs"}}, (*reports)[0].Filtered)
}

func TestASweepReportsTheFiltersOfFilesThatStand(t *testing.T) {
	t.Parallel()
	sink := newRootedSink(nil)
	w, reports := newTestWriter(t, sink, nil)
	require.NoError(t, w.Handle(t.Context(), batch(write("a", "web", "1"))))
	sink.folder("a")["ns/.gitattributes"] = &fstest.MapFile{Data: []byte("*.yaml filter=lfs\n")}
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("a", "web"))))
	require.Equal(t, []Filtered{{"clusters/a/ns/.gitattributes", "*.yaml", "lfs"}}, (*reports)[1].Filtered)
	delete(sink.folder("a"), "ns/.gitattributes")
	reads := *sink.reads
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("a", "web"))))
	require.Empty(t, (*reports)[2].Filtered)
	require.Equal(t, reads, *sink.reads, "no other file is read for its name")
}

func TestTheReportedFiltersAreBoundedAndShowable(t *testing.T) {
	t.Parallel()
	var lines strings.Builder
	for i := range 2 * MaxFiltered {
		lines.WriteString("w" + strings.Repeat("e", i) + "b.yaml filter=x\x1b[31m\n")
	}
	sink := newRootedSink(map[string][]byte{"": []byte(lines.String())})
	w, reports := newTestWriter(t, sink, nil)
	b := batch()
	for i := range 2 * MaxFiltered {
		b.Events = append(b.Events, write("a", "w"+strings.Repeat("e", i)+"b", "1"))
	}
	require.NoError(t, w.Handle(t.Context(), b))
	require.Len(t, (*reports)[0].Filtered, MaxFiltered)
	require.NotContains(t, (*reports)[0].Filtered[0].String(), "\x1b")
}
