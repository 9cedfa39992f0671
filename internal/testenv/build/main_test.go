package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestPlanStampsTheVersionThatGoModRequires(t *testing.T) {
	programs, err := plan("v1.37.2", "v3.7.3")
	if err != nil {
		t.Fatal(err)
	}
	flags := programs[1].ldflags
	for _, want := range []string{"gitVersion=v1.37.2", "gitMajor=1", "gitMinor=37"} {
		if !strings.HasSuffix(flags, want) && !strings.Contains(flags, want+" ") {
			t.Errorf("ldflags %q lack %s", flags, want)
		}
	}
	if _, err := plan("master", "v3.7.3"); err == nil {
		t.Error("a version without numbers was accepted")
	}
}

func TestProvidePrintsTheGivenFolderThatHoldsBothPrograms(t *testing.T) {
	given := t.TempDir()
	t.Setenv(assetsVariable, given)
	put(t, given, "etcd", "kube-apiserver")
	got, err := provide(t.Context())
	if err != nil || got != given {
		t.Errorf("provide() = %q, %v, want %q", got, err, given)
	}
}

func TestProvideFallsBackToTheCacheAndLeavesWhatIsThereAlone(t *testing.T) {
	given, cache := t.TempDir(), t.TempDir()
	t.Setenv(assetsVariable, given)
	put(t, given, "etcd")

	// Without these they would move along with the cache folder.
	for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
		value, err := goTool(t.Context(), "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, strings.TrimSpace(string(value)))
	}
	t.Setenv("XDG_CACHE_HOME", cache)
	t.Setenv("HOME", cache)
	root, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	kubernetes, etcd, err := versions(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := folder(root, kubernetes, etcd)
	put(t, want, "etcd", "kube-apiserver")

	got, err := provide(t.Context())
	if err != nil || got != want {
		t.Errorf("provide() = %q, %v, want %q", got, err, want)
	}
	for _, name := range []string{"etcd", "kube-apiserver"} {
		if content, err := os.ReadFile(filepath.Join(got, name)); err != nil || string(content) != name {
			t.Errorf("%s was built again: %v", name, err)
		}
	}
}

func TestBuildLeavesNothingBehindWhenItFails(t *testing.T) {
	target := t.TempDir()
	if err := build(t.Context(), target, program{name: "absent", pkg: "./no/such/package"}); err == nil {
		t.Error("a package that does not exist was built")
	}
	if left, err := os.ReadDir(target); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func put(t *testing.T, folder string, names ...string) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}
