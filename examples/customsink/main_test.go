package main

import (
	"bytes"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheSinkKeepsTheContract(t *testing.T) {
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		Store: func(t testing.TB) gitsinktest.Store {
			return gitsinktest.Store{Repository: "file:///versions", Observer: observer{t, t.TempDir()}}
		},
		New: func(_ testing.TB, s gitsinktest.Store) gitsink.GitSink {
			return newVersions(s.Observer.(observer).root)
		},
	})
}

func TestEachStateOfTheClusterIsAVersion(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	require.Equal(t, "main/1/files/prod/default/configmaps/settings.yaml\n"+
		"apiVersion: v1\ndata:\n  color: blue\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: default\n\n"+
		"main/2/files/prod/default/configmaps/settings.yaml\n"+
		"apiVersion: v1\ndata:\n  color: green\nkind: ConfigMap\nmetadata:\n  name: settings\n  namespace: default\n\n", out.String())
}

// observer is somebody else at the versions below root. It shares no code with the sink.
type observer struct {
	t    testing.TB
	root string
}

func (o observer) newest(branch string) (files string, n int) {
	all, err := filepath.Glob(filepath.Join(o.root, branch, "*"))
	require.NoError(o.t, err)
	return filepath.Join(o.root, branch, strconv.Itoa(len(all)), "files"), len(all)
}

func (o observer) Files(branch string) map[string]gitservertest.File {
	files := map[string]gitservertest.File{}
	root, n := o.newest(url.PathEscape(branch))
	if n == 0 {
		return files
	}
	require.NoError(o.t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		require.NoError(o.t, err)
		info, err := d.Info()
		require.NoError(o.t, err)
		if d.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(path)
			files[name] = gitservertest.File{Mode: gitservertest.ModeSymlink, Content: target}
			return err
		}
		content, err := os.ReadFile(path)
		file := gitservertest.File{Content: string(content)}
		if info.Mode()&0o100 != 0 {
			file.Mode = gitservertest.ModeExecutable
		}
		files[name] = file
		return err
	}))
	return files
}

func (o observer) Commit(branch string, files map[string]gitservertest.File, _ string) string {
	old, n := o.newest(branch)
	next := filepath.Join(o.t.TempDir(), "files")
	require.NoError(o.t, os.MkdirAll(next, 0o755))
	if n > 0 {
		require.NoError(o.t, os.CopyFS(next, os.DirFS(old)))
	}
	for name, file := range files {
		path := filepath.Join(next, name)
		require.NoError(o.t, os.RemoveAll(path))
		if file.Remove {
			continue
		}
		require.NoError(o.t, os.MkdirAll(filepath.Dir(path), 0o755))
		switch file.Mode {
		case gitservertest.ModeSymlink:
			require.NoError(o.t, os.Symlink(file.Content, path))
		case gitservertest.ModeExecutable:
			require.NoError(o.t, os.WriteFile(path, []byte(file.Content), 0o755))
		default:
			require.NoError(o.t, os.WriteFile(path, []byte(file.Content), 0o644))
		}
	}
	require.NoError(o.t, os.MkdirAll(filepath.Dir(filepath.Dir(old)), 0o755))
	require.NoError(o.t, os.Rename(filepath.Dir(next), filepath.Join(o.root, branch, strconv.Itoa(n+1))))
	return ""
}
