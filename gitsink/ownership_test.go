package gitsink

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestAnOwnerIsReadAsItIsWrittenAndAsNothingElse(t *testing.T) {
	us := owner{Source: "uid: \"x\"\n", Destination: "team/prod", Branch: "main", Layout: "default", Adopted: true}
	got, err := decodeOwner(us.encode())
	require.NoError(t, err)
	require.Equal(t, us, got)
	for content, says := range map[string]string{
		"":                                  "no mapping",
		"- a\n":                             "no mapping",
		"source: [a]\n":                     "source is not a plain one",
		"source: &a x\nbranch: *a\n":        "source is not a plain one",
		"source: a\nsource: b\n":            "stands there twice",
		"other: a\n":                        `"other" is unknown`,
		"adopted: perhaps\n":                "neither true nor false",
		strings.Repeat("#", maxOwnerFile+1): "more than 4096",
		"a: b: c\n":                         "mapping values",
	} {
		_, err := decodeOwner([]byte(content))
		require.ErrorContains(t, err, says)
		require.Less(t, len(err.Error()), 300)
	}
}

func TestAFolderWithAnOwnerOfItsOwnIsReportedIfItHidesFiles(t *testing.T) {
	s := &memorySink{}
	s.folder("prod")
	var last Report
	w, err := NewWriter(s, "cluster", &WriterOptions{OnReport: func(r Report) { last = r }})
	require.NoError(t, err)
	require.NoError(t, w.Handle(t.Context(), batch(write("prod", "a", "1"), write("prod", "b", "1"), seedSync("prod", "a", "b"))))
	require.Nil(t, last.Excluded)
	s.folder("prod")["ns/"+OwnerFile] = &fstest.MapFile{Data: []byte("source: theirs\n"), Mode: 0o644}
	s.folder("prod")["other/"+OwnerFile] = &fstest.MapFile{Data: []byte("x"), Mode: 0o644}
	s.folder("prod")["other/chart/values.yaml"] = &fstest.MapFile{Data: []byte("x"), Mode: 0o644}
	require.NoError(t, w.Handle(t.Context(), batch(remove("prod", "a"))))
	require.Equal(t, []string{"ns/"}, last.Excluded.Sample, "a deletion that was not carried out")
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "b"))))
	require.Equal(t, []string{"ns/"}, last.Excluded.Sample, "what the sweep did not look at")
	require.Contains(t, s.names("prod"), "ns/configmaps/a.yaml")
	delete(s.folder("prod"), "ns/"+OwnerFile)
	require.NoError(t, w.Handle(t.Context(), batch(seedSync("prod", "b"))))
	require.Nil(t, last.Excluded)
	require.NotContains(t, s.names("prod"), "ns/configmaps/a.yaml")
}

// FuzzOwner reads whatever anybody has pushed: short errors, and nothing that is not what it would
// be written as.
func FuzzOwner(f *testing.F) {
	f.Add(owner{Source: "a", Destination: "b/c"}.encode())
	f.Add([]byte("source: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := decodeOwner(data)
		if err != nil {
			require.Less(t, len(err.Error()), 1000)
			return
		}
		if again, err := decodeOwner(o.encode()); len(o.encode()) <= maxOwnerFile {
			require.NoError(t, err)
			require.Equal(t, o, again)
		}
	})
}
