package manifest

import (
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// FuzzLoad checks that whatever a file holds, each fault is one line that begins with its position
// in that file, and that what loads can be resolved, compiled and explained.
func FuzzLoad(f *testing.F) {
	archives, err := filepath.Glob("testdata/*.txtar")
	require.NoError(f, err)
	for _, name := range archives {
		archive, err := txtar.ParseFile(name)
		require.NoError(f, err)
		for _, file := range archive.Files {
			f.Add(file.Data)
			for document := range strings.SplitSeq(string(file.Data), "---\n") {
				f.Add([]byte(document))
			}
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		folder := fstest.MapFS{"a.yaml": {Data: content}}
		_, err := Load(folder)
		if err == nil {
			outcome(folder)
			return
		}
		last := 1
		for _, fault := range err.(interface{ Unwrap() []error }).Unwrap() {
			var e *Error
			require.ErrorAs(t, fault, &e)
			require.NotContains(t, e.Error(), "\n")
			require.True(t, strings.HasPrefix(e.Error(), e.Position.String()+": "))
			require.Equal(t, "a.yaml", e.File)
			require.GreaterOrEqual(t, e.Line, last, "the faults are not in the order of lines")
			require.LessOrEqual(t, e.Line, len(content)+1)
			last = e.Line
		}
	})
}
