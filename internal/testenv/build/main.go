// Build provides the servers of package testenv, kube-apiserver and etcd, in the versions that
// go.mod requires.
//
//	KUBEBUILDER_ASSETS=$(go -C internal/testenv/build run .) go test ./...
//
// It prints one line, the folder that holds both programs; progress goes to standard error. A
// folder named by KUBEBUILDER_ASSETS is printed as it is if it holds both. Otherwise they are built
// from Go modules into the user's cache folder, in a folder named after their versions, where every
// later run finds them. The first build takes about 20 minutes of CPU time.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"

	assetsVariable = "KUBEBUILDER_ASSETS"
)

// program is a main package to build, and the name that envtest's convention gives its executable.
type program struct{ name, pkg, ldflags string }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	folder, err := provide(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "testenv/build:", err)
		os.Exit(1)
	}
	fmt.Println(folder)
}

// provide returns a folder that holds both programs, and builds those that are missing.
func provide(ctx context.Context) (string, error) {
	kubernetes, etcd, err := versions(ctx)
	if err != nil {
		return "", err
	}
	programs, err := plan(kubernetes, etcd)
	if err != nil {
		return "", err
	}
	if given := os.Getenv(assetsVariable); given != "" {
		if len(missing(given, programs)) == 0 {
			return given, nil
		}
		progress("%s=%s does not hold both programs and is not used", assetsVariable, given)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	target := folder(cache, kubernetes, etcd)
	var errs []error
	for _, p := range missing(target, programs) {
		errs = append(errs, build(ctx, target, p))
	}
	return target, errors.Join(errs...)
}

// folder differs for whatever makes the programs differ, so that an upgrade never runs yesterday's.
func folder(cache, kubernetes, etcd string) string {
	return filepath.Join(cache, "kubescribe", "testenv",
		fmt.Sprintf("kubernetes-%s-etcd-%s-%s-%s", kubernetes, etcd, runtime.GOOS, runtime.GOARCH))
}

// versions asks the module graph, so that go.mod is the one place that names a version.
func versions(ctx context.Context) (kubernetes, etcd string, err error) {
	out, err := goTool(ctx, "list", "-m", "-f", "{{.Version}}", kubernetesModule, etcdModule).Output()
	if err != nil {
		return "", "", fmt.Errorf("reading the versions (run this with go -C internal/testenv/build run .): %w", err)
	}
	found := strings.Fields(string(out))
	if len(found) != 2 {
		return "", "", fmt.Errorf("go list answered %q, want the versions of %s and %s", out, kubernetesModule, etcdModule)
	}
	return found[0], found[1], nil
}

// plan says what to build. Without the version flags the API server's /version cannot be parsed,
// and clients refuse it.
func plan(kubernetes, etcd string) ([]program, error) {
	numbers := strings.Split(strings.TrimPrefix(kubernetes, "v"), ".")
	if len(numbers) < 3 {
		return nil, fmt.Errorf("%s has version %q, want vMAJOR.MINOR.PATCH", kubernetesModule, kubernetes)
	}
	const stamp = " -X k8s.io/component-base/version."
	return []program{
		{name: "etcd", pkg: etcdModule, ldflags: "-s -w"},
		{name: "kube-apiserver", pkg: kubernetesModule + "/cmd/kube-apiserver", ldflags: "-s -w" +
			stamp + "gitVersion=" + kubernetes + stamp + "gitMajor=" + numbers[0] + stamp + "gitMinor=" + numbers[1]},
	}, nil
}

func missing(folder string, programs []program) []program {
	var absent []program
	for _, p := range programs {
		if info, err := os.Stat(filepath.Join(folder, p.name)); err != nil || !info.Mode().IsRegular() {
			absent = append(absent, p)
		}
	}
	return absent
}

// build links the program beside its final place and renames it, so that what has the final name is
// always complete, whoever else builds at the same time.
func build(ctx context.Context, folder string, p program) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp(folder, "."+p.name+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)

	progress("building %s from %s", p.name, p.pkg)
	began := time.Now()
	linked := filepath.Join(scratch, p.name)
	cmd := goTool(ctx, "build", "-trimpath", "-o", linked, "-ldflags", p.ldflags, p.pkg)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("building %s: %w", p.pkg, err)
	}
	spent := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	progress("built %s in %s (%s of CPU)", p.name, time.Since(began).Round(time.Second), spent.Round(time.Second))
	return os.Rename(linked, filepath.Join(folder, p.name))
}

// goTool runs in this module, whatever workspace surrounds it, and without a C compiler.
func goTool(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	return cmd
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "testenv/build: "+format+"\n", args...)
}
