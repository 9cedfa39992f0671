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
	require.NoError(t, run(t.Context(), folder, &out))
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
	require.Contains(t, out.String(), "    -  value: blue\n    +  value: green\n", "a diff")
	require.Contains(t, out.String(), "- Update configmaps/default/settings\n", "a message")
	require.Contains(t, story, "    destination: default/prod-dest\n", "the ownership file")
	require.NoError(t, run(t.Context(), folder, &out), "a second run finds its repository")
}
