package gitattr

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// judge asks git check-attr for the filter of each path; "" is none.
func judge(t *testing.T, attributes map[string]string, paths []string) []string {
	t.Helper()
	dir := t.TempDir()
	// A repository, without what git init costs.
	for _, folder := range []string{"objects", "refs"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, ".git", folder), 0o755))
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, ".git", "HEAD"), []byte("ref: refs/heads/main\n"), 0o600))
	for folder, text := range attributes {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, folder), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(dir, folder, FileName), []byte(text), 0o600))
	}
	run := func(stdin string, args ...string) []byte {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_CONFIG_NOSYSTEM=1", "GIT_ATTR_NOSYSTEM=1", "LC_ALL=C"}
		cmd.Stdin = strings.NewReader(stdin)
		out, err := cmd.Output()
		require.NoError(t, err)
		return out
	}
	out := run(strings.Join(paths, "\x00")+"\x00", "check-attr", "-z", "--stdin", "filter")
	fields := bytes.Split(bytes.TrimSuffix(out, []byte{0}), []byte{0})
	require.Len(t, fields, 3*len(paths))
	values := make([]string, len(paths))
	for i := range paths {
		if v := string(fields[3*i+2]); v != "set" && v != "unset" && v != "unspecified" {
			values[i] = v
		}
	}
	return values
}

// answers is what the package says of the same.
func answers(attributes map[string]string, paths []string) []string {
	var s Set
	for _, dir := range []string{"", "clusters", "clusters/eu", "clusters/eu/ns"} {
		if text, ok := attributes[dir]; ok {
			s = append(s, Parse(dir, []byte(text)))
		}
	}
	values := make([]string, len(paths))
	for i, p := range paths {
		if v, ok := s.Lookup(p, "filter"); ok {
			values[i] = v.Value
		}
	}
	return values
}

var somePaths = []string{
	"a.yaml", "b", "clusters/a.yaml", "clusters/eu/ns/pods/web.yaml", "clusters/eu/ns/secrets/db.yaml",
	"clusters/eu/ns/deployments.apps/a-b.yaml", "clusters/eu/cluster/x.yaml", "clusters/eu/ns/pods/a[1].yaml", "clusters/eu/ns",
	"clusters/eu/ns/pods/a b.yaml", `clusters/eu/ns/pods/a\b`, "clusters/us/ns/secrets/db.yaml", "clusters/eu/ns/pods/%C3.yaml", "clusters/eu/ns/a/b/c/d.yaml",
}

func TestFiltersAreThoseOfGit(t *testing.T) {
	t.Parallel()
	for i, attributes := range []map[string]string{
		{"": "*.yaml filter=git-crypt diff=git-crypt\n"},
		{"": "secrets/** filter=lfs\n**/secrets/*.yaml filter=crypt"},
		{"": "*.yaml filter=crypt\nclusters/eu/** !filter\nclusters/eu/ns/** -filter\nclusters/**/pods/* filter"},
		{"": "[attr]hidden filter=crypt -text\n*.yaml hidden\n", "clusters/eu": "web.yaml -hidden\n"},
		{"": "[attr]a b\n[attr]b filter=deep\n*.yaml a\n", "clusters": "[attr]b filter=no\n*.yaml b\n"},
		{"": "[attr]b filter=one\n[attr]b filter=two\n*.yaml filter=three b\nweb.yaml b filter=four"},
		{"": "*.yaml filter=root\n", "clusters": "*.yaml filter=clusters\n", "clusters/eu/ns": "/pods/* filter=pods\n"},
		{"clusters/eu": "ns/ filter=x\nns/** filter=y\n!pods filter=z\n/*.yaml filter=w"},
		{"": "\"clusters/eu/ns/pods/a b.yaml\" filter=quoted\n\"a\\\\[1\\\\].yaml\" filter=q2\n\"\\141.yaml\" filter=octal\n\"open filter=x\n"},
		{"": "# *.yaml filter=x\n   *.yaml\tfilter=y   \r\n\n*.yaml filter=\n"},
		{"": "*.yaml filter=x =bad\n*.yaml fil/ter=x\n*.yaml -filter=x\n"},
		{"": strings.Repeat("a", 2040) + " filter=x\n*.yaml filter=" + strings.Repeat("v", 2048) + "\n"},
		{"": "\ufeff*.yaml filter=bom\n"},
		{"": "a** filter=x\nclusters/e**/web.yaml filter=y\nclusters/**web.yaml filter=z\n"},
		{"": "[a-c]*.yaml filter=x\n[!a-w][[:alpha:]].yaml filter=y\n*[[:digit:]]* filter=z\n[[:nope:]] filter=w\n[a filter=v\n"},
		{"": "clusters/*/web.yaml filter=no\nclusters/*/*/*/web.yaml filter=yes\nclusters/eu filter=no\nclusters?eu/** filter=no\n"},
		{"": "[attr] filter=x\n[attr]-bad filter=x\n[attr]binary filter=own\n*.yaml binary\n"},
		{"": "*.yaml binary filter=x\n*.yaml text=auto\n"},
	} {
		require.Equal(t, judge(t, attributes, somePaths), answers(attributes, somePaths), "%d: %v", i, attributes)
	}
}

