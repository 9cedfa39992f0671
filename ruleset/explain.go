package ruleset

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Reason is what decided about a rule and an object: the first in this order that applies.
type Reason string

// The reasons. With the last three the destination claims the object: it gets a file, or keeps the
// one that it has.
const (
	// ReasonInvalid: the rule has faults, see RuleSet.Err.
	ReasonInvalid Reason = "Invalid"
	// ReasonOtherNamespace: the rule has a namespace, and the object is not in it.
	ReasonOtherNamespace Reason = "OtherNamespace"
	// ReasonResources: no ResourceRule selects the type of the object in this version.
	ReasonResources Reason = "Resources"
	// ReasonControlled: SkipControlled leaves the object out.
	ReasonControlled Reason = "Controlled"
	// ReasonObjectSelector: ObjectSelector does not select the labels of the object.
	ReasonObjectSelector Reason = "ObjectSelector"
	// ReasonNamespaceSelector: NamespaceSelector does not select the labels of its namespace.
	ReasonNamespaceSelector Reason = "NamespaceSelector"
	// ReasonExcluded: Exclude, Skip or DefaultPresets leave no operation.
	ReasonExcluded Reason = "Excluded"
	// ReasonCondition: Condition does not hold.
	ReasonCondition Reason = "Condition"
	// ReasonConditionError: Condition could not be evaluated; the file stays as it is.
	ReasonConditionError Reason = "ConditionError"
	// ReasonIgnoredManagers: only IgnoreManagers made the change; the file stays as it is.
	ReasonIgnoredManagers Reason = "IgnoredManagers"
	// ReasonSelected: the rule selects the object.
	ReasonSelected Reason = "Selected"
)

// Claims reports whether a destination claims an object for this reason: the object has a file
// there, or keeps it.
func (r Reason) Claims() bool {
	return r == ReasonSelected || r == ReasonIgnoredManagers || r == ReasonConditionError
}

// Verdict is what one rule decided about an object.
type Verdict struct {
	Rule        types.NamespacedName
	Destination destination.Ref
	Reason      Reason
	// Operations are those that the rule asks for: Create, Update, Delete. Nil if the rule does not
	// claim the object.
	Operations []event.Operation
	// Message is the reason in full, with fields and values of the rule.
	Message string
}

// Explanation has for one object the destinations that want it, and the verdict of every rule.
type Explanation struct {
	Resource event.Resource
	Matches  []Match // what Match returns
	// LeftOut has for each of Matches JSON pointers to the fields of the object that are left out
	// of its file. What the server owns is not among them (event.Sanitize).
	LeftOut  [][]string
	Verdicts []Verdict // of every rule, invalid ones included, by destination and rule
}

// Explain returns the verdict of every rule on an object. It is Match for people: it evaluates all
// rules, one after the other, and is far slower.
func (s *RuleSet) Explain(in Input) Explanation {
	e := Explanation{Resource: in.Resource, Matches: s.Match(in)}
	for _, m := range e.Matches {
		e.LeftOut = append(e.LeftOut, leftOut(m.Ignored, &in))
	}
	for _, r := range s.rules.All {
		v := explain(r, &in)
		v.Rule, v.Destination = r.Name, r.Ref
		e.Verdicts = append(e.Verdicts, v)
	}
	return e
}

func explain(r *compiled.Rule, in *Input) Verdict {
	no := func(reason Reason, format string, args ...any) Verdict {
		return Verdict{Reason: reason, Message: fmt.Sprintf(format, args...)}
	}
	asked, misses := ask(r, in)
	left := remaining(r, asked, in)
	switch {
	case !r.Valid:
		return no(ReasonInvalid, "the rule has faults and is left out")
	case r.Name.Namespace != "" && in.Resource.Namespace == "":
		return no(ReasonOtherNamespace, "the object is cluster-scoped, the rule sees namespace %s only", r.Name.Namespace)
	case r.Name.Namespace != "" && r.Name.Namespace != in.Resource.Namespace:
		return no(ReasonOtherNamespace, "the rule sees namespace %s only", r.Name.Namespace)
	case asked == 0:
		return no(ReasonResources, "%s", strings.Join(misses, "; "))
	case r.SkipControlled && in.Controlled:
		return no(ReasonControlled, "the object has a controller owner, and SkipControlled is on")
	case r.ObjectSelector != nil && !selectsObject(r, in):
		return no(ReasonObjectSelector, "ObjectSelector %q does not select the labels %q", r.ObjectSelector, in.Labels)
	case r.NamespaceSelector != nil && !selectsNamespace(r, in):
		return no(ReasonNamespaceSelector, "NamespaceSelector %q does not select the labels %q", r.NamespaceSelector, namespaceLabels(in))
	case left == 0:
		return no(ReasonExcluded, "%s leaves nothing", strings.Join(excluding(r, in), ", "))
	}
	return explainChange(r, in, left)
}

