package main

import (
	"bufio"
	_ "embed"
	"fmt"
	"strings"
)

// equivalents lists mutants that no test can kill, by their key, each followed by the reason on
// lines that begin with a tab.
//
//go:embed equivalent.txt
var equivalents string

// parseEquivalents returns the reasons by key.
func parseEquivalents(text string) (map[string]string, error) {
	reasons := map[string]string{}
	key := ""
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.HasPrefix(line, "#"), line == "":
		case line[0] != '\t':
			if _, again := reasons[line]; again || key != "" && reasons[key] == "" {
				return nil, fmt.Errorf("mutants: equivalent.txt: %q stands there twice, or the one before has no reason", line)
			}
			key = line
			reasons[key] = ""
		case key == "":
			return nil, fmt.Errorf("mutants: equivalent.txt: a reason without a mutant: %q", line)
		default:
			reasons[key] = strings.TrimSpace(reasons[key] + " " + strings.TrimSpace(line))
		}
	}
	if key != "" && reasons[key] == "" {
		return nil, fmt.Errorf("mutants: equivalent.txt: %q has no reason", key)
	}
	return reasons, nil
}
