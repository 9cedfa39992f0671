package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestMain lets the test's own program be the server, the workers and a guest.
func TestMain(m *testing.M) {
	systems[[2]string{casePush, "guest"}] = newWarmSink
	systems[[2]string{caseFirst, "guest"}] = newColdSink
	if err := child(context.Background()); !errors.Is(err, errNoChild) {
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func TestSmokeRunMeasuresEachSystemInEachCase(t *testing.T) {
	self, err := os.Executable()
	require.NoError(t, err)
	for command, want := range map[string][]string{
		"push -with guest=" + self: {
			"push kubescribe 200", "push git 200", "push go-git 200", "push guest 200",
			"push kubescribe 2000", "push git 2000", "push go-git 2000", "push guest 2000",
			"first kubescribe 200", "first git 200", "first guest 200",
			"first kubescribe 2000", "first git 2000", "first guest 2000",
		},
		"scope": {
			"scope kubescribe 200", "scope kubescribe 4000",
			"scope, first kubescribe 200", "scope, first git 200", "scope, first kubescribe 4000", "scope, first git 4000",
		},
		"branch": {"branch kubescribe 200", "branch git, one push 200", "branch git, a push each 200", "branch go-git 200"},
		"hung":   {"all answer kubescribe 200", "one hangs kubescribe 200"},
		"events": {
			"events kubescribe 60", "events git, one push 60", "events git, a push each 60",
			"events, first kubescribe 60", "events, first git, one push 60",
		},
	} {
		t.Run(strings.Fields(command)[0], func(t *testing.T) {
			rows := smoke(t, strings.Fields(command)...)
			var got []string
			for _, r := range rows {
				got = append(got, fmt.Sprintf("%s %s %d", r.Case, r.System, r.Files))
				for _, measured := range []float64{r.Wall, r.Best, r.Server, r.CPU, r.Peak, r.Requests, r.Pushes, r.Sent, r.Received, float64(r.Runs)} {
					require.Positive(t, measured, "%+v", r)
				}
				require.LessOrEqual(t, r.Best, r.Wall)
				require.Zero(t, r.Refused)
				least := 2 * r.Pushes
				if r.System == kubescribe && strings.HasPrefix(r.Case, caseEvents) {
					least = r.Pushes + 3 // the branches of a repository may share an advertisement
				}
				require.GreaterOrEqual(t, r.Requests, least)
			}
			require.Equal(t, want, got)
		})
	}
}

// smoke runs the command in its smallest form. It fails unless each branch ends with every commit
// and the last content.
func smoke(t *testing.T, args ...string) []row {
	t.Helper()
	var stdout, stderr bytes.Buffer
	require.NoError(t, run(t.Context(), append(args, "-smoke", "-json"), &stdout, &stderr), stderr.String())
	var rows []row
	for lines := json.NewDecoder(&stdout); ; {
		var r row
		if err := lines.Decode(&r); errors.Is(err, io.EOF) {
			return rows
		} else {
			require.NoError(t, err)
		}
		rows = append(rows, r)
	}
}

func TestTheServerCountsBytesPushesAndRefusals(t *testing.T) {
	home := t.TempDir()
	env := environment(home)
	f := &field{progress: t.Logf, home: home, env: env}
	require.NoError(t, createRepository(t.Context(), f.remote("r.git"), history(10), env))
	require.NoError(t, f.serve(t.Context()))
	defer func() { require.NoError(t, f.server.stop()) }()
	counts := func() served {
		var state serverState
		require.NoError(t, f.server.call(struct{}{}, &state))
		return state.Served
	}
	job := workerJob{URL: f.url + "/r.git", Dir: f.clone("r")}
	require.NoError(t, clone(t.Context(), job, f.remote("r.git"), env))
	w := &warmClone{dir: job.Dir}
	push := func(args ...string) error {
		_, err := git(t.Context(), w.dir, nil, env, append([]string{"push", "--quiet", "origin"}, args...)...)
		return err
	}
	commit := func(path string, size int) {
		require.NoError(t, writeFile(w.dir, change{Path: path, Content: incompressible(size)}))
		for _, args := range [][]string{{"add", path}, {"commit", "--quiet", "--message", message}} {
			_, err := git(t.Context(), w.dir, nil, env, args...)
			require.NoError(t, err)
		}
	}

	commit("small", 1)
	require.NoError(t, push(branch))
	one := counts()
	require.Equal(t, served{Requests: 2, Pushes: 1}, served{Requests: one.Requests, Pushes: one.Pushes, Refused: one.Refused})
	commit("large", 100_000)
	require.NoError(t, push(branch))
	two := counts().minus(one)
	require.Greater(t, two.In, int64(100_000))
	require.Less(t, two.In, int64(110_000))
	require.Less(t, two.Out, int64(5_000))

	before := counts()
	_, err := git(t.Context(), f.remote("r.git"), nil, env, "config", "receive.denyDeletes", "true")
	require.NoError(t, err)
	require.Error(t, push(":"+branch))
	refused := counts().minus(before)
	require.Equal(t, 1, refused.Pushes)
	require.Equal(t, 1, refused.Refused)
}

func TestNoTwoTreesOfTheLargeRepositoryAreEqual(t *testing.T) {
	dir, env := t.TempDir(), environment(t.TempDir())
	const folders, files = 201, 1000
	require.NoError(t, createRepository(t.Context(), dir, scopeSettings{files: files}.history(folders), env))
	trees, err := git(t.Context(), dir, nil, env, "rev-list", "--objects", "--filter=blob:none", "--no-object-names", branch)
	require.NoError(t, err)
	require.Len(t, strings.Fields(trees), 1+2+folders*(1+2*files/leafFiles), "the commit, the root, the folder of folders, and their trees")
}

// incompressible returns content that is as large packed as it is.
func incompressible(size int) []byte {
	var content []byte
	for i := 0; len(content) < size; i++ {
		sum := sha256.Sum256(fmt.Append(nil, i))
		content = append(content, sum[:]...)
	}
	return content[:size]
}

func TestTheTableComparesBySizeAndBySystem(t *testing.T) {
	took := func(kase, system string, files, ms int) *contender {
		d := time.Duration(ms) * time.Millisecond
		return &contender{
			workerJob: workerJob{Case: kase, System: system}, files: files,
			rounds: []round{
				{sample{Wall: d * 3}, served{Requests: 3, Busy: time.Millisecond, In: 1000}},
				{sample{Wall: d / 2, CPU: d}, served{Requests: 2, Pushes: 3, Busy: 2 * time.Millisecond, In: 2000, Out: 6000}},
				{sample{Wall: d, CPU: d, Peak: 30e6}, served{Requests: 1, Busy: 4 * time.Millisecond, In: 3000}},
			},
		}
	}
	rows := tabulate([]*contender{
		took(casePush, kubescribe, 10, 10), took(casePush, commandGit, 10, 20), took(casePush, goGit, 10, 40),
		took(casePush, kubescribe, 90, 12), took(casePush, commandGit, 90, 60), took(casePush, goGit, 90, 360),
		took(caseFirst, kubescribe, 90, 20), took(caseFirst, commandGit, 90, 200),
	}, sample{Peak: 10e6})
	compare(rows)
	require.Equal(t, row{
		Case: casePush, System: kubescribe, Files: 90, Wall: 12, Best: 6, CPU: 12, Peak: 30, Extra: 20, Server: 2, Own: 8, Requests: 2, Runs: 3,
		Pushes: 1, Sent: 2, Received: 2,
		Ratio: 1.2, VsGit: 5, VsGoGit: 30, bestRatio: 1.2, bestVsGit: 5, bestVsGoGit: 30, worstOwn: 35,
	}, rows[3])

	var out bytes.Buffer
	require.NoError(t, common{}.report(&out, "a machine", rows, pushSettings{}.bars(rows)))
	require.Contains(t, out.String(), "- met: push, 90 files: wall time beside that of 10 files: 1.20 (1.20), at most 1.3; the server's part 2.0 -> 2.0 ms, the rest 6.0 -> 8.0 ms\n")
	require.Contains(t, out.String(), "- met: push, 90 files: times faster than go-git's worktree: 30.00 (30.00), at least 20\n")
	require.Contains(t, out.String(), "- NOT met: first, 90 files: times faster than git clone --depth 1, add, commit, push: 10.00 (10.00), at least 15\n")
}

func TestTheCommandLineIsCheckedBeforeAnythingIsMeasured(t *testing.T) {
	for _, args := range [][]string{
		{}, {"pull"}, {"push", "-files", "1,x"}, {"push", "-files", "20,10"}, {"push", "-runs", "0"},
		{"push", "-with", "relative"}, {"scope", "-folders", "1"}, {"branch", "-destinations", "0"}, {"hung", "-runs", "-1"}, {"events", "-events", "0"},
		{"watch", "-destinations", "1"}, {"watch", "-idle", "0s"}, {"watch", "-case", "nap"},
	} {
		require.Error(t, run(t.Context(), args, io.Discard, io.Discard), "%q", args)
	}
	s, err := parsePush([]string{"-files", "10,20", "-runs", "3", "-json"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, pushSettings{common: common{json: true}, files: []int{10, 20}, runs: 3}, s)
}
