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
)

// RuleSet is the valid rules that Compile was given, and what is wrong with the others. It never changes and may be used
// concurrently. The zero RuleSet has no rules.
type RuleSet struct {
	all     []*rule // in their order
	rules   []*rule // the valid ones, in their order
	index   index   // of rules
	invalid index   // of the others: they forbid pruning in their destination, if that is known
	faults  map[types.NamespacedName]error
}

// Err returns what is wrong with the rule of this name, one or more *RuleError, joined. It returns nil if the rule is
// valid or was not given.
func (s *RuleSet) Err(name types.NamespacedName) error { return s.faults[name] }

// Compile checks the rules and returns those that are valid, ready to be matched. The RuleSet is never nil. The error
// joins every fault of every other rule, each a *RuleError, in the order of their names; Err has them for each rule. Two
// rules of one name are both left out. Nothing that the caller changes in a Rule afterwards has an effect.
func Compile(set destination.Set, rules ...Rule) (*RuleSet, error) {
	named := make(map[types.NamespacedName]int)
	for i := range rules {
		named[rules[i].Name]++
	}
	s := &RuleSet{index: index{}, invalid: index{}, faults: map[types.NamespacedName]error{}}
	for order, r := range slices.SortedStableFunc(slices.Values(rules), compareRules) {
		c := compiler{set: set, name: r.Name}
		if named[r.Name] > 1 {
			c.fault("Name", r.Name.String(), invalid("%d rules have this name, each needs its own", named[r.Name]))
		}
		s.add(c.rule(order, r))
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

func (s *RuleSet) add(r *rule) {
	s.all = append(s.all, r)
	if !r.valid {
		s.invalid.add(r)
		return
	}
	s.rules = append(s.rules, r)
	s.index.add(r)
}

func compareRules(a, b Rule) int {
	return cmp.Or(compareNames(a.Destination, b.Destination), compareNames(a.Name, b.Name))
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// compiler collects the faults of one rule. What is faulty is read as widely as it could be meant, since an invalid rule
// keeps what it covers from being pruned.
type compiler struct {
	set    destination.Set
	name   types.NamespacedName
	faults []error
}

func (c *compiler) fault(field, value string, err error) {
	c.faults = append(c.faults, &RuleError{Rule: c.name, Field: field, Value: value, Err: err})
}

func (c *compiler) rule(order int, r Rule) *rule {
	if r.Name.Name == "" {
		c.fault("Name", r.Name.String(), invalid("the name is empty"))
	}
	compiled := &rule{
		order:             order,
		name:              r.Name,
		ref:               r.Destination,
		destination:       c.destination(r.Destination),
		selections:        c.selections(r.Resources),
		exclude:           append(c.exclusions("Exclude", r.Exclude), c.presets(r.Skip, r.Keep)...),
		namespaceSelector: c.selector("NamespaceSelector", r.NamespaceSelector),
		objectSelector:    c.selector("ObjectSelector", r.ObjectSelector),
		condition:         r.Condition,
		skipControlled:    r.SkipControlled,
		ignoreManagers:    slices.Clone(r.IgnoreManagers),
	}
	if r.Name.Namespace != "" && r.NamespaceSelector != nil {
		c.fault("NamespaceSelector", metav1.FormatLabelSelector(r.NamespaceSelector),
			invalid("a rule with a namespace sees no other, only a ClusterWatchRule may select namespaces"))
	}
	compiled.valid = len(c.faults) == 0
	if !compiled.valid {
		compiled.exclude = nil
	}
	return compiled
}

// destination returns the destination of the rule, and none that it may not write to: not even a faulty rule of one tenant has
// a say in what is pruned at another's.
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
		err = fmt.Errorf("%w: there is no GitDestination %s, create it or correct the reference", ErrUnknownDestination, ref)
	case c.name.Namespace != "" && c.name.Namespace != ref.Namespace:
		err = fmt.Errorf("%w: the GitDestination has a fault: ask whoever owns it", ErrUnknownDestination)
	default:
		err = fmt.Errorf("%w: correct the GitDestination first: %w", ErrUnknownDestination, fault)
	}
	c.fault("Destination", ref.String(), err)
	return destination.Destination{}
}

func (c *compiler) selections(rules []ResourceRule) []selection {
	if len(rules) == 0 {
		c.fault("Resources", "", invalid("the rule selects nothing, add a ResourceRule; an empty one selects everything"))
		return []selection{{operations: all, scope: AllScopes}}
	}
	selections := make([]selection, len(rules))
	for i, r := range rules {
		field := fmt.Sprintf("Resources[%d]", i)
		selections[i] = c.selection(field, r)
		if c.name.Namespace != "" && r.Scope == ClusterScope {
			c.fault(field+".Scope", string(r.Scope), invalid("a rule with a namespace never sees cluster-scoped objects"))
			selections[i].scope = AllScopes
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

func (c *compiler) selection(field string, r ResourceRule) selection {
	return selection{
		operations: c.operations(field+".Operations", r.Operations),
		groups:     c.list(field+".APIGroups", r.APIGroups, checkGroup),
		versions:   c.list(field+".APIVersions", r.APIVersions, checkVersion),
		resources:  c.list(field+".Resources", r.Resources, checkResource),
		scope:      c.scope(field+".Scope", r.Scope),
	}
}

func (c *compiler) scope(field string, s Scope) Scope {
	switch s {
	case ClusterScope, NamespacedScope, AllScopes:
		return s
	case "":
	default:
		c.fault(field, string(s), invalid("use Cluster, Namespaced or *"))
	}
	return AllScopes
}

func (c *compiler) operations(field string, list []event.Operation) operations {
	var asked operations
	for i, o := range list {
		switch o {
		case event.Create:
			asked |= creates
		case event.Update:
			asked |= updates
		case event.Delete:
			asked |= deletes
		case AllOperations:
			asked = all
		case "CONNECT":
			c.fault(fmt.Sprintf("%s[%d]", field, i), string(o), invalid("a connection changes no object, use CREATE, UPDATE, DELETE or *"))
		default:
			c.fault(fmt.Sprintf("%s[%d]", field, i), string(o), invalid("use CREATE, UPDATE, DELETE or *"))
		}
	}
	if asked == 0 {
		return all
	}
	return asked
}

// list returns the values without repetitions; nil stands for all of them, also if a value is faulty.
func (c *compiler) list(field string, values []string, check func(string) error) []string {
	every := len(values) == 0
	for i, v := range values {
		err := check(v)
		if strings.Contains(v, wildcard) && v != wildcard {
			err = invalid("* stands for a whole value, it cannot be part of one")
		}
		if err != nil {
			c.fault(fmt.Sprintf("%s[%d]", field, i), v, err)
		}
		every = every || v == wildcard || err != nil
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