// explainChange is explain for an object that the rule selects, if its condition holds.
func explainChange(r *compiled.Rule, in *Input, asked compiled.Operations) Verdict {
	selected, err := holds(r, in)
	switch {
	case err != nil:
		return Verdict{Reason: ReasonConditionError, Operations: listOf(asked & compiled.Deletes), Message: err.Error()}
	case !selected:
		return Verdict{Reason: ReasonCondition, Message: "Condition does not hold"}
	case ignores(r, in.Managers):
		return Verdict{Reason: ReasonIgnoredManagers, Operations: listOf(asked & compiled.Deletes),
			Message: fmt.Sprintf("only %q made this change, and IgnoreManagers has them", in.Managers)}
	}
	v := Verdict{Reason: ReasonSelected, Operations: listOf(asked)}
	v.Message = "asks for " + join(v.Operations)
	if fields := excluding(r, in); len(fields) > 0 {
		v.Message += ", which " + strings.Join(fields, ", ") + " leaves"
	}
	if fields := fieldsNamed(r.Ignore, in); len(fields) > 0 {
		v.Message += "; without the fields of " + strings.Join(fields, ", ")
	}
	if fields := fieldsNamed(r.Sensitive, in); len(fields) > 0 {
		v.Message += "; sensitive by " + strings.Join(fields, ", ")
	}
	return v
}

// ask returns the operations that the ResourceRules ask for, whatever else the rule says. For each
// ResourceRule that does not select the object it returns the reason.
func ask(r *compiled.Rule, in *Input) (asked compiled.Operations, misses []string) {
	for i := range r.Selections {
		if why := miss(&r.Selections[i], &in.Resource); why != "" {
			misses = append(misses, fmt.Sprintf("Resources[%d]: %s", i, why))
			continue
		}
		asked |= r.Selections[i].Operations
	}
	return asked, misses
}

// miss returns the reason why the selection does not select an object, "" if it does.
func miss(s *compiled.Selection, r *event.Resource) string {
	switch {
	case !compiled.Allows(s.Groups, r.Group):
		return fmt.Sprintf("APIGroups %q lack %q", s.Groups, r.Group)
	case !compiled.Allows(s.Resources, r.Resource):
		return fmt.Sprintf("Resources %q lack %q", s.Resources, r.Resource)
	case !s.InVersion(r.Version):
		return fmt.Sprintf("APIVersions %q lack %q, in which the type is read", s.Versions, r.Version)
	case !s.InScope(r.Namespace != ""):
		if s.Namespaced {
			return fmt.Sprintf("Scope is %s", NamespacedScope)
		}
		return fmt.Sprintf("Scope is %s", ClusterScope)
	}
	return ""
}

// excluding returns the fields of the exclusions that name the object.
func excluding(r *compiled.Rule, in *Input) []string {
	var fields []string
	for i := range r.Exclude {
		if e := &r.Exclude[i]; excludes(e, in) {
			fields = append(fields, e.Field)
		}
	}
	return fields
}

func namespaceLabels(in *Input) map[string]string {
	if in.Resource.Namespace == "" {
		return in.Labels
	}
	return in.NamespaceLabels
}

// listOf returns the operations in the order of an object's life.
func listOf(o compiled.Operations) []event.Operation {
	var list []event.Operation
	for _, named := range []struct {
		flag compiled.Operations
		name event.Operation
	}{{compiled.Creates, event.Create}, {compiled.Updates, event.Update}, {compiled.Deletes, event.Delete}} {
		if o&named.flag != 0 {
			list = append(list, named.name)
		}
	}
	return list
}

func join(list []event.Operation) string {
	names := make([]string, len(list))
	for i, o := range list {
		names[i] = string(o)
	}
	return strings.Join(names, ", ")
}

// String returns the explanation in lines: the object, each destination that wants it, and the
// verdict of each rule.
func (e Explanation) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (version %s)\n", e.Resource.ID, e.Resource.Version)
	for i, m := range e.Matches {
		fmt.Fprintf(&b, "  to %s: %s\n", m.Destination, m.action())
		if i < len(e.LeftOut) && len(e.LeftOut[i]) > 0 {
			fmt.Fprintf(&b, "    without %s\n", fewOf(e.LeftOut[i]))
		}
		if m.Sensitive != nil {
			fmt.Fprintf(&b, "    encrypted: %s\n", m.encrypted())
		}
		if m.Err != nil {
			fmt.Fprintf(&b, "    although not everything is known: %s\n", strings.ReplaceAll(m.Err.Error(), "\n", "; "))
		}
	}
	if len(e.Matches) == 0 {
		b.WriteString("  to no destination\n")
	}
	for _, v := range e.Verdicts {
		fmt.Fprintf(&b, "  %s, to %s: %s: %s\n", describe(v.Rule), v.Destination, v.Reason, v.Message)
	}
	return b.String()
}

// action describes in words what a Match asks for.
func (m *Match) action() string {
	var actions []string
	switch {
	case !m.Writes:
		actions = append(actions, "keeps its file as it is")
	case m.Precondition == event.IfAbsent:
		actions = append(actions, "writes its file where there is none")
	case m.Precondition == event.IfPresent:
		actions = append(actions, "writes its file where there is one")
	default:
		actions = append(actions, "writes its file")
	}
	if m.Delete {
		actions = append(actions, "removes it with the object")
	} else {
		actions = append(actions, "leaves it when the object goes")
	}
	return strings.Join(actions, ", ")
}

// encrypted says which fields are.
func (m *Match) encrypted() string {
	if len(m.Sensitive.Fields) == 0 {
		return "all but apiVersion, kind and metadata"
	}
	return fewOf(m.Sensitive.Fields)
}
