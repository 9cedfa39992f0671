//go:build unix

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"
)

// dashboard is a dashboard of Grafana, as far as it can go wrong here.
type dashboard struct {
	Title, UID    string
	SchemaVersion int
	Panels        []panel
	Templating    struct {
		List []struct{ Name, Type, Definition string }
	}
}

type panel struct {
	ID          int
	Type, Title string
	Datasource  struct{ Type, UID string }
	GridPos     struct{ X, Y, W, H int }
	Targets     []struct{ RefID, Expr string }
}

func readDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(monitoring, "dashboard.json"))
	require.NoError(t, err)
	var d dashboard
	require.NoError(t, json.Unmarshal(text, &d))
	return d
}

// expressions returns all that a dashboard asks of Prometheus.
func (d dashboard) expressions() (all []string) {
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			all = append(all, target.Expr)
		}
	}
	for _, variable := range d.Templating.List {
		if variable.Type == "query" {
			all = append(all, variable.Definition)
		}
	}
	return all
}

func TestTheDashboardHasItsRowsAndEachPanelAPlaceOfItsOwn(t *testing.T) {
	d := readDashboard(t)
	require.GreaterOrEqual(t, d.SchemaVersion, 38, "that of Grafana 10")
	require.Equal(t, "datasource", d.Templating.List[0].Type)
	var rows []string
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		require.False(t, ids[p.ID], "two panels have the id %d", p.ID)
		ids[p.ID] = true
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				require.Less(t, at[0], 24, p.Title)
				require.Empty(t, taken[at], "%s stands on it", p.Title)
				taken[at] = p.Title
			}
		}
		if p.Type == "row" {
			rows = append(rows, p.Title)
			continue
		}
		require.Equal(t, "${datasource}", p.Datasource.UID, p.Title)
		require.NotEmpty(t, p.Targets, p.Title)
	}
	require.Equal(t, []string{"Verdicts", "Lag", "Pushes", "Commits", "Queue", "Source", "Requests"}, rows)
}

func TestPrometheusUnderstandsWhatTheDashboardAsks(t *testing.T) {
	needPromtool(t)
	var rules strings.Builder
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, expression := range readDashboard(t).expressions() {
		if strings.HasPrefix(expression, "label_values(") {
			continue // that is Grafana's own
		}
		expression = strings.NewReplacer("$__rate_interval", "5m", "$namespace", ".*", "$job", ".*").Replace(expression)
		text, err := yaml.Marshal(map[string]string{"expr": expression, "record": fmt.Sprint("panel:", i)})
		require.NoError(t, err)
		rules.WriteString("  - " + strings.ReplaceAll(strings.TrimSuffix(string(text), "\n"), "\n", "\n    ") + "\n")
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	require.NoError(t, os.WriteFile(file, []byte(rules.String()), 0o600))
	promtool(t, "check", "rules", file)
}
