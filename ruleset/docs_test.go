package ruleset_test

import (
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/doctable"
	"github.com/kubescribe/kubescribe/ruleset"
)

// The rows of each table are those that other tests check.
func TestTheTablesOfTheDocumentationAreThoseOfTheTests(t *testing.T) {
	doctable.Require(t, "../docs/rules.md", map[string]string{"unions": unionTable(), "presets": presetTable(), "ignored": ignoredTable(), "reasons": reasonTable()})
}

func unionTable() string {
	var b strings.Builder
	b.WriteString("| operations of the rules | the file is written | and removed with the object |\n|---|---|---|\n")
	for _, u := range unions {
		var each []string
		for _, list := range u.operations {
			each = append(each, strings.Join(words(list), ", "))
		}
		written := map[event.Precondition]string{event.Always: "always", event.IfAbsent: "where there is none", event.IfPresent: "where there is one"}[u.condition]
		if !u.writes {
			written = "never"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", strings.Join(each, "; "), written, map[bool]string{true: "yes", false: "no"}[u.deletes])
	}
	return b.String()
}

func words(list []event.Operation) []string {
	if len(list) == 0 {
		return []string{"none listed"}
	}
	var all []string
	for _, o := range list {
		all = append(all, strings.ReplaceAll(string(o), "*", `\*`))
	}
	return all
}

func presetTable() string {
	var b strings.Builder
	b.WriteString("| preset | leaves out |\n|---|---|\n")
	for _, p := range ruleset.Presets() {
		var all []string
		for _, e := range p.Exclusions() {
			for _, resource := range e.Resources {
				all = append(all, "`"+strings.TrimSuffix(resource+"."+e.APIGroups[0], ".")+"`"+which(e))
			}
		}
		if len(all) > 0 {
			fmt.Fprintf(&b, "| `%s` | %s |\n", p, strings.Join(all, ", "))
		}
	}
	return b.String()
}

func ignoredTable() string {
	var b strings.Builder
	b.WriteString("| preset | of | fields |\n|---|---|---|\n")
	for _, p := range ruleset.Presets() {
		for _, f := range p.Ignored() {
			of := "everything"
			if len(f.Resources) > 0 {
				var all []string
				for _, resource := range f.Resources {
					all = append(all, "`"+strings.TrimSuffix(resource+"."+f.APIGroups[0], ".")+"`")
				}
				of = strings.Join(all, ", ")
			}
			var fields []string
			add := func(what string, words []string) {
				if len(words) > 0 {
					fields = append(fields, what+" `"+strings.Join(words, "`, `")+"`")
				}
			}
			add("pointers", f.Pointers)
			add("labels", f.Labels)
			add("annotations", f.Annotations)
			add("what is owned alone by", f.Managers)
			if f.Subresource != "" {
				fields = append(fields, "written to the subresource `"+f.Subresource+"`")
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", p, of, strings.Join(fields, ", "))
		}
	}
	return b.String()
}

// which says of what is left out of a type what it is told by.
func which(e ruleset.Exclusion) string {
	var text string
	if len(e.Names) > 0 {
		text += " named `" + strings.Join(e.Names, "`, `") + "`"
	}
	if len(e.Namespaces) > 0 {
		text += " in `" + strings.Join(e.Namespaces, "`, `") + "`"
	}
	if e.ObjectSelector != nil {
		text += " labelled `" + metav1.FormatLabelSelector(e.ObjectSelector) + "`"
	}
	if len(e.SecretTypes) > 0 {
		text += " of type `" + strings.Join(e.SecretTypes, "`, `") + "`"
	}
	if len(e.Managers) > 0 {
		text += " managed by `" + strings.Join(e.Managers, "`, `") + "` alone"
	}
	return text
}

func reasonTable() string {
	var b strings.Builder
	b.WriteString("| reason | for example | the destination keeps a file of it |\n|---|---|---|\n")
	for _, r := range reasons {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", r.reason, r.message, map[bool]string{true: "yes", false: "no"}[r.reason.Claims()])
	}
	return b.String()
}
