package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheStoryEndsWithEachBranchHoldingItsOwn(t *testing.T) {
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull) // the sink runs git as whoever runs the example would
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	folder := filepath.Join(t.TempDir(), "repo.git")
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), folder, false, &out))
	for _, shown := range []string{
		"    -  value: blue\n    +  value: green\n", // a diff
		"    source: quickstart\n",                  // of .kubescribe
		"log -p --all\n\nWhere to look next:\n",
	} {
		require.Contains(t, out.String(), shown)
	}
	story := regexp.MustCompile(`(?s)3\. .*\n\nThe repository`).FindString(out.String())
	// the logs have commit names, and live commits depend on timing
	story = regexp.MustCompile(`(?m)^ {6}.*\n`).ReplaceAllString(story, "")
	require.Contains(t, story, `
  branch main
    README.md
    clusters/prod/.kubescribe
    clusters/prod/_cluster/clusterroles.rbac.authorization.k8s.io/reader.yaml
    clusters/prod/default/configmaps/experiment-2.yaml
    clusters/prod/default/configmaps/settings.yaml

  branch dev
    README.md
    clusters/dev/.kubescribe
    clusters/dev/default/configmaps/experiment-2.yaml
`)
	require.NoError(t, run(t.Context(), folder, false, &out), "a second run finds its repository")
}

func TestTheRepositoryStaysOnlyIfAsked(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, keep := range []bool{false, true} {
		var out bytes.Buffer
		require.NoError(t, run(t.Context(), "", keep, &out))
		left, err := filepath.Glob(filepath.Join(temp, "*", "repo.git", "HEAD"))
		require.NoError(t, err)
		require.Equal(t, keep, len(left) == 1)
		require.Equal(t, keep, bytes.Contains(out.Bytes(), []byte("The repository stays: "+temp)))
		require.Equal(t, !keep, bytes.Contains(out.Bytes(), []byte("The repository is gone again; --keep keeps it.")))
	}
}
