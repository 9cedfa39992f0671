package metertest

import "regexp"

var (
	valueRow = regexp.MustCompile("(?m)^\\| `([a-z_.]+)` \\| `([a-z]+)` \\| (.*) \\|$")
	word     = regexp.MustCompile("`([^`]+)`")
)

// Documented returns the values that a page documents for attributes, by metric and attribute with
// a blank between: the words in the third column of the rows that name both.
func Documented(page string) map[string][]string {
	all := map[string][]string{}
	for _, row := range valueRow.FindAllStringSubmatch(page, -1) {
		for _, w := range word.FindAllStringSubmatch(row[3], -1) {
			all[row[1]+" "+row[2]] = append(all[row[1]+" "+row[2]], w[1])
		}
	}
	return all
}
