package manifest

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Position is a line of a file. The zero Position is nowhere.
type Position struct {
	File string // its path in the folder
	Line int    // 1 is the first; 0: the file as a whole
}

// String returns the Position as file:line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Error is one fault of one manifest.
type Error struct {
	Position
	Kind    string               // "" if it could not be read
	Ref     types.NamespacedName // zero if it could not be read
	Field   string               // as in the manifest, "spec.branch"; "" for the document
	Message string               // what is wrong and what to do
	Err     error                // what Explain explained; nil for faults that Load found
}

// Error returns the fault on one line.
func (e *Error) Error() string {
	parts := []string{e.Position.String()}
	if e.Kind != "" {
		parts = append(parts, id{e.Kind, e.Ref}.String())
	}
	if e.Field != "" {
		parts = append(parts, e.Field)
	}
	return strings.Join(append(parts, e.Message), ": ")
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Locate returns the place where an object of the folder begins, the zero Position if the folder
// does not have it.
func (c *Config) Locate(kind string, ref types.NamespacedName) Position {
	if o, ok := c.objects[id{kind, ref}]; ok {
		return o.position
	}
	return Position{}
}

// Explain returns err with each *destination.Error and *ruleset.RuleError replaced by an *Error
// that names the file, the line and the field of the manifest. Other errors stay as they are. A
// fault that only follows from another one in err is left out: that of a rule whose destination is
// invalid, for example.
func (c *Config) Explain(err error) error {
	leaves := flatten(err)
	faulty := make(map[id]bool)
	for _, leaf := range leaves {
		if e, ok := leaf.(*destination.Error); ok { //nolint:errorlint // its own fault, not the one that is its cause
			faulty[id{e.Kind, e.Ref}] = true
		}
	}
	var explained []error
	for _, leaf := range leaves {
		if cause := causeOf(leaf); cause == nil || !faulty[id{cause.Kind, cause.Ref}] {
			explained = append(explained, c.explain(leaf))
		}
	}
	return errors.Join(explained...)
}

// flatten returns what err joins or wraps, down to the faults of manifests.
func flatten(err error) []error {
	var inDestination *destination.Error
	var inRule *ruleset.RuleError
	if errors.As(err, &inDestination) || errors.As(err, &inRule) {
		switch e := err.(type) { //nolint:errorlint // walks the tree
		case *destination.Error, *ruleset.RuleError:
		case interface{ Unwrap() error }:
			return flatten(e.Unwrap())
		case interface{ Unwrap() []error }:
			var leaves []error
			for _, inner := range e.Unwrap() {
				leaves = append(leaves, flatten(inner)...)
			}
			return leaves
		}
	}
	return []error{err}
}

// causeOf returns the fault of another object that the one in leaf comes from, nil if there is
// none.
func causeOf(leaf error) *destination.Error {
	var cause *destination.Error
	switch e := leaf.(type) { //nolint:errorlint // flatten's leaves
	case *destination.Error:
		errors.As(e.Err, &cause)
	case *ruleset.RuleError:
		errors.As(e.Err, &cause)
	}
	return cause
}

func (c *Config) explain(leaf error) error {
	switch e := leaf.(type) { //nolint:errorlint // flatten's leaves
	case *destination.Error:
		return c.fault(id{e.Kind, e.Ref}, c.destinationField(e), e.Value, e.Err, e)
	case *ruleset.RuleError:
		kind := KindWatchRule
		if e.Rule.Namespace == "" {
			kind = KindClusterWatchRule
		}
		return c.fault(id{kind, e.Rule}, fieldOfRule(e), e.Value, e.Err, e)
	}
	return leaf
}

// fault returns the *Error for a fault of the field of an object. If it comes from faults of
// another object, it names those with their lines.
func (c *Config) fault(of id, field, value string, what, explained error) error {
	o, ok := c.objects[of]
	if !ok {
		return explained // not of this folder
	}
	message := what.Error()
	if causeOf(explained) != nil {
		message = "comes from " + strings.ReplaceAll(c.Explain(what).Error(), "\n", "; ")
	}
	return &Error{
		Position: o.at(field),
		Kind:     of.kind,
		Ref:      of.ref,
		Field:    field,
		Message:  fmt.Sprintf("%s (%q)", message, value),
		Err:      explained,
	}
}

// destinationField returns the field of the manifest that a field of a Repository or a Spec comes
// from.
func (c *Config) destinationField(e *destination.Error) string {
	switch e.Field {
	case "URL":
		return "spec.repoURL"
	case "AllowedBranches":
		return c.allowedBranch(e.Ref, e.Value)
	case "AllowedNamespaces":
		return c.allowedNamespace(e.Kind, e.Ref, e.Value)
	case "RepositoryRef":
		if errors.Is(e.Err, destination.ErrNamespaceNotAllowed) {
			return "spec.repoRef.namespace"
		}
		return "spec.repoRef.name"
	case "Branch":
		return "spec.branch"
	case "BaseFolder":
		return "spec.baseFolder"
	}
	return "metadata.name"
}

func (c *Config) allowedBranch(repository destination.Ref, glob string) string {
	for _, r := range c.Repositories {
		for i, allowed := range r.AllowedBranches {
			if r.Ref == repository && allowed == glob {
				return fmt.Sprintf("spec.allowedBranches[%d]", i)
			}
		}
	}
	return "spec.allowedBranches"
}

func (c *Config) allowedNamespace(kind string, ref destination.Ref, namespace string) string {
	var allowed []string
	for _, r := range c.Repositories {
		if kind == destination.KindRepository && r.Ref == ref {
			allowed = r.AllowedNamespaces
		}
	}
	for _, s := range c.Destinations {
		if kind == destination.KindDestination && s.Ref == ref {
			allowed = s.AllowedNamespaces
		}
	}
	return fmt.Sprintf("spec.allowedNamespaces[%d]", slices.Index(allowed, namespace))
}

func fieldOfRule(e *ruleset.RuleError) string {
	if e.Field == "Destination" && errors.Is(e.Err, ruleset.ErrNamespaceNotAllowed) {
		return "spec.destinationRef.namespace"
	}
	return ruleField(e.Field)
}

var firstResources = regexp.MustCompile(`^Resources\b`)

// ruleField returns the field of the manifest that a field of a Rule comes from:
// "spec.rules[0].resources[1]" for "Resources[0].Resources[1]".
func ruleField(field string) string {
	switch field {
	case "Name":
		return "metadata.name"
	case "Destination":
		return "spec.destinationRef.name"
	}
	names := strings.Split(firstResources.ReplaceAllString(field, "Rules"), ".")
	for i, name := range names {
		name = strings.Replace(name, "API", "api", 1)
		names[i] = strings.ToLower(name[:1]) + name[1:]
	}
	return "spec." + strings.Join(names, ".")
}
