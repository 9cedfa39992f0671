package ruleset

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
)

// Compile checks the rules and returns a RuleSet of the valid ones; it is never nil. The error
// joins every fault of the other rules, each a *RuleError, in the order of their names. RuleSet.Err
// has the faults of each rule. Two rules of one name are both left out. What the caller changes in
// a Rule afterwards has no effect.
func Compile(set destination.Set, rules ...Rule) (*RuleSet, error) {
	named := make(map[types.NamespacedName]int)
	for i := range rules {
		named[rules[i].Name]++
	}
	s := &RuleSet{rules: compiled.NewRules(), faults: map[types.NamespacedName]error{}, presets: map[types.NamespacedName][]Preset{}}
	for order, r := range slices.SortedStableFunc(slices.Values(rules), compareRules) {
		c := compiler{set: set, name: r.Name}
		if named[r.Name] > 1 {
			c.fault("Name", r.Name.String(), invalid("%d rules have this name, each needs its own", named[r.Name]))
		}
		s.rules.Add(c.rule(order, r))
		s.presets[r.Name] = c.applied
		if len(c.faults) > 0 {
			s.faults[r.Name] = errors.Join(append([]error{s.faults[r.Name]}, c.faults...)...)
		}
	}
	var faults []error
	for _, name := range slices.SortedFunc(maps.Keys(s.faults), compareNames) {
		faults = append(faults, s.faults[name])
	}
	return s, errors.Join(faults...)
}

