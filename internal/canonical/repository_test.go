package canonical_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// The objects of the restore proof, which have every field of their kinds, are among them.
func TestEveryObjectOfTheRepositoryIsWrittenAsBefore(t *testing.T) {
	root := os.DirFS("../..")
	var c compared
	objects, restored := 0, 0
	require.NoError(t, fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(root, path)
		require.NoError(t, err)
		for _, document := range bytes.Split(append([]byte("\n"), text...), []byte("\n---\n")) {
			object, err := yaml.YAMLToJSON(document)
			if err != nil || !bytes.HasPrefix(object, []byte("{")) {
				continue // a template, or nothing but comments
			}
			require.NoError(t, c.check(object), "%s: %s", path, document)
			objects++
			if filepath.Dir(path) == "internal/e2e/testdata/roundtrip" {
				restored++
			}
		}
		return nil
	}))
	t.Logf("%d objects, %d of them of the restore proof", objects, restored)
	require.Greater(t, restored, 30)
	require.Greater(t, objects, restored)
}
