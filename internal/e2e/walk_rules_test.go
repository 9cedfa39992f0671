package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/ruleset"
)

// walkType is a type of the random walk.
type walkType struct {
	Group, Resource string
	Cluster         bool // its objects lie in no namespace
}

func (t walkType) String() string {
	if t.Group == "" {
		return t.Resource
	}
	return t.Resource + "." + t.Group
}

const walkGroup = "walk.example.com"

var (
	walkConfigMaps  = walkType{Resource: "configmaps"}
	walkDeployments = walkType{Group: "apps", Resource: "deployments"}
	walkNamespaces  = walkType{Resource: "namespaces", Cluster: true}
	walkWidgets     = walkType{Group: walkGroup, Resource: "widgets"}
	walkPlanes      = walkType{Group: walkGroup, Resource: "planes", Cluster: true}

	walkTypes = []walkType{walkConfigMaps, walkDeployments, walkNamespaces, walkWidgets, walkPlanes}
)

// walkRules are the rules of the walk, as data that crosses to the process that mirrors. The
// checker reads them by itself.
type walkRules struct {
	URL   string
	Dests map[string]walkDest
	Rules map[string]walkRule
}

type walkDest struct{ Branch, Folder string }

type walkRule struct {
	Dest      string
	Namespace string // "": a cluster rule
	Types     []walkType
	// InNamespaces and OnObjects are the selectors: all have to hold.
	InNamespaces, OnObjects []walkSelector
	ExcludeNames            []string   // globs, for all types
	ExcludeTypes            []walkType // wholly
}

// walkSelector asks for a label. No Values: it must be absent.
type walkSelector struct {
	Key    string
	Values []string
}

func (s walkSelector) holds(labels map[string]string) bool {
	value, ok := labels[s.Key]
	if len(s.Values) == 0 {
		return !ok
	}
	return ok && slices.Contains(s.Values, value)
}

func allHold(selectors []walkSelector, labels map[string]string) bool {
	return !slices.ContainsFunc(selectors, func(s walkSelector) bool { return !s.holds(labels) })
}

// covers reports whether the rule speaks about a type in a namespace, whatever its selectors.
func (r walkRule) covers(t walkType, namespace string) bool {
	return slices.Contains(r.Types, t) && !slices.Contains(r.ExcludeTypes, t) && (r.Namespace == "" || r.Namespace == namespace)
}

// selects reports whether the rule wants an object.
func (r walkRule) selects(t walkType, namespace, name string, labels, namespaceLabels map[string]string) bool {
	if !r.covers(t, namespace) || !allHold(r.OnObjects, labels) {
		return false
	}
	for _, glob := range r.ExcludeNames {
		if ok, _ := filepath.Match(glob, name); ok {
			return false
		}
	}
	switch {
	case t == walkNamespaces:
		return allHold(r.InNamespaces, labels)
	case t.Cluster:
		return true
	}
	return allHold(r.InNamespaces, namespaceLabels)
}

func (r walkRules) clone() walkRules {
	return walkRules{URL: r.URL, Dests: maps.Clone(r.Dests), Rules: maps.Clone(r.Rules)}
}

func (r walkRules) of(dest string) []walkRule {
	var rules []walkRule
	for _, name := range slices.Sorted(maps.Keys(r.Rules)) {
		if rule := r.Rules[name]; rule.Dest == dest {
			rules = append(rules, rule)
		}
	}
	return rules
}

func (r walkRules) selects(dest string, t walkType, namespace, name string, labels, namespaceLabels map[string]string) bool {
	return slices.ContainsFunc(r.of(dest), func(rule walkRule) bool {
		return rule.selects(t, namespace, name, labels, namespaceLabels)
	})
}

func (r walkRules) covers(dest string, t walkType, namespace string) bool {
	return slices.ContainsFunc(r.of(dest), func(rule walkRule) bool { return rule.covers(t, namespace) })
}