func compareRules(a, b Rule) int {
	return cmp.Or(compareNames(a.Destination, b.Destination), compareNames(a.Name, b.Name))
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// compiler collects the faults of one rule. A faulty value is read as widely as it could be meant,
// since an invalid rule keeps what it covers from being swept.
type compiler struct {
	set     destination.Set
	name    types.NamespacedName
	faults  []error
	applied []Preset
}

func (c *compiler) fault(field, value string, err error) {
	c.faults = append(c.faults, &RuleError{Rule: c.name, Field: field, Value: value, Err: err})
}

func (c *compiler) rule(order int, r Rule) *compiled.Rule {
	if r.Name.Name == "" {
		c.fault("Name", r.Name.String(), invalid("the name is empty"))
	}
	presets := c.presets(r.Skip, r.Keep)
	for _, p := range presets {
		c.applied = append(c.applied, p.preset)
	}
	checked := &compiled.Rule{
		Order:             order,
		Name:              r.Name,
		Ref:               r.Destination,
		Destination:       c.destination(r.Destination),
		Selections:        c.selections(r.Resources),
		Exclude:           append(c.exclusions("Exclude", r.Exclude), c.presetExclusions(presets)...),
		Ignore:            c.ignore(r.Ignore, presets),
		Sensitive:         c.sensitive(r.Sensitive),
		NamespaceSelector: c.selector("NamespaceSelector", r.NamespaceSelector),
		ObjectSelector:    c.selector("ObjectSelector", r.ObjectSelector),
		Condition:         r.Condition,
		SkipControlled:    r.SkipControlled,
		IgnoreManagers:    slices.Clone(r.IgnoreManagers),
	}
	if r.Name.Namespace != "" && r.NamespaceSelector != nil {
		c.fault("NamespaceSelector", metav1.FormatLabelSelector(r.NamespaceSelector),
			invalid("a rule with a namespace sees no other, only a ClusterWatchRule may select namespaces"))
	}
	checked.Valid = len(c.faults) == 0
	if !checked.Valid {
		checked.Exclude = nil
	}
	return checked
}

// destination returns the destination of the rule, and the zero one if the rule may not write
// there: not even a faulty rule of one tenant has a say in what is swept at another's.
func (c *compiler) destination(ref destination.Ref) destination.Destination {
	if !c.set.Allows(ref, c.name.Namespace) {
		c.fault("Destination", ref.String(), fmt.Errorf("%w: a GitDestination of another namespace can be used if it is there and its AllowedNamespaces have %q",
			ErrNamespaceNotAllowed, c.name.Namespace))
		return destination.Destination{}
	}
	d, ok := c.set.Get(ref)
	if ok {
		return d
	}
	var err error
	switch fault := c.set.Err(ref); {
	case fault == nil:
		err = fmt.Errorf("%w: there is no GitDestination %s, create it or correct the reference", destination.ErrUnknown, ref)
	case c.name.Namespace != "" && c.name.Namespace != ref.Namespace:
		err = fmt.Errorf("%w: the GitDestination has a fault: ask whoever owns it", destination.ErrUnknown)
	default:
		err = fmt.Errorf("%w: correct the GitDestination first: %w", destination.ErrUnknown, fault)
	}
	c.fault("Destination", ref.String(), err)
	return destination.Destination{}
}

func (c *compiler) selections(rules []ResourceRule) []compiled.Selection {
	if len(rules) == 0 {
		c.fault("Resources", "", invalid("the rule selects nothing, add a ResourceRule; an empty one selects everything"))
		return []compiled.Selection{{Operations: compiled.All, Namespaced: true, ClusterScoped: true}}
	}
	selections := make([]compiled.Selection, len(rules))
	for i, r := range rules {
		field := fmt.Sprintf("Resources[%d]", i)
		selections[i] = c.selection(field, r)
		if c.name.Namespace != "" && r.Scope == ClusterScope {
			c.fault(field+".Scope", string(r.Scope), invalid("a rule with a namespace never sees cluster-scoped objects"))
			selections[i].Namespaced = true
		}
	}
	return selections
}

func (c *compiler) selector(field string, s *metav1.LabelSelector) labels.Selector {
	if s == nil {
		return nil
	}
	selector, err := metav1.LabelSelectorAsSelector(s)
	if err != nil {
		c.fault(field, s.String(), invalid("%w", err))
	}
	return selector
}

func (c *compiler) selection(field string, r ResourceRule) compiled.Selection {
	namespaced, clusterScoped := c.scope(field+".Scope", r.Scope)
	return compiled.Selection{
		Operations: c.operations(field+".Operations", r.Operations),
		Groups:     c.list(field+".APIGroups", r.APIGroups, checkGroup),
		Versions:   c.list(field+".APIVersions", r.APIVersions, checkVersion),
		Resources:  c.list(field+".Resources", r.Resources, checkResource),
		Namespaced: namespaced, ClusterScoped: clusterScoped,
	}
}

func (c *compiler) scope(field string, s Scope) (namespaced, clusterScoped bool) {
	switch s {
	case NamespacedScope:
		return true, false
	case ClusterScope:
		return false, true
	case AllScopes, "":
	default:
		c.fault(field, string(s), invalid("use Cluster, Namespaced or *"))
	}
	return true, true
}

func (c *compiler) operations(field string, list []event.Operation) compiled.Operations {
	var asked compiled.Operations
	for i, o := range list {
		switch o {
		case event.Create:
			asked |= compiled.Creates
		case event.Update:
			asked |= compiled.Updates
		case event.Delete:
			asked |= compiled.Deletes
		case AllOperations:
			asked = compiled.All
		case "CONNECT":
			c.fault(fmt.Sprintf("%s[%d]", field, i), string(o), invalid("a connection changes no object, use CREATE, UPDATE, DELETE or *"))
		default:
			c.fault(fmt.Sprintf("%s[%d]", field, i), string(o), invalid("use CREATE, UPDATE, DELETE or *"))
		}
	}
	if asked == 0 {
		return compiled.All
	}
	return asked
}

// list returns the values without repetitions; nil stands for all of them, and for a list with a
// faulty value.
func (c *compiler) list(field string, values []string, check func(string) error) []string {
	every := len(values) == 0
	for i, v := range values {
		err := check(v)
		if strings.Contains(v, compiled.Wildcard) && v != compiled.Wildcard {
			err = invalid("* stands for a whole value, it cannot be part of one")
		}
		if err != nil {
			c.fault(fmt.Sprintf("%s[%d]", field, i), v, err)
		}
		every = every || v == compiled.Wildcard || err != nil
	}
	if every {
		return nil
	}
	return slices.Compact(slices.Sorted(slices.Values(values)))
}

func checkGroup(v string) error {
	if strings.Contains(v, "/") {
		return invalid("write the API group without a version")
	}
	return nil
}

func checkVersion(v string) error {
	if v == "" || strings.Contains(v, "/") {
		return invalid(`write a version without its API group, "v1", or leave the list empty for all`)
	}
	return nil
}

func checkResource(v string) error {
	switch {
	case v == "":
		return invalid(`write the plural name of a resource, "pods", or leave the list empty for all`)
	case strings.Contains(v, "/"):
		return invalid("subresources are never mirrored, name the resource alone")
	}
	return nil
}
