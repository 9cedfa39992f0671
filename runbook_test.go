package kubescribe_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/gitsink"
)

// runbook has the texts of its sections by their headings: of reasons, and of alerts.
type runbook struct {
	text            string
	reasons, alerts map[string]string
}

func readRunbook(t *testing.T) runbook {
	t.Helper()
	text, err := os.ReadFile("docs/monitoring/runbook.md")
	require.NoError(t, err)
	reasons, alerts, found := strings.Cut(string(text), "\n## Alerts\n")
	require.True(t, found)
	return runbook{string(text), sections(reasons), sections(alerts)}
}

func sections(text string) map[string]string {
	all := map[string]string{}
	for _, section := range strings.Split(text, "\n### ")[1:] {
		heading, body, _ := strings.Cut(section, "\n")
		all[heading] = body
	}
	return all
}

// alertingRule is an alert of docs/monitoring/alerts.yaml.
type alertingRule struct {
	Alert, Expr         string
	Labels, Annotations map[string]string
}

func readAlerts(t *testing.T) (all []alertingRule) {
	t.Helper()
	text, err := os.ReadFile("docs/monitoring/alerts.yaml")
	require.NoError(t, err)
	var file struct {
		Groups []struct{ Rules []alertingRule }
	}
	require.NoError(t, yaml.Unmarshal(text, &file))
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}
	require.NotEmpty(t, all)
	return all
}

var reasonMatcher = regexp.MustCompile(`kubescribe_destinations\{[^}]*reason=~?"([^"]*)"`)

// reasons returns those that an alert asks for by name.
func (a alertingRule) reasons() []string {
	if found := reasonMatcher.FindStringSubmatch(a.Expr); found != nil {
		return strings.Split(found[1], "|")
	}
	return nil
}

// constants returns the values of the constants of a file that begin with Reason.
func constants(t *testing.T, file string) (values []string) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	require.NoError(t, err)
	ast.Inspect(parsed, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(spec.Names[0].Name, "Reason") && len(spec.Values) == 1 {
			if literal, ok := spec.Values[0].(*ast.BasicLit); ok {
				value, err := strconv.Unquote(literal.Value)
				require.NoError(t, err)
				values = append(values, value)
			}
		}
		return true
	})
	require.NotEmpty(t, values, file)
	return values
}

func TestTheRunbookHasASectionForEachReasonAndEachAlert(t *testing.T) {
	t.Parallel()
	r := readRunbook(t)
	reasons := append(constants(t, "ready.go"), constants(t, "gitsink/reason.go")...)
	require.Subset(t, reasons, gitsink.Reasons())
	slices.Sort(reasons)
	require.Empty(t, cmp.Diff(slices.Compact(reasons), sortedKeys(r.reasons)), "want and headings")
	var alerts []string
	for _, a := range readAlerts(t) {
		alerts = append(alerts, a.Alert)
	}
	slices.Sort(alerts)
	require.Empty(t, cmp.Diff(alerts, sortedKeys(r.alerts)), "want and headings")
}

func sortedKeys(of map[string]string) []string {
	var keys []string
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Whoever is woken by an alert is led to a section, and from a reason to the alert that fires for
// it.
func TestEachAlertLeadsToItsSectionOfTheRunbook(t *testing.T) {
	t.Parallel()
	r := readRunbook(t)
	anchors := map[string]bool{}
	for _, heading := range append(sortedKeys(r.reasons), sortedKeys(r.alerts)...) {
		require.False(t, anchors[strings.ToLower(heading)], "two headings have one anchor: %s", heading)
		anchors[strings.ToLower(heading)] = true
	}
	for _, link := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(r.text, -1) {
		require.Contains(t, anchors, link[1])
	}
	const page = "https://github.com/kubescribe/kubescribe/blob/main/docs/monitoring/runbook.md#"
	const ofReason = "{{ $labels.reason | toLower }}"
	for _, a := range readAlerts(t) {
		require.Contains(t, []string{"critical", "warning"}, a.Labels["severity"], a.Alert)
		require.NotEmpty(t, a.Annotations["summary"], a.Alert)
		require.NotEmpty(t, a.Annotations["description"], a.Alert)
		anchor, found := strings.CutPrefix(a.Annotations["runbook_url"], page)
		require.True(t, found, "%s: %s", a.Alert, a.Annotations["runbook_url"])
		if anchor != ofReason {
			require.Contains(t, anchors, anchor, a.Alert)
		} else {
			require.NotEmpty(t, a.reasons(), a.Alert)
		}
		for _, reason := range a.reasons() {
			require.Contains(t, r.reasons[reason], "(#"+strings.ToLower(a.Alert)+")", "the section %s does not name %s", reason, a.Alert)
		}
	}
	for reason, text := range r.reasons {
		if reason != string(kubescribe.ReasonInSync) && reason != string(kubescribe.ReasonWriting) {
			require.Regexp(t, `(?s)- \*\*Meaning\*\*.*- \*\*Causes\*\*.*- \*\*Do\*\*.*- \*\*Ends\*\*.*- \*\*Alert\*\*: \[`, text, reason)
		}
	}
}

// A runbook that names what is not there helps nobody at night.
func TestTheRunbookNamesMethodsAndFlagsThatExist(t *testing.T) {
	t.Parallel()
	r := readRunbook(t)
	mirror := reflect.TypeFor[*kubescribe.Mirror]()
	methods := regexp.MustCompile("`Mirror\\.([A-Za-z]+)").FindAllStringSubmatch(r.text, -1)
	require.NotEmpty(t, methods)
	for _, name := range methods {
		_, ok := mirror.MethodByName(name[1])
		require.True(t, ok, "Mirror.%s", name[1])
	}
	sources, err := os.ReadFile("examples/mirror/flags.go")
	require.NoError(t, err)
	flags := regexp.MustCompile("--([a-z][a-z-]+)").FindAllStringSubmatch(r.text, -1)
	require.NotEmpty(t, flags)
	for _, name := range flags {
		if name[1] != "raw" { // kubectl's
			require.Contains(t, string(sources), `"`+name[1]+`",`)
		}
	}
}
