package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

const (
	branch = "main"

	authorName  = "Bench"
	authorEmail = "bench@example.com"

	leafFiles    = 200
	filesACommit = 5    // of the history, as long as that gives no more than
	maxCommits   = 1000 // so many commits
)

var kinds = []string{"configmaps", "services", "deployments.apps", "ingresses.networking.k8s.io", "roles.rbac.authorization.k8s.io"}

// filePath is where file i of a branch is: 200 files a namespace, 10 namespaces a kind, 5 kinds a cluster.
func filePath(i int) string {
	leaf := i / leafFiles
	return fmt.Sprintf("clusters/c%02d/%s/ns-%03d/obj-%04d.yaml", leaf/50, kinds[leaf/10%len(kinds)], leaf%10, i%leafFiles)
}

// fileContent is a manifest of 1 KB, different for every file and revision. Half of it does not compress.
func fileContent(i, revision int) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: obj-%04d\n  namespace: ns-%03d\ndata:\n",
		i%leafFiles, i/leafFiles%10)
	for key := 0; b.Len() < 950; key++ {
		fmt.Fprintf(&b, "  k%02d: %x\n", key, sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d", i, revision, key)))
	}
	return []byte(b.String())
}

// historyLength is how many commits a repository with so many files has.
func historyLength(files int) int { return min(max(files/filesACommit, 1), maxCommits) }

// createRepository makes a bare repository of so many files in dir, in one pack.
func createRepository(ctx context.Context, dir string, files int, env []string) error {
	if _, err := git(ctx, "", nil, env, "init", "--quiet", "--bare", "--template=", "--initial-branch="+branch, dir); err != nil {
		return err
	}
	for _, setting := range []string{
		"http.receivepack=true", "receive.autogc=false", "receive.fsckObjects=true",
		"uploadpack.allowFilter=true", "uploadpack.allowAnySHA1InWant=true",
	} {
		key, value, _ := strings.Cut(setting, "=")
		if _, err := git(ctx, dir, nil, env, "config", key, value); err != nil {
			return err
		}
	}
	history, writer := io.Pipe()
	go func() { _ = writer.CloseWithError(writeHistory(writer, files)) }()
	defer func() { _ = history.Close() }()
	if _, err := git(ctx, dir, history, env, "fast-import", "--quiet"); err != nil {
		return err
	}
	if _, err := git(ctx, dir, nil, env, "repack", "-adq"); err != nil {
		return err
	}
	_, err := git(ctx, dir, nil, env, "pack-refs", "--all")
	return err
}

// writeHistory writes all commits in the language of git-fast-import(1).
func writeHistory(w io.Writer, files int) error {
	b := bufio.NewWriterSize(w, 1<<16)
	commits := historyLength(files)
	for c, i := 0, 0; c < commits; c++ {
		fmt.Fprintf(b, "commit refs/heads/%s\ncommitter %s <%s> %d +0000\ndata 4\nseed\n", branch, authorName, authorEmail, 1_700_000_000+c)
		for ; i < files*(c+1)/commits; i++ {
			content := fileContent(i, 0)
			fmt.Fprintf(b, "M 100644 inline %s\ndata %d\n%s\n", filePath(i), len(content), content)
		}
	}
	return b.Flush()
}

// copyRepository gives a worker a repository of its own.
func copyRepository(from, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return os.CopyFS(to, os.DirFS(from))
}

// checkRepository fails unless the branch has that many commits and ends with that content.
func checkRepository(ctx context.Context, dir string, commits int, path string, content []byte, env []string) error {
	count, err := git(ctx, dir, nil, env, "rev-list", "--count", branch)
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(count); got != fmt.Sprint(commits) {
		return fmt.Errorf("repository %s: %s commits on the branch, want %d", filepath.Base(dir), got, commits)
	}
	got, err := git(ctx, dir, nil, env, "show", branch+":"+path)
	if err != nil {
		return err
	}
	if got != string(content) {
		return fmt.Errorf("repository %s: %s does not hold what was pushed last", filepath.Base(dir), path)
	}
	return nil
}
