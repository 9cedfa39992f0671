package destination

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubescribe/kubescribe/internal/doctable"
)

// The rows of each table are those that other tests check.
func TestTheTablesOfTheDocumentationAreThoseOfTheTests(t *testing.T) {
	doctable.Require(t, "../docs/destinations.md", map[string]string{
		"lanes": remoteBranchesTable(), "apart": apartTable(), "refused": refusedTable(), "branches": branchesTable(), "globs": globsTable(), "folders": foldersTable(),
	})
}

// code shows a value as it is written, or quoted as in Go where that cannot be seen.
func code(s string) string {
	if strconv.Quote(s) != `"`+s+`"` && !strings.Contains(s, `\`) || s == "" || strings.TrimSpace(s) != s {
		s = strconv.Quote(s)
	}
	return "`" + strings.ReplaceAll(s, "|", `\|`) + "`"
}

func codes(list []string) string {
	all := make([]string, len(list))
	for i, s := range list {
		all[i] = code(s)
	}
	return strings.Join(all, ", ")
}

func remoteBranchesTable() string {
	var b strings.Builder
	b.WriteString("| one remote branch | and other spellings |\n|---|---|\n")
	for _, canonical := range slices.Sorted(maps.Keys(remoteBranches)) {
		fmt.Fprintf(&b, "| %s | %s |\n", code(canonical), codes(remoteBranches[canonical]))
	}
	return b.String()
}

func apartTable() string {
	var b strings.Builder
	b.WriteString("| one remote branch | another | differ in |\n|---|---|---|\n")
	for _, pair := range apart {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", code(pair.one), code(pair.other), pair.differ)
	}
	return b.String()
}

func refusedTable() string {
	var b strings.Builder
	b.WriteString("| URL | why |\n|---|---|\n")
	for _, raw := range invalidURLs {
		_, err := canonicalURL(raw)
		fmt.Fprintf(&b, "| %s | %s |\n", code(raw), strings.TrimPrefix(err.Error(), "invalid: "))
	}
	return b.String()
}

func branchesTable() string {
	short := func(names []string) []string {
		return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return len(name) > 100 })
	}
	return fmt.Sprintf("| | |\n|---|---|\n| valid | %s |\n| invalid | %s |\n", codes(short(branches[true])), codes(short(branches[false])))
}

func globsTable() string {
	var b strings.Builder
	b.WriteString("| glob | matches | does not match |\n|---|---|---|\n")
	for _, g := range globs {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", code(g.glob), codes(g.match), codes(g.other))
	}
	return b.String()
}

func foldersTable() string {
	var b strings.Builder
	b.WriteString("| one folder | another | on one remote branch, of unknown age |\n|---|---|---|\n")
	for i, pairs := range [][][2]string{overlapping, disjoint} {
		for _, pair := range pairs {
			fmt.Fprintf(&b, "| %s | %s | %s |\n", code(pair[0]), code(pair[1]), []string{"both refused", "both valid"}[i])
		}
	}
	return b.String()
}