// rules is what the Mirror is told.
func (r walkRules) rules() kubescribe.Rules {
	repo := ref("walk", "repo")
	out := kubescribe.Rules{
		Repositories: []destination.Repository{{Ref: repo, URL: r.URL}},
		Orphans:      map[destination.Ref]orphan.Options{},
	}
	for _, name := range slices.Sorted(maps.Keys(r.Dests)) {
		d := r.Dests[name]
		out.Destinations = append(out.Destinations, destination.Spec{
			Ref: ref("walk", name), RepositoryRef: repo, Branch: d.Branch, BaseFolder: d.Folder, AllowedNamespaces: []string{"*"}})
		out.Orphans[ref("walk", name)] = orphan.Options{Policy: orphan.Always, MaxFiles: -1}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Rules)) {
		out.Rules = append(out.Rules, r.Rules[name].rule(name))
	}
	return out
}

func (r walkRule) rule(name string) ruleset.Rule {
	out := ruleset.Rule{
		Name:              types.NamespacedName{Namespace: r.Namespace, Name: name},
		Destination:       ref("walk", r.Dest),
		NamespaceSelector: selector(r.InNamespaces),
		ObjectSelector:    selector(r.OnObjects),
	}
	for _, t := range r.Types {
		out.Resources = append(out.Resources, resourceRule(t))
	}
	if len(r.ExcludeNames) > 0 {
		out.Exclude = append(out.Exclude, ruleset.Exclusion{Names: r.ExcludeNames})
	}
	for _, t := range r.ExcludeTypes {
		out.Exclude = append(out.Exclude, ruleset.Exclusion{ResourceRule: resourceRule(t)})
	}
	return out
}

func resourceRule(t walkType) ruleset.ResourceRule {
	return ruleset.ResourceRule{APIGroups: []string{t.Group}, Resources: []string{t.Resource}}
}

func selector(selectors []walkSelector) *metav1.LabelSelector {
	if len(selectors) == 0 {
		return nil
	}
	out := &metav1.LabelSelector{}
	for _, s := range selectors {
		op := metav1.LabelSelectorOpIn
		if len(s.Values) == 0 {
			op = metav1.LabelSelectorOpDoesNotExist
		}
		out.MatchExpressions = append(out.MatchExpressions, metav1.LabelSelectorRequirement{Key: s.Key, Operator: op, Values: s.Values})
	}
	return out
}

// The places where a destination of the walk may be. No two have one in common.
func walkPlaces(dest string) []walkDest {
	return []walkDest{
		{"main", "clusters/" + dest}, {"dev", "clusters/" + dest}, {"main", "moved/" + dest}, {"dev", "moved/" + dest},
	}
}

const walkDests = 4

// walkBroad is the rule that never changes, so that there is always much to get wrong; its
// destination moves.
const walkBroad = "broad"

func firstWalkRules(url string) walkRules {
	r := walkRules{URL: url, Dests: map[string]walkDest{}, Rules: map[string]walkRule{}}
	for i := range walkDests - 1 {
		r.Dests[destName(i)] = walkPlaces(destName(i))[i%2]
	}
	production := []walkSelector{{"tier", []string{"prod", "both"}}}
	r.Rules[walkBroad] = walkRule{Dest: destName(0), Types: walkTypes, InNamespaces: walkOurs}
	r.Rules["r1"] = walkRule{Dest: destName(1), Types: []walkType{walkConfigMaps, walkWidgets},
		InNamespaces: walkOurs, OnObjects: production}
	r.Rules["r2"] = walkRule{Dest: destName(2), Types: []walkType{walkConfigMaps}, Namespace: walkNamespace(1)}
	r.Rules["r3"] = walkRule{Dest: destName(2), Types: []walkType{walkDeployments},
		InNamespaces: append(slices.Clone(walkOurs), walkSelector{"team", []string{"red"}})}
	return r
}