// TestRandomAttributesAreReadAsGitReadsThem asks git about lines made of the pieces that its
// grammar has.
func TestRandomAttributesAreReadAsGitReadsThem(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	pieces := []string{"*", "**", "/", "**/", "/**", "?", "[", "]", "[a-z]", "[!e]", "[^/]", "[]a]", "[a-]", "[[:alpha:]]", "[[:x", `\`, `\/`,
		"a", "b", "web", ".yaml", "clusters", "eu", "ns", "pods", "clusters/eu", "-", "!", "\"", "{", "%"}
	words := []string{"filter=x", "filter=y", "-filter", "!filter", "filter", "text", "m", "-m", "!m", "n", "m=1", "-diff", "b@d"}
	paths := append([]string{}, somePaths...)
	for range 40 {
		var names []string
		for range 1 + r.IntN(5) {
			names = append(names, []string{"clusters", "eu", "ns", "pods", "a", "ab", "web.yaml", "[", "a]", "-", "b\\"}[r.IntN(11)])
		}
		paths = append(paths, strings.Join(names, "/"))
	}
	for range 60 {
		attributes := map[string]string{}
		for _, dir := range []string{"", "clusters", "clusters/eu", "clusters/eu/ns"} {
			var b strings.Builder
			for range r.IntN(6) {
				if r.IntN(8) == 0 {
					fmt.Fprintf(&b, "[attr]%s", []string{"m", "n"}[r.IntN(2)])
				} else {
					for range 1 + r.IntN(5) {
						b.WriteString(pieces[r.IntN(len(pieces))])
					}
				}
				for range r.IntN(3) {
					b.WriteString(" " + words[r.IntN(len(words))])
				}
				b.WriteByte('\n')
			}
			attributes[dir] = b.String()
		}
		require.Equal(t, judge(t, attributes, paths), answers(attributes, paths), "%q", attributes)
	}
}

func TestAPatternCannotTakeMoreThanTheProductOfLengths(t *testing.T) {
	t.Parallel()
	s := Set{Parse("", []byte(strings.Repeat("*a", 900)+"b filter=x\n"))}
	_, ok := s.Lookup(strings.Repeat("a", 4000), "filter")
	require.False(t, ok)
}

func FuzzParse(f *testing.F) {
	f.Add("*.yaml filter=x\n[attr]a b\n\"\\141\" a\n[[:x", "a/b.yaml")
	f.Fuzz(func(t *testing.T, text, path string) {
		s := Set{Parse("", []byte(text)), Parse("a", []byte(text))}
		if v, ok := s.Lookup(path, "filter"); ok && !strings.Contains(text, v.Value) {
			t.Fatalf("%q is not in %q", v.Value, text)
		}
	})
}
