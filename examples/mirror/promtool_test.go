//go:build unix

package main

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// monitoring is the folder of the rules, the dashboard and the runbook.
const monitoring = "../../docs/monitoring"

// rulesFile is a file of rules, as Prometheus reads it.
type rulesFile struct {
	Groups []ruleGroup `json:"groups"`
}

type ruleGroup struct {
	Name  string  `json:"name"`
	Rules []alert `json:"rules"`
}

type alert struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

func readRules(t *testing.T) *rulesFile {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(monitoring, "alerts.yaml"))
	require.NoError(t, err)
	var rules rulesFile
	require.NoError(t, yaml.UnmarshalStrict(text, &rules))
	return &rules
}

func (r *rulesFile) alerts() (all []alert) {
	for _, g := range r.Groups {
		all = append(all, g.Rules...)
	}
	return all
}

// with replaces a part of the expression of an alert.
func (r *rulesFile) with(t *testing.T, name, old, part string) *rulesFile {
	t.Helper()
	for _, g := range r.Groups {
		for i := range g.Rules {
			if g.Rules[i].Alert == name {
				require.Equal(t, 1, strings.Count(g.Rules[i].Expr, old), "%s has not one %q", name, old)
				g.Rules[i].Expr = strings.Replace(g.Rules[i].Expr, old, part, 1)
				return r
			}
		}
	}
	require.FailNow(t, "no such alert", name)
	return nil
}

// rulesTest is a file of tests of rules, as promtool reads it.
type rulesTest struct {
	RuleFiles          []string `json:"rule_files"`
	EvaluationInterval string   `json:"evaluation_interval"`
	Tests              []story  `json:"tests"`
}

type story struct {
	Name     string     `json:"name"`
	Interval string     `json:"interval"`
	Series   []series   `json:"input_series"`
	Exprs    []question `json:"promql_expr_test"`
}

type series struct {
	Series string `json:"series"`
	Values string `json:"values"`
}

type question struct {
	Expr    string   `json:"expr"`
	At      string   `json:"eval_time"`
	Samples []sample `json:"exp_samples"`
}

type sample struct {
	Labels string  `json:"labels"`
	Value  float64 `json:"value"`
}

// firing asks for the labels of all alerts that fire at a minute: these and no others.
func firing(minute int, label string, values ...string) question {
	q := question{Expr: "group by (" + label + ") (ALERTS{alertstate=\"firing\"})", At: fmt.Sprintf("%dm", minute)}
	for _, v := range slices.Sorted(slices.Values(values)) {
		q.Samples = append(q.Samples, sample{fmt.Sprintf("{%s=%q}", label, v), 1})
	}
	return q
}

// promtoolTimeout bounds a run of promtool, which takes less than a second.
const promtoolTimeout = 2 * time.Minute

// promtool runs Prometheus' own tool.
func promtool(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), promtoolTimeout)
	defer cancel()
	out, err := exec.CommandContext(ctx, "promtool", args...).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// needPromtool skips a test on a machine without promtool. CI has it.
func needPromtool(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("promtool"); err != nil {
		require.Empty(t, os.Getenv("CI"), "promtool is missing (Debian: prometheus)")
		t.Skip("promtool is missing (Debian: prometheus)")
	}
}

var labelOfText = regexp.MustCompile(`\$labels\.([a-z_]+)`)

// named asks for alerts that fire without a label that their texts name: none.
func (r *rulesFile) named() (questions []question) {
	for _, a := range r.alerts() {
		for _, text := range slices.Sorted(maps.Values(a.Annotations)) {
			for _, label := range labelOfText.FindAllStringSubmatch(text, -1) {
				expr := fmt.Sprintf("ALERTS{alertname=%q,alertstate=\"firing\",%s=\"\"}", a.Alert, label[1])
				questions = append(questions, question{Expr: expr, At: fmt.Sprintf("%dm", minutes)})
			}
		}
	}
	return questions
}

// judge runs stories against the rules.
func (r *rulesFile) judge(t *testing.T, stories ...story) {
	t.Helper()
	folder := t.TempDir()
	for i := range stories {
		stories[i].Exprs = append(stories[i].Exprs, r.named()...)
	}
	for name, content := range map[string]any{
		"alerts.yaml": r,
		"test.yaml":   rulesTest{RuleFiles: []string{"alerts.yaml"}, EvaluationInterval: "1m", Tests: stories},
	} {
		text, err := yaml.Marshal(content)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), text, 0o600))
	}
	promtool(t, "test", "rules", filepath.Join(folder, "test.yaml"))
}

// story is a recording with what fires: early, and in the end.
func (r recording) story(t *testing.T, name string, soon, end []string) story {
	t.Helper()
	return story{
		Name: name, Interval: "1m", Series: r.series(t, minutes),
		Exprs: []question{firing(early, "alertname", soon...), firing(minutes, "alertname", end...)},
	}
}