// walkOurs keeps the namespaces of Kubernetes out.
var walkOurs = []walkSelector{{"walk", []string{"yes"}}}

func destName(i int) string { return fmt.Sprintf("dest-%d", i) }

// mutate changes one thing of the rules and says what.
func (r walkRules) mutate(chance *rand.Rand) (walkRules, string) {
	next := r.clone()
	dest := destName(chance.IntN(walkDests))
	_, exists := next.Dests[dest]
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(next.Rules)), func(name string) bool { return name == walkBroad })
	switch what := chance.IntN(10); {
	case !exists:
		next.Dests[dest] = pick(chance, walkPlaces(dest))
		next.Rules[freeName(next.Rules)] = randomRule(chance, dest)
		return next, "destination added: " + dest
	case what == 0 && dest != next.Rules[walkBroad].Dest:
		delete(next.Dests, dest)
		maps.DeleteFunc(next.Rules, func(_ string, rule walkRule) bool { return rule.Dest == dest })
		return next, "destination removed: " + dest
	case what == 1:
		next.Dests[dest] = pick(chance, walkPlaces(dest))
		return next, fmt.Sprintf("destination moved: %s to %v", dest, next.Dests[dest])
	case what <= 3 && len(next.Rules) < 9 || len(names) == 0:
		name := freeName(next.Rules)
		next.Rules[name] = randomRule(chance, dest)
		return next, fmt.Sprintf("rule added: %s %+v", name, next.Rules[name])
	case what <= 5 && len(names) > 3:
		name := pick(chance, names)
		delete(next.Rules, name)
		return next, "rule removed: " + name
	}
	name := pick(chance, names)
	old, fresh := next.Rules[name], randomRule(chance, next.Rules[name].Dest)
	switch chance.IntN(5) {
	case 0:
		old.Types = fresh.Types
	case 1:
		old.OnObjects = fresh.OnObjects
	case 2:
		old.ExcludeNames = fresh.ExcludeNames
	case 3:
		old.ExcludeTypes = fresh.ExcludeTypes
	default:
		old.Namespace, old.InNamespaces = fresh.Namespace, fresh.InNamespaces
	}
	next.Rules[name] = old
	return next, fmt.Sprintf("rule changed: %s %+v", name, old)
}

func freeName(rules map[string]walkRule) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("r%d", i); !hasKey(rules, name) {
			return name
		}
	}
}

func hasKey[V any](m map[string]V, key string) bool { _, ok := m[key]; return ok }

func pick[T any](chance *rand.Rand, from []T) T { return from[chance.IntN(len(from))] }

func randomRule(chance *rand.Rand, dest string) walkRule {
	r := walkRule{Dest: dest}
	for _, t := range walkTypes {
		if chance.IntN(2) == 0 {
			r.Types = append(r.Types, t)
		}
	}
	if len(r.Types) == 0 {
		r.Types = walkTypes
	}
	if chance.IntN(3) == 0 {
		r.Namespace = walkNamespace(chance.IntN(walkNamespaceCount))
	} else {
		r.InNamespaces = slices.Clone(walkOurs)
		switch chance.IntN(4) {
		case 0:
			r.InNamespaces = append(r.InNamespaces, walkSelector{"team", []string{pick(chance, walkTeams)}})
		case 1:
			r.InNamespaces = append(r.InNamespaces, walkSelector{"team", nil})
		}
	}
	switch chance.IntN(4) {
	case 0:
		r.OnObjects = []walkSelector{{"tier", []string{pick(chance, walkTiers)}}}
	case 1:
		r.OnObjects = []walkSelector{{"tier", nil}}
	}
	switch chance.IntN(5) {
	case 0:
		r.ExcludeNames = []string{fmt.Sprintf("o-*%d", chance.IntN(10))}
	case 1:
		r.ExcludeTypes = []walkType{pick(chance, walkTypes)}
	}
	return r
}
