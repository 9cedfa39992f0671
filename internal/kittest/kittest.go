// Package kittest tests the kits that check implementations of an interface. A kit is only as good
// as what it refuses: each of its checks quotes a promise of the documentation, and refuses at
// least one implementation that is broken on purpose.
package kittest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Check is a check of a kit. Its name is a sentence; the promise is quoted from the documentation.
type Check struct{ Name, Promise string }

// Broken is an implementation that breaks a promise on purpose.
type Broken struct {
	Name string
	By   map[string]string // the names of the checks that must refuse it: part of what they say
	// Run runs a check against it, and returns the verdict.
	Run func(t *testing.T, check string) error
}

// RequireQuotes ends the test unless each promise stands in the documentation, and each name is
// used once. The documentation is the comments of the Go files that match a pattern of
// filepath.Glob.
func RequireQuotes(t testing.TB, checks []Check, patterns ...string) {
	t.Helper()
	text := documentation(t, patterns)
	var faults []error
	names := map[string]bool{}
	for _, c := range checks {
		if promise := oneLine(c.Promise); promise == "" || !strings.Contains(text, promise) {
			faults = append(faults, fmt.Errorf("the documentation does not have the promise of %q: %q", c.Name, c.Promise))
		}
		if names[c.Name] {
			faults = append(faults, fmt.Errorf("two are called %q", c.Name))
		}
		names[c.Name] = true
	}
	if len(faults) > 0 {
		t.Fatalf("%v", errors.Join(faults...))
	}
}

// RequireRefused ends the test unless each broken implementation is refused, in a subtest, by the
// checks that it names. The error skipped is that of a check which was not made.
func RequireRefused(t *testing.T, checks []Check, broken []Broken, skipped error) {
	t.Helper()
	named := map[string]bool{}
	for _, c := range checks {
		named[c.Name] = true
	}
	for _, b := range broken {
		t.Run(b.Name, func(t *testing.T) {
			if len(b.By) == 0 {
				t.Fatal("it names no check")
			}
			for name, says := range b.By {
				if !named[name] {
					t.Fatalf("there is no check %q", name)
				}
				err := b.Run(t, name)
				if fault := refusal(err, says, skipped); fault != nil {
					t.Fatalf("check %q: %v", name, fault)
				}
				t.Logf("refused by %q: %v", name, err)
			}
		})
	}
}

// refusal reports why a verdict is no refusal in these words.
func refusal(verdict error, says string, skipped error) error {
	switch {
	case says == "":
		return errors.New("it is not said what the check must say")
	case verdict == nil:
		return errors.New("it is not refused")
	case errors.Is(verdict, skipped):
		return errors.New("the check was not made")
	case !strings.Contains(verdict.Error(), says):
		return errors.New("it is refused for something else than " + says + ": " + verdict.Error())
	}
	return nil
}

// RequireUse ends the test unless each check refuses something.
func RequireUse(t testing.TB, checks []Check, broken []Broken) {
	t.Helper()
	refuses := map[string]bool{}
	for _, b := range broken {
		for name := range b.By {
			refuses[name] = true
		}
	}
	for _, c := range checks {
		if !refuses[c.Name] {
			t.Fatalf("nothing broken is refused by the check %q", c.Name)
		}
	}
}

// documentation is the text of Go files, without the marks of comments.
func documentation(t testing.TB, patterns []string) string {
	t.Helper()
	var docs strings.Builder
	for _, pattern := range patterns {
		files, err := filepath.Glob(filepath.FromSlash(pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("no file matches %q: %v", pattern, err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(source)) {
				docs.WriteString(" " + strings.TrimPrefix(strings.TrimSpace(line), "//"))
			}
		}
	}
	return oneLine(docs.String())
}

// oneLine has one space wherever the text has any.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
