// Package doctable keeps the tables of a page of the documentation equal to those that its tests
// check. A table stands between the lines "<!-- NAME -->" and "<!-- end of NAME -->".
package doctable

import (
	"flag"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the tables into the documentation")

// Require ends the test unless the page has each of the tables, which are given by their names.
// With the flag -update it writes them into the page.
func Require(t testing.TB, page string, tables map[string]string) {
	t.Helper()
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for name, table := range tables {
		from, to := "<!-- "+name+" -->\n\n", "\n<!-- end of "+name+" -->"
		before, rest, begins := strings.Cut(text, from)
		got, after, ends := strings.Cut(rest, to)
		switch {
		case !begins || !ends:
			t.Fatalf("%s has no table %q", page, name)
		case *update:
			text = before + from + table + to + after
		case got != table:
			t.Fatalf("%s: the table %q is\n%s\nand the tests have\n%s\nRun the test with -update.", page, name, got, table)
		}
	}
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
