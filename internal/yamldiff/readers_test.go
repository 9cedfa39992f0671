package yamldiff

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"

	goccy "github.com/goccy/go-yaml"
	"go.yaml.in/yaml/v3"
	kubernetes "sigs.k8s.io/yaml"
)

// reader reads one document of YAML.
type reader struct {
	name string
	read func(text []byte) (map[string]any, error)
}

// inProcess are the readers that are always asked.
var inProcess = []reader{
	{"go.yaml.in/yaml", func(text []byte) (m map[string]any, err error) { return m, yaml.Unmarshal(text, &m) }},
	{"sigs.k8s.io/yaml", func(text []byte) (m map[string]any, err error) { return m, kubernetes.UnmarshalStrict(text, &m) }},
	{"goccy/go-yaml", func(text []byte) (m map[string]any, err error) {
		return m, goccy.UnmarshalWithOptions(text, &m, goccy.Strict())
	}},
}

// programs are readers in other languages: YAML on the standard input becomes JSON on the standard
// output.
var programs = []struct{ interpreter, script string }{
	{"/usr/bin/python3", "pyyaml.py"}, // the distribution's own: it has the distribution's packages
	{"/usr/bin/python3", "libyaml.py"},
	{"/usr/bin/python3", "ruamel.py"},
	{"perl", "xs.pl"},
	{"node", "yaml.js"},
	{"node", "js-yaml.js"},
}

// readers returns those that are there, and logs which are not.
func readers(t *testing.T) []reader {
	t.Helper()
	all := inProcess
	for _, p := range programs {
		r := reader{p.script, func(text []byte) (m map[string]any, err error) {
			var out, complaint bytes.Buffer
			cmd := exec.CommandContext(t.Context(), p.interpreter, filepath.Join("readers", p.script))
			cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(text), &out, &complaint
			if err := cmd.Run(); err != nil {
				return nil, fmt.Errorf("%w: %s", err, complaint.String())
			}
			return m, json.Unmarshal(out.Bytes(), &m)
		}}
		if m, err := r.read([]byte("a: b\n")); err != nil || m["a"] != "b" {
			t.Logf("%s is not asked: %v", p.script, err)
			continue
		}
		all = append(all, r)
	}
	return all
}
