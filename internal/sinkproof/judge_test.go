package sinkproof

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// requireWritten demands that the branch holds these rounds of the writers and nothing else: beside
// the commit that was there before, one commit each, in one line, those of a writer in their order,
// and every file as its writer's last round left it.
func requireWritten(t *testing.T, s site, rounds map[writer]int) {
	t.Helper()
	s.repo.Fsck()
	requireNoLock(t, s.repo.Dir())
	log := s.repo.Log("main")
	slices.Reverse(log)
	require.Equal(t, s.first, log[0].Hash)
	total, seen := 0, map[writer]int{}
	for i, commit := range log[1:] {
		require.Equal(t, []string{log[i].Hash}, commit.Parents, "the parents of %q", commit.Subject)
		var w writer
		var round int
		_, err := fmt.Sscanf(commit.Subject, "p%d g%d r%d", &w.process, &w.goroutine, &round)
		require.NoError(t, err, commit.Subject)
		require.Equal(t, w.message(seen[w]+1), commit.Subject, "the next commit of its writer")
		seen[w] = round
	}
	require.Equal(t, rounds, seen)
	want := map[string]string{"README": "here before\n"}
	for w, last := range rounds {
		total += last
		for round := max(last-filesOfWriter, 0) + 1; round <= last; round++ {
			want[w.folder()+"/"+file(round)] = content(round)
		}
	}
	require.Len(t, log, 1+total)
	require.Equal(t, want, s.repo.Tree("main"))
}

// requireNoLock demands that no lock was left behind: nobody would ever take it away, and every
// later push would fail.
func requireNoLock(t *testing.T, dir string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		require.False(t, strings.HasSuffix(path, ".lock"), path)
		return err
	}))
}

// landed is how many pushes have moved the branch.
func (s site) landed() int {
	return len(strings.Split(s.repo.Git("reflog", "show", "--format=%H", "refs/heads/main"), "\n")) - 1
}

// hands is how often a commit on the branch is of another process than the one before.
func (s site) hands() int {
	n, last := 0, ""
	for _, commit := range s.repo.Log("main") {
		process, _, _ := strings.Cut(commit.Subject, " ")
		if process != last {
			n++
		}
		last = process
	}
	return n - 2 // the newest commit, and the first of all
}
